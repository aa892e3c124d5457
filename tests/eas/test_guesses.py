"""Counters of wrong guesses: when they delay, how they fade, and how many there are."""

from hypothesis import given
from hypothesis import strategies as st

from eas.guesses import DELAY_SECONDS_MAX, FORGIVE_SECONDS, Guesses, Kind, Name

ACCOUNT = Name(Kind.ACCOUNT, "a")
ADDRESS = Name(Kind.ADDRESS, "192.0.2.1")


def test_the_first_few_guesses_are_free() -> None:
    guesses = Guesses()
    for _ in range(Kind.ACCOUNT.free):
        assert guesses.wait_seconds([ACCOUNT], 0) == 0
        guesses.charge([ACCOUNT], 0)
    assert guesses.wait_seconds([ACCOUNT], 0) == 1


def test_each_further_one_waits_twice_as_long_up_to_a_bound() -> None:
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(Kind.ACCOUNT.free + 20):
        waits.append(guesses.wait_seconds([ACCOUNT], now))
        now += waits[-1]
        guesses.charge([ACCOUNT], now)
    assert waits[Kind.ACCOUNT.free : Kind.ACCOUNT.free + 5] == [1, 2, 4, 8, 16]
    assert max(waits) == DELAY_SECONDS_MAX


def test_the_slowest_name_counts() -> None:
    guesses = Guesses()
    for _ in range(Kind.ACCOUNT.free + 2):
        guesses.charge([ACCOUNT, ADDRESS], 0)
    assert guesses.wait_seconds([ADDRESS], 0) == 0
    assert guesses.wait_seconds([ADDRESS, ACCOUNT], 0) == 4


def test_guesses_fade() -> None:
    guesses = Guesses()
    for _ in range(Kind.ACCOUNT.free):
        guesses.charge([ACCOUNT], 0)
    assert guesses.wait_seconds([ACCOUNT], 0) == 1
    assert guesses.wait_seconds([ACCOUNT], FORGIVE_SECONDS) == 0


def test_a_charge_is_given_back() -> None:
    guesses = Guesses()
    for _ in range(Kind.ACCOUNT.free * 10):
        guesses.charge([ACCOUNT], 0)
        guesses.give_back([ACCOUNT])
    assert guesses.wait_seconds([ACCOUNT], 0) == 0


def test_giving_back_what_nobody_charged_does_nothing() -> None:
    guesses = Guesses()
    guesses.give_back([ACCOUNT])
    guesses.forget(ACCOUNT)
    assert guesses.wait_seconds([ACCOUNT], 0) == 0


def test_the_table_forgets_whom_nobody_guessed_at_for_longest() -> None:
    guesses = Guesses(entries_max=2)
    for text in ("1", "2", "3"):
        for _ in range(10):
            guesses.charge([Name(Kind.DEVICE, text)], 0)
    assert guesses.wait_seconds([Name(Kind.DEVICE, "1")], 0) == 0
    assert guesses.wait_seconds([Name(Kind.DEVICE, "2")], 0) > 0
    assert guesses.wait_seconds([Name(Kind.DEVICE, "3")], 0) > 0


@given(st.lists(st.floats(0, 1e6), max_size=50), st.floats(0, 1e6))
def test_no_wait_is_longer_than_the_bound_and_the_last_charge_ahead(charges: list[float], now: float) -> None:
    guesses = Guesses()
    for at in charges:
        guesses.charge([ACCOUNT], at)
    ahead = max([0.0, *(at - now for at in charges)])
    assert 0 <= guesses.wait_seconds([ACCOUNT], now) <= DELAY_SECONDS_MAX + ahead
