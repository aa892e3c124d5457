"""Engines for tests: the table of all of them, and wrappers that crash, fail, dawdle and count.

A wrapper stands for one node: several may wrap engines that share one store.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from _pytest.mark.structures import ParameterSet

from storage.engine import Engine, Entry, Unavailable
from storage.engine_local import LocalEngine
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.engine_s3 import S3Engine
from storage.s3.bucket import Bucket
from tests.interop.programs import lack
from tests.support.boto_engine import BotoEngine, boto_client
from tests.support.ceph import Ceph
from tests.support.object_store import ObjectStore, shared
from tests.support.rclone import Rclone
from tests.support.seaweed import Seaweed

OpenNode = Callable[[], Awaitable[Engine]]
"""Opens one more engine on the same store, as a further node would."""


@asynccontextmanager
async def memory_store(_folder: Path) -> AsyncIterator[OpenNode]:
    objects = MemoryObjects()

    async def open_node() -> Engine:
        return MemoryEngine(objects)

    yield open_node


@asynccontextmanager
async def local_store(folder: Path) -> AsyncIterator[OpenNode]:
    async with AsyncExitStack() as stack:

        async def open_node() -> Engine:
            engine = await LocalEngine.open(folder / "store")
            stack.push_async_callback(engine.close)
            return engine

        yield open_node


def object_store(kind: type[ObjectStore]) -> Callable[[Path], AbstractAsyncContextManager[OpenNode]]:
    """Return the store that is a prefix of its own in a bucket of a real object store, one for the test run."""

    @asynccontextmanager
    async def store(folder: Path) -> AsyncIterator[OpenNode]:
        bucket = await place_in(kind, folder)
        async with AsyncExitStack() as stack:

            async def open_node() -> Engine:
                engine = await S3Engine.open(bucket)
                stack.push_async_callback(engine.close)
                return engine

            yield open_node

    return store


@asynccontextmanager
async def reference_store(folder: Path) -> AsyncIterator[OpenNode]:
    """The same by aioboto3 alone, which `S3Engine` must not differ from."""
    bucket = await place_in(Seaweed, folder)
    await (await S3Engine.open(bucket)).close()  # makes the bucket
    async with boto_client(bucket) as client:

        async def open_node() -> Engine:
            return BotoEngine(bucket, client)

        yield open_node


async def place_in(kind: type[ObjectStore], folder: Path) -> Bucket:
    """Return a place of its own, for whoever has *folder*, in the bucket that tests share."""
    if not kind.is_installed():
        lack(f"{' '.join(kind.PROGRAMS)} are not installed")
    # Hypothesis runs a test many times in one folder: the prefix is another one each time.
    prefix = f"{folder.parent.name}-{folder.name}-{secrets.token_hex(4)}/"
    return (await asyncio.to_thread(shared, kind)).bucket(prefix)


KINDS: dict[str, type[ObjectStore]] = {"cas": Seaweed, "nocas": Rclone, "rgw": Ceph}
"""Object stores: one that enforces conditions, one that ignores them, and one of several machines' kind."""

STORES: dict[str, Callable[[Path], AbstractAsyncContextManager[OpenNode]]] = {
    "memory": memory_store,
    "local": local_store,
    **{name: object_store(kind) for name, kind in KINDS.items()},
    "reference": reference_store,
}
"""Every engine, by name; the laws are run on each.  A store gets an empty folder and closes the nodes it opened."""

_MARKS = {
    "memory": [],
    "local": [],
    "cas": [pytest.mark.interop],
    "nocas": [pytest.mark.interop],
    "rgw": [pytest.mark.interop, pytest.mark.ceph],
    "reference": [pytest.mark.interop],
}


def stores(*names: str) -> list[ParameterSet]:
    """Return these stores as parameters: what needs a program beside Python is part of `make interop`."""
    return [pytest.param(name, marks=_MARKS[name]) for name in names]


EVERY_STORE = stores(*STORES)
LANES = stores("cas", "nocas", "rgw")
"""The real object stores."""
SITES = stores("memory", "local", "cas", "nocas", "rgw")
"""What a site may keep its mail in."""


class Crash(BaseException):  # not an Exception: a dead process runs no handler
    """The process died here."""


class WrappedEngine:
    """Passes everything on; the wrappers below override `_read` and `_write`, which all calls go through."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.list_page = engine.list_page

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        content = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        await self._write("put", lambda: self.engine.put(key, content))

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        await self._read("get")
        return await self.engine.get(key, start, size)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        await self._read("get_many")
        return await self.engine.get_many(keys)

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        await self._read("list")
        return await self.engine.list(prefix, start_after, limit)

    async def delete(self, keys: Iterable[str]) -> None:
        for key in keys:  # one by one: law 6 lets a failure remove some
            await self._write("delete", lambda key=key: self.engine.delete([key]))  # type: ignore[misc]

    async def close(self) -> None:
        await self.engine.close()

    async def _read(self, _verb: str) -> None: ...

    async def _write(self, _verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        await effect()


class CrashingEngine(WrappedEngine):
    """Dies at the write after *writes_max*: before its effect or, with *is_last_kept*, after it and before the answer.

    Every later call dies, too: nothing of this process goes on.  Each key of a `delete` is a write.
    """

    def __init__(self, engine: Engine, writes_max: int, *, is_last_kept: bool = False) -> None:
        super().__init__(engine)
        self.writes_left = writes_max
        self.is_last_kept = is_last_kept
        self.is_dead = False

    async def _read(self, _verb: str) -> None:
        if self.is_dead:
            raise Crash

    async def _write(self, _verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        await self._read(_verb)
        if self.writes_left:
            self.writes_left -= 1
            await effect()
            return
        self.is_dead = True
        if self.is_last_kept:
            await effect()
        raise Crash


class FailingEngine(WrappedEngine):
    """Raises `Unavailable` at *rate* of the calls; a write then never happens, has happened, or happens at `settle`."""

    def __init__(self, engine: Engine, random: Random, rate: float) -> None:
        super().__init__(engine)
        self.random = random
        self.rate = rate
        self._late: list[Callable[[], Awaitable[None]]] = []

    async def settle(self) -> None:
        """Let the writes that are under way arrive, in any order."""
        late, self._late = self._late, []
        self.random.shuffle(late)
        for effect in late:
            await effect()

    async def _read(self, verb: str) -> None:
        if self.random.random() < self.rate:
            raise Unavailable(f"{verb} failed, as the test wants it")

    async def _write(self, verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        if self.random.random() >= self.rate:
            await effect()
            return
        outcome = self.random.choice(["never", "now", "late"])
        if outcome == "now":
            await effect()
        elif outcome == "late":
            self._late.append(effect)
        raise Unavailable(f"{verb} failed, as the test wants it; it happens {outcome}")


class SlowEngine(WrappedEngine):
    """Awaits *pause* before every call, and after every write before its answer: others run in between."""

    def __init__(self, engine: Engine, pause: Callable[[], Awaitable[None]]) -> None:
        super().__init__(engine)
        self.pause = pause

    async def _read(self, _verb: str) -> None:
        await self.pause()

    async def _write(self, _verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        await self.pause()
        await effect()
        await self.pause()


class CountingEngine(WrappedEngine):
    """Counts calls by verb: what a request costs is part of what it promises.  A `delete` counts its keys."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.calls: Counter[str] = Counter()

    async def _read(self, verb: str) -> None:
        self.calls[verb] += 1

    async def _write(self, verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        self.calls[verb] += 1
        await effect()
