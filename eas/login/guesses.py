"""How wrong passwords are slowed: counters with a memory that fades, and never a lock.

A wrong guess counts for names of several kinds.  The first few are free; then each has to wait twice as long after the
one before, up to a bound.  Counters fade by one in `FORGIVE_SECONDS`.  Each table is bounded: what nobody guessed at
for longest goes first.  What was right never counts: a thousand phones may come from one address at once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum
from math import ceil
from typing import NamedTuple

FORGIVE_SECONDS = 60.0
ENTRIES_MAX = 10_000
"""Names that are remembered of each kind."""
_ROUNDING = 1e-6


class Kind(Enum):
    """Whom a guess counts for."""

    PLACE = "place"
    """An account, guessed at from one address: whoever guesses slows himself."""
    DEVICE = "device"
    """Who the phone says it is."""
    OWN = "own"
    """A device that got into the account before: it is slowed by its own wrong guesses alone."""
    ACCOUNT = "account"
    """An account, from wherever: many places must guess at it before this counter says anything."""
    ADDRESS = "address"
    """An address, whoever it guesses at.  Many may share it (a company, a mobile network): its delay is short."""


class Bounds(NamedTuple):
    """How a kind is slowed."""

    free: int
    """How many guesses have no delay."""
    delay_seconds_max: float


BOUNDS: Mapping[Kind, Bounds] = {
    Kind.PLACE: Bounds(5, 60.0),
    Kind.DEVICE: Bounds(5, 60.0),
    Kind.OWN: Bounds(8, 60.0),
    Kind.ACCOUNT: Bounds(20, 60.0),
    Kind.ADDRESS: Bounds(20, 4.0),
}


class Name(NamedTuple):
    """One thing that a guess counts for."""

    kind: Kind
    text: str


class _Count(NamedTuple):
    failures: float
    at: float


class Guesses:
    """The counters of one process.  Times are seconds of one clock."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._tables: dict[Kind, OrderedDict[str, _Count]] = {kind: OrderedDict() for kind in Kind}

    def wait_seconds(self, names: Iterable[Name], now: float) -> float:
        """Return how long a guess at all of *names* has to wait; 0 for one that may go on."""
        return max((self._wait(name, now) for name in names), default=0.0)

    def count(self, names: Iterable[Name], now: float) -> None:
        """Count a wrong guess."""
        for name in names:
            table = self._tables[name.kind]
            table[name.text] = _Count(self._failures(name, now) + 1, now)
            table.move_to_end(name.text)
            if len(table) > self._entries_max:
                table.popitem(last=False)

    def forget(self, names: Iterable[Name]) -> None:
        """Start anew for *names*."""
        for name in names:
            self._tables[name.kind].pop(name.text, None)

    def _failures(self, name: Name, now: float) -> float:
        count = self._tables[name.kind].get(name.text)
        return 0.0 if count is None else max(0.0, count.failures - max(0.0, now - count.at) / FORGIVE_SECONDS)

    def _wait(self, name: Name, now: float) -> float:
        count = self._tables[name.kind].get(name.text)
        if count is None:
            return 0.0
        bounds = BOUNDS[name.kind]
        # As of that guess, and not rounded down: the delay neither shrinks while one waits nor stays behind.
        beyond = ceil(count.failures - _ROUNDING) - bounds.free
        if beyond < 0:
            return 0.0
        return max(0.0, count.at + min(bounds.delay_seconds_max, 2.0**beyond) - now)
