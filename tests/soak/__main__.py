"""`python -m tests.soak --engine cas --mails 5000 --kills 100`: nodes, Postfix and phones for real; exit 1 for a fault.

Needs root and Debian's Postfix (`tests/interop`).  Everything listens on loopback and lies in temporary folders.
"""

import argparse
import signal
import sys
import time
from dataclasses import replace

from tests.soak.plan import Plan, Seen
from tests.soak.soak import soak
from tests.soak.stores import PLACES

NODES = {"local": 4}


def main(arguments: list[str]) -> int:
    """Run one soak, print what was seen, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="real processes, killed under load")
    parser.add_argument("--engine", choices=list(PLACES), default="cas")
    parser.add_argument("--nodes", type=int, help="`serve` processes (3; 4 on the local engine)")
    parser.add_argument("--workers", type=int, default=1, help="processes of each")
    parser.add_argument("--mails", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, help="how long mail runs in (three seconds a kill)")
    parser.add_argument("--outbox-seconds", type=float, default=780.0, help="how long phones try to send one mail")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    nodes = asked.nodes or NODES.get(asked.engine, 3)
    minutes = asked.minutes or max(1, asked.kills) * 3 / 60
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # so that all is taken down
    plan = Plan(asked.engine, nodes, asked.mails, asked.kills, minutes, asked.seed, asked.workers)
    plan = replace(plan, outbox_seconds=asked.outbox_seconds)
    began = time.monotonic()
    seen = soak(plan)
    print(report(plan, seen, time.monotonic() - began), flush=True)
    return 1 if seen.faults else 0


def report(plan: Plan, seen: Seen, seconds: float) -> str:
    """Return what was seen, for people."""
    lines = [f"{plan}", f"{seconds:.0f} s in all"]
    lines += [f"{count:8d}  {name}" for name, count in sorted(seen.counts.items())]
    lines += [f"{seen.slowest_seconds:8.1f}  seconds for the slowest answer, with all asking again"]
    lines += [f"{count:8d}  logged {name}" for name, count in seen.logged.most_common()]
    lines += seen.checked
    lines += [f"FAULT: {fault}" for fault in seen.faults]
    return "\n".join([*lines, "nothing lost, nothing twice" if not seen.faults else "FAILED"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
