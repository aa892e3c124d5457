"""How bad things are: every choice of a fault, drawn from the seed."""

from dataclasses import dataclass
from enum import Enum, auto
from random import Random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
LATE_SECONDS_MAX = 12 * HOUR
"""How long a PUT may be on its way: the collector's grace is made for that."""
SKEW_HOURS_MAX = 4
"""How wrong a clock is, at most, either way."""


class Fate(Enum):
    """What happens to one call of an engine."""

    FINE = auto()
    SLOW = auto()
    STALLED = auto()
    """Its answer comes after hours or days: the process, or the line, was suspended meanwhile."""
    REFUSED = auto()
    """`Unavailable`: the effect never happens, has happened, or happens later."""
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()


class Line(Enum):
    """What happens to one request of a phone, or to one delivery."""

    FINE = auto()
    REQUEST_LOST = auto()
    ANSWER_LOST = auto()
    LATE = auto()
    """It is executed when nobody waits for it any more."""
    TWICE = auto()
    """Two nodes execute it at once."""
    CANCELLED = auto()
    """The line is cut in the midst of it."""


@dataclass
class Weather:
    """The chances of one history; `is_fair` ends all faults."""

    random: Random
    fault: float
    line: float
    is_fair: bool = False

    @classmethod
    def of(cls, random: Random) -> "Weather":
        """Draw the climate: some histories have bad machines, some bad lines, some nothing but company."""
        return cls(random, random.choice([0.0, 0.002, 0.01, 0.03]), random.choice([0.0, 0.1, 0.3]))

    def fate(self, *, is_cut_off: bool) -> Fate:
        """Draw what happens to a call of an engine."""
        if self.is_fair:
            return Fate.FINE
        chance = self.random.random()
        if is_cut_off and chance < 0.9:
            return Fate.REFUSED
        if chance > self.fault:
            return Fate.FINE
        fates = [Fate.SLOW, Fate.STALLED, Fate.REFUSED, Fate.REFUSED, Fate.CRASH_BEFORE, Fate.CRASH_AFTER]
        return self.random.choice(fates)

    def pause(self) -> float:
        """Draw how long a call takes each way."""
        return 0.001 if self.is_fair else self.random.choice([0.002, 0.01, 0.01, 0.05, 0.4])

    def slow(self) -> float:
        """Draw the time that a slow call takes before its effect."""
        return self.random.choice([5.0, 2 * MINUTE, HOUR, LATE_SECONDS_MAX * self.random.random()])

    def stall(self) -> float:
        """Draw for how long a process is suspended."""
        return self.random.choice([30.0, 20 * MINUTE, 3 * HOUR, 30 * HOUR, 3 * DAY])

    def late(self) -> float:
        """Draw how much later an effect happens whose caller was told nothing."""
        return self.random.choice([1.0, MINUTE, LATE_SECONDS_MAX * self.random.random()])

    def request(self) -> Line:
        """Draw what happens to a request."""
        if self.is_fair or self.random.random() > self.line:
            return Line.FINE
        return self.random.choice([line for line in Line if line is not Line.FINE])

    def gap(self) -> float:
        """Draw the time until the next thing is begun: mostly none, so that much is under way at once."""
        chance = self.random.random()
        if chance < 0.6:
            return self.random.random() * 0.3
        if chance < 0.9:
            return self.random.random() * 10 * MINUTE
        return self.random.choice([HOUR, 5 * HOUR, 14 * HOUR, 2 * DAY, 9 * DAY])
