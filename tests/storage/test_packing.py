"""Packs: what is chosen for them, what a crash leaves, and that every range reads as it did before."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import blobs, paths
from storage.blobs import AHEAD_BYTES_MAX, Range
from storage.chunks import CHUNK_BYTES
from storage.collecting import packing
from storage.collecting.packing import AGE_MS, BLOB_BYTES_MAX, BLOBS_MIN, PACK_BYTES, Candidate, Planner, half_dead
from storage.engine import Damaged
from storage.engine_memory import MemoryEngine
from storage.records import Content, Location
from storage.views import Floor
from tests.storage.nodes import ACCOUNT, NOW_MS
from tests.support.engines import CountingEngine, Crash, CrashingEngine, WrappedEngine

pytestmark = pytest.mark.usefixtures("every_engine")

OLD_MS = NOW_MS - 2 * AGE_MS
NOISE = Random(5).randbytes(BLOB_BYTES_MAX)


def candidate(content: Content, number: int = 0) -> Candidate:
    size = sum(content.shape[1][at] << 8 * (2 - at % 3) for at in range(len(content.shape[1])))
    return Candidate(Floor(OLD_MS, f"{number:04}item"), content, size)


async def stored(engine: MemoryEngine, *plains: bytes) -> list[Content]:
    return [await blobs.store(engine, ACCOUNT, plain, None) for plain in plains]


async def packed(engine: MemoryEngine, contents: Sequence[Content]) -> list[Content]:
    """Return *contents* as they are in a new pack; the originals are gone."""
    candidates = [candidate(content, number) for number, content in enumerate(contents)]
    moved = await packing.write(engine, ACCOUNT, candidates)
    await engine.delete(paths.blob(ACCOUNT, content.blob) for content in contents if content.location is None)
    assert [moved[each.floor.item].blob for each in candidates] == [content.blob for content in contents]
    return [replace(each.content, location=moved[each.floor.item].location) for each in candidates]


plain_lists = st.lists(
    st.one_of(st.integers(0, 300), st.integers(0, 3 * CHUNK_BYTES)).map(lambda size: NOISE[:size]),
    min_size=1,
    max_size=6,
)
starts = st.one_of(st.integers(0, 300), st.integers(0, 4 * CHUNK_BYTES))
sizes = st.none() | starts


@given(plain_lists, st.data())
async def test_every_range_reads_in_a_pack_as_it_did_outside(plains: list[bytes], data: st.DataObject) -> None:
    engine = MemoryEngine()
    before = await stored(engine, *plains)
    wanted = data.draw(st.lists(st.tuples(st.integers(0, len(plains) - 1), starts, starts), max_size=12))
    asked = [[Range(contents[at], start, size) for at, start, size in wanted] for contents in (before, before)]
    outside = await blobs.read_many(engine, ACCOUNT, asked[0])
    after = await packed(engine, before)
    inside = await blobs.read_many(engine, ACCOUNT, [Range(after[at], start, size) for at, start, size in wanted])
    for (at, start, size), there, here in zip(wanted, outside, inside, strict=True):
        due = plains[at][start : start + size]
        assert there in (due, None)
        assert here in (due, None)
        assert await blobs.read(engine, ACCOUNT, after[at], start, size) == due
    for plain, content in zip(plains, after, strict=True):
        start, length = data.draw(starts), data.draw(sizes)
        due = plain[start:] if length is None else plain[start : start + length]
        assert b"".join([piece async for piece in blobs.stream(engine, ACCOUNT, content, start, length)]) == due


async def test_a_hundred_small_contents_of_a_pack_come_in_one_request() -> None:
    engine = MemoryEngine()
    plains = [NOISE[place : place + 5_000] for place in range(100)]
    contents = await packed(engine, await stored(engine, *plains))
    counting = CountingEngine(engine)
    assert await blobs.read_many(counting, ACCOUNT, [Range(each, 0, 5_000) for each in contents]) == plains
    assert dict(counting.calls) == {"get": 1}


async def test_no_more_than_the_bound_is_read_ahead_from_packs() -> None:
    engine = MemoryEngine()
    half = AHEAD_BYTES_MAX // 2
    large = await stored(engine, *(Random(seed).randbytes(half) for seed in range(3)))
    contents = await packed(engine, large)
    found = await blobs.read_many(engine, ACCOUNT, [Range(each, 0, half) for each in contents])
    assert [piece is None for piece in found] == [False, True, True]


async def test_what_is_gone_or_damaged_is_left_out_alone() -> None:
    engine = MemoryEngine()
    one, two, other = await stored(engine, b"one", b"two", b"other")
    first, second = await packed(engine, [one, two])
    (third,) = await packed(engine, [other])
    assert third.location is not None
    await engine.delete([paths.pack(ACCOUNT, third.location.pack)])
    assert first.location is not None
    hurt = replace(second, location=Location(first.location.pack, 1))
    wanted = [Range(each, 0, 9) for each in (first, hurt, third, second)]
    assert await blobs.read_many(engine, ACCOUNT, wanted) == [b"one", None, None, b"two"]


async def test_where_a_pack_is_damaged_each_is_left_to_be_read_by_itself() -> None:
    class Hurt(WrappedEngine):
        async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
            raise Damaged(key)

    engine = MemoryEngine()
    contents = await packed(engine, await stored(engine, b"one", b"two"))
    assert await blobs.read_many(Hurt(engine), ACCOUNT, [Range(each, 0, 9) for each in contents]) == [None, None]
    moved = await packing.write(Hurt(engine), ACCOUNT, [candidate(each) for each in contents])
    assert moved == {}


# -- what is chosen


def content(number: int, sealed: int = 5_000, location: Location | None = None) -> Content:
    plain = sealed - 42
    return Content(f"{number:032x}", bytes(32), plain, [plain, sealed.to_bytes(3, "big")], ["summary"], location)


def test_small_old_contents_are_chosen_and_others_are_not() -> None:
    planner = Planner(NOW_MS - AGE_MS)
    chosen = [content(number) for number in range(BLOBS_MIN)]
    for number, each in enumerate(chosen):
        assert not planner.offer("inbox", Floor(OLD_MS + number, f"{number}item"), each)
    table = (CHUNK_BYTES + 42).to_bytes(3, "big")
    long = Content("f" * 32, bytes(32), 5 * CHUNK_BYTES, [5 * CHUNK_BYTES, table * 5], None)
    assert not planner.offer("inbox", Floor(OLD_MS, "long"), long)
    assert not planner.offer("inbox", Floor(NOW_MS - AGE_MS + 1, "young"), content(77))
    assert not planner.offer("", Floor(OLD_MS, "removed"), content(78))
    assert not planner.offer("inbox", Floor(OLD_MS, "packed"), content(79, location=Location("p" * 32, 0)))
    assert not planner.offer("inbox", Floor(OLD_MS, "odd"), replace(content(80), shape=[3, b"odd"]))
    (pack,) = planner.rest()
    assert [each.content.blob for each in pack] == [each.blob for each in reversed(chosen)], "the newest first"
    assert all(each.content.summary is None for each in pack)


def test_few_wait_for_others() -> None:
    planner = Planner(NOW_MS - AGE_MS)
    for number in range(BLOBS_MIN - 1):
        planner.offer("inbox", Floor(OLD_MS, f"{number}item"), content(number))
        planner.offer("archive", Floor(OLD_MS, f"{number}item"), content(number))
    assert not list(planner.rest())


def test_a_pack_is_full_at_its_size_and_holds_one_folder() -> None:
    planner, size = Planner(NOW_MS - AGE_MS), 60_000
    packs = []
    for number in range(2 * PACK_BYTES // size + 40):
        for folder in ("inbox", "archive"):
            floor = Floor(OLD_MS - number, f"{number}{folder}")
            packs.append(planner.offer(folder, floor, content(number, size)))
    full = [pack for pack in packs if pack]
    assert len(full) == 4
    for pack in full:
        assert PACK_BYTES - size < sum(each.size for each in pack) <= PACK_BYTES
        assert len({each.floor.item.strip("0123456789") for each in pack}) == 1


def test_what_lies_in_a_pack_that_is_to_be_emptied_does_not_wait() -> None:
    planner = Planner(NOW_MS - AGE_MS, {"d" * 32})
    dead = [content(number, location=Location("d" * 32, number * 5_000)) for number in range(3)]
    planner.offer("inbox", Floor(OLD_MS, "1item"), dead[0])
    planner.offer("", Floor(OLD_MS, "2removed"), dead[1])
    planner.offer("inbox", Floor(NOW_MS, "3young"), dead[2])
    planner.offer("inbox", Floor(OLD_MS, "4item"), content(9))
    (pack,) = planner.rest()
    assert {each.content.blob for each in pack} == {each.blob for each in dead}


def test_a_pack_is_half_dead_when_no_more_than_half_is_named() -> None:
    sizes = {"whole": 100, "more": 100, "half": 100, "little": 100, "none": 100}
    assert half_dead(sizes, {"whole": 100, "more": 51, "half": 50, "little": 1}) == {"half", "little"}


# -- what is written


async def test_what_is_missing_or_does_not_open_stays_where_it_is() -> None:
    engine = MemoryEngine()
    good, gone, hurt, empty = await stored(engine, b"good", b"gone", b"hurt", b"")
    await engine.delete([paths.blob(ACCOUNT, gone.blob)])
    sealed = await engine.get(paths.blob(ACCOUNT, hurt.blob))
    await engine.put(paths.blob(ACCOUNT, hurt.blob), sealed[:-1] + bytes([sealed[-1] ^ 1]))
    moved = await packing.write(
        engine, ACCOUNT, [candidate(each, at) for at, each in enumerate((good, gone, hurt, empty))]
    )
    assert {where.blob for where in moved.values()} == {good.blob, empty.blob}
    (pack,) = await engine.list(paths.prefix(paths.Kind.PACK, ACCOUNT))
    assert pack.size == candidate(good).size + candidate(empty).size
    assert await packing.write(engine, ACCOUNT, [candidate(gone)]) == {}


async def test_what_is_left_of_half_dead_packs_moves_as_it_is() -> None:
    engine = MemoryEngine()
    plains = [NOISE[place : place + 3_000] for place in range(40)]
    contents = await packed(engine, await stored(engine, *plains))
    counting = CountingEngine(engine)
    candidates = [candidate(each, at) for at, each in enumerate(contents) if at % 3 == 0]
    moved = await packing.write(counting, ACCOUNT, candidates)
    assert dict(counting.calls) == {"get": 1, "put": 1}
    assert contents[0].location is not None
    await engine.delete([paths.pack(ACCOUNT, contents[0].location.pack)])
    for each, plain in zip(candidates, plains[::3], strict=True):
        there = replace(each.content, location=moved[each.floor.item].location)
        assert await blobs.read(engine, ACCOUNT, there) == plain


@pytest.mark.parametrize("is_last_kept", [False, True])
async def test_a_crash_leaves_a_pack_that_nobody_names(is_last_kept: bool) -> None:
    engine = MemoryEngine()
    contents = await stored(engine, b"one", b"two")
    crashing = CrashingEngine(engine, 0, is_last_kept=is_last_kept)
    with pytest.raises(Crash):
        await packing.write(crashing, ACCOUNT, [candidate(each, at) for at, each in enumerate(contents)])
    assert len(await engine.list(paths.prefix(paths.Kind.PACK, ACCOUNT))) == is_last_kept
    assert [await blobs.read(engine, ACCOUNT, each) for each in contents] == [b"one", b"two"]
