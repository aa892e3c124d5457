"""Contents in chunks read from any place, and refuse to be reordered, swapped or cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.chunks import CHUNK_BYTES, CONTENT_BYTES_MAX, ChunkSealer, Shape, Span, open_range, open_span, seal_chunks
from storage.seal import SEAL_OVERHEAD_BYTES, SealError, seal

KEY = bytes(range(32))
NAME = "a/of-somebody/blob/1"
PLAIN = b"".join(b"line %07d\r\n" % number for number in range(3 * CHUNK_BYTES // 14 + 100))  # three chunks and a bit
SEALED, SHAPE = seal_chunks(KEY, NAME, PLAIN)
SIZES = list(SHAPE.sealed_sizes(0, SHAPE.chunks))
CHUNKS = [SEALED[sum(SIZES[:index]) : sum(SIZES[: index + 1])] for index in range(len(SIZES))]
EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, len(PLAIN) - 1, len(PLAIN)]


def read(start: int, size: int | None) -> bytes:
    span = SHAPE.span(start, size)
    return open_range(KEY, NAME, SHAPE, start, size, SEALED[span.start : span.start + span.size])


def shape_of(chunks: list[bytes], size_bytes: int) -> Shape:
    return Shape(size_bytes, b"".join(len(chunk).to_bytes(3, "big") for chunk in chunks))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [5],
        ["5", b"\0\0\x2f"],
        [5, "abc"],
        [-1, b"\0\0\x2f"],
        [5, b""],
        [5, b"\0\0\x2f\0"],
        [5, b"\0\0\x2f\0\0\x2f"],
        [5, (SEAL_OVERHEAD_BYTES - 1).to_bytes(3, "big")],
        [5, (CHUNK_BYTES + SEAL_OVERHEAD_BYTES + 1).to_bytes(3, "big")],
        [CONTENT_BYTES_MAX + 1, b"\0\0\x2f"],
        [CHUNK_BYTES + 1, b"\0\0\x2f"],
    ],
)
def test_a_shape_that_no_content_has_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"shape|table|bounds"):
        Shape.unpack(value)


@pytest.mark.parametrize(("start", "size"), [(-1, None), (0, -1)])
def test_a_range_that_counts_backwards_is_refused(start: int, size: int) -> None:
    with pytest.raises(ValueError, match="range"):
        SHAPE.span(start, size)


def test_chunks_in_another_order_refuse_to_open() -> None:
    for one in range(len(CHUNKS)):
        for other in range(one):
            chunks = CHUNKS.copy()
            chunks[one], chunks[other] = chunks[other], chunks[one]
            with pytest.raises(SealError):
                open_range(KEY, NAME, shape_of(chunks, len(PLAIN)), 0, None, b"".join(chunks))


def test_a_content_cut_after_a_chunk_refuses_to_open() -> None:
    for kept in range(1, len(CHUNKS)):
        shape = shape_of(CHUNKS[:kept], kept * CHUNK_BYTES)
        with pytest.raises(SealError):
            open_range(KEY, NAME, shape, 0, None, b"".join(CHUNKS[:kept]))


def test_a_content_with_a_chunk_more_refuses_to_open() -> None:
    chunks = [*CHUNKS, CHUNKS[-1]]
    with pytest.raises(SealError):
        open_range(KEY, NAME, shape_of(chunks, len(PLAIN) + CHUNK_BYTES), 0, None, b"".join(chunks))


def test_a_chunk_of_another_blob_or_key_refuses_to_open() -> None:
    with pytest.raises(SealError):
        open_range(KEY, "a/of-somebody/blob/2", SHAPE, 0, None, SEALED)
    with pytest.raises(SealError):
        open_range(bytes(32), NAME, SHAPE, 0, None, SEALED)


@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1])
def test_a_shape_with_another_length_refuses_to_open(size: int) -> None:
    with pytest.raises(SealError):
        open_range(KEY, NAME, Shape(size, SHAPE.table), 0, None, SEALED)


def test_a_chunk_longer_than_chunks_are_is_refused() -> None:
    sealed = seal(KEY, NAME + "#0.", bytes(CHUNK_BYTES + 1), compress=True)
    with pytest.raises(SealError, match="at most 65536"):
        open_range(KEY, NAME, shape_of([sealed], CHUNK_BYTES), 0, None, sealed)


def test_sealed_bytes_that_are_not_the_spans_are_refused() -> None:
    for sealed in (SEALED[:-1], SEALED + b"\0", b""):
        with pytest.raises(SealError, match="sealed bytes"):
            list(open_span(KEY, NAME, SHAPE, SHAPE.span(), sealed))


def test_nothing_is_fed_after_the_end_and_no_shape_is_told_before() -> None:
    sealer = ChunkSealer(KEY, NAME)
    with pytest.raises(ValueError, match="not finished"):
        _ = sealer.shape
    sealer.finish()
    with pytest.raises(ValueError, match="is finished"):
        sealer.feed(b"more")
    with pytest.raises(ValueError, match="is finished"):
        sealer.finish()


@pytest.mark.parametrize("start", EDGES)
@pytest.mark.parametrize("size", [*EDGES, None])
def test_a_range_is_that_of_the_plain_bytes(start: int, size: int | None) -> None:
    assert read(start, size) == PLAIN[start : None if size is None else start + size]


@given(st.integers(0, len(PLAIN) + 10), st.integers(0, len(PLAIN) + 10))
def test_any_range_is_that_of_the_plain_bytes(start: int, size: int) -> None:
    assert read(start, size) == PLAIN[start : start + size]


def test_a_range_fetches_only_its_chunks() -> None:
    assert SHAPE.span(CHUNK_BYTES, 1) == Span(SIZES[0], SIZES[1], 1, 1)
    assert SHAPE.span(CHUNK_BYTES - 1, 2) == Span(0, SIZES[0] + SIZES[1], 0, 1)
    assert SHAPE.span(CHUNK_BYTES, 0).size == 0


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("compress", [True, False])
def test_contents_of_any_length_come_back(size: int, compress: bool) -> None:
    plain = PLAIN[:size]
    sealed, shape = seal_chunks(KEY, NAME, plain, compress=compress)
    assert shape.chunks == max(1, -(-size // CHUNK_BYTES))
    assert (shape.size_bytes, shape.sealed_bytes) == (size, len(sealed))
    span = shape.span()
    assert open_range(KEY, NAME, shape, 0, None, sealed[: span.size]) == plain
    assert Shape.unpack(shape.pack()) == shape


@given(st.lists(st.integers(0, 2 * CHUNK_BYTES), max_size=4))
def test_the_pieces_that_are_fed_do_not_matter(cuts: list[int]) -> None:
    sealer = ChunkSealer(KEY, NAME)
    view = memoryview(PLAIN)
    places = [0, *sorted(cuts), len(PLAIN)]
    pieces = [sealer.feed(view[a:b]) for a, b in pairwise(places)]
    sealed = b"".join(pieces) + sealer.finish()
    assert sealer.shape.size_bytes == len(PLAIN)
    assert open_range(KEY, NAME, sealer.shape, 0, None, sealed) == PLAIN
