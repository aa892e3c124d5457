"""The log: what writers write, in what order, after which failures; what readers find, and what it costs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import log, objects, paths
from storage.engine import Damaged, Unavailable
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.epochs import EpochKeys
from storage.log import BATCH_RECORDS_MAX, RETRY_SECONDS
from storage.objects import COMMIT_BYTES_MAX, FIRST, CommitTooLarge
from storage.records import Added, Record
from storage.state import Commit
from tests.storage.nodes import ACCOUNT, KEYS, Told, content, mail, writer
from tests.support.engines import CountingEngine, Crash, CrashingEngine, WrappedEngine

pytestmark = pytest.mark.usefixtures("every_engine")


async def everything(engine: MemoryEngine | WrappedEngine) -> dict[str, list[Commit]]:
    """Return every writer's commits."""
    found = {}
    for name, numbers in ((await log.listing(engine, ACCOUNT, {})).following({})).items():
        commits, _, broken = await log.read(engine, ACCOUNT, KEYS.log, name, numbers, FIRST)
        assert not broken
        found[name] = commits
    return found


async def items(engine: MemoryEngine | WrappedEngine) -> list[str]:
    """Return the items of all records, as often as they are there."""
    commits = [commit for listed in (await everything(engine)).values() for commit in listed]
    return sorted(record.item for commit in commits for record in commit.records if isinstance(record, Added))


class Scripted(WrappedEngine):
    """Fails puts as a script says: None lets one pass, "lost" does nothing, "kept" stores it; both raise."""

    def __init__(self, script: Sequence[str | None], store: MemoryObjects | None = None) -> None:
        super().__init__(MemoryEngine(store))
        self.script = list(script)
        self.puts: list[tuple[str, bytes]] = []

    async def put(self, key: str, data: object) -> None:
        assert isinstance(data, bytes)
        self.puts.append((key, data))
        fate = self.script.pop(0) if self.script else None
        if fate != "lost":
            await super().put(key, data)
        if fate is not None:
            raise Unavailable(fate)


