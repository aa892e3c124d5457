"""The embedded engine: one folder of one machine, for several processes.

Small contents are rows of a SQLite database; large ones lie in pack files (`packs.py`), named by rows.  All changes go
through one thread a process that commits in groups (`committer.py`); reads through a few others (`readers.py`).

Order of writes: the bytes in the pack, its sync, the row, its sync, the answer.  A crash between any two leaves bytes
that no row names, never a row without its bytes.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from asyncio import Future
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from storage.engine import (
    Damaged,
    Entry,
    NotFound,
    Unavailable,
    after_prefix,
    check_key,
    check_prefix,
    check_range,
)
from storage.local.committer import Committer, Row
from storage.local.compaction import compact
from storage.local.folder import alone, known_errors, prepare
from storage.local.pack_objects import Append, Place, read_pack
from storage.local.packs import PACK_BYTES_MAX, Packs
from storage.local.readers import Readers

T = TypeVar("T")

LIST_PAGE = 64
PACKED_BYTES_MIN = 64 << 10  # smaller contents are rows
STREAM_BYTES = 256 << 10  # how much of a stream is gathered for one write
PACK_THREADS = 4
LISTED_MAX = 1000  # entries of one query: a long listing lets others go between
DELETED_MAX = 500  # keys of one commit

_PUT = "INSERT OR REPLACE INTO objects (key, size, pack, start, crc, data) VALUES (?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM objects WHERE key = ?"
_GET = "SELECT data, pack, start, size, crc FROM objects WHERE key = ?"
_LIST = "SELECT key, size FROM objects WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
_LIST_FROM = "SELECT key, size FROM objects WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"


class LocalEngine:
    """An `Engine` in a folder.  Opened after the process was forked, in the event loop that uses it."""

    def __init__(self, folder: Path, pack_bytes_max: int = PACK_BYTES_MAX) -> None:
        """Use `open`: *folder* must be prepared."""
        self.folder = folder
        self.list_page = LIST_PAGE
        self.packs = Packs(folder / "packs", pack_bytes_max)
        self._loop = asyncio.get_running_loop()
        self._committer = Committer(folder, self._loop)
        self._readers = Readers(folder, self._loop)
        self._pack_threads = ThreadPoolExecutor(PACK_THREADS, "packs")
        self._process = os.getpid()
        self._is_closed = False

    @classmethod
    async def open(cls, folder: Path, pack_bytes_max: int = PACK_BYTES_MAX) -> LocalEngine:
        """Open the store in *folder*, which is made if it is not there.  Raises `EngineRefused` with the reason."""
        await asyncio.to_thread(prepare, folder)
        with known_errors():
            return cls(folder, pack_bytes_max)

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`; a stream is held in memory for `STREAM_BYTES` and one piece of it."""
        self._check_open()
        check_key(key)
        if isinstance(data, bytes):
            await self._put_bytes(key, data)
            return
        blocks = _blocks(data)
        first = await anext(blocks, b"")
        if len(first) < STREAM_BYTES:  # it was all
            await self._put_bytes(key, first)
        else:
            await self._put_packed(key, first, blocks)

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`.  A whole object of a pack is checked against its CRC: `Damaged`."""
        self._check_open()
        check_key(key)
        check_range(start, size)
        data = await self._readers.run(partial(self._read, key, start, size))
        if data is None:
            raise NotFound(key)
        return data

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`; one turn of one reader."""
        self._check_open()
        for key in keys:
            check_key(key)
        return await self._readers.run(lambda connection: [self._read(key, 0, None, connection) for key in keys])

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`."""
        self._check_open()
        check_prefix(prefix)
        check_prefix(start_after)
        check_range(0, limit)
        entries: list[Entry] = []
        statement, start = (_LIST_FROM, prefix) if prefix > start_after else (_LIST, start_after)
        while limit is None or len(entries) < limit:
            wanted = LISTED_MAX if limit is None else min(LISTED_MAX, limit - len(entries))
            found = await self._readers.run(partial(_list, statement, (start, after_prefix(prefix), wanted)))
            entries += found
            if len(found) < wanted:
                break
            statement, start = _LIST, found[-1].key
        return entries

    async def delete(self, keys: Iterable[str]) -> None:
        """See `Engine.delete`.  Space of rows is used again at once, space of packs after `compact`."""
        self._check_open()
        rows: Sequence[Row] = [(check_key(key),) for key in keys]
        for first in range(0, len(rows), DELETED_MAX):
            await self.commit(_DELETE, rows[first : first + DELETED_MAX])

    async def compact(self) -> int:
        """Give back the space of packs that are at least half dead; return the bytes of the files that are gone.

        One process at a time does it; 0 in the others.  A pack that somebody appends to is left for a later time.
        """
        self._check_open()
        with known_errors(), alone(self.folder / "compacting") as is_alone:
            return await compact(self) if is_alone else 0

    async def close(self) -> None:
        """See `Engine.close`."""
        self._is_closed = True
        await asyncio.to_thread(self._pack_threads.shutdown)
        await self._committer.close()
        await self._readers.close()
        self.packs.close()

    # What compaction uses, too.

    def commit(
        self, statement: str, rows: Sequence[Row], size_bytes: int = 0, after: Callable[[], None] | None = None
    ) -> Future[None]:
        """Let the committer execute *statement* for each row."""
        return self._committer.submit(statement, rows, size_bytes, after)

    def query(self, query: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Let a reader run *query*."""
        return self._readers.run(query)

    async def in_pack_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run what waits for a pack's disk.  A cancelled caller leaves it running."""
        self._check_open()
        with known_errors():
            return await self._loop.run_in_executor(self._pack_threads, partial(function, *arguments))

    def abandon(self, append: Append) -> None:
        """Give up an append, after whatever a thread is doing with it right now."""
        try:
            self._pack_threads.submit(append.abandon)
        except RuntimeError:  # closed
            append.abandon()

    async def _put_bytes(self, key: str, data: bytes) -> None:
        if len(data) < PACKED_BYTES_MIN:
            await self.commit(_PUT, [(key, len(data), None, None, None, data)], len(data))
        else:
            await self._put_packed(key, data, None)

    async def _put_packed(self, key: str, first: bytes, blocks: AsyncIterator[bytes] | None) -> None:
        append = Append(self.packs)
        try:
            if blocks is None:
                place = await self.in_pack_thread(append.store, first)
            else:
                await self.in_pack_thread(append.write, first)
                async for block in blocks:
                    await self.in_pack_thread(append.write, block)
                place = await self.in_pack_thread(append.finish)
            row = (key, place.size, place.pack, place.start, place.crc, None)
            committed = self.commit(_PUT, [row], after=append.settle)
        except BaseException:
            self.abandon(append)
            raise
        await committed

    def _read(self, key: str, start: int, size: int | None, connection: sqlite3.Connection) -> bytes | None:
        """Return a range of one object.  Between row and pack, compaction may move the object: then look again."""
        missing = ""
        while True:
            row = connection.execute(_GET, (key,)).fetchone()
            if row is None:
                return None
            data, pack, *where = row
            if isinstance(data, bytes):  # cut here: SQLite reads the whole row in any case, and counts with 32 bits
                return data[start : None if size is None else start + size]
            if pack == missing:
                raise Damaged(f"pack {pack} is missing; {key} lay in it")
            place = Place(pack, *where)
            wanted = max(0, place.size - start)
            try:
                return read_pack(self.packs.folder, place, start, wanted if size is None else min(wanted, size))
            except FileNotFoundError:
                missing = pack

    def _check_open(self) -> None:
        if self._is_closed:
            raise Unavailable("the engine is closed")
        if self._process != os.getpid():
            raise RuntimeError("an engine cannot be used by a forked process: open it after the fork")


def _list(statement: str, values: tuple[str, str, int], connection: sqlite3.Connection) -> list[Entry]:
    return [Entry(key, size) for key, size in connection.execute(statement, values)]


async def _blocks(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Gather *pieces* into blocks of `STREAM_BYTES` or more; the last may be smaller."""
    gathered, size = [], 0
    async for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= STREAM_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
