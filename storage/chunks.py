"""Long contents, sealed in chunks so that they can be read from the middle.

Plain bytes are cut every 64 KiB, and each chunk is compressed and sealed by itself (`seal.py`) under the blob's own
random key.  A chunk's name is the blob's, `#`, its index, and a `.` if it is the last: chunks do not open in another
order, in another blob, or cut off at the end.  An empty content is one empty chunk.

Sealed chunks differ in size, so where each begins is said by a `Shape` (three bytes a chunk), which the record that
names the blob carries: an attachment in the middle costs one range read, and no table has to be fetched first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.seal import BODY_LEVEL, SEAL_OVERHEAD_BYTES, SealError, open_, seal

CHUNK_BYTES = 64 * 1024
CONTENT_BYTES_MAX = 1 << 40
"""Far above any mail: what a shape may claim."""
_ENTRY_BYTES = 3
_SEALED_BYTES_MAX = CHUNK_BYTES + SEAL_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Span:
    """Which sealed bytes hold a range of plain ones: fetch these, then `open_range`."""

    start: int
    size: int
    first_chunk: int
    last_chunk: int


@dataclass(frozen=True, slots=True)
class Shape:
    """How long a content is, and how long each of its sealed chunks."""

    size_bytes: int
    table: bytes
    """Three bytes a chunk, big-endian: its sealed size."""

    @property
    def chunks(self) -> int:
        """How many chunks there are, at least one."""
        return len(self.table) // _ENTRY_BYTES

    @property
    def sealed_bytes(self) -> int:
        """The blob's size in the store."""
        return sum(self.sealed_sizes(0, self.chunks))

    def span(self, start: int = 0, size: int | None = None) -> Span:
        """Find the chunks of *size* plain bytes (default: all) from *start*; a range past the end is cut.

        A range without bytes needs no chunk: its span's size is 0.
        """
        if start < 0 or (size is not None and size < 0):
            raise ValueError(f"not a range: start {start}, size {size}")
        end = self.size_bytes if size is None else min(start + size, self.size_bytes)
        if start >= end:
            return Span(0, 0, 0, -1)
        first, last = start // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
        return Span(sum(self.sealed_sizes(0, first)), sum(self.sealed_sizes(first, last + 1)), first, last)

    def pack(self) -> list[int | bytes]:
        """Return what a record carries."""
        return [self.size_bytes, self.table]

    @classmethod
    def unpack(cls, value: object) -> "Shape":
        """Undo `pack`.  Raises ValueError for whatever it does not make."""
        match value:
            case [int(size), bytes(table)] if 0 <= size <= CONTENT_BYTES_MAX:
                shape = cls(size, table)
            case _:
                raise ValueError("not the shape of a blob")
        if len(table) != _ENTRY_BYTES * _chunks_of(size):
            raise ValueError(f"{len(table)} bytes of table for {size} bytes of content")
        if any(
            not SEAL_OVERHEAD_BYTES <= sealed <= _SEALED_BYTES_MAX for sealed in shape.sealed_sizes(0, shape.chunks)
        ):
            raise ValueError("a chunk's sealed size is out of bounds")
        return shape

    def sealed_sizes(self, first: int, end: int) -> Iterator[int]:
        """Say how long the chunks from *first* up to *end* (not included) are when sealed."""
        for place in range(first * _ENTRY_BYTES, end * _ENTRY_BYTES, _ENTRY_BYTES):
            yield int.from_bytes(self.table[place : place + _ENTRY_BYTES], "big")


class ChunkSealer:
    """Seals a content piece by piece: plain bytes in, sealed bytes out, at last the shape.

    Holds at most one chunk.  *name* and *key* are for this content alone.
    """

    def __init__(self, key: bytes, name: str, *, compress: bool = True) -> None:
        self._key = key
        self._name = name
        self._compress = compress
        self._held = bytearray()
        self._size_bytes = 0
        self._table = bytearray()
        self._finished = False

    def feed(self, plain: bytes | memoryview) -> bytes:
        """Take the next plain bytes; return the sealed ones that are due, often none.

        The answer is about as long as *plain*: feed a long content in pieces.
        """
        if self._finished:
            raise ValueError("the content is finished")
        self._held += plain
        sealed = []
        start = 0
        while len(self._held) - start > CHUNK_BYTES:  # a full chunk is held back: it may be the last
            sealed.append(self._seal(bytes(self._held[start : start + CHUNK_BYTES]), last=False))
            start += CHUNK_BYTES
        del self._held[:start]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """Return the last chunk.  Nothing more may be fed."""
        if self._finished:
            raise ValueError("the content is finished")
        self._finished = True
        return self._seal(bytes(self._held), last=True)

    @property
    def shape(self) -> Shape:
        """The shape, once the content is finished; ValueError before."""
        if not self._finished:
            raise ValueError("the content is not finished")
        return Shape(self._size_bytes, bytes(self._table))

    def _seal(self, plain: bytes, *, last: bool) -> bytes:
        name = _chunk_name(self._name, len(self._table) // _ENTRY_BYTES, last=last)
        sealed = seal(self._key, name, plain, compress=self._compress, level=BODY_LEVEL)
        self._size_bytes += len(plain)
        self._table += len(sealed).to_bytes(_ENTRY_BYTES, "big")
        return sealed


def seal_chunks(key: bytes, name: str, plain: bytes | memoryview, *, compress: bool = True) -> tuple[bytes, Shape]:
    """Seal a content that is in memory already."""
    sealer = ChunkSealer(key, name, compress=compress)
    sealed = sealer.feed(plain) + sealer.finish()
    return sealed, sealer.shape


def open_chunk(key: bytes, name: str, shape: Shape, index: int, sealed: bytes) -> bytes:
    """Open one chunk.  Raises `SealError`, also if it is not as long as *shape* says."""
    last = index == shape.chunks - 1
    chunk_name = _chunk_name(name, index, last=last)
    plain = open_(key, chunk_name, sealed, size_max=CHUNK_BYTES)
    due = shape.size_bytes - index * CHUNK_BYTES if last else CHUNK_BYTES
    if len(plain) != due:
        raise SealError(chunk_name, f"{len(plain)} bytes where {due} are due")
    return plain


def open_span(key: bytes, name: str, shape: Shape, span: Span, sealed: bytes) -> Iterator[bytes]:
    """Open the chunks of *span*, given its sealed bytes, one after another.  Raises `SealError`."""
    if len(sealed) != span.size:
        raise SealError(name, f"{len(sealed)} sealed bytes where {span.size} are due")
    place = 0
    for index, size in enumerate(shape.sealed_sizes(span.first_chunk, span.last_chunk + 1), span.first_chunk):
        yield open_chunk(key, name, shape, index, sealed[place : place + size])
        place += size


def open_range(key: bytes, name: str, shape: Shape, start: int, size: int | None, sealed: bytes) -> bytes:
    """Return the plain bytes of a range, given the sealed bytes of its span.  Raises `SealError`."""
    span = shape.span(start, size)
    plain = b"".join(open_span(key, name, shape, span, sealed))
    skip = start - span.first_chunk * CHUNK_BYTES
    return plain[skip : None if size is None else skip + size]


def _chunk_name(name: str, index: int, *, last: bool) -> str:
    return f"{name}#{index}{'.' if last else ''}"


def _chunks_of(size_bytes: int) -> int:
    return max(1, -(-size_bytes // CHUNK_BYTES))
