"""The local engine's files, cut at every byte after the last acknowledged one: exactly what was acknowledged is there.

What follows the cut is missing, or other bytes, or those of an older log that were there before; and what a later
commit wrote whole is there as a whole.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from storage import engine_local
from storage.engine_local import LocalEngine
from tests.support.cut_store import DATABASE, WAL, Course, Crashed, other

SLICES = 4  # so that several processes share the work
PACKED_BYTES_MIN = 200
COMBINATIONS = 300
FIRST = {f"a/{n}": bytes([n]) * 60 * n for n in range(6)}  # two of them in the pack
STEPS: list[dict[str, bytes] | list[str]] = [
    {"b/1": b"small"},
    {"b/2": b"packed" * 50},
    ["a/1", "a/5"],
    {"a/2": b"new"},
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, if there is one: the disk is not what is tested."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="petitbleu-cuts-", dir=place) as name:
        yield Path(name)


@pytest.fixture(params=[False, True], ids=["log grows", "log begins anew"])
async def course(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.setattr(engine_local, "PACKED_BYTES_MIN", PACKED_BYTES_MIN)
    return await Course.make(folder / "live", FIRST, STEPS, wraps=request.param)


@pytest.mark.parametrize("part", range(SLICES))
async def test_a_log_that_ends_anywhere_holds_every_commit_before_and_none_after(
    course: Course, folder: Path, part: int
) -> None:
    crashed, files = Crashed(folder / "crashed"), course.last.files
    log, older = files[WAL], course.moments[0].files[WAL]
    assert course.wal_ends == sorted(set(course.wal_ends))
    for cut in range(course.wal_ends[0] + part, course.wal_ends[-1] + 1, SLICES):
        for rest in (b"", other(log[cut:]), older[cut:]):
            left = log[:cut] + rest
            assert crashed.contents({**files, WAL: left}) == course.moment_of(left).contents, (cut, rest[:1])


async def test_a_pack_that_ends_anywhere_after_the_last_acknowledged_object_holds_those_before(
    course: Course, folder: Path
) -> None:
    crashed, first, pack = Crashed(folder / "crashed"), course.moments[0], course.last.files[course.pack]
    acknowledged = len(first.files[course.pack])
    assert acknowledged < len(pack)
    for cut in range(acknowledged, len(pack) + 1):
        for rest in (b"", other(pack[cut:])):
            assert crashed.contents({**first.files, course.pack: pack[:cut] + rest}) == first.contents, cut


async def test_log_and_pack_may_both_end_anywhere(course: Course, folder: Path) -> None:
    """But for what was synced before: a row is written once the bytes are on the disk."""
    crashed, files, random = Crashed(folder / "crashed"), course.last.files, Random(1)
    for _ in range(COMBINATIONS):
        cut = random.randint(course.wal_ends[0], course.wal_ends[-1])
        log = files[WAL][:cut] + random.choice((b"", other(files[WAL][cut:])))
        synced = len(course.moment_of(log).files[course.pack])
        end = random.randint(synced, len(files[course.pack]))
        pack = files[course.pack][:end] + random.choice((b"", other(files[course.pack][end:])))
        contents = crashed.contents({**files, WAL: log, course.pack: pack})
        assert contents == course.moment_of(log).contents, (cut, end)


async def test_a_database_that_is_being_brought_up_to_date_may_end_anywhere(course: Course, folder: Path) -> None:
    """SQLite copies pages from its log, which stays until they are on the disk."""
    crashed, files = Crashed(folder / "crashed"), course.last.files
    before, after = files[DATABASE], course.checkpointed
    assert before != after
    for cut in range(len(after) + 1):
        for rest in (before[cut:], *((b"", other(after[cut:])) if cut >= len(before) else ())):
            assert crashed.contents({**files, DATABASE: after[:cut] + rest}) == course.last.contents, cut


async def test_a_store_that_was_cut_takes_what_comes_next(course: Course, folder: Path) -> None:
    crashed, files = Crashed(folder / "crashed"), course.last.files
    for cut in range(course.wal_ends[0], course.wal_ends[-1], 97):
        log = files[WAL][:cut]
        expected = crashed.contents({**files, WAL: log})
        engine = await LocalEngine.open(crashed.folder)
        for size in (3, PACKED_BYTES_MIN):
            await engine.put(f"new/{size}", b"n" * size)
            expected[f"new/{size}"] = b"n" * size
        assert await engine.get_many(sorted(expected)) == [expected[key] for key in sorted(expected)]
        assert [entry.key for entry in await engine.list("")] == sorted(expected)
        await engine.close()
