"""The log: each process that writes to an account is a writer of its own, so nobody ever collides.

    a/<account>/log/<writer>/<n>      n = 1, 2, 3 … without gaps, one at a time

*Writing.*  Commit n+1 leaves only after n is durable.  An unknown outcome is repeated: the same bytes, the same name;
one that stays unknown retires the writer, and the next commit begins another: nothing more is written behind
what may or may not be there.  Deliveries that come while one is under way share the next commit.

*Reading.*  A reader folds each writer's commits in their order and waits at a gap, unless a checkpoint in the same
listing covers it: then they were collected.  Every object names the hash of its
predecessor; where that breaks, the writer's log ends for this reader (and is reported), the account goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from storage import objects, paths
from storage.clock import Clock
from storage.engine import Damaged, Engine, NotFound, Unavailable
from storage.epochs import FIRST_EPOCH
from storage.records import Added, Content, Record, Set
from storage.state import Commit

RETRY_SECONDS = (0.05, 0.5, 2.0)
"""Pauses before an unknown outcome is tried again; after the last the writer retires."""
BATCH_RECORDS_MAX = 256
LATE_MS = 60 * 60 * 1000
"""A process that stood still for longer (a machine that slept) must not go on as if nothing had been: the collector
may have taken the content that its commit names for an orphan."""

_log = structlog.get_logger(__name__)

Make = Callable[[str, objects.Header, int, Sequence[Record]], bytes]


@dataclass(slots=True)
class _Pending:
    records: Sequence[Record]
    usage_bytes: int
    done: "asyncio.Future[tuple[Commit, int]]"


class Writer:
    """One writer of one account's log."""

    __slots__ = (
        "_account",
        "_before",
        "_clock",
        "_delivers",
        "_engine",
        "_epoch",
        "_make",
        "_new_writer",
        "_pending",
        "_published",
        "_sleep",
        "_task",
        "id",
        "n",
    )

    def __init__(
        self,
        engine: Engine,
        account: str,
        clock: Clock,
        make: Make,
        *,
        delivers: bool,
        published: Callable[[str, str, int], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_writer: Callable[[], str] = paths.new_writer,
        epoch: Callable[[], int] = lambda: FIRST_EPOCH,
    ) -> None:
        self._engine, self._account, self._clock, self._make = engine, account, clock, make
        self._delivers, self._published, self._sleep, self._new_writer = delivers, published, sleep, new_writer
        self._epoch = epoch
        self._pending: list[_Pending] = []
        self._task: asyncio.Task[None] | None = None
        self._begin()

    def retire(self) -> None:
        """Write on as another writer; nothing may be under way."""
        self._begin()

    def _begin(self) -> None:
        self.id = self._new_writer()
        self.n = 0
        self._before = objects.FIRST

    async def append(self, records: Sequence[Record], usage_bytes: int = 0) -> tuple[Commit, int]:
        """Make *records* durable, all or nothing.  Return their commit and how many records stand before them in it.

        Raises `Unavailable` when the outcome is unknown: the records may be there or not.  Cancelling the caller does
        not cancel the write.
        """
        pending = _Pending(records, usage_bytes, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(pending.done)

    async def _run(self) -> None:
        batch: list[_Pending] = []
        try:
            while self._pending:
                batch, size = [], 0
                while self._pending and size < BATCH_RECORDS_MAX:
                    batch.append(self._pending.pop(0))
                    size += len(batch[-1].records)
                    if not self._delivers:
                        break
                await self._write(batch)
            self._task = None  # a task that is done still takes more than the writer
        except GeneratorExit:  # the loop is gone, and everybody with it
            raise
        except BaseException as error:  # the loop is being closed: nobody is to wait for what will not come
            self._begin()
            _fail([*batch, *self._pending], error)
            self._pending.clear()
            raise

    async def _write(self, batch: list[_Pending]) -> None:
        records = [record for pending in batch for record in pending.records]
        begun_ms, time = self._clock.wall_ms(), self._clock.tick()
        name = paths.log(self._account, self.id, self.n + 1)
        usage = sum(pending.usage_bytes for pending in batch)
        try:
            header = objects.Header(self._delivers, self._epoch(), self._before, usage)
            for content in _contents(records):
                self._check_in_time(content.begun_ms)
            data = self._make(name, header, time, records)
        except Exception as error:  # nothing was written
            if isinstance(error, objects.CommitTooLarge) and len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
            else:
                _fail(batch, error)
            return
        try:
            await self._put(name, data)
            self._check_in_time(begun_ms)
        except Exception as error:  # handed to everyone who waits for this commit
            self._begin()
            _fail(batch, error)
            return
        self.n += 1
        self._before = objects.digest(data)
        commit, place = Commit(self.id, self.n, time, records, len(data)), 0
        for pending in batch:
            if not pending.done.cancelled():
                pending.done.set_result((commit, place))
            place += len(pending.records)
        self._published(self._account, self.id, self.n)

    def _check_in_time(self, begun_ms: int | None) -> None:
        if begun_ms is not None and abs(self._clock.wall_ms() - begun_ms) > LATE_MS:
            raise Unavailable("what was begun over an hour ago comes too late: this process stood still, or its clock")

    async def _put(self, name: str, data: bytes) -> None:
        for pause in RETRY_SECONDS:
            try:
                return await self._engine.put(name, data)
            except Unavailable as error:
                _log.warning("log.put_again", error=str(error), seconds=pause)
                await self._sleep(pause)
        return await self._engine.put(name, data)

    @property
    def last_digest(self) -> bytes:
        """The hash of the last object written."""
        return self._before

    async def finish(self) -> None:
        """Wait for what is under way.  Whoever gives up waiting does not stop it."""
        if self._task is not None:
            await asyncio.wait([self._task])


def _contents(records: Iterable[Record]) -> Iterator[Content]:
    for record in records:
        named = record.content if isinstance(record, Added) else record.value if isinstance(record, Set) else None
        if isinstance(named, Content):
            yield named


def _fail(batch: Sequence[_Pending], error: BaseException) -> None:
    for pending in batch:
        if not pending.done.done():
            pending.done.set_exception(error)


@dataclass(slots=True)
class Listing:
    """What one listing of a log shows: commits that were not known yet, and the checkpoints behind them."""

    numbers: dict[str, list[int]]
    """By writer, in order, and maybe with gaps: of what was collected, or is still on its way."""
    checkpoints: list[str]
    """All names, the one of the latest state last (about: clocks name them)."""

    def following(self, known: Mapping[str, int]) -> dict[str, list[int]]:
        """Return the commits after *known* that can be folded: each list without gaps from the first unknown one on."""
        found = {writer: _following(numbers, known.get(writer, 0)) for writer, numbers in self.numbers.items()}
        return {writer: numbers for writer, numbers in found.items() if numbers}


def _following(numbers: Sequence[int], known: int) -> list[int]:
    following: list[int] = []
    for n in numbers:
        if n == known + 1 + len(following):
            following.append(n)
    return following


async def listing(engine: Engine, account: str, known: Mapping[str, int]) -> Listing:
    """List the commits after *known*, then the checkpoints, in this order: what is missing there is covered here.

    Cost: one listing when at most a page of objects is there; else each known writer's past is skipped by a listing.
    """
    prefix = paths.prefix(paths.Kind.LOG, account)
    found = Listing({}, [])
    after = prefix
    past = ""  # the last known commit of the writer being listed: up to it nothing is looked at
    writer = ""
    while True:
        page = await engine.list(prefix, after, engine.list_page)
        for entry in page:
            name = None if entry.key <= past else _parsed(entry.key)
            if name is None:
                continue
            if name.kind is paths.Kind.CHECKPOINT:
                found.checkpoints.append(entry.key)
                continue
            if name.id != writer:
                writer, seen = name.id, known.get(name.id, 0)
                past = paths.log(account, writer, seen) if seen else past
            if name.n > known.get(writer, 0):
                found.numbers.setdefault(writer, []).append(name.n)
        if len(page) < engine.list_page:
            return found
        after = max(page[-1].key, past)


def _parsed(key: str) -> paths.Name | None:
    try:
        return paths.parse(key)
    except paths.MalformedName:  # whatever somebody put there: it must not lock the user out
        return None


async def read(
    engine: Engine,
    account: str,
    keys: objects.LogKeys,
    writer: str,
    numbers: Sequence[int],
    before: bytes,
    after_time: int = -1,
) -> tuple[list[Commit], bytes, bool]:
    """Read commits *numbers* of *writer*, which follow the object whose hash is *before*, made at *after_time*.

    Return those that are whole, the hash of the last of them, and whether the writer's log broke.  Ends early at an
    object that is listed but cannot be found.
    """
    names = [paths.log(account, writer, n) for n in numbers]
    commits: list[Commit] = []
    for name, n, data in zip(names, numbers, await _fetched(engine, names), strict=True):
        if data is None:
            break
        try:
            commit = objects.open_commit(name, writer, n, keys, before, data)
            if commit.time <= after_time:  # what is told in the order of times would never be told to its end
                raise objects.BrokenObject("its time does not exceed that of the commit before it")
        except objects.BrokenObject as error:
            _log.error("log.broken", account=account, writer=writer, n=n, error=str(error))
            return commits, before, True
        commits.append(commit)
        before, after_time = objects.digest(data), commit.time
    return commits, before, False


async def _fetched(engine: Engine, names: Sequence[str]) -> list[bytes | None]:
    """Return the objects, None where there is none; one that the engine lost is empty, and breaks its writer's log."""
    try:
        return await engine.get_many(names)
    except Damaged:
        return [await _fetched_alone(engine, name) for name in names]


async def _fetched_alone(engine: Engine, name: str) -> bytes | None:
    try:
        return await engine.get(name)
    except NotFound:
        return None
    except Damaged as error:
        _log.error("log.damaged", name=name, error=str(error))
        return b""
