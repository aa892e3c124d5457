"""Many seeds: an interrupted run goes on where it was."""

from pathlib import Path

import pytest

from tests.simulation import campaign
from tests.simulation.campaign import Campaign


def test_finished_seeds_are_not_run_again(tmp_path: Path) -> None:
    first = Campaign(range(3), 5, tmp_path)
    assert list(first.run(1)) == []
    again = Campaign(range(5), 5, tmp_path)
    assert again.left == [3, 4]
    assert again.summary == "5 histories of 5 steps, 3 of them before"


def test_another_program_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Campaign(range(1), 5, tmp_path).run(1)) == []
    monkeypatch.setattr(campaign, "fingerprint", lambda: "another")
    assert Campaign(range(1), 5, tmp_path).left == [0]
