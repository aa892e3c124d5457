"""Deposit mail with public keys only: the delivering side cannot read what it delivered.

Order: the content first, then the record that names it, then "250".  A crash in between leaves a content that nobody
names; a lost "250" makes the mail system deliver again, under the same item id, which adds nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from mmap import mmap

from storage import blobs, checkpoint, log, objects, paths
from storage.clock import Clock
from storage.directory import Directory
from storage.engine import Engine
from storage.errors import DirectoryUnavailable, QuotaExceeded, UnknownAddress
from storage.folders import INBOX, JUNK
from storage.ids import delivered_item
from storage.key_objects import Vault, load
from storage.message.index import index_message
from storage.records import Added, Record

ACCOUNTS_KEPT = 10_000
"""Public keys and writers kept at hand."""


class NotYetCreated(DirectoryUnavailable):
    """The directory knows the address, but its account has no keys yet: mail has to wait."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message is for."""

    account_id: str
    address: str
    detail: str
    quota_bytes: int | None


@dataclass(slots=True)
class _Count:
    """What is known of an account's usage: up to which commits it is counted."""

    checkpoint: str | None
    used_bytes: int = 0
    commits: dict[str, int] = field(default_factory=dict)


class Delivery:
    """The way in for mail."""

    def __init__(
        self,
        engine: Engine,
        directory: Directory,
        vault: Vault,
        clock: Clock,
        published: Callable[[str, str, int], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._engine, self._directory, self._vault = engine, directory, vault
        self._clock, self._published, self._now_ms = clock, published, now_ms
        self._publics: OrderedDict[str, bytes] = OrderedDict()
        self._writers: dict[str, log.Writer] = {}
        self._counts: dict[str, _Count] = {}

    async def recipient(self, address: str) -> Recipient:
        """Return whose address this is; `user+detail` is `user`'s unless there is such an address.

        Raises `UnknownAddress`, `DirectoryUnavailable`, `NotYetCreated`, `EngineError`.
        """
        try:
            mailbox, detail = await self._directory.resolve(address), ""
        except UnknownAddress:
            local, _, domain = address.rpartition("@")
            user, plus, detail = local.partition("+")
            if not plus or not user:
                raise
            mailbox = await self._directory.resolve(f"{user}@{domain}")
        account_id = paths.account_of(self._vault.deployment_key, mailbox.identity or mailbox.address)
        await self._public(account_id)
        return Recipient(account_id, mailbox.address, detail, mailbox.quota_bytes)

    async def room(self, recipient: Recipient, size_bytes: int) -> None:
        """Raise `QuotaExceeded` if *size_bytes* more do not fit.  Reads the account's log headers: no keys needed."""
        if recipient.quota_bytes is None:
            return
        used = await self._used(recipient.account_id)
        if used + size_bytes > recipient.quota_bytes:
            raise QuotaExceeded(used, recipient.quota_bytes)

    async def deposit(self, recipient: Recipient, trace: bytes, message: bytes | mmap, *, junk: bool) -> None:
        """Store *message*, our *trace* lines before it; durable on return.  The same bytes again add nothing.

        Raises `EngineError`: it may be stored or not, deliver it again.
        """
        item = delivered_item(self._vault.deployment_key, recipient.account_id, message)
        whole = trace + bytes(message) if len(message) < blobs.STREAMED_BYTES_MIN else _joined(trace, message)
        try:
            summary = index_message(whole).pack()
            content = await blobs.store(self._engine, recipient.account_id, whole, summary)
        finally:
            if isinstance(whole, mmap):
                whole.close()
        folder = JUNK.id if junk else INBOX.id
        added = Added(item, folder, "Email", self._now_ms(), content)
        await self._writer(recipient.account_id).append([added], content.size_bytes)

    async def _public(self, account_id: str) -> bytes:
        public = self._publics.get(account_id)
        if public is None:
            stored = await load(self._vault, account_id)
            if not stored.publics:
                raise NotYetCreated(account_id)
            public = self._publics[account_id] = stored.public(self._vault.deployment_key)
            if len(self._publics) > ACCOUNTS_KEPT:
                self._publics.popitem(last=False)
        return public

    def _writer(self, account_id: str) -> log.Writer:
        writer = self._writers.get(account_id)
        if writer is None:
            public = self._publics[account_id]

            def make(name: str, header: objects.Header, time: int, records: Sequence[Record]) -> bytes:
                mail = [record for record in records if isinstance(record, Added)]
                return objects.make_delivered(name, public, header, time, mail)

            writer = log.Writer(self._engine, account_id, self._clock, make, delivers=True, published=self._published)
            self._writers[account_id] = writer
        return writer

    async def _used(self, account_id: str) -> int:
        """Return how many bytes the account holds: the newest checkpoint's sum, and the changes since."""
        name = await checkpoint.newest(self._engine, account_id)
        known = self._counts.get(account_id)
        if known is None or known.checkpoint != name:
            known = _Count(name)
            if name is not None:
                head = await self._engine.get(name, 0, checkpoint.HEADER_BYTES_MAX)
                clear, _ = checkpoint.read_clear(head)
                known.used_bytes, known.commits = clear.used_bytes, clear.commits
            self._counts[account_id] = known
        for writer, numbers in (await log.tail(self._engine, account_id, known.commits)).items():
            for n in numbers:
                data = await self._engine.get(paths.log(account_id, writer, n), 0, objects.HEADER_BYTES)
                known.used_bytes += objects.read_header(data).usage_bytes
                known.commits[writer] = n
        return known.used_bytes

    async def close(self) -> None:
        """Wait for deposits that are under way."""
        for writer in self._writers.values():
            await writer.finish()


def _joined(trace: bytes, message: bytes | mmap) -> mmap:
    """Return *trace* and *message* as one: in anonymous memory, given back at once afterwards."""
    whole = mmap(-1, len(trace) + len(message))
    whole.write(trace)
    for start in range(0, len(message), blobs.PIECE_BYTES):
        whole.write(message[start : start + blobs.PIECE_BYTES])
    return whole
