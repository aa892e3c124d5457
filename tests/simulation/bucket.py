"""The store that all nodes share, and each process's connection to it, on which everything may go wrong.

An effect is one moment: it happens wholly or not.  What surrounds it is drawn from the weather: how long the call
takes, whether its answer comes, whether the process dies just before or just after, whether the effect comes late.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import Protocol

from storage.engine import Entry, NotFound, Unavailable, after_prefix, check_key
from storage.engine_memory import MemoryObjects
from tests.simulation.loop import Process
from tests.simulation.weather import Fate, Weather


class Watcher(Protocol):
    """Sees every change of the store as it happens."""

    def put(self, key: str, data: bytes) -> None:
        """*key* holds *data* now."""
        ...

    def deleting(self, key: str) -> None:
        """*key* is about to go."""
        ...


class Bucket:
    """The objects, and what is on its way to them."""

    def __init__(self, weather: Weather) -> None:
        self.objects = MemoryObjects()
        self.weather = weather
        self.watcher: Watcher | None = None
        self.on_the_way = 0

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        self.objects.put(key, data)
        if self.watcher is not None:
            self.watcher.put(key, data)

    def delete(self, key: str) -> None:
        """Remove an object."""
        if self.watcher is not None and key in self.objects.contents:
            self.watcher.deleting(key)
        self.objects.delete(key)

    def listed(self, prefix: str, start_after: str, limit: int | None) -> list[Entry]:
        """Return what a listing shows at this moment."""
        keys = self.objects.keys
        first = max(bisect_left(keys, prefix), bisect_right(keys, start_after))
        end = bisect_left(keys, after_prefix(prefix))
        if limit is not None:
            end = min(end, first + limit)
        return [Entry(key, len(self.objects.contents[key])) for key in keys[first:end]]

    def later(self, effect: Callable[[], None]) -> None:
        """Let *effect* happen some time."""
        self.on_the_way += 1

        def arrive() -> None:
            self.on_the_way -= 1
            effect()

        asyncio.get_running_loop().call_later(self.weather.late(), arrive)


class Dead(BaseException):
    """The process is dead: what it asks for does not happen.  Not an Exception: nobody handles it."""


class Connection:
    """The engine of one process."""

    def __init__(self, bucket: Bucket, process: Process, list_page: int) -> None:
        self._bucket, self._process, self._weather = bucket, process, bucket.weather
        self.list_page = list_page
        self.is_cut_off = False
        """Partitioned from the store: nearly every call fails, and writes may arrive all the same."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`."""
        content = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        check_key(key)
        await self._write(lambda: self._bucket.put(key, content))

    async def delete(self, keys: Iterable[str]) -> None:
        """See `Engine.delete`; one by one, as law 6 allows."""
        for key in list(keys):
            await self._write(lambda key=key: self._bucket.delete(key))  # type: ignore[misc]

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        await self._read()
        try:
            data = self._bucket.objects.contents[key]
        except KeyError:
            raise NotFound(key) from None
        return data[start : None if size is None else start + size]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`; objects are not read at one moment."""
        found: list[bytes | None] = []
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            if part:
                await self._read()
                found += [self._bucket.objects.contents.get(key) for key in part]
        return found

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`; a long listing is made of several moments."""
        found: list[Entry] = []
        while True:
            wanted = self.list_page if limit is None else min(self.list_page, limit - len(found))
            await self._read()
            page = self._bucket.listed(prefix, found[-1].key if found else start_after, wanted)
            found += page
            if len(page) < wanted or len(found) == limit:
                return found

    async def close(self) -> None:
        """See `Engine.close`."""

    # -- what may happen

    async def _read(self) -> None:
        self._check()
        fate = self._weather.fate(is_cut_off=self.is_cut_off)
        await asyncio.sleep(self._weather.pause())
        self._check()
        if fate is Fate.REFUSED:
            raise Unavailable("the store does not answer")
        await self._suffer(fate)

    async def _write(self, effect: Callable[[], None]) -> None:
        self._check()
        fate = self._weather.fate(is_cut_off=self.is_cut_off)
        try:
            await asyncio.sleep(self._weather.slow() if fate is Fate.SLOW else self._weather.pause())
        except asyncio.CancelledError:
            if self._weather.random.random() < 0.5:
                self._bucket.later(effect)
            raise
        self._check()
        if fate is Fate.CRASH_BEFORE:
            await self._die()
        if fate is Fate.REFUSED:
            self._refuse(effect)
        effect()
        await self._suffer(fate)
        await asyncio.sleep(self._weather.pause())
        self._check()

    def _refuse(self, effect: Callable[[], None]) -> None:
        outcome = self._weather.random.choice(["never", "now", "late"])
        if outcome == "now":
            effect()
        elif outcome == "late":
            self._bucket.later(effect)
        raise Unavailable("the store does not say what became of it")

    async def _suffer(self, fate: Fate) -> None:
        if fate is Fate.STALLED:
            await asyncio.sleep(self._weather.stall())
            self._check()
        elif fate in (Fate.CRASH_BEFORE, Fate.CRASH_AFTER):
            await self._die()

    async def _die(self) -> None:
        self._process.kill()
        await asyncio.sleep(0)  # where this very task ends, too
        raise Dead

    def _check(self) -> None:
        if not self._process.is_alive:
            raise Dead


class Direct:
    """The store as it is at this moment, for those who judge: no call takes any time."""

    list_page = 1000

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`."""
        assert isinstance(data, bytes)
        self._bucket.put(key, data)

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        try:
            data = self._bucket.objects.contents[key]
        except KeyError:
            raise NotFound(key) from None
        return data[start : None if size is None else start + size]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`."""
        return [self._bucket.objects.contents.get(key) for key in keys]

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`."""
        return self._bucket.listed(prefix, start_after, limit)

    async def delete(self, keys: Iterable[str]) -> None:
        """See `Engine.delete`."""
        for key in list(keys):
            self._bucket.delete(key)

    async def close(self) -> None:
        """See `Engine.close`."""