class Gated(WrappedEngine):
    """Puts wait until they are let through."""

    def __init__(self) -> None:
        super().__init__(MemoryEngine())
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def _write(self, verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        self.begun.set()
        await self.gate.wait()
        await effect()


# -- writing


async def test_commits_are_numbered_without_gaps_and_their_times_rise() -> None:
    engine, told = MemoryEngine(), Told()
    one = writer(engine, told=told)
    for n in range(1, 4):
        commit, place = await one.append([mail(f"{n}item")])
        assert (commit.writer, commit.n, place) == (one.id, n, 0)
    commits = (await everything(engine))[one.id]
    assert [commit.n for commit in commits] == [1, 2, 3]
    assert sorted({commit.time for commit in commits}) == [commit.time for commit in commits]
    assert told.news == [(one.id, 1), (one.id, 2), (one.id, 3)]


async def test_each_commit_names_the_hash_of_the_one_before() -> None:
    engine = Scripted([])
    one = writer(engine)
    for n in range(3):
        await one.append([mail(f"{n}item")])
    before = FIRST
    for _, data in engine.puts:
        assert objects.read_header(data).before == before
        before = objects.digest(data)
    assert one.last_digest == before


@pytest.mark.parametrize("script", [["lost"], ["kept"], ["lost", "kept", "lost"], ["kept"] * len(RETRY_SECONDS)])
async def test_an_unknown_outcome_is_repeated_with_the_same_bytes_under_the_same_name(script: list[str]) -> None:
    engine = Scripted(script)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    one = writer(engine, sleep=sleep)
    await one.append([mail("1item")])
    assert len(set(engine.puts)) == 1
    assert len(engine.puts) == len(script) + 1
    assert pauses == list(RETRY_SECONDS[: len(script)])
    await one.append([mail("2item")])
    assert await items(engine) == ["1item", "2item"]
    assert list(await everything(engine)) == [one.id]


@pytest.mark.parametrize("fate", ["lost", "kept"])
async def test_an_outcome_that_stays_unknown_retires_the_writer(fate: str) -> None:
    engine = Scripted([None, *[fate] * (len(RETRY_SECONDS) + 1)])
    told = Told()
    one = writer(engine, told=told)
    await one.append([mail("1item")])
    first = one.id
    with pytest.raises(Unavailable):
        await one.append([mail("2item")])
    assert (one.n, one.id == first) == (0, False)
    commit, _ = await one.append([mail("2item")])  # as the mail system does: the same again
    assert (commit.writer, commit.n) == (one.id, 1)
    assert objects.read_header(engine.puts[-1][1]).before == FIRST
    assert set(await items(engine)) == {"1item", "2item"}, "nothing is lost; twice is one item"
    assert told.news == [(first, 1), (one.id, 1)]


async def test_a_commit_that_cannot_be_made_harms_no_other() -> None:
    engine = MemoryEngine()
    one = writer(engine)
    await one.append([mail("1item")])
    with pytest.raises(CommitTooLarge):
        await one.append([Added("2item", "inbox", "Email", 1, content(1, summary="x" * COMMIT_BYTES_MAX))])
    commit, _ = await one.append([mail("3item")])
    assert (commit.writer, commit.n) == (one.id, 2)
    assert await items(engine) == ["1item", "3item"]


async def test_a_caller_who_gives_up_does_not_stop_the_write() -> None:
    engine = Gated()
    one = writer(engine)
    caller = asyncio.create_task(one.append([mail("1item")]))
    await engine.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    engine.gate.set()
    await one.finish()
    assert await items(engine) == ["1item"]
    assert (await one.append([mail("2item")]))[0].n == 2


async def test_who_waits_for_the_end_and_gives_up_does_not_stop_the_write() -> None:
    engine = Gated()
    one = writer(engine)
    caller = asyncio.create_task(one.append([mail("1item")]))
    await engine.begun.wait()
    waiting = asyncio.create_task(one.finish())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    engine.gate.set()
    assert (await caller)[0].n == 1


async def test_nobody_waits_for_a_process_that_died() -> None:
    one = writer(CrashingEngine(MemoryEngine(), 0))
    first = asyncio.create_task(one.append([mail("1item")]))
    second = asyncio.create_task(one.append([mail("2item")]))
    for caller in (first, second):
        with pytest.raises(Crash):
            await asyncio.wait_for(caller, 5)


async def test_deliveries_that_come_meanwhile_share_the_next_commit() -> None:
    engine = Gated()
    postman = writer(engine, delivers=True)
    first = asyncio.create_task(postman.append([mail("0item")], 1))
    await engine.begun.wait()
    rest = [asyncio.create_task(postman.append([mail(f"{n}item")], 10)) for n in range(1, 4)]
    await asyncio.sleep(0)
    engine.gate.set()
    assert (await first)[0].n == 1
    for place, caller in enumerate(rest):
        commit, before = await caller
        assert (commit.n, before) == (2, place)
        assert commit.records[before] == mail(f"{place + 1}item")
    header = objects.read_header(await engine.get(paths.log(ACCOUNT, postman.id, 2)))
    assert (header.usage_bytes, header.delivered) == (30, True)


async def test_what_the_account_itself_writes_is_a_commit_each() -> None:
    engine = Gated()
    one = writer(engine)
    callers = [asyncio.create_task(one.append([mail(f"{n}item")])) for n in range(3)]
    engine.gate.set()
    assert [(await caller)[0].n for caller in callers] == [1, 2, 3]


async def test_a_commit_of_deliveries_is_bounded_in_records() -> None:
    engine = Gated()
    postman = writer(engine, delivers=True)
    callers = [asyncio.create_task(postman.append([mail(f"{n}item")])) for n in range(BATCH_RECORDS_MAX + 2)]
    engine.gate.set()
    await asyncio.gather(*callers)
    sizes = [len(commit.records) for commit in (await everything(engine))[postman.id]]
    assert sizes == [BATCH_RECORDS_MAX, 2]


async def test_deliveries_too_long_for_one_commit_are_divided() -> None:
    engine = Gated()
    postman = writer(engine, delivers=True)
    long = [Added(f"{n}item", "inbox", "Email", 1, content(n, summary="x" * (COMMIT_BYTES_MAX // 3))) for n in range(5)]
    callers = [asyncio.create_task(postman.append([record])) for record in long]
    engine.gate.set()
    for caller, record in zip(callers, long, strict=True):
        commit, place = await caller
        assert commit.records[place] == record
    assert await items(engine) == sorted(record.item for record in long)


# -- reading


async def test_a_gap_is_waited_for() -> None:
    engine = Scripted([])
    one = writer(engine)
    for n in range(1, 5):
        await one.append([mail(f"{n}item")])
    await engine.delete([paths.log(ACCOUNT, one.id, 2)])
    assert (await log.listing(engine, ACCOUNT, {})).following({}) == {one.id: [1]}
    assert (await log.listing(engine, ACCOUNT, {one.id: 1})).following({one.id: 1}) == {}
    await engine.put(*engine.puts[1])
    assert (await log.listing(engine, ACCOUNT, {one.id: 1})).following({one.id: 1}) == {one.id: [2, 3, 4]}


async def test_what_is_listed_and_not_found_ends_the_reading_without_harm() -> None:
    engine = Scripted([])
    one = writer(engine)
    for n in range(1, 4):
        await one.append([mail(f"{n}item")])
    await engine.delete([paths.log(ACCOUNT, one.id, 2)])
    commits, last, broken = await log.read(engine, ACCOUNT, KEYS.log, one.id, [1, 2, 3], FIRST)
    assert ([commit.n for commit in commits], broken) == ([1], False)
    assert last == objects.digest(engine.puts[0][1])


class _Holed(Scripted):
    """Has lost the bytes of one object, and says so."""

    hole = ""

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if key == self.hole:
            raise Damaged(key)
        return await super().get(key, start, size)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.hole in keys:
            raise Damaged(self.hole)
        return await super().get_many(keys)


async def test_what_the_engine_lost_ends_the_log_of_its_writer_there() -> None:
    engine = _Holed([])
    one = writer(engine)
    for n in range(1, 4):
        await one.append([mail(f"{n}item")])
    engine.hole = paths.log(ACCOUNT, one.id, 2)
    await engine.delete([paths.log(ACCOUNT, one.id, 3)])
    commits, last, broken = await log.read(engine, ACCOUNT, KEYS.log, one.id, [1, 2, 3], FIRST)
    assert ([commit.n for commit in commits], last, broken) == ([1], objects.digest(engine.puts[0][1]), True)


def _swapped(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return {puts[1][0]: puts[2][1], puts[2][0]: puts[1][1]}


def _replayed(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return {puts[1][0]: puts[0][1]}


def _cut(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return {puts[1][0]: puts[1][1][:-5]}


def _emptied(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return {puts[1][0]: b""}


def _unchained(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    name = puts[1][0]
    return {name: objects.make_own(name, KEYS.log.log, objects.Header(False, 1, FIRST, 0), 1, [mail("9item")])}


def _of_another_key(puts: list[tuple[str, bytes]]) -> dict[str, bytes]:
    name, before = puts[1][0], objects.digest(puts[0][1])
    return {
        name: objects.make_own(
            name, EpochKeys.first(b"x" * 32), objects.Header(False, 1, before, 0), 1, [mail("9item")]
        )
    }


@pytest.mark.parametrize("spoil", [_swapped, _replayed, _cut, _emptied, _unchained, _of_another_key])
async def test_what_is_not_as_it_was_made_ends_the_log_of_its_writer_there(
    spoil: Callable[[list[tuple[str, bytes]]], dict[str, bytes]],
) -> None:
    engine = Scripted([])
    one = writer(engine)
    for n in range(1, 4):
        await one.append([mail(f"{n}item")])
    puts = engine.puts[:]
    for name, data in spoil(puts).items():
        await engine.put(name, data)
    commits, last, broken = await log.read(engine, ACCOUNT, KEYS.log, one.id, [1, 2, 3], FIRST)
    assert ([commit.n for commit in commits], last, broken) == ([1], objects.digest(puts[0][1]), True)


# -- listing


async def _written(engine: MemoryEngine, lengths: dict[str, int]) -> None:
    for name, length in lengths.items():
        one = writer(engine, new_id=lambda name=name: name)  # type: ignore[misc]
        for n in range(length):
            await one.append([mail(f"{n}item")])


writer_ids = st.integers(0, 15).map(lambda digit: f"{digit:x}" * 16)


@given(st.dictionaries(writer_ids, st.tuples(st.integers(0, 12), st.integers(0, 12))), st.sampled_from([1, 2, 3, 64]))
async def test_the_tail_is_what_is_there_and_not_known(counts: dict[str, tuple[int, int]], list_page: int) -> None:
    store = MemoryObjects()
    names = [paths.log(ACCOUNT, name, n) for name, (length, _) in counts.items() for n in range(1, length + 1)]
    for name in names:
        store.put(name, b"")
    known = {name: min(seen, length) for name, (length, seen) in counts.items() if seen}
    expected = {name: list(range(known.get(name, 0) + 1, length + 1)) for name, (length, _) in counts.items()}
    engine = MemoryEngine(store, list_page)
    assert (await log.listing(engine, ACCOUNT, known)).following(known) == {
        name: numbers for name, numbers in expected.items() if numbers
    }


async def test_names_that_are_none_of_ours_do_not_lock_the_user_out() -> None:
    store = MemoryObjects()
    prefix = paths.prefix(paths.Kind.LOG, ACCOUNT)
    for name in ("0", "1/x", f"{'a' * 16}/0000000000", f"{'a' * 16}/0000000001.tmp", "zz", f"{'f' * 16}/"[:-1]):
        store.put(prefix + name, b"")
    for list_page in (1, 2, 64):
        engine = MemoryEngine(store, list_page)
        await _written(engine, {"a" * 16: 3})
        assert (await log.listing(engine, ACCOUNT, {})).following({}) == {"a" * 16: [1, 2, 3]}
        for n in (1, 2, 3):
            store.delete(paths.log(ACCOUNT, "a" * 16, n))


async def test_a_long_past_is_skipped_not_listed() -> None:
    store = MemoryObjects()
    for n in range(1, 1001):
        store.put(paths.log(ACCOUNT, "5" * 16, n), b"")
    store.put(paths.log(ACCOUNT, "1" * 16, 1), b"")
    store.put(paths.log(ACCOUNT, "9" * 16, 1), b"")
    engine = CountingEngine(MemoryEngine(store, list_page=64))
    known = {"5" * 16: 998, "1" * 16: 1}
    assert (await log.listing(engine, ACCOUNT, known)).following(known) == {"5" * 16: [999, 1000], "9" * 16: [1]}
    assert engine.calls == {"list": 2}


async def test_a_short_log_costs_one_listing() -> None:
    engine = CountingEngine(MemoryEngine(list_page=64))
    await _written(engine.engine, dict.fromkeys([f"{digit:x}" * 16 for digit in range(9)], 7))  # type: ignore[arg-type]
    assert len((await log.listing(engine, ACCOUNT, {})).following({})) == 9
    assert engine.calls == {"list": 1}


@given(st.integers(0, 1 << 32))
async def test_failures_of_any_kind_lose_and_double_nothing_that_was_acknowledged(seed: int) -> None:
    random, store = Random(seed), MemoryObjects()
    engine = Scripted([random.choice([None, None, "lost", "kept"]) for _ in range(30)], store)
    postman = writer(engine, delivers=True)
    acknowledged: set[str] = set()

    async def deliver(item: str) -> None:
        while item not in acknowledged:
            try:
                await postman.append([mail(item)])
            except Unavailable:
                continue
            acknowledged.add(item)

    await asyncio.gather(*(deliver(f"{n}item") for n in range(12)))
    records: list[Record] = [r for c in (await everything(MemoryEngine(store))).values() for o in c for r in o.records]
    assert {record.item for record in records if isinstance(record, Added)} == acknowledged
