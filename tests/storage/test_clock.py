"""Stamps only rise, follow what was read, and are dragged ahead by an hour at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.clock import AHEAD_MS_MAX, STAMP_MAX, Clock, stamp_at, stamp_ms

NOW_MS = 1_700_000_000_000


class Wall:
    """A wall clock to be set."""

    def __init__(self, ms: int = NOW_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


@pytest.mark.parametrize("stamp", [-1, STAMP_MAX + 1])
def test_what_is_no_stamp_is_refused(stamp: int) -> None:
    clock = Clock(Wall())
    with pytest.raises(ValueError, match="not a stamp"):
        clock.read(stamp)


def test_a_stamp_tells_its_time() -> None:
    stamp = Clock(Wall()).tick()
    assert stamp_ms(stamp) == NOW_MS
    assert stamp == stamp_at(NOW_MS)


@given(st.lists(st.integers(0, 2 * NOW_MS) | st.tuples(st.integers(0, STAMP_MAX)), max_size=30))
def test_stamps_rise_whatever_the_wall_clock_and_others_say(steps: list[int | tuple[int]]) -> None:
    wall = Wall()
    clock = Clock(wall)
    last = -1
    for step in steps:
        if isinstance(step, int):
            wall.ms = step
        else:
            clock.read(step[0])
        stamp = clock.tick()
        assert stamp > last
        last = stamp


@given(st.integers(0, stamp_at(NOW_MS + AHEAD_MS_MAX)))
def test_a_stamp_follows_what_was_read(stamp: int) -> None:
    clock = Clock(Wall())
    clock.read(stamp)
    assert clock.tick() > stamp


def test_one_past_an_hour_ahead_is_not_followed() -> None:
    for stamp in (stamp_at(NOW_MS + AHEAD_MS_MAX) + 1, STAMP_MAX):
        clock = Clock(Wall())
        clock.read(stamp)
        assert clock.tick() == stamp_at(NOW_MS + AHEAD_MS_MAX) + 1


def test_a_wall_clock_set_back_holds_stamps_up_only_until_it_is_there_again() -> None:
    wall = Wall()
    clock = Clock(wall)
    first = clock.tick()
    wall.ms -= 1000
    assert clock.tick() == first + 1
    wall.ms += 2000
    assert stamp_ms(clock.tick()) == NOW_MS + 1000


def test_many_stamps_in_a_millisecond_run_over_into_the_next() -> None:
    clock = Clock(Wall())
    stamps = [clock.tick() for _ in range(65_537)]
    assert stamp_ms(stamps[-1]) == NOW_MS + 1
