"""How wrong passwords are slowed: counters with a memory that fades, and never a lock.

A guess counts for names of several kinds: the account it aims at, the address it comes from, the device it says it is.
The first few are free; then each has to wait twice as long after the one before, up to a bound.  Counters fade by one
in `FORGIVE_SECONDS`.  Each table is bounded: what nobody guessed at for longest goes first.

A guess is charged when it begins, so that many at once do not slip through, and given back when it was right.
"""

from collections import OrderedDict
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

DELAY_SECONDS_MAX = 60.0
FORGIVE_SECONDS = 60.0
ENTRIES_MAX = 10_000
"""Names that are remembered of each kind."""


class Kind(Enum):
    """Whom a guess counts for; the value is how many are free."""

    ACCOUNT = ("account", 5)
    ADDRESS = ("address", 20)  # many users may share one: a company's, a mobile network's
    DEVICE = ("device", 5)
    OWN = ("own", 8)
    """A device that got into the account before: it is slowed by its own wrong guesses alone."""

    @property
    def free(self) -> int:
        """How many guesses have no delay."""
        return self.value[1]


class Name(NamedTuple):
    """One thing that a guess counts for."""

    kind: Kind
    text: str


class _Count(NamedTuple):
    failures: float
    at: float


class Guesses:
    """The counters of one process."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._tables: dict[Kind, OrderedDict[str, _Count]] = {kind: OrderedDict() for kind in Kind}

    def wait_seconds(self, names: Iterable[Name], now: float) -> float:
        """Return how long a guess at all of *names* has to wait; 0 for one that may go on."""
        return max((self._wait(name, now) for name in names), default=0.0)

    def charge(self, names: Iterable[Name], now: float) -> None:
        """Count a guess that begins at *now*, which may lie ahead."""
        for name in names:
            table = self._tables[name.kind]
            table[name.text] = _Count(self._failures(name, now) + 1, now)
            table.move_to_end(name.text)
            if len(table) > self._entries_max:
                table.popitem(last=False)

    def give_back(self, names: Iterable[Name]) -> None:
        """Take back the charge of a guess that was right, or was not answered."""
        for name in names:
            table = self._tables[name.kind]
            count = table.get(name.text)
            if count is not None:
                if count.failures > 1:
                    table[name.text] = count._replace(failures=count.failures - 1)
                else:
                    del table[name.text]

    def forget(self, name: Name) -> None:
        """Start anew for *name*."""
        self._tables[name.kind].pop(name.text, None)

    def _failures(self, name: Name, now: float) -> float:
        count = self._tables[name.kind].get(name.text)
        return 0.0 if count is None else max(0.0, count.failures - max(0.0, now - count.at) / FORGIVE_SECONDS)

    def _wait(self, name: Name, now: float) -> float:
        count = self._tables[name.kind].get(name.text)
        if count is None:
            return 0.0
        beyond = int(self._failures(name, now) + 0.999) - name.kind.free
        if beyond < 0:
            return 0.0
        return max(0.0, count.at + min(DELAY_SECONDS_MAX, 2.0**beyond) - now)
