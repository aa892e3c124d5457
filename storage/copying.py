"""A whole store into another engine: verified, in an order that makes it safe to be cut off, and to be run again.

Objects never change under their name, so what is there with the same size is passed over, and a run that was killed
goes on where it was.  An account is not there until its public key is, and that comes last:

1. take down the names of the account's commits, checkpoints and public keys;
2. contents and packs, passwords and private keys, then pages: whatever those name was durable before them;
3. the checkpoints, the commits and last the public keys that were taken down.

So what a cut leaves of an account is nobody's yet, or (in a later run) whole as of the run before, with some of
what came since.  Runs repeated while FROM is in use catch up; one more after its last change makes the copy equal.

Left out: the feed, probes, claims and the collector's notes.  They are of the nodes on FROM, not of its mail.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from storage import paths
from storage.engine import Engine, Entry, NotFound, Unavailable, after_prefix
from storage.paths import Kind, MalformedName

WHOLE_BYTES_MAX = 1 << 20
"""A longer object is copied piece by piece."""
SMALL_AT_ONCE, LARGE_AT_ONCE = 16, 2
LISTED_AT_ONCE = 1000
PAUSES_SECONDS = (1.0, 5.0, 20.0)
"""Before an object is tried again."""

TAKEN_DOWN = (Kind.OLD_CHECKPOINT, Kind.CHECKPOINT, Kind.LOG, Kind.PUBLIC)
"""What names other objects, in the order in which it is copied."""
BEFORE = (Kind.BLOB, Kind.PACK, Kind.ASIDE, Kind.SLOT, Kind.RING, Kind.PAGE)
"""What is copied before it, in that order."""
LEFT_OUT = (Kind.FEED, Kind.PROBE, Kind.CLAIM, Kind.SEEN)


class OtherStore(Exception):
    """The target holds something that is no copy of the source; says what."""


@dataclass(slots=True)
class Copied:
    """What a run did."""

    accounts: int = 0
    objects: int = 0
    size_bytes: int = 0
    there: int = 0
    """Objects that were there already."""
    gone: int = 0
    """Listed, but collected before they were read."""
    failed: list[str] = field(default_factory=list)
    """What is not the same on both sides, for people."""


async def copy_store(
    source: Engine,
    target: Engine,
    advance: Callable[[int, int], None],
    *,
    is_deep: bool = False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Copied:
    """Copy everything from *source* to *target*; both may be in use, the target only for copies of this source.

    *is_deep*: what is there already is compared by its bytes, too, not by its size.  *advance* hears of objects and
    bytes as they are done.  Raises `OtherStore`, `EngineError`.
    """
    await _must_be_a_copy(source, target)
    copy = _Copy(source, target, advance, is_deep, sleep)
    async for account in accounts_of(source):
        await copy.account(account)
        copy.done.accounts += 1
    return copy.done


async def accounts_of(engine: Engine) -> AsyncIterator[str]:
    """Yield the accounts; a listing of one name each.  What is no account's is passed over."""
    after = paths.ACCOUNTS
    while found := await engine.list(paths.ACCOUNTS, after, 1):
        account = found[0].key.split("/")[1]
        try:
            prefix = paths.account_prefix(account)
        except MalformedName:
            after = found[0].key
            continue
        yield account
        after = after_prefix(prefix)


async def _must_be_a_copy(source: Engine, target: Engine) -> None:
    """Raise `OtherStore` unless everything in *target* can have come from *source*.

    Names are random, so one name in common tells that an account is the same; whatever is added on either side
    afterwards adds to it, and no name can mean two things.
    """
    for entry in await target.list("", limit=LISTED_AT_ONCE):
        try:
            paths.parse(entry.key)
        except MalformedName:
            raise OtherStore(f"the target holds {entry.key!r}, which is of no store of ours") from None
    async for account in accounts_of(target):
        prefix = paths.account_prefix(account)
        if not await source.list(prefix, limit=1):
            raise OtherStore(f"the target holds the account {account}, which the source does not: it is another store")
        if not await _has_in_common(source, target, account):
            raise OtherStore(f"the account {account} is another in the target: another store, or made anew since")


async def _has_in_common(source: Engine, target: Engine, account: str) -> bool:
    for kind in (*TAKEN_DOWN, *BEFORE):
        prefix = paths.prefix(kind, account)
        names = {entry.key for entry in await target.list(prefix, limit=LISTED_AT_ONCE)}
        if names and names & {entry.key for entry in await source.list(prefix, limit=LISTED_AT_ONCE)}:
            return True
    return not await target.list(paths.account_prefix(account), limit=1)


