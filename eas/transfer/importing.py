"""Source → account: folder by folder, in small commits of which phones are told as of any other.

*Once.*  An item's id is made of the account, the folder's path in the source, and what names the message: what the
source has for it (IMAP: UIDVALIDITY and UID), else its bytes and how many like it came before it in that folder.  So a
second run, or one that goes on where another was killed, adds nothing that is there, nor what the user moved or
removed since (as long as the store remembers that: a month).  And what lies in that very folder byte for byte under
another id, as the mails of an account that is imported into itself, is not added again either.

*Order.*  Contents first, then the commit that names them, within minutes; a crash leaves contents that nobody names.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from eas.transfer.destinations import Destinations
from eas.transfer.line_ends import Buffer
from eas.transfer.marks import milliseconds, values_of
from eas.transfer.present import Present, digest_of
from eas.transfer.source import Found, Letter, Source, Unreadable
from storage.account import Account
from storage.ids import hour_of_arrival, own_item
from storage.message.index import index_message
from storage.records import Added, Record

LETTERS_AT_ONCE = 32
BATCH_BYTES_MAX = 8 << 20
STORED_AT_ONCE = 8
CHECKPOINT_ITEMS = 4096
_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Imported:
    """What an import did."""

    added: int = 0
    size_bytes: int = 0
    known: int = 0
    """There already."""
    deleted: int = 0
    """Marked as deleted in the source, and left behind."""
    gone: int = 0
    """Removed from the source meanwhile."""
    failed: list[str] = field(default_factory=list)
    """What could not be taken, for people."""


@dataclass(slots=True)
class _Ready:
    letter: Letter
    item: str
    content: Buffer


class Import:
    """One run.

    *room* raises if so many bytes more do not fit; *advance* is told of how many letters were looked at, and how many
    there are in all, if that is known.
    """

    def __init__(
        self,
        account: Account,
        source: Source,
        room: Callable[[int], Awaitable[None]],
        now_ms: Callable[[], int],
        advance: Callable[[int, int | None], None],
    ) -> None:
        self._account, self._source, self._room, self._now_ms, self._advance = account, source, room, now_ms, advance
        self._since_checkpoint = 0
        self.done = Imported()

    async def run(self, folders: Sequence[Found], roles: dict[tuple[str, ...], str]) -> Imported:
        """Import *folders*.  Raises what *room* does, `SourceFailed`, `TooManyFolders`, `EngineError`, OSError."""
        destinations = Destinations(self._account, roles)
        totals = [folder.total for folder in folders]
        total = None if None in totals else sum(count or 0 for count in totals)
        try:
            for folder in folders:
                await self._folder(folder, destinations, total)
        finally:
            if self._since_checkpoint:
                await self._account.checkpoint()
        return self.done

    async def _folder(self, folder: Found, destinations: Destinations, total: int | None) -> None:
        present = Present(self._account)
        async with self._account.turn() as state:
            target = destinations.known(state, folder.path)
            if target is not None:
                await present.look(state, target)
            elif not destinations.was_removed(state, folder.path):
                target = await destinations.made(state, folder.path)
        like: Counter[bytes] = Counter()
        letters = self._source.letters(folder)
        while batch := await asyncio.to_thread(_next, letters):
            taken = [letter for letter in batch if not letter.marks.deleted]
            self.done.deleted += len(batch) - len(taken)
            new = await self._unknown(folder, taken)
            for part in _parts(new):
                ready = await self._loaded(folder, part, like, present)
                await self._add(folder, destinations, ready)
            self._advance(len(batch), total)

    async def _unknown(self, folder: Found, letters: list[Letter]) -> list[Letter]:
        """Return the letters that are not known by what their source calls them."""
        ids = {self._id(folder, letter): letter for letter in letters if letter.identity}
        there = await self._there(ids)
        self.done.known += len(there)
        return [letter for letter in letters if not letter.identity or self._id(folder, letter) not in there]

    def _id(self, folder: Found, letter: Letter) -> str:
        key = self._account.keys.ids
        return own_item(key, letter.date_ms or 0, "import", "/".join(folder.path), letter.identity)

    async def _there(self, ids: "Sequence[str] | dict[str, Letter]") -> set[str]:
        if not ids:
            return set()
        async with self._account.turn(fresh=False) as state:
            return set(await state.items(ids))

    async def _loaded(
        self, folder: Found, letters: Sequence[Letter], like: "Counter[bytes]", present: Present
    ) -> list[_Ready]:
        """Return what is new among *letters*, read."""
        ready: list[_Ready] = []
        digests: list[bytes] = []
        contents = await asyncio.to_thread(self._source.load, letters)
        for letter, content in zip(letters, contents, strict=True):
            if isinstance(content, Unreadable):
                if content.is_gone:
                    self.done.gone += 1
                else:
                    self.done.failed.append(f"{letter.where}: {content.why}")
                continue
            if not len(content):
                self.done.failed.append(f"{letter.where}: is empty")
                continue
            digest = digest_of(content)
            like[digest] += 1
            item = self._id(folder, letter) if letter.identity else self._id_of(folder, content, digest, like[digest])
            ready.append(_Ready(letter, item, content))
            digests.append(digest)
        there = await self._there([each.item for each in ready])
        new = []
        async with self._account.turn(fresh=False) as state:
            for each, digest in zip(ready, digests, strict=True):
                if each.item in there or await present.take(state, len(each.content), digest):
                    self.done.known += 1
                else:
                    new.append(each)
        return new

    def _id_of(self, folder: Found, content: Buffer, digest: bytes, number: int) -> str:
        # Not the hour of the source: a copy of a Maildir may have lost its times, and is the same mail.
        hour_ms = hour_of_arrival(content) * _HOUR_MS
        return own_item(self._account.keys.ids, hour_ms, "import", "/".join(folder.path), digest.hex(), str(number))

    async def _add(self, folder: Found, destinations: Destinations, ready: list[_Ready]) -> None:
        if not ready:
            return
        await self._room(sum(len(each.content) for each in ready))
        gate = asyncio.Semaphore(STORED_AT_ONCE)
        stored = await asyncio.gather(*(self._stored(each, gate) for each in ready))
        async with self._account.turn(fresh=False) as state:
            target = await destinations.made(state, folder.path)
            size_bytes = sum(len(each.content) for each in ready)
            records: list[Record] = [added(target) for added in stored]
            await self._account.commit(records, size_bytes)
        self.done.added += len(ready)
        self.done.size_bytes += size_bytes
        self._since_checkpoint += len(ready)
        if self._since_checkpoint >= CHECKPOINT_ITEMS:
            await self._account.checkpoint()
            self._since_checkpoint = 0

    async def _stored(self, each: _Ready, gate: asyncio.Semaphore) -> Callable[[str], Added]:
        async with gate:
            summary = await asyncio.to_thread(index_message, each.content)
            content = await self._account.store(each.content, summary.pack())
        date_ms = each.letter.date_ms
        if date_ms is None:
            date_ms = milliseconds(summary.date) if summary.date else self._now_ms()
        values = values_of(each.letter.marks, date_ms)
        return lambda folder: Added(each.item, folder, "Email", date_ms, content, values)


def _next(letters: Iterator[Letter]) -> list[Letter]:
    return list(islice(letters, LETTERS_AT_ONCE))


def _parts(letters: list[Letter]) -> Iterator[list[Letter]]:
    """Divide *letters* so that a part is not much more than `BATCH_BYTES_MAX`."""
    part: list[Letter] = []
    size_bytes = 0
    for letter in letters:
        if part and size_bytes + letter.size_bytes > BATCH_BYTES_MAX:
            yield part
            part, size_bytes = [], 0
        part.append(letter)
        size_bytes += letter.size_bytes
    if part:
        yield part
