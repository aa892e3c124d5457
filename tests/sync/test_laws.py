"""The laws of synchronisation in a few random histories of the planner alone (`tests/simulation/plan`)."""

import pytest

from tests.simulation.plan.world import run


@pytest.mark.parametrize("seed", range(20_000, 20_040))
def test_every_law_holds(seed: int) -> None:
    assert run(seed, 60) is None
