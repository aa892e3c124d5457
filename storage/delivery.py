"""Deposit mail with public keys only: the delivering side cannot read what it delivered.

Order: the content first, then the record that names it, then "250".  A crash in between leaves a content that nobody
names; a lost "250" makes the mail system deliver again, under the same item id, which adds nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from mmap import mmap
from typing import TypeVar

import structlog

from storage import blobs, checkpoint, log, objects, paths
from storage.clock import Clock
from storage.directories.directory import Directory
from storage.engine import Engine, NotFound
from storage.errors import DirectoryUnavailable, QuotaExceeded, UnknownAddress
from storage.folders import INBOX, JUNK
from storage.ids import delivered_item
from storage.keyring.objects import PublicKey, UnknownAccount, Vault, read_public
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.records import Added, Record
from storage.seal import SealError

COUNT_MS = 10_000
"""How long a count of what an account holds serves again, as long as a tenth of the quota is free."""
ACCOUNTS_KEPT = 10_000
"""Whose public keys, writers and counts are kept at hand: those used last."""

PUBLIC_MS = 3600 * 1000
"""A public key is looked up again after so long, should nobody have told that there is another one."""

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


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

    checkpoints: list[str]
    """Those that were there; others mean that it is to be counted anew."""
    used_bytes: int = 0
    commits: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Writers whose log ends for readers: nothing after counts."""
    looked_ms: int = 0
    """When that was, and how much this process deposited since then."""
    deposited_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Public:
    """An account's public key, as it was looked up."""

    key: PublicKey
    looked_ms: int


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
        self._publics: OrderedDict[str, _Public] = OrderedDict()
        self._writers: OrderedDict[str, log.Writer] = OrderedDict()
        self._counts: OrderedDict[str, _Count] = OrderedDict()

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
        known = self._counts.get(recipient.account_id)
        if known is not None and 0 <= self._now_ms() - known.looked_ms < COUNT_MS:
            has_much = known.used_bytes + known.deposited_bytes + size_bytes <= recipient.quota_bytes * 9 // 10
            if has_much:
                return
        used = await self._used(recipient.account_id)
        if used + size_bytes > recipient.quota_bytes:
            raise QuotaExceeded(used, recipient.quota_bytes)

    async def deposit(self, recipient: Recipient, trace: bytes, message: bytes | mmap, *, junk: bool) -> None:
        """Store *message*, our *trace* lines before it; durable on return.  The same bytes again add nothing.

        Raises `EngineError`: it may be stored or not, deliver it again.
        """
        item = delivered_item(self._vault.deployment_key, recipient.account_id, message)
        writer = self._writer(recipient.account_id, await self._public(recipient.account_id))
        summary = _moved(index_message(message), len(trace)).pack()
        begun_ms = self._now_ms()
        content = await blobs.store(self._engine, recipient.account_id, message, summary, head=trace)
        content = replace(content, begun_ms=begun_ms)
        folder = JUNK.id if junk else INBOX.id
        added = Added(item, folder, "Email", self._now_ms(), content)
        await writer.append([added], content.size_bytes)
        if (count := self._counts.get(recipient.account_id)) is not None:
            count.deposited_bytes += content.size_bytes

    def forget(self, account_id: str) -> None:
        """Forget an account's public key: it may be another one now, or none."""
        self._publics.pop(account_id, None)
        self._writers.pop(account_id, None)  # it seals to that key

    async def _public(self, account_id: str) -> PublicKey:
        now_ms, known = self._now_ms(), self._publics.get(account_id)
        if known is None or not 0 <= now_ms - known.looked_ms < PUBLIC_MS:
            try:
                key = await read_public(self._engine, self._vault.deployment_key, account_id)
            except UnknownAccount as error:
                raise NotYetCreated(account_id) from error
            if known is not None and known.key != key:
                self.forget(account_id)
            known = _Public(key, now_ms)
        _remember(self._publics, account_id, known)
        return known.key

    def _writer(self, account_id: str, public: PublicKey) -> log.Writer:
        writer = self._writers.get(account_id)
        if writer is None:

            def make(name: str, header: objects.Header, time: int, records: Sequence[Record]) -> bytes:
                mail = [record for record in records if isinstance(record, Added)]
                return objects.make_delivered(name, public.key, header, time, mail)

            writer = log.Writer(
                self._engine,
                account_id,
                self._clock,
                make,
                delivers=True,
                published=self._published,
                epoch=lambda: public.epoch,
            )
        _remember(self._writers, account_id, writer)
        return writer

    async def _used(self, account_id: str) -> int:
        """Return how many bytes the account holds: a checkpoint's sum, and the changes since."""
        known, now_ms = self._counts.get(account_id), self._now_ms()
        listing = await log.listing(self._engine, account_id, known.commits if known else {})
        names = listing.checkpoints
        if not names:  # perhaps there is one of the first versions
            names = known.checkpoints if known else await checkpoint.names(self._engine, account_id)
        if known is None or known.checkpoints != names:
            known = await self._counted(account_id, names)
            listing = await log.listing(self._engine, account_id, known.commits)
        known.looked_ms, known.deposited_bytes = now_ms, 0
        _remember(self._counts, account_id, known)
        for writer, numbers in listing.following(known.commits).items():
            for n in numbers:
                if writer in known.broken:
                    break
                change = await self._change(paths.log(account_id, writer, n))
                if change is None:
                    known.broken.add(writer)
                elif n == known.commits.get(writer, 0) + 1:  # else somebody who asked at the same time has counted it
                    known.used_bytes += change
                    known.commits[writer] = n
        return known.used_bytes

    async def _counted(self, account_id: str, names: list[str]) -> _Count:
        """Count anew from that checkpoint which covers most: the log before it may be gone."""
        known = _Count(names)
        for name in names:
            try:
                clear = await checkpoint.fetch_clear(self._engine, name)
            except NotFound:  # superseded just now
                continue
            except SealError as error:  # then the log alone counts: mail must not wait for a repair
                _log.error("delivery.checkpoint_damaged", account=account_id, error=str(error))
                continue
            if sum(clear.commits.values()) >= sum(known.commits.values()):
                known.used_bytes, known.commits = clear.used_bytes, dict(clear.commits)
        return known

    async def _change(self, name: str) -> int | None:
        """Return by how much a commit changed the usage; None where its writer's log is broken, or was collected."""
        try:
            return objects.read_header(await self._engine.get(name, 0, objects.HEADER_BYTES)).usage_bytes
        except (objects.BrokenObject, NotFound):
            return None

    async def close(self) -> None:
        """Wait for deposits that are under way."""
        for writer in self._writers.values():
            await writer.finish()


def _remember(kept: OrderedDict[str, _T], account_id: str, value: _T) -> None:
    kept[account_id] = value
    kept.move_to_end(account_id)
    if len(kept) > ACCOUNTS_KEPT:
        kept.popitem(last=False)


def _moved(summary: Summary, by: int) -> Summary:
    """Return the summary of a message as it is with *by* bytes of header lines before it.

    So the message is indexed where it lies: a copy with our lines before it would cost its size in memory.
    """
    parts = tuple(
        replace(part, header_start=part.header_start + by if part.header_start else 0, start=part.start + by)
        for part in summary.parts
    )
    return replace(summary, size=summary.size + by, header_size=summary.header_size + by, parts=parts)
