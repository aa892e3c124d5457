"""The wrappers of `tests/support/engines.py` do what tests believe that they do."""

import asyncio
from random import Random

import pytest

from storage.engine import Engine, NotFound, Unavailable
from storage.engine_memory import MemoryEngine
from tests.support.engines import CountingEngine, Crash, CrashingEngine, FailingEngine, SlowEngine


@pytest.fixture
def memory() -> MemoryEngine:
    return MemoryEngine()


@pytest.mark.parametrize("is_last_kept", [False, True])
async def test_a_crashed_process_does_nothing_more(memory: MemoryEngine, is_last_kept: bool) -> None:
    engine = CrashingEngine(memory, writes_max=2, is_last_kept=is_last_kept)
    await engine.put("a", b"")
    await engine.put("b", b"")
    with pytest.raises(Crash):
        await engine.put("c", b"")
    for call in (engine.put("d", b""), engine.get("a"), engine.get_many([]), engine.list(""), engine.delete(["a"])):
        with pytest.raises(Crash):
            await call
    assert [entry.key for entry in await memory.list("")] == ["a", "b", "c"][: 2 + is_last_kept]


async def test_a_crash_may_come_within_a_delete(memory: MemoryEngine) -> None:
    for key in "abc":
        await memory.put(key, b"")
    with pytest.raises(Crash):
        await CrashingEngine(memory, writes_max=2).delete("abc")
    assert [entry.key for entry in await memory.list("")] == ["c"]


async def test_a_failed_write_happens_never_now_or_late(memory: MemoryEngine) -> None:
    engine = FailingEngine(memory, Random(1), rate=1.0)
    for n in range(100):
        with pytest.raises(Unavailable):
            await engine.put(f"{n:02}", b"")
    now = len(await memory.list(""))
    await engine.settle()
    late = len(await memory.list("")) - now
    assert 0 < now < 100
    assert 0 < late < 100 - now
    engine.rate = 0.0
    await engine.put("a", b"data")
    assert await engine.get("a") == b"data"


async def test_a_slow_engine_lets_others_between_effect_and_answer(memory: MemoryEngine) -> None:
    async def pause() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    put = asyncio.create_task(SlowEngine(memory, pause).put("a", b"data"))
    while not memory.objects.keys:
        await asyncio.sleep(0)
    assert not put.done()
    await put


async def test_calls_are_counted_whatever_comes_of_them(memory: MemoryEngine) -> None:
    engine = CountingEngine(memory)
    as_engine: Engine = engine
    await as_engine.put("a", b"")
    await as_engine.delete(["a", "b"])
    with pytest.raises(NotFound):
        await as_engine.get("a")
    await as_engine.list("")
    assert engine.calls == {"put": 1, "delete": 2, "get": 1, "list": 1}
