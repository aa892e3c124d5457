"""An account that is open: its state kept up with its log, and the writer that changes it.

    async with account.turn() as state:          everything durable before this is folded into `state`
        await account.commit(records)            durable, and folded, when it returns

A turn is exclusive within the process: between its first look and its commit nothing else is folded or written by this
account's writer.  (Deliveries have a writer of their own and need no turn; other processes never wait for ours.)  So
what a turn computes from `state` stays true of the cursor it computed it at.

What is resident is bounded: pages come on demand, `shed` lets go of everything but the keys.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from storage import blobs, checkpoint, log, paths, seal
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.contents import Contents
from storage.engine import Engine, EngineError, NotFound, Unavailable
from storage.epochs import StaleKeys, UnknownEpoch
from storage.follower import Follower
from storage.identity import Identity
from storage.pages import NOTHING, Moved, PageRef
from storage.records import Content, MarkMade, Record, Value
from storage.state import Commit, State

CHECKPOINT_RECORDS = 512
"""A checkpoint is due when so many records were folded since the last one,"""
CHECKPOINT_BYTES = 4 << 20
"""or so many bytes of the log."""
LOOK_SECONDS = 6 * 3600.0
"""However quiet the feed is, the log is looked at so often: what a collector takes away, it takes a day later."""
REFUSED_MAX = 1000
"""Objects of epochs that never were, among what is read at a time."""

_log = structlog.get_logger(__name__)


class Account:
    """One user's whole store, unlocked.  Without its state it is small: one stays for every phone that waits."""

    __slots__ = (
        "_clock",
        "_contents_in_use",
        "_engine",
        "_follower_in_use",
        "_has_new_keys",
        "_is_fresh",
        "_looked",
        "_newest_epoch",
        "_stale",
        "_state",
        "_turn",
        "_writer",
        "has_stale_keys",
        "id",
        "identity",
        "keys",
    )

    def __init__(
        self,
        engine: Engine,
        account_id: str,
        identity: Identity,
        keys: AccountKeys,
        clock: Clock,
        writer: log.Writer,
        newest_epoch: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self.id, self.identity, self.keys = account_id, identity, keys
        self._newest_epoch = newest_epoch
        self._has_new_keys = False
        """Whether the log below a checkpoint that is due may be of an older key epoch: it goes the sooner."""
        self.has_stale_keys = False
        """Whether something was met that is of a newer key epoch: the account must be unlocked again."""
        self._engine, self._clock, self._writer = engine, clock, writer
        self._turn = asyncio.Lock()
        self._state: State | None = None
        self._stale = True
        self._is_fresh = False
        """Whether everything that was durable at the beginning of the turn is folded."""
        self._contents_in_use: Contents | None = None
        self._follower_in_use: Follower | None = None
        self._looked = 0.0

    @property
    def _contents(self) -> Contents:
        if self._contents_in_use is None:
            self._contents_in_use = Contents(self._engine, self.id, self.keys.checkpoint, self.keys.page)
        return self._contents_in_use

    @property
    def _follower(self) -> Follower:
        if self._follower_in_use is None:
            keys = self.keys
            self._follower_in_use = Follower(self._engine, self.id, keys.log, keys.checkpoint, keys.page, self._clock)
        return self._follower_in_use

    # -- reading

    @contextlib.asynccontextmanager
    async def turn(self, *, fresh: bool = True) -> AsyncIterator[State]:
        """Take the turn.  *fresh*: after a listing of all writers, so that everything durable before is folded.

        Without *fresh* a listing is made only if the feed told of news: enough to say that there is nothing new.
        """
        async with self._turn:
            await self._writer.finish()  # of a caller that was cancelled: `next_place` must hold
            if self._contents.is_behind:
                self._state, self._contents.is_behind = None, False
            is_old = time.monotonic() - self._looked > LOOK_SECONDS
            self._is_fresh = fresh or is_old or self._stale or self._state is None or self._is_behind(self._state)
            if self._is_fresh:
                await self._refresh()
            assert self._state is not None  # noqa: S101  # _refresh sets it
            try:
                yield self._state
            except NotFound as error:
                if _is_page(error.key):  # of a checkpoint that was superseded long ago: open anew, at a newer one
                    self._state = None
                    raise Unavailable(f"{error.key} was collected") from error
                raise

    def _is_behind(self, state: State) -> bool:
        """Whether our own writer wrote what was not folded: its caller was cancelled between the two."""
        return self._writer.n > state.commits.get(self._writer.id, 0)

    async def refresh(self) -> None:
        """Fold everything durable by now, inside a turn.

        Raises `Unavailable` also if the account had to be opened anew for that: the turn's state is not kept up then.
        """
        before = self._state
        await self._refresh()
        if self._state is not before:
            raise Unavailable(f"{self.id} was opened anew")
        self._is_fresh = True

    async def make_fresh(self) -> None:
        """Fold everything that was durable when this turn began, unless it began with that."""
        if not self._is_fresh:
            await self.refresh()

    def take_keys(self, keys: AccountKeys) -> None:
        """Go on with *keys*, fresh from an unlock."""
        self._has_new_keys = self._has_new_keys or keys.epoch > self.keys.epoch
        self.keys.take(keys)
        self.has_stale_keys = False

    def told_of_news(self, writer: str = "", n: int = 0) -> None:
        """Note that the log has grown to commit *n* of *writer* ("": by anybody), as the feed says."""
        if writer and (writer == self._writer.id or (self._state and self._state.commits.get(writer, 0) >= n)):
            return  # our own commits are folded as they are made
        self._stale = True

    @property
    def is_fresh(self) -> bool:
        """Whether everything that was durable when this turn began is folded."""
        return self._is_fresh

    @property
    def is_stale(self) -> bool:
        """Whether the log may have grown since it was last read."""
        return self._stale or self._state is None

    @property
    def is_open(self) -> bool:
        """Whether there is a state in memory."""
        return self._state is not None

    def shed(self) -> bool:
        """Let go of the state if nobody is using it; it is opened again when needed.  Return whether it went."""
        if self._turn.locked():
            return False
        self._state = self._follower_in_use = self._contents_in_use = None
        return True

    async def _refresh(self) -> None:
        for _ in range(REFUSED_MAX):
            try:
                return await self._refresh_once()
            except UnknownEpoch as error:
                await self._told_of_epoch(error)
        raise Unavailable(f"too many objects of {self.id} name epochs that were never made")

    async def _told_of_epoch(self, told: UnknownEpoch) -> None:
        """Raise `StaleKeys` if there is such an epoch; else refuse the object that says so."""
        if self._newest_epoch is not None and await self._newest_epoch() >= told.epoch:
            self.has_stale_keys = True
            _log.info("account.keys_are_stale", account=self.id, epoch=told.epoch)
            raise StaleKeys(f"the keys of {self.id} were changed: unlock them again")
        _log.error("log.unknown_epoch", account=self.id, name=told.name, epoch=told.epoch)
        self.keys.refuse(told.name)

    async def _refresh_once(self) -> None:
        self._stale = False
        try:
            self._state = await self._follower.caught_up(self._state)
        except BaseException:
            self._stale = True
            raise
        self._looked = time.monotonic()
        if self._is_behind(self._state):
            # Nobody will read what we write behind a commit that is gone.
            _log.error("log.own_commits_lost", account=self.id, writer=self._writer.id, written=self._writer.n)
            self._writer.retire()

    @property
    def is_sound(self) -> bool:
        """Whether all that the last look met could be read; else nothing may be taken for unneeded."""
        return self._follower.is_sound

    # -- writing

    @property
    def next_place(self) -> tuple[str, int]:
        """The writer and number that the next commit of this turn will have, if nothing goes wrong."""
        return self._writer.id, self._writer.n + 1

    async def commit(self, records: Sequence[Record], usage_bytes: int = 0) -> Commit:
        """Write *records*, all or nothing; durable and folded on return.  Only inside a turn.

        Raises `Unavailable` when the outcome is unknown; the records may then be folded later, or never.
        """
        assert self._state is not None  # noqa: S101  # a turn has it
        assert self._turn.locked()  # noqa: S101
        records = self._state.as_written(records)
        # Rows first: from the moment when the commit is durable nothing may come between it and its folding.
        await self._state.bring([Commit("", 0, 0, records)])
        records = self._state.outranking(records, self._clock.tick(), *self.next_place)
        try:
            commit, _ = await self._writer.append(records, usage_bytes)
        except EngineError:
            self._stale = True
            raise
        await self._follower.fold(self._state, [commit])
        self._state.chain[commit.writer] = self._writer.last_digest
        return commit

    def tick(self) -> int:
        """Return a stamp later than everything this process has read."""
        return self._clock.tick()

    async def store(self, plain: blobs.Buffer, summary: Value) -> Content:
        """Store a content, durable on return, for a record to name within the hour."""
        begun_ms = self._clock.wall_ms()
        return replace(await self._contents.store(plain, summary), begun_ms=begun_ms)

    async def read(self, content: Content, start: int = 0, size: int | None = None) -> bytes:
        """Return a range of a content.  Raises `NotFound`, `SealError`."""
        return await self._contents.read(content, start, size)

    async def read_many(self, ranges: Sequence[blobs.Range]) -> list[bytes | None]:
        """Return ranges of several contents, None for one that is to be read by itself.  Raises `Unavailable`."""
        return await self._contents.read_many(ranges)

    def stream(self, content: Content, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Yield a range of a content in pieces of at most 1 MiB."""
        return self._contents.stream(content, start, size)

    # -- checkpoints

    @property
    def has_old_pages(self) -> bool:
        """Whether a checkpoint would seal pages anew that are of an older key epoch."""
        return self._state is not None and bool(self._state.base.pages_of_old_epochs(self.keys.epoch))

    @property
    def records_since(self) -> int:
        """How many records were folded since the last checkpoint; none while there is no state in memory."""
        return self._state.records_since if self._state is not None else 0

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether enough was folded since the last checkpoint to make the next opening slow, or keys are new."""
        state = self._state
        return state is not None and (
            self._has_new_keys
            or self.has_old_pages
            or state.records_since >= CHECKPOINT_RECORDS
            or state.bytes_since >= CHECKPOINT_BYTES
        )

    async def checkpoint(self) -> None:
        """Write a checkpoint of everything durable, unless the account is not open."""
        if self._state is not None:
            async with self.turn():
                await self.write_checkpoint()

    async def write_checkpoint(self, moved: Mapping[str, Moved] = NOTHING) -> None:
        """Write a checkpoint of what is folded; inside a turn.  *moved*: contents, by item, that lie in packs now."""
        assert self._state is not None  # noqa: S101  # a turn has it
        assert self._turn.locked()  # noqa: S101
        if self._state.views.marks.is_due(head := self._state.head):
            await self.commit([MarkMade(head)])
        now = self._clock.tick()
        name = await checkpoint.write(self._engine, self.id, self.keys.checkpoint, self._state, now, moved)
        self._follower.wrote(name, self._state)
        self._has_new_keys = False

    async def refs_of(self, name: str) -> list[PageRef]:
        """Return the pages that checkpoint *name* names.  Raises `NotFound`, `SealError`."""
        try:
            return (await self._follower.load(name)).base.refs
        except UnknownEpoch as error:
            raise seal.SealError(name, f"of key epoch {error.epoch}: unlock the account again") from error

    async def close(self) -> None:
        """Wait for a write that is under way."""
        await self._writer.finish()


def _is_page(key: str) -> bool:
    try:
        return paths.parse(key).kind is paths.Kind.PAGE
    except paths.MalformedName:
        return False
