"""What a soak is asked to do, and what it has seen: the numbers of its report."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from eas.protocol.versions import Version

DOMAIN: Final = "example.test"
VERSIONS: Final = (Version.V12_1, Version.V16_1, Version.V14_1, Version.V14_0, Version.V16_0, Version.V16_1)
"""Those of the phones, in turn; each account's first phone is followed by one of another version."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything.  Equal seeds draw equal mails and faults; processes then go their own way."""

    engine: str
    nodes: int
    mails: int
    kills: int
    minutes: float
    seed: int
    workers: int = 1
    """Processes of each node."""
    accounts: int = 4
    phones: int = 8
    outbox_seconds: float = 780.0
    """How long a mail may wait in a phone's outbox: where nobody knows that a process died, its attempt stands in the
    way for ten minutes.  What waits at the end for longer is left there."""

    @property
    def seconds_a_kill(self) -> float:
        """How long mail runs in for each kill."""
        return self.minutes * 60 / max(1, self.kills)


@dataclass(slots=True)
class Seen:
    """What happened: counts by name, and faults, each of which makes the soak fail."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    logged: Counter[str] = field(default_factory=Counter)
    """Errors and warnings in the nodes' logs."""
    checked: list[str] = field(default_factory=list)
    """What `petitbleu check` said of the whole store."""
    slowest_seconds: float = 0.0
    """The longest that a phone went on asking for one answer."""

    def fault(self, text: str) -> None:
        """Note what must not be, and say so at once."""
        print(f"FAULT: {text}", file=sys.stderr, flush=True)
        self.counts["faults"] += 1
        if len(self.faults) < 50:
            self.faults.append(text)

    def took(self, seconds: float) -> None:
        """Note how long an answer took, with all that was asked again for it."""
        self.slowest_seconds = max(self.slowest_seconds, seconds)


def address(account: int) -> str:
    """Return the address of an account; they count from 1."""
    return f"u{account}@{DOMAIN}"


def password(account: int) -> str:
    """Return its password."""
    return f"password of u{account}"