class _Copy:
    def __init__(
        self,
        source: Engine,
        target: Engine,
        advance: Callable[[int, int], None],
        is_deep: bool,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._source, self._target, self._advance = source, target, advance
        self._is_deep, self._sleep = is_deep, sleep
        self._small, self._large = asyncio.Semaphore(SMALL_AT_ONCE), asyncio.Semaphore(LARGE_AT_ONCE)
        self.done = Copied()

    async def account(self, account: str) -> None:
        """Copy one account."""
        taken_down = {kind: await self._names(kind, account) for kind in reversed(TAKEN_DOWN)}
        for kind in BEFORE:
            await self._stage(_listing(self._source, paths.prefix(kind, account)), paths.prefix(kind, account))
        for kind in TAKEN_DOWN:
            await self._stage(_each(taken_down[kind]), paths.prefix(kind, account))

    async def _names(self, kind: Kind, account: str) -> list[Entry]:
        """Return the objects of *kind*; the checkpoints, which lie behind the log, are not of it."""
        entries = [entry async for entry in _listing(self._source, paths.prefix(kind, account))]
        return [entry for entry in entries if _kind(entry.key) is kind]

    async def _stage(self, entries: AsyncIterator[Entry], prefix: str) -> None:
        """Copy *entries*, which are in order and all under *prefix*; done when all of them are."""
        batch: list[Entry] = []
        there = _listing(self._target, prefix)
        present = await anext(there, None)
        async for entry in entries:
            while present is not None and present.key < entry.key:
                present = await anext(there, None)
            is_there = present is not None and present.key == entry.key
            if is_there and not self._is_deep:
                self._compare_sizes(entry, present)
            else:
                batch.append(entry)
            if len(batch) >= 4 * SMALL_AT_ONCE:
                await self._all(batch)
                batch = []
        await self._all(batch)

    def _compare_sizes(self, entry: Entry, present: Entry | None) -> None:
        if present is not None and present.size != entry.size:
            self.done.failed.append(f"{entry.key}: {present.size} bytes in the target, {entry.size} in the source")
        else:
            self.done.there += 1
        self._advance(1, 0)

    async def _all(self, batch: Iterable[Entry]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for entry in batch:
                    group.create_task(self._one(entry))
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from group_error

    async def _one(self, entry: Entry) -> None:
        async with self._small if entry.size <= WHOLE_BYTES_MAX else self._large:
            for pause in (*PAUSES_SECONDS, None):
                try:
                    return await self._copy(entry)
                except NotFound:
                    self.done.gone += 1
                    return None
                except Unavailable:
                    if pause is None:
                        raise
                    await self._sleep(pause)
        return None

    async def _copy(self, entry: Entry) -> None:
        key = entry.key
        try:
            present = await _digest(self._target, key) if self._is_deep else None
        except NotFound:
            present = None
        if present is not None:  # never replaced: if they differ, one of them may be the only good one
            if present != await _digest(self._source, key):
                self.done.failed.append(f"{key}: other bytes in the target than in the source")
            else:
                self.done.there += 1
            self._advance(1, entry.size)
            return
        digest = await self._put(entry)
        if await _digest(self._target, key) != digest:
            self.done.failed.append(f"{key}: read back, it is not what was written")
        else:
            self.done.objects += 1
            self.done.size_bytes += entry.size
        self._advance(1, entry.size)

    async def _put(self, entry: Entry) -> bytes:
        """Copy the bytes; return their hash."""
        digest = hashlib.blake2b(digest_size=32)
        if entry.size <= WHOLE_BYTES_MAX:
            data = await self._source.get(entry.key)
            digest.update(data)
            await self._target.put(entry.key, data)
            return digest.digest()

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in _pieces(self._source, entry.key):
                digest.update(piece)
                yield piece

        await self._target.put(entry.key, pieces())
        return digest.digest()


async def _pieces(engine: Engine, key: str) -> AsyncIterator[bytes]:
    start = 0
    while piece := await engine.get(key, start, WHOLE_BYTES_MAX):
        yield piece
        start += len(piece)
        if len(piece) < WHOLE_BYTES_MAX:
            return


async def _digest(engine: Engine, key: str) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    async for piece in _pieces(engine, key):
        digest.update(piece)
    return digest.digest()


async def _listing(engine: Engine, prefix: str) -> AsyncIterator[Entry]:
    """Yield the objects under *prefix* in order, listed page by page; what has a name not of ours is passed over."""
    after = prefix
    while page := await engine.list(prefix, after, LISTED_AT_ONCE):
        for entry in page:
            if _kind(entry.key) is not None:
                yield entry
        after = page[-1].key
        if len(page) < LISTED_AT_ONCE:
            return


async def _each(entries: Iterable[Entry]) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


def _kind(key: str) -> Kind | None:
    try:
        return paths.parse(key).kind
    except MalformedName:
        return None
