"""`python -m tests.simulation`: run many histories.  SEED=n for one alone, RUNS=n, STEPS=n, PROCESSES=n."""

import asyncio
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import LawBroken, World


def run(seed: int, steps: int) -> str | None:
    """Run one history; return what went wrong, or None."""
    try:
        asyncio.run(World(seed).run(steps))
    except LawBroken as broken:
        return f"seed {seed}: {broken}"
    return None


def _run_part(seeds: range, steps: int) -> list[str]:
    return [broken for seed in seeds if (broken := run(seed, steps))]


def main() -> int:
    steps = int(os.environ.get("STEPS", "60"))
    if "SEED" in os.environ:
        broken = run(int(os.environ["SEED"]), steps)
        print(broken or "every law holds")
        return int(broken is not None)
    runs, processes = int(os.environ.get("RUNS", "1000")), int(os.environ.get("PROCESSES", "2"))
    began = time.monotonic()
    parts = [range(start, min(start + 50, runs)) for start in range(0, runs, 50)]
    failed = 0
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(_run_part, parts, [steps] * len(parts)):
            for broken in found:
                failed += 1
                print(broken, flush=True)
    print(f"{runs} histories of {steps} steps, {failed} broken, {time.monotonic() - began:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
