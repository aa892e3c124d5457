"""The local engine and the machine's feed, as a server meets them: in uvloop, small objects, one caller and many.

What waits for the disk is measured by the disk, or the budget would be that of one machine's: each put in turn with one
`fdatasync` after 200 bytes were written over others in the same folder.  (Over others, as in SQLite's log once it has
its size: a file that grows waits for the file system's journal, too, and so for whatever else goes on.)  Reads come
from memory and have budgets by the clock, with a factor of two over two shared cores of 2023.
"""

import asyncio
import os
import sys
import tempfile
from asyncio import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Final

import uvloop

from storage.engine_local import LocalEngine
from storage.feeds.machine import MachineFeed
from tests.bench.figure import Figure

CALLS: Final = 2000
PUTTERS: Final = 64
PUTS_EACH: Final = 300
RECORD: Final = b"r" * 200


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        return [*uvloop.run(_engine_figures(Path(folder))), *uvloop.run(_feed_figures(Path(folder)))]


async def _engine_figures(folder: Path) -> list[Figure]:
    engine = await LocalEngine.open(folder / "store")
    syncs, puts = await _puts_beside_syncs(engine, folder / "file")
    sync = median(syncs)
    group = PUTTERS * PUTS_EACH / await _group_seconds(engine)
    gets = await _times(lambda n: engine.get(_key("one", n)))
    pages = await _times(lambda n: engine.list("log/one/", _key("one", n), engine.list_page))
    await engine.put("large", b"l" * 1_000_000)
    ranges = await _times(lambda n: engine.get("large", n * 400, 4_000))
    await engine.close()
    return [
        Figure("engine: fdatasync of 200 bytes, p50", sync * 1000, "ms"),
        Figure("engine: put of 200 bytes, p50", median(puts) * 1000, "ms"),
        Figure("engine: put of 200 bytes, p99", _p99(puts) * 1000, "ms"),
        Figure("engine: put over a bare sync, p50", median(puts) / sync, "×", 8),
        Figure("engine: 64 putters", group, "records/s"),
        Figure("engine: 64 putters, records in the time of a sync", group * sync, "", 1, "at least"),
        Figure("engine: get of a row, p50", median(gets) * 1000, "ms", 0.25),
        Figure("engine: page of 64 entries, p50", median(pages) * 1000, "ms", 0.4),
        Figure("engine: 4 KB out of a pack, p50", median(ranges) * 1000, "ms", 0.3),
    ]


async def _puts_beside_syncs(engine: LocalEngine, path: Path) -> tuple[list[float], list[float]]:
    """Return the seconds of each bare sync, and of each put."""
    with path.open("wb", buffering=0) as file:
        file.write(RECORD * CALLS)
        os.fsync(file.fileno())
        syncs, puts = [], []
        for n in range(CALLS):
            started = perf_counter()
            os.pwrite(file.fileno(), RECORD, n * len(RECORD))
            os.fdatasync(file.fileno())
            synced = perf_counter()
            await engine.put(_key("one", n), RECORD)
            syncs.append(synced - started)
            puts.append(perf_counter() - synced)
    return syncs, puts


async def _group_seconds(engine: LocalEngine) -> float:
    async def put_all(putter: int) -> None:
        for n in range(PUTS_EACH):
            await engine.put(_key(f"many-{putter}", n), RECORD)

    started = perf_counter()
    await asyncio.gather(*(put_all(putter) for putter in range(PUTTERS)))
    return perf_counter() - started


async def _feed_figures(folder: Path) -> list[Figure]:
    child = await subprocess.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.feed_child", str(folder)), stdout=subprocess.PIPE
    )
    if child.stdout is None or not await child.stdout.readline():
        raise AssertionError("the other process of the feed did not start")
    feed = MachineFeed(folder)
    answered = asyncio.Event()
    feed.subscribe(lambda news: answered.set() if news.account_id == "pong" else None)

    async def there_and_back(n: int) -> None:
        answered.clear()
        feed.publish("ping", "writer", n)
        await answered.wait()

    times = await _times(there_and_back)
    feed.close()
    child.kill()
    await child.wait()
    return [
        Figure("feed: from publish to another process, p50", median(times) / 2 * 1000, "ms", 0.2),
        Figure("feed: from publish to another process, p99", _p99(times) / 2 * 1000, "ms"),
    ]


async def _times(call: Callable[[int], Awaitable[object]]) -> list[float]:
    times = []
    for n in range(CALLS):
        started = perf_counter()
        await call(n)
        times.append(perf_counter() - started)
    return times


def _key(writer: str, n: int) -> str:
    return f"log/{writer}/{n:012}"


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]
