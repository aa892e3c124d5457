"""What the local engine promises beyond the laws: its folder, its errors, its space."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from storage.engine import Damaged, EngineRefused, NotFound, Unavailable
from storage.engine_local import STREAM_BYTES, LocalEngine
from storage.local import committer, packs
from storage.local.folder import FORMAT_VERSION, alone, connect

LARGE = 100_000
PACK_BYTES_MAX = 1_000_000


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    return tmp_path / "above" / "store"


@pytest.fixture
async def engine(folder: Path) -> AsyncIterator[LocalEngine]:
    engine = await LocalEngine.open(folder, PACK_BYTES_MAX)
    yield engine
    await engine.close()


def pack_files(folder: Path) -> list[Path]:
    return sorted((folder / "packs").iterdir())


def content(n: int, size: int = LARGE) -> bytes:
    return bytes([n]) * size


# The folder


async def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineRefused, match="cannot be used"):
        await LocalEngine.open(tmp_path / "file" / "store")
    with pytest.raises(EngineRefused, match="cannot be used"):
        await LocalEngine.open(tmp_path / "file")


async def test_a_newer_format_is_refused(folder: Path, engine: LocalEngine) -> None:
    await engine.close()
    connection = connect(folder)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    connection.close()
    with pytest.raises(EngineRefused, match=f"format {FORMAT_VERSION + 1}, made by a newer version"):
        await LocalEngine.open(folder)


@pytest.mark.parametrize("statement", ["CREATE TABLE other (x)", "PRAGMA application_id = 1"])
async def test_the_database_of_another_program_is_refused_and_left_alone(folder: Path, statement: str) -> None:
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "store.sqlite")
    connection.execute(statement)
    connection.close()
    before = (folder / "store.sqlite").read_bytes()
    with pytest.raises(EngineRefused, match="another program"):
        await LocalEngine.open(folder)
    assert (folder / "store.sqlite").read_bytes() == before


async def test_what_is_no_database_is_refused(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "store.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(EngineRefused, match="cannot be used"):
        await LocalEngine.open(folder)


async def test_nobody_else_may_look(folder: Path, engine: LocalEngine) -> None:
    await engine.put("small", b"data")
    await engine.put("large", content(1))
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_many_may_open_a_new_folder_at_once(folder: Path) -> None:
    engines = await asyncio.gather(*(LocalEngine.open(folder) for _ in range(8)))
    await asyncio.gather(*(engine.put(f"k/{n}", b"data") for n, engine in enumerate(engines)))
    assert len(await engines[0].list("k/")) == 8
    await asyncio.gather(*(engine.close() for engine in engines))


async def test_a_forked_process_cannot_use_its_parents_engine(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        with pytest.raises(RuntimeError, match="after the fork"):
            await engine.get("a")


async def test_a_closed_engine_leaves_no_open_file(folder: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    engine = await LocalEngine.open(folder, PACK_BYTES_MAX)
    await asyncio.gather(*(engine.put(f"k/{n}", content(n)) for n in range(30)))
    await engine.compact()
    await engine.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_the_loop_of_production_serves_too(folder: Path) -> None:
    async def run() -> None:
        engine = await LocalEngine.open(folder)
        await asyncio.gather(*(engine.put(f"k/{n:03}", content(n, n * 1000)) for n in range(100)))
        assert await engine.get("k/099") == content(99, 99_000)
        assert len(await engine.list("k/")) == 100
        await engine.close()

    uvloop.run(run())


# Errors


async def test_a_full_disk_under_the_database_is_unavailable_and_passes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await LocalEngine.open(folder)

    def connect_to_a_small_disk(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(committer, "connect", connect_to_a_small_disk)
        await engine.put("small", b"data")
        outcomes = await asyncio.gather(
            engine.put("a", content(1, 60_000)), engine.put("b", content(2, 60_000)), return_exceptions=True
        )
        assert any(isinstance(outcome, Unavailable) and "full" in str(outcome) for outcome in outcomes)
    await engine.put("a", content(3, 60_000))
    assert await engine.get("a") == content(3, 60_000)
    assert await engine.get("small") == b"data"
    await engine.close()


@pytest.mark.parametrize(("module", "name"), [(packs.Pack, "write"), (os, "fdatasync")])
async def test_a_full_disk_under_the_packs_is_unavailable_and_passes(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    async def stream() -> AsyncIterator[bytes]:
        yield content(1, STREAM_BYTES)
        yield content(1, STREAM_BYTES)

    await engine.put("before", content(9))
    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        with pytest.raises(Unavailable, match="No space"):
            await engine.put("a", content(1))
        with pytest.raises(Unavailable, match="No space"):
            await engine.put("a", stream())
    with pytest.raises(NotFound):
        await engine.get("a")
    await engine.put("a", content(2))
    assert await engine.get_many(["a", "before"]) == [content(2), content(9)]


async def test_bytes_that_the_disk_changed_are_not_given_out(folder: Path, engine: LocalEngine) -> None:
    await engine.put("a", content(1))
    (pack,) = pack_files(folder)
    with pack.open("r+b") as file:
        file.seek(500)
        file.write(b"X")
    with pytest.raises(Damaged, match="other bytes"):
        await engine.get("a")
    with pack.open("r+b") as file:
        file.truncate(LARGE - 1)
    with pytest.raises(Damaged, match="ends at"):
        await engine.get("a", LARGE - 10)
    pack.unlink()
    with pytest.raises(Damaged, match="missing"):
        await engine.get("a")


# Space


async def test_a_pack_that_is_full_is_followed_by_another(folder: Path, engine: LocalEngine) -> None:
    for n in range(25):
        await engine.put(f"k/{n}", content(n))
    assert [path.stat().st_size for path in pack_files(folder)].count(PACK_BYTES_MAX) == 2
    assert len(pack_files(folder)) == 3


async def test_a_new_process_goes_on_where_an_ended_one_stopped(folder: Path, engine: LocalEngine) -> None:
    await engine.put("a", content(1))
    other = await LocalEngine.open(folder, PACK_BYTES_MAX)
    await other.put("b", content(2))
    assert len(pack_files(folder)) == 2  # never two in one pack
    await engine.close()
    await other.close()
    third = await LocalEngine.open(folder, PACK_BYTES_MAX)
    await third.put("c", content(3))
    assert len(pack_files(folder)) == 2
    assert await third.get_many(["a", "b", "c"]) == [content(1), content(2), content(3)]
    await third.close()


async def test_an_aborted_stream_leaves_no_bytes(folder: Path, engine: LocalEngine) -> None:
    async def aborted() -> AsyncIterator[bytes]:
        yield content(1, 2 * STREAM_BYTES)
        raise ConnectionResetError

    await engine.put("a", content(1))
    for _ in range(5):
        with pytest.raises(ConnectionResetError):
            await engine.put("b", aborted())
    await engine.put("c", content(1))
    await engine.close()
    assert sum(path.stat().st_size for path in pack_files(folder)) == 2 * LARGE


async def test_dead_packs_are_removed_and_half_dead_ones_emptied(folder: Path, engine: LocalEngine) -> None:
    for n in range(30):  # three full packs
        await engine.put(f"k/{n:02}", content(n))
    await engine.delete([f"k/{n:02}" for n in [*range(10), *range(10, 16), 20]])
    assert await engine.compact() == 2 * PACK_BYTES_MAX
    living = {n: content(n) for n in [*range(16, 20), *range(21, 30)]}
    assert await engine.get_many([f"k/{n:02}" for n in living]) == list(living.values())
    assert sum(path.stat().st_size for path in pack_files(folder)) == PACK_BYTES_MAX + 4 * LARGE
    assert await engine.compact() == 0


async def test_what_another_process_appends_to_is_not_touched(folder: Path, engine: LocalEngine) -> None:
    other = await LocalEngine.open(folder)
    await other.put("a", content(1))
    await other.delete(["a"])
    assert await engine.compact() == 0
    await other.close()
    assert await engine.compact() == LARGE


async def test_one_process_at_a_time_compacts(folder: Path, engine: LocalEngine) -> None:
    other = await LocalEngine.open(folder)
    await other.put("a", content(1))
    await other.delete(["a"])
    await other.close()
    with alone(folder / "compacting") as is_alone:
        assert is_alone
        assert await engine.compact() == 0
    assert await engine.compact() == LARGE


async def test_compaction_disturbs_neither_reader_nor_writer(folder: Path, engine: LocalEngine) -> None:
    other = await LocalEngine.open(folder, PACK_BYTES_MAX)
    keys = [f"k/{n:02}" for n in range(60)]
    await asyncio.gather(*(engine.put(key, content(n)) for n, key in enumerate(keys)))
    await engine.delete(keys[:60:2] + keys[:30])
    stay = {key: content(n) for n, key in enumerate(keys) if n % 2 and n > 30}
    compaction = asyncio.gather(engine.compact(), other.compact())
    while not compaction.done():
        assert await other.get_many(list(stay)) == list(stay.values())
        await other.put("k/59", content(200))
        stay["k/59"] = content(200)
    assert sum(await compaction) > 0
    assert await engine.get_many(list(stay)) == list(stay.values())
    await other.close()


async def test_compaction_leaves_a_damaged_pack_as_it_is(folder: Path, engine: LocalEngine) -> None:
    for n in range(10):
        await engine.put(f"k/{n}", content(n))
    (pack,) = pack_files(folder)
    with pack.open("r+b") as file:
        file.write(b"X")
    await engine.delete([f"k/{n}" for n in range(1, 10)])
    assert await engine.compact() == 0
    assert pack.stat().st_size == PACK_BYTES_MAX
    with pytest.raises(Damaged):
        await engine.get("k/0")


async def test_a_cancelled_compaction_loses_nothing(folder: Path, engine: LocalEngine) -> None:
    keys = [f"k/{n:02}" for n in range(40)]
    for n, key in enumerate(keys):
        await engine.put(key, content(n))
    await engine.delete([key for n, key in enumerate(keys) if n % 10 > 3])
    stay = {key: content(n) for n, key in enumerate(keys) if n % 10 <= 3}
    for turns in range(30):
        task = asyncio.create_task(engine.compact())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await engine.get_many(list(stay)) == list(stay.values())
    await engine.compact()
    assert await engine.get_many(list(stay)) == list(stay.values())


async def test_a_fault_of_ours_does_not_end_the_committer(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(packs.Packs, "settle", broken)
        with pytest.raises(Unavailable, match="ZeroDivisionError"):
            await engine.put("a", content(1))
    await engine.put("a", content(2))
    assert await engine.get("a") == content(2)
