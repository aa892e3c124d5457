"""Random histories of everything, a bounded number of them; `make simulate` runs as many as one likes."""

import os
import subprocess
import sys

import pytest

from tests.simulation.runner import run

PARTS = 20
RUNS = {"ci": 200, "long": 5000}[os.environ.get("HYPOTHESIS_PROFILE", "ci")]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_law_holds_in_random_histories(part: int) -> None:
    assert [result.told for seed in range(part, RUNS, PARTS) if (result := run(seed)).broken] == []


def test_a_history_follows_from_its_seed_alone() -> None:
    program = "from tests.simulation.runner import run; print(*(run(seed).digest for seed in (19, 20, 21)))"

    def digests(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
        made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        return made.stdout.decode()

    assert digests("1") == digests("2") == f"{run(19).digest} {run(20).digest} {run(21).digest}\n"
