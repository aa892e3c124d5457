"""Ranges of many contents, read ahead: what comes is what `read` gives, and what does not come is left to it."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from storage import blobs, paths
from storage.blobs import AHEAD_BYTES_MAX, Range
from storage.chunks import CHUNK_BYTES
from storage.engine import Damaged, Unavailable
from storage.engine_memory import MemoryEngine
from storage.records import Content
from tests.support.engines import CountingEngine, FailingEngine, WrappedEngine

ACCOUNT = "a" * 32
BIG = Random(0).randbytes(3 * CHUNK_BYTES)


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


async def stored(engine: MemoryEngine, *plains: bytes) -> list[Content]:
    return [await blobs.store(engine, ACCOUNT, plain, None) for plain in plains]


async def test_small_contents_are_one_request_and_big_ones_a_range_each(engine: MemoryEngine) -> None:
    small, other, big = await stored(engine, b"small", b"other", BIG)
    counting = CountingEngine(engine)
    wanted = [Range(small, 0, 5), Range(big, CHUNK_BYTES - 1, 2), Range(other, 2, 99), Range(small, 1, 1)]
    assert await blobs.read_many(counting, ACCOUNT, wanted) == [b"small", BIG[CHUNK_BYTES - 1 :][:2], b"her", b"m"]
    assert dict(counting.calls) == {"get_many": 1, "get": 1}


async def test_nothing_is_asked_for_nothing(engine: MemoryEngine) -> None:
    counting = CountingEngine(engine)
    assert await blobs.read_many(counting, ACCOUNT, []) == []
    assert not counting.calls


async def test_what_is_gone_or_damaged_is_left_out_alone(engine: MemoryEngine) -> None:
    gone, small, hurt, big, odd = await stored(engine, b"gone", b"small", b"hurt", BIG, b"odd")
    await engine.delete([paths.blob(ACCOUNT, gone.blob)])
    await engine.put(paths.blob(ACCOUNT, hurt.blob), bytes(60))
    await engine.put(paths.blob(ACCOUNT, big.blob), bytes(60))
    wanted = [Range(each, 0, 9) for each in (gone, small, hurt, big, replace(odd, shape=["odd"]))]
    assert await blobs.read_many(engine, ACCOUNT, wanted) == [None, b"small", None, None, None]


async def test_no_more_than_the_bound_is_read_ahead(engine: MemoryEngine) -> None:
    big = Random(1).randbytes(AHEAD_BYTES_MAX // 2)
    contents = await stored(engine, big, b"small", big, b"last")
    wanted = [Range(each, 0, len(big)) for each in contents]
    # Sealed, the two are a little longer than the bound: the second one is left, and so is what comes after it.
    assert await blobs.read_many(engine, ACCOUNT, wanted) == [big, b"small", None, None]


async def test_a_content_that_repeats_itself_counts_as_long_as_it_is(engine: MemoryEngine) -> None:
    contents = await stored(engine, b"small", bytes(AHEAD_BYTES_MAX))
    wanted = [Range(each, 0, AHEAD_BYTES_MAX) for each in contents]
    assert await blobs.read_many(engine, ACCOUNT, wanted) == [b"small", None]


async def test_an_engine_that_is_not_there_is_told(engine: MemoryEngine) -> None:
    contents = await stored(engine, b"small", BIG)
    for content in contents:
        with pytest.raises(Unavailable):
            await blobs.read_many(FailingEngine(engine, Random(0), 1.0), ACCOUNT, [Range(content, 0, 9)])


async def test_where_one_of_many_is_damaged_each_is_left_to_be_read_by_itself(engine: MemoryEngine) -> None:
    class Hurt(WrappedEngine):
        async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
            raise Damaged(keys[0])

    contents = await stored(engine, b"small", b"other")
    wanted = [Range(each, 0, 9) for each in contents]
    assert await blobs.read_many(Hurt(engine), ACCOUNT, wanted) == [None, None]
