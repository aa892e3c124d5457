"""From a recipient or a message to its reply: ask storage, and say what its errors mean to the sending server."""

import asyncio
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from lmtp import reply
from lmtp.observer import Observer, Silent
from lmtp.reply import Refused, Reply
from lmtp.spool import SpoolError
from lmtp.trace_lines import is_junk, trace_lines
from lmtp.transaction import Delivery, Resolve
from storage.delivery import NotYetCreated
from storage.engine import EngineError
from storage.errors import DirectoryUnavailable, QuotaExceeded, UnknownAddress

DEPOSITS_AT_ONCE = 8  # of one message: a mailing list must not crowd out everybody else
DEPOSIT_SECONDS = 300.0  # the sending server waits 10 minutes for its reply (RFC 5321 4.5.3.2.6)
RESOLVE_SECONDS = 120.0  # … and 5 for that to RCPT


class Recipient(Protocol):
    """A mailbox, as storage knows it."""

    @property
    def account_id(self) -> str:
        """Whose mailbox: mail for two addresses of one account is deposited once."""
        ...


R = TypeVar("R", bound=Recipient)


class Storage(Protocol[R]):
    """What delivery needs of storage (`storage.delivery.Delivery`).  Every call may raise `EngineError`."""

    async def recipient(self, address: str) -> R:
        """Return whose address it is, `user+detail` being user's.  `UnknownAddress`, `DirectoryUnavailable`."""
        ...

    async def room(self, recipient: R, size_bytes: int) -> None:
        """Raise `QuotaExceeded` if so much more does not fit."""
        ...

    async def deposit(self, recipient: R, trace: bytes, message: bytes | mmap.mmap, *, junk: bool) -> None:
        """Store *trace* and *message* for *recipient*; durable on return.  The message is not looked at afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Addressee(Generic[R]):
    """A recipient that was accepted: the address as the peer gave it, and how many bytes there was room for."""

    address: str
    recipient: R
    size_bytes: int


class Postman(Generic[R]):
    """Looks recipients up and deposits messages.  *now* is aware UTC; *new_id* gives ASCII words that do not repeat."""

    def __init__(
        self,
        storage: Storage[R],
        hostname: str,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        observer: Observer | None = None,
        resolve_seconds: float = RESOLVE_SECONDS,
        deposit_seconds: float = DEPOSIT_SECONDS,
    ) -> None:
        self._storage = storage
        self._hostname = hostname
        self._now = now
        self._new_id = new_id
        self._observer = observer or Silent()
        self._resolve_seconds = resolve_seconds
        self._deposit_seconds = deposit_seconds

    async def resolve(self, question: Resolve) -> Addressee[R]:
        """Return the addressee if there is a mailbox with room.  Raises `Refused`."""
        try:
            async with asyncio.timeout(self._resolve_seconds):
                recipient = await self._storage.recipient(question.address)
                await self._storage.room(recipient, question.size_bytes)
        except Exception as error:
            raise Refused(self._reply_to(error)) from error
        return Addressee(question.address, recipient, question.size_bytes)

    async def deliver(self, delivery: Delivery[Addressee[R]], peer: str) -> list[Reply]:
        """Deposit the message for every recipient; each fails alone.  Returns their replies, in order."""
        began = self._now()
        try:
            message = delivery.spool.content()
            junk = is_junk(message)
            delivery_id = self._new_id()
        except Exception as error:
            return [self._reply_to(error)] * len(delivery.recipients)
        places = asyncio.Semaphore(DEPOSITS_AT_ONCE)

        async def deposit(to: Addressee[R]) -> Reply:
            try:
                trace = trace_lines(
                    sender=delivery.sender,
                    address=to.address,
                    client=delivery.client,
                    peer=peer,
                    hostname=self._hostname,
                    utf8=delivery.utf8,
                    delivery_id=delivery_id,
                    at=began,
                )
                async with places, asyncio.timeout(self._deposit_seconds):
                    if len(message) > to.size_bytes:  # RCPT asked for what was declared
                        await self._storage.room(to.recipient, len(message))
                    await self._storage.deposit(to.recipient, trace, message, junk=junk)
            except Exception as error:
                return self._reply_to(error)
            self._observer.delivered(len(message), (self._now() - began).total_seconds(), junk=junk)
            return reply.DELIVERED

        # One account gets one copy, whatever number of its addresses were named: the first of them.
        first: dict[str, Addressee[R]] = {}
        for to in delivery.recipients:
            first.setdefault(to.recipient.account_id, to)
        if len(first) == 1:
            return [await deposit(delivery.recipients[0])] * len(delivery.recipients)
        replies = dict(zip(first, await asyncio.gather(*map(deposit, first.values())), strict=True))
        return [replies[to.recipient.account_id] for to in delivery.recipients]

    def _reply_to(self, error: Exception) -> Reply:
        """Say what *error* means to the sending server.  What nobody foresaw may pass as well: never 5xx for it."""
        match error:
            case UnknownAddress():
                answer = reply.UNKNOWN_ADDRESS
            case NotYetCreated():  # a kind of the next, so it comes first
                answer = reply.NO_MAILBOX_YET
            case DirectoryUnavailable():
                answer = reply.DIRECTORY_TROUBLE
            case QuotaExceeded():
                answer = reply.OVER_QUOTA
            case EngineError() | SpoolError() | TimeoutError():
                answer = reply.STORAGE_TROUBLE
            case _:
                answer = reply.STORAGE_TROUBLE
                self._observer.failed(error)
        self._observer.refused(answer)
        return answer
