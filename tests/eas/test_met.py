"""Since when an intent is known: from the first question on, and of a bounded number."""

import pytest

from eas.sending import met


def test_the_first_question_begins_it() -> None:
    now = 5.0
    known = met.Met(lambda: now)
    assert known.seconds("a", ("w", 1)) == 0
    now = 7.0
    assert known.seconds("a", ("w", 1)) == 2
    assert known.seconds("b", ("w", 1)) == 0


def test_those_asked_of_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(met, "MET_MAX", 2)
    now = 0.0
    known = met.Met(lambda: now)
    for n in (1, 2, 1, 3):
        known.seconds("a", ("w", n))
    now = 9.0
    assert [known.seconds("a", ("w", n)) for n in (1, 3, 2)] == [9, 9, 0]
