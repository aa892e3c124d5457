"""`python -m tests.tampering`: everything that `spoils.py` knows, one after the other; some minutes."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from random import Random

import structlog

from tests.tampering.kept import left
from tests.tampering.spoils import WAYS
from tests.tampering.verdict import faults, outcome_of


async def _run(folder: Path) -> int:
    kept = await left(folder)
    wrong = 0
    for way in WAYS:
        spoils = list(way(kept, Random(0)))
        for place, spoil in enumerate(spoils):
            print(f"\r{way.__name__} {place} of {len(spoils)}", end="", file=sys.stderr)
            for fault in faults(kept, spoil, await outcome_of(kept, spoil)):
                wrong += 1
                print(f"\n{spoil.names} {spoil.what}: {fault}")
        print(f"\r{way.__name__}: {len(spoils)} spoilt stores", flush=True)
    return wrong


def main() -> int:
    """Return how many faults there were, at most 1."""
    # Warnings are heard by the verdict, and shown to nobody.
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as folder:
        return min(asyncio.run(_run(Path(folder))), 1)


if __name__ == "__main__":
    sys.exit(main())
