"""Many seeds, shared by several processes; what is finished is noted, so that an interrupted run goes on there.

The notes are of this very program: whoever changes a line of it begins anew.  Seeds whose history broke a law are not
noted, and so run again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.simulation.runner import Result, run

ROOT = Path(__file__).parents[2]
NOTES = ROOT / ".simulation"
PROGRAM = ("eas", "lmtp", "storage", "tests/simulation")
SEEDS_AT_ONCE = 10


class Campaign:
    """The seeds to run, less those that were finished before."""

    def __init__(self, seeds: range, steps: int, notes: Path = NOTES) -> None:
        self._seeds, self._steps = seeds, steps
        self._notes = notes / f"{steps}-{fingerprint()}"
        self._notes.parent.mkdir(exist_ok=True)
        before = set(self._notes.read_text().split()) if self._notes.exists() else set()
        self.left = [seed for seed in seeds if str(seed) not in before]

    @property
    def summary(self) -> str:
        """What was asked for, and how much of it an earlier run had done."""
        earlier = len(self._seeds) - len(self.left)
        done = f", {earlier} of them before" if earlier else ""
        return f"{len(self._seeds)} histories of {self._steps} steps{done}"

    def run(self, processes: int) -> Iterator[Result]:
        """Run what is left, and yield the results that broke a law, as they come."""
        parts = [self.left[start : start + SEEDS_AT_ONCE] for start in range(0, len(self.left), SEEDS_AT_ONCE)]
        with ProcessPoolExecutor(processes) as pool, self._notes.open("a") as notes:
            for done in as_completed([pool.submit(_run_part, part, self._steps) for part in parts]):
                results = done.result()
                notes.writelines(f"{result.seed}\n" for result in results if not result.broken)
                notes.flush()
                yield from (result for result in results if result.broken)


def _run_part(seeds: Iterable[int], steps: int) -> list[Result]:
    return [run(seed, steps) for seed in seeds]


def fingerprint() -> str:
    """Return a hash of the program that is tested, and of the one that tests it."""
    digest = hashlib.blake2b(digest_size=6)
    for folder in PROGRAM:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
