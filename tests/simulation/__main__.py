"""`make simulate`: SEED=n replays one history; RUNS=n runs many (and goes on where an interrupted run ended).

STEPS=n: how much happens in each; PROCESSES=n share the work; FROM=n: the first seed.  Exit code 1: a law was broken.
"""

import os
import sys
import time

from tests.simulation.campaign import Campaign
from tests.simulation.runner import STEPS, run

RUNS = 1000
PROCESSES = 2


def main() -> int:
    """Run what the environment asks for."""
    steps = int(os.environ.get("STEPS", STEPS))
    if "SEED" in os.environ:
        result = run(int(os.environ["SEED"]), steps)
        print(result.told if result.broken else f"every law holds in history {result.digest}")
        return int(result.broken is not None)
    first, runs = int(os.environ.get("FROM", "0")), int(os.environ.get("RUNS", RUNS))
    campaign = Campaign(range(first, first + runs), steps)
    began = time.monotonic()
    broken = 0
    for result in campaign.run(int(os.environ.get("PROCESSES", PROCESSES))):
        broken += 1
        print(f"{result.told}\n\nReplay it: make simulate SEED={result.seed} STEPS={steps}\n", flush=True)
    print(f"{campaign.summary}; {broken} broken now; {time.monotonic() - began:.0f} s")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
