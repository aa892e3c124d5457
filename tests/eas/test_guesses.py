"""Counters of wrong guesses: when they delay, how they fade, and how many there are."""

from hypothesis import given
from hypothesis import strategies as st

from eas.login.guesses import BOUNDS, FORGIVE_SECONDS, Guesses, Kind, Name

ACCOUNT = Name(Kind.ACCOUNT, "a")
PLACE = Name(Kind.PLACE, "a 192.0.2.1")
FREE, LONGEST = BOUNDS[Kind.PLACE]


def counted(times: int, now: float = 0.0) -> Guesses:
    guesses = Guesses()
    for _ in range(times):
        guesses.count([PLACE], now)
    return guesses


def test_the_first_few_guesses_are_free() -> None:
    assert counted(FREE - 1).wait_seconds([PLACE], 0) == 0
    assert counted(FREE).wait_seconds([PLACE], 0) == 1


def test_each_further_one_waits_twice_as_long_up_to_a_bound() -> None:
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(FREE + 20):
        waits.append(guesses.wait_seconds([PLACE], now))
        now += waits[-1]
        guesses.count([PLACE], now)
    assert waits[FREE : FREE + 5] == [1, 2, 4, 8, 16]
    assert max(waits) == LONGEST


def test_the_slowest_name_says_how_long() -> None:
    guesses = Guesses()
    for _ in range(FREE + 2):
        guesses.count([PLACE, ACCOUNT], 0)
    assert guesses.wait_seconds([ACCOUNT], 0) == 0
    assert guesses.wait_seconds([ACCOUNT, PLACE], 0) == 4
    assert guesses.wait_seconds([], 0) == 0


def test_guesses_fade() -> None:
    guesses = counted(FREE)
    guesses.count([PLACE], FORGIVE_SECONDS)
    assert guesses.wait_seconds([PLACE], FORGIVE_SECONDS) == 1
    guesses.count([PLACE], 10 * FREE * FORGIVE_SECONDS)
    assert guesses.wait_seconds([PLACE], 10 * FREE * FORGIVE_SECONDS) == 0


def test_what_is_forgotten_begins_anew() -> None:
    guesses = counted(FREE * 2)
    guesses.forget([PLACE, ACCOUNT])
    assert guesses.wait_seconds([PLACE], 0) == 0


def test_the_table_forgets_whom_nobody_guessed_at_for_longest() -> None:
    guesses = Guesses(entries_max=2)
    for text in ("1", "2", "3"):
        for _ in range(10):
            guesses.count([Name(Kind.DEVICE, text)], 0)
    assert guesses.wait_seconds([Name(Kind.DEVICE, "1")], 0) == 0
    assert guesses.wait_seconds([Name(Kind.DEVICE, "2")], 0) > 0
    assert guesses.wait_seconds([Name(Kind.DEVICE, "3")], 0) > 0


@given(st.sampled_from(Kind), st.lists(st.floats(0, 1e6), max_size=50), st.floats(0, 1e6))
def test_no_wait_is_longer_than_the_bound(kind: Kind, moments: list[float], later: float) -> None:
    guesses, now = Guesses(), 0.0
    for now in sorted(moments):
        guesses.count([Name(kind, "a")], now)
    wait = guesses.wait_seconds([Name(kind, "a")], now + later)
    assert 0 <= wait <= max(0.0, BOUNDS[kind].delay_seconds_max - later + 1e-6)
