"""`python -m tests.fuzz [--seconds N] [--seed TEXT] [TARGET …]`: run the targets, each for N seconds.

Stops at the first input that a target does not survive, and prints it with the seed that makes it again.
"""

import argparse
import os
import secrets
import sys
import traceback
from collections.abc import Mapping
from time import monotonic
from typing import Final

from tests.fuzz import lmtp, mime, query, records, wbxml
from tests.fuzz.target import Target, check, input_of

TARGETS: Final[Mapping[str, Target]] = {
    "lmtp": lmtp.TARGET,
    "mime": mime.TARGET,
    "query": query.TARGET,
    "records": records.TARGET,
    "wbxml": wbxml.TARGET,
}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0, or 1 when an input was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="run the fuzz targets")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "60")), help="for each target")
    parser.add_argument("--seed", help="begin with this seed; with --seconds 0, run only that input")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    return max(fuzz(name, options.seconds, options.seed) for name in options.targets or TARGETS)


def fuzz(name: str, seconds: float, seed: str | None) -> int:
    """Run one target; return 1 when an input was found."""
    prefix = secrets.token_hex(4)
    deadline = monotonic() + seconds
    runs = 0
    while True:
        current = seed if seed is not None and runs == 0 else f"{prefix}-{runs}"
        data = input_of(TARGETS[name], current)
        try:
            check(TARGETS[name], data)
        except Exception:
            traceback.print_exc()
            print(f"{name}: seed {current}, {len(data)} bytes: {data.hex()}")
            return 1
        runs += 1
        if monotonic() >= deadline:
            print(f"{name}: {runs} inputs survived")
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
