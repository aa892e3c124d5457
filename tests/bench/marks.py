"""An account that 1,250 writers wrote to (24 workers, restarted weekly for a year), with 60 views: what cursors take.

Without a mark every view names every writer.  With marks, of which the newest was made as long ago as can be: 32
writers came after it, and the 24 that worked when it was made have written since.
"""

import asyncio
import gc
import tracemalloc
from typing import Final

import msgpack

from storage import checkpoint
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.cursor import WHOLE, Cursor, Rid, covers
from storage.engine_memory import MemoryEngine
from storage.marks import KEPT, WRITERS_MIN
from storage.records import MarkMade, Record, ViewMade, pack, unpack
from storage.seal import keyed_hash
from storage.state import Commit, State
from storage.views import TOP, View, Views
from tests.bench.figure import Figure, best_seconds
from tests.storage.nodes import ACCOUNT, KEYS

WRITERS: Final = 1_250
VIEWS: Final = 60
WORKERS: Final = 24
COMMITS: Final = 700
"""Of each writer."""


def run() -> list[Figure]:
    return [*asyncio.run(_figures("spelled out", has_mark=False)), *asyncio.run(_figures("near marks", has_mark=True))]


def _writer(number: int) -> str:
    return keyed_hash(bytes(32), number.to_bytes(8, "big"), size=8).hex()


def _head(writers: int, working: int) -> dict[str, tuple[int, int]]:
    """Return a cursor; the last *working* writers are in the middle of their work."""
    ends = [COMMITS + number % 100 for number in range(writers - working)]
    return {_writer(at): (n, WHOLE) for at, n in enumerate([*ends, *[COMMITS // 2] * working])}


def _views() -> list[View]:
    found = []
    for at in range(VIEWS):
        cursor = _head(WRITERS, WORKERS)
        for number in range(WRITERS - WORKERS, WRITERS):
            cursor[_writer(number)] = COMMITS // 2 - (at * number) % 97, number % 5  # each was given at another time
        found.append(View(f"phone{at // 20}", f"folder{at % 20}", f"{at}", 1, None, cursor, TOP))
    return found


def _reread(record: Record) -> Record:
    return unpack(msgpack.unpackb(msgpack.packb(pack(record))))


def _filled(engine: MemoryEngine, *, has_mark: bool) -> tuple[State, list[int]]:
    """Return a state as a reader has it, and the sizes of its views' records."""
    state = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
    head: Cursor = _head(WRITERS, WORKERS)
    state.commits = {writer: n for writer, (n, _) in head.items()}
    state.chain = {writer: keyed_hash(bytes(32), writer.encode(), size=16) for writer in head}
    if has_mark:
        for time in range(KEPT):
            head_then = _head(WRITERS - WRITERS_MIN * (KEPT - time), WORKERS)
            state.fold(Commit(_writer(0), time + 1, time + 1, [_reread(MarkMade(head_then))]))
    sizes = []
    for n, view in enumerate(_views(), 1):
        (record,) = state.as_written([ViewMade(view)])
        sizes.append(len(msgpack.packb(pack(record)) or b""))
        state.fold(Commit(_writer(1), n, n, [_reread(record)]))
    return state, sizes


async def _figures(name: str, *, has_mark: bool) -> list[Figure]:
    engine = MemoryEngine()
    gc.collect()
    tracemalloc.start()
    state, sizes = _filled(engine, has_mark=has_mark)
    gc.collect()
    views_bytes = tracemalloc.get_traced_memory()[0]
    views, state.views = state.views, Views()
    del views
    gc.collect()
    views_bytes -= tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    state, _ = _filled(engine, has_mark=has_mark)
    await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, state)
    plain = len(msgpack.packb([state.views.pack(), state.views.pack_marks()]) or b"")
    (root,) = await engine.list("")
    cursor = next(view.cursor for _, view in state.views.all())
    rids = [Rid(1, _writer(number % WRITERS), COMMITS, 1) for number in range(10_000)]
    seconds = best_seconds(lambda: [covers(cursor, rid) for rid in rids], repeats=5)
    title = f"marks: {WRITERS:,} writers, {VIEWS} views {name}"
    return [
        Figure(f"{title}: a view's record", max(sizes) / 1e3, "KB", 2 if has_mark else None),
        Figure(f"{title}: in a checkpoint's root", plain / 1e6, "MB", 0.25 if has_mark else None),
        Figure(f"{title}: the root as it is stored", root.size / 1e6, "MB", 0.25 if has_mark else None),
        Figure(f"{title}: views, resident", views_bytes / 1e6, "MB", 1 if has_mark else None),
        Figure(f"{title}: is a record inside", seconds / len(rids) * 1e6, "µs"),
    ]
