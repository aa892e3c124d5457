"""The simulation notices when a rule is broken, within a few seeds."""

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.runner import run

SEEDS = 20


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_broken_rule_is_noticed(what: str) -> None:
    with MUTATIONS[what]():
        assert any(run(seed).broken for seed in range(SEEDS))
