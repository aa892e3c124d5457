"""Contents: sealed in chunks under a key of their own, written before the record that names them, never changed.

A blob's name is fresh for every deposit: two nodes that store the same mail at once must not meet under one name with
two keys.  What no record names in the end is an orphan, and the collector's.  It also moves old small ones into packs
(`packing.py`), byte for byte: a blob is sealed under its own name, wherever it lies.
"""

import asyncio
import mmap
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from storage import chunks, paths, seal
from storage.engine import Damaged, Engine, NotFound
from storage.records import Content, Value
from storage.runs import Run, Wanted, runs

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


def object_of(account: str, content: Content) -> tuple[str, int]:
    """Return the name of the object in which the sealed *content* lies, and the place of its first byte there."""
    if content.location is None:
        return paths.blob(account, content.blob), 0
    return paths.pack(account, content.location.pack), content.location.start


async def read(engine: Engine, account: str, content: Content, start: int = 0, size: int | None = None) -> bytes:
    """Return *size* bytes of the content from *start* (default: all); a range past the end is cut.

    Reads only the chunks that the range touches.  Raises `NotFound`, `SealError`.
    """
    name = paths.blob(account, content.blob)  # whatever object it lies in: it was sealed under this name
    try:
        shape = chunks.Shape.unpack(content.shape)
    except ValueError as error:  # of a delivery, which is anybody's word
        raise seal.SealError(name, str(error)) from error
    span = shape.span(start, size)
    if span.size == 0:
        return b""
    place, offset = object_of(account, content)
    sealed = await engine.get(place, offset + span.start, span.size)
    return chunks.open_range(content.key, name, shape, start, size, sealed)


async def read_many(engine: Engine, account: str, ranges: Sequence[Range]) -> list[bytes | None]:
    """Return *ranges*, in order; None for one that is to be read by itself: too much, or not to be had.

    Contents of one chunk come in one request to the engine, others in one each, and neighbours in a pack in one
    together; all requests at once.  Raises `Unavailable`.
    """
    small: list[int] = []
    others: list[int] = []
    packed: list[Wanted] = []
    left = AHEAD_BYTES_MAX
    for place, (content, start, size) in enumerate(ranges):
        try:
            shape = chunks.Shape.unpack(content.shape)
        except ValueError:
            continue
        span = shape.span(start, size)
        left -= max(span.size, min(size, shape.size_bytes - start))  # what repeats itself is short when sealed
        if left < 0:
            break
        if content.location is not None:
            packed.append(Wanted(content.location.pack, content.location.start + span.start, span.size, place))
        else:
            (small if shape.chunks == 1 else others).append(place)
    found: list[bytes | None] = [None] * len(ranges)
    together = runs(packed)
    places = [small, *([place] for place in others), *([part.place for part in run.parts] for run in together)]
    pieces = await asyncio.gather(
        _read_whole(engine, account, [ranges[place] for place in small]),
        *(_read_one(engine, account, ranges[place]) for place in others),
        *(_read_run(engine, account, run, ranges) for run in together),
    )
    for place, piece in zip(chain.from_iterable(places), chain.from_iterable(pieces), strict=True):
        found[place] = piece
    return found


async def _read_one(engine: Engine, account: str, wanted: Range) -> list[bytes | None]:
    try:
        return [await read(engine, account, *wanted)]
    except (NotFound, Damaged, seal.SealError):
        return [None]


async def _read_run(engine: Engine, account: str, run: Run, ranges: Sequence[Range]) -> list[bytes | None]:
    """Return the ranges of contents that *run* brings, in its order."""
    if run.size == 0:
        return [b""] * len(run.parts)
    try:
        sealed = await engine.get(paths.pack(account, run.pack), run.start, run.size)
    except (NotFound, Damaged):
        return [None] * len(run.parts)
    starts = [part.start - run.start for part in run.parts]
    return [
        _opened(account, ranges[part.place], sealed[start : start + part.size])
        for start, part in zip(starts, run.parts, strict=True)
    ]


def _opened(account: str, wanted: Range, sealed: bytes) -> bytes | None:
    """Return a range of a content, given the sealed bytes of its span; None if they are not what they should be."""
    content, start, size = wanted
    try:
        shape = chunks.Shape.unpack(content.shape)
        return chunks.open_range(content.key, paths.blob(account, content.blob), shape, start, size, sealed)
    except seal.SealError:
        return None


async def _read_whole(engine: Engine, account: str, ranges: Sequence[Range]) -> list[bytes | None]:
    """Return ranges of contents of one chunk, each an object of its own."""
    names = [paths.blob(account, wanted.content.blob) for wanted in ranges]
    try:
        objects = await engine.get_many(names) if names else []
    except Damaged:  # one of them, which is found out when each is read by itself
        objects = [None] * len(names)
    return [
        None if sealed is None else _opened(account, wanted, sealed)
        for wanted, sealed in zip(ranges, objects, strict=True)
    ]


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
