"""Random histories of the planner alone, on a store where nothing fails: quick, and with Adds in any folder."""

import os

import pytest

from tests.simulation.plan.world import run

RUNS = {"ci": 60, "long": 2000}[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
STRIDE = 97
STEPS = 60


@pytest.mark.parametrize("part", range(6))
def test_every_law_holds_in_random_histories(part: int) -> None:
    seeds = range(part * STRIDE, (part + RUNS) * STRIDE, 6 * STRIDE)
    assert [broken for seed in seeds if (broken := run(seed, STEPS))] == []


@pytest.mark.parametrize("seed", [156, 198, 878, 1243, 2036, 2081])
def test_histories_that_once_broke_a_law_hold(seed: int) -> None:
    """As they were found: a membership of several records, a removed folder's members told in parts."""
    assert run(seed, STEPS) is None
