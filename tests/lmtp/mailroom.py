"""Storage as delivery sees it, in memory, with doors that a test can shut."""

import asyncio
import itertools
import mmap
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lmtp.delivery import Addressee, Postman
from lmtp.reply import Reply
from storage.errors import QuotaExceeded, UnknownAddress


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox: what storage makes of an address."""

    account_id: str
    detail: str
    quota_bytes: int | None


@dataclass
class Mailroom:
    """Accounts named like their local parts.  `trouble` is what deposits for an account raise."""

    quotas: dict[str, int | None] = field(default_factory=lambda: {"a": None, "b": None, "small": 1000})
    trouble: dict[str, Exception] = field(default_factory=dict)
    directory_trouble: Exception | None = None
    stored: list[tuple[str, bytes, bytes, bool]] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    at_once: int = 0
    at_once_seen: int = 0

    async def recipient(self, address: str) -> Box:
        if self.directory_trouble is not None:
            raise self.directory_trouble
        user, _, detail = address.partition("@")[0].partition("+")
        if user not in self.quotas:
            raise UnknownAddress(address)
        return Box(user, detail, self.quotas[user])

    async def room(self, recipient: Box, size_bytes: int) -> None:
        self.asked.append((recipient.account_id, size_bytes))
        if recipient.quota_bytes is not None and size_bytes > recipient.quota_bytes:
            raise QuotaExceeded(0, recipient.quota_bytes)

    async def deposit(self, recipient: Box, trace: bytes, message: bytes | mmap.mmap, *, junk: bool) -> None:
        self.at_once += 1
        self.at_once_seen = max(self.at_once, self.at_once_seen)
        try:
            await (self.gate.wait() if self.gate is not None else asyncio.sleep(0))
        finally:
            self.at_once -= 1
        if recipient.account_id in self.trouble:
            raise self.trouble[recipient.account_id]
        self.stored.append((recipient.account_id, trace, bytes(message), junk))


@dataclass
class Noted:
    """An observer that remembers."""

    deliveries: list[tuple[int, bool]] = field(default_factory=list)
    refusals: list[Reply] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def delivered(self, size_bytes: int, seconds: float, *, junk: bool) -> None:
        assert seconds == 0
        self.deliveries.append((size_bytes, junk))

    def refused(self, reply: Reply) -> None:
        self.refusals.append(reply)

    def failed(self, error: Exception) -> None:
        self.failures.append(error)


Letter = Addressee[Box]


def postman_for(mailroom: Mailroom, observer: Noted | None = None, seconds: float = 60) -> Postman[Box]:
    ids = itertools.count(1)
    return Postman(
        mailroom,
        "mx.test",
        now=lambda: datetime(2024, 1, 2, tzinfo=UTC),
        new_id=lambda: f"id{next(ids)}",
        observer=observer,
        resolve_seconds=seconds,
        deposit_seconds=seconds,
    )
