"""What was acknowledged is there, whatever dies: processes by kill -9, and tails of files that were never synced."""

import asyncio
import os
import shutil
import sys
from asyncio import subprocess
from pathlib import Path
from random import Random

import pytest

from storage.engine_local import LocalEngine
from tests.support.engine_child import content_of

ROUNDS = 70 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 10
PROCESSES = 3  # killed at once in each round: 30 in all, or 210
CHURN_ROUNDS = 4
CUTS_MAX = 60  # of each file
FAIR_SECONDS = 1.5


class Child:
    """A process that puts until it is killed."""

    def __init__(self, process: subprocess.Process) -> None:
        self.process = process
        self.acknowledged: list[str] = []

    @classmethod
    async def start(cls, folder: Path, name: str, kind: str) -> "Child":
        command = (sys.executable, "-m", "tests.support.engine_child", str(folder), name, kind)
        child = cls(await subprocess.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert child.process.stdout is not None
        assert await child.process.stdout.readline() == b"ready\n"
        return child

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")

    async def read(self, count: int) -> None:
        """Read *count* acknowledgements."""
        assert self.process.stdout is not None
        for _ in range(count):
            self.acknowledged.append((await self.process.stdout.readline()).decode().strip())

    async def kill(self) -> None:
        """Kill, and read what was acknowledged before."""
        self.process.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        rest = (await self.process.stdout.read()).decode()
        self.acknowledged += [line for line in rest.split("\n")[:-1] if line]
        self.process.stdin.close()
        await self.process.wait()


async def test_what_killed_processes_acknowledged_is_there(tmp_path: Path) -> None:
    random = Random(1)
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        children = [await Child.start(tmp_path, f"{number}-{n}", "mixed") for n in range(PROCESSES)]
        for child in children:
            child.go()
        await asyncio.gather(*(child.read(random.randrange(1, 60)) for child in children))
        for child in children:
            await child.kill()
            acknowledged.update(child.acknowledged)
        engine = await LocalEngine.open(tmp_path)
        listed = {entry.key: entry.size for entry in await engine.list("")}
        assert acknowledged <= listed.keys()
        for key, size in listed.items():  # the others are whole, too
            assert len(content_of(key)) == size
            assert await engine.get(key) == content_of(key)
        await engine.close()


async def test_processes_take_turns(tmp_path: Path) -> None:
    children = [await Child.start(tmp_path, str(n), "small") for n in range(4)]
    for child in children:
        child.go()
    await asyncio.sleep(FAIR_SECONDS)  # real processes: there is no clock to give them
    for child in children:
        await child.kill()
    counts = [len(child.acknowledged) for child in children]
    assert min(counts) >= max(counts) / 4, counts
    engine = await LocalEngine.open(tmp_path)
    keys = [key for child in children for key in child.acknowledged]
    assert await engine.get_many(keys) == [content_of(key) for key in keys]
    await engine.close()


async def test_compaction_beside_processes_that_are_killed_loses_nothing(tmp_path: Path) -> None:
    engine = await LocalEngine.open(tmp_path)
    freed, stay, gone = 0, set[str](), set[str]()
    for number in range(CHURN_ROUNDS):
        children = [await Child.start(tmp_path, f"{number}-{n}", "churn") for n in range(PROCESSES)]
        for child in children:
            child.go()
        reading = asyncio.gather(*(child.read(150) for child in children))
        while not reading.done():
            freed += await engine.compact()
        await reading
        for child in children:
            await child.kill()
            said = set(child.acknowledged)
            stay |= {key for key in said if key[0] not in "?-" and f"?{key}" not in said}
            gone |= {line[1:] for line in said if line[0] == "-"}
    freed += await engine.compact()
    assert freed
    listed = {entry.key for entry in await engine.list("")}
    assert stay <= listed
    assert not gone & listed
    for key in listed:
        assert await engine.get(key) == content_of(key)
    await engine.close()


def snapshot(folder: Path, copy: Path) -> dict[str, int]:
    """Copy the store while it is open, without the shared memory that a crash of the machine takes; sizes by name."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
    return {str(path.relative_to(copy)): path.stat().st_size for path in copy.rglob("*") if path.is_file()}


@pytest.fixture
async def stored(tmp_path: Path) -> tuple[Path, dict[str, int], list[str]]:
    """A store as a crash leaves it; the sizes of its files after the last acknowledgement; the keys acknowledged."""
    engine = await LocalEngine.open(tmp_path / "store")
    acknowledged = [f"a/{n}" for n in range(12)]
    for key in acknowledged:
        await engine.put(key, content_of(key))
    sizes = snapshot(tmp_path / "store", tmp_path / "acknowledged")
    for key in (f"b/{n}" for n in range(12)):
        await engine.put(key, content_of(key))
    snapshot(tmp_path / "store", tmp_path / "crashed")
    await engine.close()
    return tmp_path / "crashed", sizes, acknowledged


async def test_files_cut_anywhere_after_the_last_acknowledgement_recover_it(
    stored: tuple[Path, dict[str, int], list[str]], tmp_path: Path
) -> None:
    crashed, acknowledged_sizes, acknowledged = stored
    (pack,) = (crashed / "packs").iterdir()
    wal = crashed / "store.sqlite-wal"
    first_wal, first_pack = (acknowledged_sizes[str(path.relative_to(crashed))] for path in (wal, pack))
    last_wal, last_pack = wal.stat().st_size, pack.stat().st_size
    assert first_wal < last_wal
    assert first_pack < last_pack
    random = Random(2)
    cuts = [(size, last_pack) for size in _sample(random, first_wal, last_wal)]
    cuts += [(first_wal, size) for size in _sample(random, first_pack, last_pack)]
    for wal_size, pack_size in cuts:
        folder = tmp_path / "cut"
        shutil.copytree(crashed, folder)
        _cut(folder / wal.relative_to(crashed), wal_size)
        _cut(folder / pack.relative_to(crashed), pack_size)
        engine = await LocalEngine.open(folder)
        await engine.put("new", content_of("new"))
        for entry in await engine.list(""):
            assert await engine.get(entry.key) == content_of(entry.key), (wal_size, pack_size)
        there = await engine.get_many([*acknowledged, "new"])
        assert there == [content_of(key) for key in [*acknowledged, "new"]], (wal_size, pack_size)
        await engine.close()
        shutil.rmtree(folder)


def _sample(random: Random, first: int, last: int) -> list[int]:
    inner = random.sample(range(first + 1, last), min(CUTS_MAX, last - first - 1))
    return [first, *inner, last - 1, last]


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
