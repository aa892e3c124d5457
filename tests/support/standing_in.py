"""A real store in place of memory: the suites that are written for `MemoryEngine` then run on every engine.

Within `standing_in(engine)` each `MemoryObjects` is a prefix of *engine*'s store, and every call of a `MemoryEngine` is
a call of *engine*.  What tests look at and meddle with, `MemoryObjects.contents`, is a copy: what a test changes in it
is written to the store before the next call, and at the end both must be the same.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakKeyDictionary

import pytest

from storage.engine import Engine, Entry, NotFound, check_key, check_prefix, check_range
from storage.engine_memory import MemoryEngine, MemoryObjects


class _Place:
    """The part of the store that stands in for one `MemoryObjects`."""

    def __init__(self, engine: Engine, prefix: str) -> None:
        self.engine, self.prefix = engine, prefix
        self.written: dict[str, bytes] = {}
        self.at_work: Counter[str] = Counter()
        self.uncertain: set[str] = set()
        """Keys that were written by several at once, or by somebody who gave up: who of them won is not known here."""

    async def follow(self, objects: MemoryObjects) -> None:
        """Write to the store what a test did to the copy."""
        changed = {key: data for key, data in objects.contents.items() if self.written.get(key) is not data}
        gone = self.written.keys() - objects.contents.keys()
        changed = {key: data for key, data in changed.items() if not self.at_work[key]}
        self.written |= changed
        await asyncio.gather(*(self.engine.put(self.prefix + key, data) for key, data in changed.items()))
        if gone := {key for key in gone if not self.at_work[key]}:
            for key in gone:
                del self.written[key]
            await self.engine.delete(self.prefix + key for key in gone)

    @contextmanager
    def working(self, keys: Iterable[str]) -> Iterator[None]:
        """Note who writes what meanwhile."""
        keys = list(keys)
        self.uncertain |= {key for key in keys if self.at_work[key]}
        self.at_work.update(keys)
        try:
            yield
        except BaseException:
            self.uncertain |= set(keys)
            raise
        finally:
            self.at_work.subtract(keys)


@asynccontextmanager
async def standing_in(engine: Engine) -> AsyncIterator[None]:
    """Let *engine* stand in for memory; at the end both must hold the same."""
    places: WeakKeyDictionary[MemoryObjects, _Place] = WeakKeyDictionary()
    count = 0

    async def place_of(memory: MemoryEngine) -> _Place:
        nonlocal count
        await memory._turn()
        if memory.objects not in places:
            count += 1
            places[memory.objects] = _Place(engine, f"{count:04}/")
        await places[memory.objects].follow(memory.objects)
        return places[memory.objects]

    async def put(self: MemoryEngine, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        check_key(key)
        if not isinstance(data, bytes):
            data = b"".join([piece async for piece in data])
        place = await place_of(self)
        with place.working([key]):
            await place.engine.put(place.prefix + key, data)
            self.objects.put(key, data)
            place.written[key] = data

    async def get(self: MemoryEngine, key: str, start: int = 0, size: int | None = None) -> bytes:
        check_range(start, size)
        place = await place_of(self)
        try:
            return await place.engine.get(place.prefix + check_key(key), start, size)
        except NotFound as error:
            raise NotFound(key) from error

    async def get_many(self: MemoryEngine, keys: Sequence[str]) -> list[bytes | None]:
        place = await place_of(self)
        return await place.engine.get_many([place.prefix + check_key(key) for key in keys])

    async def list_(self: MemoryEngine, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        place = await place_of(self)
        after = place.prefix + check_prefix(start_after) if start_after else ""
        found = await place.engine.list(place.prefix + check_prefix(prefix), after, limit)
        return [Entry(entry.key.removeprefix(place.prefix), entry.size) for entry in found]

    async def delete(self: MemoryEngine, keys: Iterable[str]) -> None:
        place = await place_of(self)
        keys = [check_key(key) for key in keys]
        with place.working(keys):
            await place.engine.delete(place.prefix + key for key in keys)
            for key in keys:
                self.objects.delete(key)
                place.written.pop(key, None)

    with pytest.MonkeyPatch.context() as patch:
        for name, method in {"put": put, "get": get, "get_many": get_many, "list": list_, "delete": delete}.items():
            patch.setattr(MemoryEngine, name, method)
        yield
    for objects, place in list(places.items()):
        await place.follow(objects)
        stored = {entry.key.removeprefix(place.prefix): entry.size for entry in await engine.list(place.prefix)}
        expected = {key: len(data) for key, data in objects.contents.items()}
        for key in place.uncertain:
            stored.pop(key, None)
            expected.pop(key, None)
        assert stored == expected
