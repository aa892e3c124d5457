"""Random histories, a bounded number of them here; `python -m tests.simulation` runs as many as one likes."""

import os

import pytest

from tests.simulation.__main__ import run

RUNS = {"ci": 60, "long": 2000}[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
STRIDE = 97
STEPS = 60


@pytest.mark.parametrize("part", range(6))
def test_every_law_holds_in_random_histories(part: int) -> None:
    seeds = range(part * STRIDE, (part + RUNS) * STRIDE, 6 * STRIDE)
    assert [broken for seed in seeds if (broken := run(seed, STEPS))] == []
