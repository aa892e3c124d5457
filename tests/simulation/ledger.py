"""Who wanted what, and who was told that it is done: so that no acknowledged change gets lost unseen.

Clocks are wrong and lines are bad; so what the end must look like is not always one thing.  But a claim that was
acknowledged *supersedes* all that had been acknowledged before it was made, and a value that is superseded must not be
the last one.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Claim:
    """Somebody wants a property of an item to have a value.  Times are virtual seconds."""

    item: str
    name: str
    value: Hashable
    who: str
    number: int
    began: float | None = None
    """When it was sent first; None: not yet."""
    acked: float | None = None
    keys: set[str] = field(default_factory=set)
    """Under which keys a phone sent it: between two of one key the server cannot know the later one."""

    def supersedes(self, other: "Claim") -> bool:
        """Tell whether *other* can no longer be the last word, as this one is known to be done."""
        if self.acked is None or self.began is None:
            return False
        if other.acked is not None and other.acked < self.began:
            return True
        return bool(self.keys and other.keys and self.who == other.who) and (
            other.number < self.number and not self.keys & other.keys
        )

    def __str__(self) -> str:
        times = f"{_hours(self.began)} … {_hours(self.acked)}"
        return f"{self.who} #{self.number} {self.item} {self.name}={self.value} ({times})"


def _hours(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 3600:.3f} h"


class Ledger:
    """All claims of one history."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], list[Claim]] = defaultdict(list)
        self._count = 0
        self.swept: set[str] = set()
        """Folders that somebody wanted to remove: what was in them may be in the Trash."""

    def sweep(self, folder: str) -> None:
        """Note that somebody removes a folder."""
        self.swept.add(folder)

    def claim(self, item: str, name: str, value: Hashable, who: str, began: float | None = None) -> Claim:
        """Note that *who* wants this."""
        self._count += 1
        claim = Claim(item, name, value, who, self._count, began)
        self._claims[item, name].append(claim)
        return claim

    def why_not(self, item: str, name: str, value: Hashable, initial: Hashable) -> str:
        """Return why *value* cannot be the last one, or nothing."""
        claims = [claim for claim in self._claims.get((item, name), []) if claim.began is not None]
        possible = [claim for claim in claims if claim.value == value]
        for claim in possible:
            if not any(other.supersedes(claim) for other in claims if other.value != value):
                return ""
        acked = [claim for claim in claims if claim.acked is not None]
        if value == initial and not acked:
            return ""
        told = "; ".join(map(str, claims))
        return f"{item} ends with {name}={value}, but {told or 'nobody wanted that'}"
