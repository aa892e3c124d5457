"""Giving back the space of packs: those without a living object are removed, those mostly dead are emptied first.

Safe beside other processes, because it touches only packs whose flock it gets: nobody appends to them, and no row that
will name them is under way.  An object is moved like a put, bytes before row; its row changes only if it still names
the old place, so that a put or delete that came between wins.  A reader that finds a pack gone looks for the row again.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Protocol, TypeVar

import structlog

from storage.engine import Damaged
from storage.local.committer import Row
from storage.local.folder import known_errors
from storage.local.pack_objects import Append, Place, read_pack
from storage.local.packs import Pack, Packs, lock_pack

T = TypeVar("T")

LIVING_SHARE_MAX = 0.5  # of a pack's bytes: a pack that has more living ones stays
MOVED_BYTES = 1 << 20  # read and written at once

_log = structlog.get_logger(__name__)

_LIVING = "SELECT key, pack, start, size, crc FROM objects WHERE pack = ? ORDER BY start"
_MOVE = "UPDATE objects SET pack = ?, start = ? WHERE key = ? AND pack = ? AND start = ?"


class Host(Protocol):
    """What compaction needs of the local engine."""

    packs: Packs

    def commit(
        self, statement: str, rows: Sequence[Row], size_bytes: int = 0, after: Callable[[], None] | None = None
    ) -> Future[None]:
        """Let the committer execute *statement* for each row."""
        ...

    def query(self, query: Callable[[Connection], T]) -> Future[T]:
        """Let a reader run *query*."""
        ...

    async def in_pack_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run what waits for a pack's disk."""
        ...

    def abandon(self, append: Append) -> None:
        """Give up an append."""
        ...


async def compact(host: Host) -> int:
    """Remove what packs can be removed; return the bytes of the files that are gone.  May be cancelled at any time."""
    freed = 0
    for path in sorted(host.packs.folder.glob("*.pack")):
        with known_errors():
            pack = lock_pack(path)
        if pack is not None:
            try:
                freed += await _compact_pack(host, pack)
            except Damaged as error:  # it stays as it is, for whoever repairs it
                _log.error("compaction.damaged", pack=pack.name, error=str(error))
            finally:
                pack.close()
    return freed


async def _compact_pack(host: Host, pack: Pack) -> int:
    living = await host.query(partial(_living, pack.name))
    if sum(place.size for _, place in living) > LIVING_SHARE_MAX * pack.end:
        return 0
    for key, place in living:
        await _move(host, key, place)
    if await host.query(partial(_living, pack.name)):
        return 0
    # Without a turn of the event loop between the check and the end: the flock is ours until the name is gone.
    with known_errors():
        pack.path.unlink()
    return pack.end


async def _move(host: Host, key: str, place: Place) -> None:
    append = Append(host.packs)
    try:
        moved = await host.in_pack_thread(_copy, append, host.packs.folder, place)
        row = (moved.pack, moved.start, key, place.pack, place.start)
        committed = host.commit(_MOVE, [row], after=append.settle)
    except BaseException:
        host.abandon(append)
        raise
    await committed


def _copy(append: Append, folder: Path, place: Place) -> Place:
    for start in range(0, place.size, MOVED_BYTES):
        append.write(read_pack(folder, place, start, min(MOVED_BYTES, place.size - start)))
    moved = append.finish()
    if moved.crc != place.crc:
        raise Damaged(f"pack {place.pack} has other bytes at {place.start} than were put")
    return moved


def _living(pack: str, connection: Connection) -> list[tuple[str, Place]]:
    return [(key, Place(*where)) for key, *where in connection.execute(_LIVING, (pack,))]
