"""Contents: sealed under a name and key of their own, read in ranges, in bounded memory."""

import gc
import mmap
import tracemalloc
from collections.abc import AsyncIterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import blobs, paths
from storage.blobs import PIECE_BYTES, STREAMED_BYTES_MIN
from storage.chunks import CHUNK_BYTES
from storage.engine import NotFound, Unavailable
from storage.engine_memory import MemoryEngine
from storage.records import pack_content, unpack_content
from storage.seal import SealError
from tests.storage.nodes import ACCOUNT
from tests.support.engines import CountingEngine

pytestmark = pytest.mark.usefixtures("every_engine")

LARGE = bytes(range(256)) * (3 * STREAMED_BYTES_MIN // 256) + b"end"


class Sink(MemoryEngine):
    """Lets a stream run through, and keeps its sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[int] = []

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        assert not isinstance(data, bytes)
        async for piece in data:
            self.pieces.append(len(piece))


@given(st.integers(0, 3 * CHUNK_BYTES), st.integers(0, 4 * CHUNK_BYTES), st.none() | st.integers(0, CHUNK_BYTES * 2))
async def test_a_range_is_that_of_the_plain_bytes(length: int, start: int, size: int | None) -> None:
    plain, engine = LARGE[:length], MemoryEngine()
    content = await blobs.store(engine, ACCOUNT, plain, None)
    assert content.size_bytes == length
    assert unpack_content(pack_content(content)) == content
    expected = plain[start:] if size is None else plain[start : start + size]
    assert await blobs.read(engine, ACCOUNT, content, start, size) == expected
    assert b"".join([piece async for piece in blobs.stream(engine, ACCOUNT, content, start, size)]) == expected


@pytest.mark.parametrize(
    "length", [0, 1, STREAMED_BYTES_MIN - 5, STREAMED_BYTES_MIN - 4, STREAMED_BYTES_MIN, len(LARGE)]
)
async def test_a_head_and_what_follows_are_one_content(length: int) -> None:
    engine = MemoryEngine()
    content = await blobs.store(engine, ACCOUNT, LARGE[:length], ["summary"], head=b"head")
    assert content.size_bytes == length + 4
    assert content.summary == ["summary"]
    assert await blobs.read(engine, ACCOUNT, content) == b"head" + LARGE[:length]


async def test_a_range_reads_the_chunks_that_it_touches_and_one_without_bytes_none() -> None:
    engine = CountingEngine(MemoryEngine())
    content = await blobs.store(engine, ACCOUNT, LARGE, None)
    engine.calls.clear()
    assert await blobs.read(engine, ACCOUNT, content, len(LARGE), 5) == b""
    assert await blobs.read(engine, ACCOUNT, content, 5, 0) == b""
    assert not engine.calls
    await blobs.read(engine, ACCOUNT, content, 5, 5)
    assert engine.calls == {"get": 1}


async def test_two_deposits_of_the_same_bytes_share_neither_name_nor_key() -> None:
    engine = MemoryEngine()
    one, other = [await blobs.store(engine, ACCOUNT, b"same", None) for _ in range(2)]
    assert one.blob != other.blob
    assert one.key != other.key
    names = [paths.blob(ACCOUNT, content.blob) for content in (one, other)]
    assert engine.objects.contents[names[0]] != engine.objects.contents[names[1]]
    assert not any(b"same" in data for data in engine.objects.contents.values())


async def test_what_does_not_fit_its_record_is_not_read() -> None:
    engine = MemoryEngine()
    content = await blobs.store(engine, ACCOUNT, LARGE, None)
    for spoilt in (
        replace(content, key=bytes(32)),
        replace(content, shape=[content.size_bytes, b""]),
        replace(content, shape=None),
        replace(content, shape=[content.size_bytes - 1, content.shape[1]]),
    ):
        with pytest.raises(SealError):
            await blobs.read(engine, ACCOUNT, spoilt)
    with pytest.raises(NotFound):
        await blobs.read(engine, ACCOUNT, replace(content, blob="0" * 32))


async def test_a_content_shorter_than_its_record_says_ends_the_stream() -> None:
    engine = MemoryEngine()
    content = await blobs.store(engine, ACCOUNT, b"short", None)
    with pytest.raises(SealError):
        async for _ in blobs.stream(engine, ACCOUNT, replace(content, size_bytes=99)):
            pass


async def test_a_stream_comes_in_pieces() -> None:
    engine = MemoryEngine()
    content = await blobs.store(engine, ACCOUNT, LARGE, None)
    sizes = [len(piece) async for piece in blobs.stream(engine, ACCOUNT, content)]
    assert sizes == [PIECE_BYTES] * 3 + [3]


async def test_what_could_not_be_stored_is_said() -> None:
    engine = MemoryEngine()
    await engine.close()
    for plain in (b"small", LARGE):
        with pytest.raises(Unavailable):
            await blobs.store(engine, ACCOUNT, plain, None)


async def test_twenty_megabytes_are_stored_in_bounded_memory() -> None:
    engine = Sink()
    with mmap.mmap(-1, 20 << 20) as plain:
        gc.collect()
        tracemalloc.start()
        try:
            content = await blobs.store(engine, ACCOUNT, plain, None, head=b"head")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert content.size_bytes == (20 << 20) + 4
    assert len(engine.pieces) > 19
    assert peak < 6 * PIECE_BYTES
