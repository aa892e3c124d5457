"""The laws of synchronisation in a few random histories; `python -m tests.simulation` runs thousands."""

import pytest

from tests.simulation.__main__ import run


@pytest.mark.parametrize("seed", range(20_000, 20_040))
def test_every_law_holds(seed: int) -> None:
    assert run(seed, 60) is None
