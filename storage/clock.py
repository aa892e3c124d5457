"""Stamps: a hybrid logical clock, which orders what happened without trusting anybody's wall clock.

A stamp is 64 bits: milliseconds since 1970 in the upper 48, a counter in the lower 16.  Each is greater than every
stamp its clock has given or read, so that what was written after reading something ranks after it, even if this
machine's clock is slow.  A stamp from a machine whose clock is far ahead must not drag everybody there for ever:
what is read advances a clock to one hour beyond its own wall clock, and no further.
"""

from collections.abc import Callable

COUNTER_BITS = 16
STAMP_MAX = (1 << 64) - 1
AHEAD_MS_MAX = 60 * 60 * 1000


def stamp_ms(stamp: int) -> int:
    """Return a stamp's time, in milliseconds since 1970."""
    return stamp >> COUNTER_BITS


def stamp_at(ms: int) -> int:
    """Return the lowest stamp of a millisecond: whatever was stamped before it is less."""
    return ms << COUNTER_BITS


class Clock:
    """Gives stamps, each greater than all before.  One for a process; not for several threads at once.

    *now_ms* is the wall clock; it may jump.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last = 0

    def wall_ms(self) -> int:
        """Return the wall clock's time in milliseconds since 1970."""
        return self._now_ms()

    def tick(self) -> int:
        """Return a new stamp.  More than 65,536 in one millisecond run over into the next."""
        self._last = max(self._last + 1, stamp_at(self._now_ms()))
        return self._last

    def read(self, stamp: int) -> None:
        """Note a stamp that somebody else gave: later ones of ours exceed it, if it is not over an hour ahead.

        Raises ValueError for what is no stamp.
        """
        if not 0 <= stamp <= STAMP_MAX:
            raise ValueError(f"not a stamp: {stamp}")
        self._last = max(self._last, min(stamp, stamp_at(self._now_ms() + AHEAD_MS_MAX)))
