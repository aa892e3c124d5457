"""`python -m tests.bench [--print-only] [NAME …]`: print each figure beside its budget; exit 1 past a budget.

A benchmark is a module with `run() -> list[Figure]` in the table below.  With `BENCH_QUICK=1` in the environment those
that run a whole server do so on a smaller scale.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Final

from tests.bench import (
    account,
    codec,
    delivery,
    engine,
    first_sync,
    held,
    incremental,
    lmtp,
    marks,
    mime,
    nodes,
    packs,
    ring,
    search,
    store,
    unlock,
    waiting,
)
from tests.bench.figure import Figure

BENCHMARKS: Final[Mapping[str, Callable[[], list[Figure]]]] = {
    "account": account.run,
    "codec": codec.run,
    "delivery": delivery.run,
    "engine": engine.run,
    "first_sync": first_sync.run,
    "held": held.run,
    "incremental": incremental.run,
    "lmtp": lmtp.run,
    "marks": marks.run,
    "mime": mime.run,
    "nodes": nodes.run,
    "packs": packs.run,
    "ring": ring.run,
    "search": search.run,
    "store": store.run,
    "unlock": unlock.run,
    "waiting": waiting.run,
}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0, or 1 when a figure is past its budget."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="measure, and compare with the budgets")
    parser.add_argument("--print-only", action="store_true", help="exit 0 whatever the figures are")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    past = 0
    for name in options.names or BENCHMARKS:
        for figure in BENCHMARKS[name]():
            print(figure, flush=True)
            past += not figure.passes
    return int(past > 0 and not options.print_only)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
