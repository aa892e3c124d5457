"""Contents: sealed in chunks under a key of their own, written before the record that names them, never changed.

A blob's name is fresh for every deposit: two nodes that store the same mail at once must not meet under one name with
two keys.  What no record names in the end is an orphan, and the collector's.
"""

import asyncio
import mmap
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple, TypeAlias

from storage import chunks, paths, seal
from storage.engine import Damaged, Engine, NotFound
from storage.records import Content, Value

Buffer: TypeAlias = bytes | mmap.mmap

PIECE_BYTES = 1 << 20
"""How much is sealed, or opened, at a time."""
STREAMED_BYTES_MIN = 1 << 20
"""Greater contents go to the engine as a stream: memory stays bounded."""
AHEAD_BYTES_MAX = 1 << 20
"""How much `read_many` reads; the rest is read when its turn comes."""


class Range(NamedTuple):
    """Bytes of a content; *size* may reach past the end."""

    content: Content
    start: int
    size: int


async def store(engine: Engine, account: str, plain: Buffer, summary: Value, *, head: bytes = b"") -> Content:
    """Seal *head* and *plain*, as one, and store them under a fresh name.

    Durable on return; raises `Unavailable` when it may not be.  Holds a few pieces at a time, however long *plain* is.
    """
    name, key = paths.blob(account, paths.new_id()), seal.new_key()
    size = len(head) + len(plain)
    if size < STREAMED_BYTES_MIN:
        sealed, shape = chunks.seal_chunks(key, name, head + bytes(plain))
        await engine.put(name, sealed)
    else:
        sealer = chunks.ChunkSealer(key, name)
        await engine.put(name, _sealed_pieces(sealer, head, plain))
        shape = sealer.shape
    return Content(name.rsplit("/", 1)[1], key, size, shape.pack(), summary)


async def _sealed_pieces(sealer: chunks.ChunkSealer, head: bytes, plain: Buffer) -> AsyncIterator[bytes]:
    piece = sealer.feed(head)
    if piece:
        yield piece
    for start in range(0, len(plain), PIECE_BYTES):
        piece = sealer.feed(bytes(plain[start : start + PIECE_BYTES]))
        if piece:
            yield piece
    yield sealer.finish()


async def read(engine: Engine, account: str, content: Content, start: int = 0, size: int | None = None) -> bytes:
    """Return *size* bytes of the content from *start* (default: all); a range past the end is cut.

    Reads only the chunks that the range touches.  Raises `NotFound`, `SealError`.
    """
    name = paths.blob(account, content.blob)
    try:
        shape = chunks.Shape.unpack(content.shape)
    except ValueError as error:  # of a delivery, which is anybody's word
        raise seal.SealError(name, str(error)) from error
    span = shape.span(start, size)
    if span.size == 0:
        return b""
    sealed = await engine.get(name, span.start, span.size)
    return chunks.open_range(content.key, name, shape, start, size, sealed)


async def read_many(engine: Engine, account: str, ranges: Sequence[Range]) -> list[bytes | None]:
    """Return *ranges*, in order; None for one that is to be read by itself: too much, or not to be had.

    Contents of one chunk come in one request to the engine, others in one each, all at once.  Raises `Unavailable`.
    """
    small: list[int] = []
    others: list[int] = []
    left = AHEAD_BYTES_MAX
    for place, (content, start, size) in enumerate(ranges):
        try:
            shape = chunks.Shape.unpack(content.shape)
        except ValueError:
            continue
        left -= shape.span(start, size).size
        if left < 0:
            break
        (small if shape.chunks == 1 else others).append(place)
    pieces = await asyncio.gather(
        _read_whole(engine, account, [ranges[place] for place in small]),
        *(_read_one(engine, account, ranges[place]) for place in others),
    )
    found = dict(zip(small + others, chain.from_iterable(pieces), strict=True))
    return [found.get(place) for place in range(len(ranges))]


async def _read_one(engine: Engine, account: str, wanted: Range) -> list[bytes | None]:
    try:
        return [await read(engine, account, *wanted)]
    except (NotFound, Damaged, seal.SealError):
        return [None]


async def _read_whole(engine: Engine, account: str, ranges: Sequence[Range]) -> list[bytes | None]:
    """Return ranges of contents of one chunk."""
    names = [paths.blob(account, wanted.content.blob) for wanted in ranges]
    try:
        objects = await engine.get_many(names) if names else []
    except Damaged:  # one of them, which is found out when each is read by itself
        objects = [None] * len(names)
    found: list[bytes | None] = []
    for (content, start, size), name, sealed in zip(ranges, names, objects, strict=True):
        found.append(None)
        if sealed is not None:
            with suppress(seal.SealError):
                shape = chunks.Shape.unpack(content.shape)
                found[-1] = chunks.open_range(content.key, name, shape, start, size, sealed)
    return found


async def stream(
    engine: Engine, account: str, content: Content, start: int = 0, size: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the same bytes as `read`, in pieces of at most `PIECE_BYTES`."""
    end = content.size_bytes if size is None else min(start + size, content.size_bytes)
    while start < end:
        piece = await read(engine, account, content, start, min(PIECE_BYTES, end - start))
        if not piece:  # shorter than its record says: the record is anybody's word
            raise seal.SealError(paths.blob(account, content.blob), f"ends at {start}, not at {end}")
        start += len(piece)
        yield piece
