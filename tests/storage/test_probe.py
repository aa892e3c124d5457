"""The probe takes every engine of ours, and refuses each kind of false one."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from storage.engine import Engine, EngineRefused, Entry, NotFound, Unavailable
from storage.engine_memory import MemoryEngine
from storage.probe import probe
from tests.support.engines import EVERY_STORE, STORES, WrappedEngine


@pytest.fixture
def memory() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture(params=EVERY_STORE)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    async with STORES[request.param](tmp_path) as open_node:
        yield await open_node()


class _RemembersMisses(WrappedEngine):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.missed: set[str] = set()

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if key in self.missed:
            raise NotFound(key)
        try:
            return await super().get(key, start, size)
        except NotFound:
            self.missed.add(key)
            raise


class _ReadsWhatWasFirst(WrappedEngine):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.known: dict[str, bytes] = {}

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if key not in self.known:
            self.known[key] = await self.engine.get(key)
        return self.known[key][start : None if size is None else start + size]


class _ListsLate(WrappedEngine):
    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        return (await super().list(prefix, start_after, limit))[:-1]


class _ListsUnordered(WrappedEngine):
    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        return (await super().list(prefix, start_after, limit))[::-1]


class _ListsFromTheBeginning(WrappedEngine):
    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        return await super().list(prefix, "", limit)


class _ListsWithoutLimit(WrappedEngine):
    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        return await super().list(prefix, start_after)


class _IgnoresRanges(WrappedEngine):
    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        return await super().get(key)


class _DeletesNothing(WrappedEngine):
    async def delete(self, keys: Iterable[str]) -> None: ...


@pytest.mark.parametrize(
    ("false_engine", "law"),
    [
        (_RemembersMisses, "not found|in vain"),
        (_ReadsWhatWasFirst, "new bytes"),
        (_ListsLate, "put before"),
        (_ListsUnordered, "order of keys"),
        (_ListsFromTheBeginning, "after the key"),
        (_ListsWithoutLimit, "limit"),
        (_IgnoresRanges, "range"),
        (_DeletesNothing, "not there"),
    ],
)
async def test_a_false_engine_is_refused(memory: MemoryEngine, false_engine: type[WrappedEngine], law: str) -> None:
    with pytest.raises(EngineRefused, match=law):
        await probe(false_engine(memory))


async def test_an_engine_that_cannot_be_asked_is_not_refused(memory: MemoryEngine) -> None:
    await memory.close()
    with pytest.raises(Unavailable):
        await probe(memory)


async def test_our_engines_pass_and_nothing_stays_behind(engine: Engine) -> None:
    await probe(engine)
    await probe(engine, "node-1")
    assert await engine.list("") == []
