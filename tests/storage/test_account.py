"""An open account: turns, what they see, checkpoints at any moment, and a crash after any write."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import blobs, checkpoint, objects, paths
from storage.account import CHECKPOINT_RECORDS, Account
from storage.cursor import Rid
from storage.engine import NotFound, Unavailable
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.records import Added, DeviceSet, FolderSet, Set, ViewMade
from storage.seal import SealError
from storage.views import TOP, View, lineage_name
from tests.properties.histories import ITEMS
from tests.storage.nodes import ACCOUNT, NOW_MS, PUBLIC, Node, content, mail
from tests.support.engines import CountingEngine, Crash, CrashingEngine, SlowEngine, WrappedEngine

pytestmark = pytest.mark.usefixtures("every_engine")

ROOTS = paths.prefix(paths.Kind.CHECKPOINT, ACCOUNT)


async def test_a_turn_is_exclusive() -> None:
    node = Node()
    order: list[str] = []

    async def turn(name: str) -> None:
        async with node.account.turn():
            order.append(name)
            await asyncio.sleep(0)
            await node.account.commit([mail(f"{name}item")])
            order.append(name)

    await asyncio.gather(*(turn(str(n)) for n in range(4)))
    assert order[::2] == order[1::2]


async def test_a_turn_that_fails_lets_the_next_one_in() -> None:
    node = Node()
    with pytest.raises(KeyError):
        async with node.account.turn():
            raise KeyError
    assert await node.rows() == {}


async def test_a_change_wins_over_what_it_replaces_however_far_ahead_the_other_clock_was() -> None:
    node = Node()
    ahead = Node(node.engine)
    ahead.clock._now_ms = lambda: NOW_MS + 5 * 3_600_000
    await ahead.commit(mail("1item"), Set("1item", "read", True), Set("1item", "folder", "archive"))
    await node.commit(Set("1item", "read", False), Set("1item", "folder", None))
    assert await node.rows() == await ahead.rows() == {"1item": (None, False)}
    await node.commit(Set("1item", "read", True), Set("1item", "folder", "inbox"))
    assert await node.rows() == await ahead.rows() == {"1item": ("inbox", True)}


async def test_so_does_what_is_said_of_folders_and_devices() -> None:
    node = Node()
    ahead = Node(node.engine)
    ahead.clock._now_ms = lambda: NOW_MS + 5 * 3_600_000
    await ahead.commit(
        FolderSet("own", "name", "first"), DeviceSet("phone", "policy", 1), DeviceSet("phone", "seen", 1)
    )
    await node.commit(FolderSet("own", "name", "second"), DeviceSet("phone", "policy", 2))
    await ahead.rows()
    for each in (node, ahead, Node(node.engine)):
        async with each.account.turn() as state:
            assert state.folders.tree()["own"].name == "second"
            assert [state.devices.get("phone", name) for name in ("policy", "seen")] == [2, 1]
    await node.commit(DeviceSet("phone", "", None))
    await node.commit(DeviceSet("phone", "policy", 3))
    for each in (node, ahead, Node(node.engine)):
        async with each.account.turn() as state:
            assert [state.devices.get("phone", name) for name in ("policy", "seen")] == [3, None]


async def test_a_device_is_forgotten_with_the_views_that_it_began_under_a_clock_far_ahead() -> None:
    node = Node()
    ahead = Node(node.engine)
    ahead.clock._now_ms = lambda: NOW_MS + 5 * 3_600_000
    async with ahead.account.turn() as state:
        lineage = lineage_name(Rid(ahead.clock.tick(), ahead.writer.id, 1, 1))
        await ahead.account.commit([ViewMade(View("phone", "inbox", lineage, 1, None, state.head, TOP))])
    await node.commit(DeviceSet("phone", "", None))
    for each in (node, ahead, Node(node.engine)):
        async with each.account.turn() as state:
            assert state.views.newest("phone", "inbox") is None


@pytest.mark.parametrize("fresh", [True, False])
async def test_what_was_committed_is_seen_at_once(fresh: bool) -> None:
    node = Node()
    async with node.account.turn() as state:
        await node.account.commit([mail("1item")])
        assert await state.item("1item") is not None
    assert await node.rows(fresh=fresh) == {"1item": ("inbox", None)}


async def test_another_node_s_commit_is_seen_by_a_fresh_turn_and_after_news() -> None:
    store = MemoryObjects()
    one, other = Node(store=store), Node(store=store)
    assert await other.rows() == {}
    await one.commit(mail("1item"))
    assert not other.account.is_stale
    assert await other.rows(fresh=False) == {}
    other.account.told_of_news()
    assert other.account.is_stale
    assert await other.rows(fresh=False) == {"1item": ("inbox", None)}
    await one.commit(mail("2item"))
    assert len(await other.rows()) == 2


async def test_without_news_a_turn_costs_no_request() -> None:
    engine = CountingEngine(MemoryEngine())
    node = Node(engine)
    await node.commit(mail("1item"))
    engine.calls.clear()
    await node.rows(fresh=False)
    assert not engine.calls


async def test_a_turn_is_made_fresh_by_one_listing_and_no_second() -> None:
    store = MemoryObjects()
    counting = CountingEngine(MemoryEngine(store))
    node, other = Node(counting), Node(store=store)
    await node.rows()
    await other.commit(mail("1item"))
    counting.calls.clear()
    async with node.account.turn(fresh=False) as state:
        assert await state.item("1item") is None
        await node.account.make_fresh()
        assert await state.item("1item") is not None
        once = counting.calls.copy()
        await node.account.make_fresh()
        assert counting.calls == once
        await other.commit(mail("2item"))
        await node.account.refresh()  # this one looks again
        assert await state.item("2item") is not None
    async with node.account.turn():
        once = counting.calls.copy()
        await node.account.make_fresh()
        assert counting.calls == once


async def test_a_later_stamp_than_everything_read() -> None:
    store = MemoryObjects()
    one, other = Node(store=store), Node(store=store)
    for _ in range(9):
        await one.commit(mail("1item"))
    async with other.account.turn() as state:
        assert other.account.tick() > state.time


async def test_the_place_of_the_next_commit_is_known_before_it() -> None:
    node = Node()
    async with node.account.turn():
        for _ in range(2):
            place = node.account.next_place
            commit = await node.account.commit([mail("1item")])
            assert (commit.writer, commit.n) == place


class Held(WrappedEngine):
    """Puts of the log wait until they are let through."""

    def __init__(self) -> None:
        super().__init__(MemoryEngine())
        self.gate, self.begun = asyncio.Event(), asyncio.Event()

    async def _write(self, verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        self.begun.set()
        await self.gate.wait()
        await effect()


async def test_a_commit_whose_caller_was_cancelled_is_folded_by_the_next_turn() -> None:
    engine = Held()
    node = Node(engine)
    caller = asyncio.create_task(node.commit(mail("1item")))
    await engine.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    engine.gate.set()
    assert await node.rows(fresh=False) == {"1item": ("inbox", None)}
    await node.commit(mail("2item"))
    assert len(await node.rows(fresh=False)) == 2
    assert await Node(engine).rows() == await node.rows()


class Failing(WrappedEngine):
    """Fails as often as it is told to, before or after the effect."""

    def __init__(self, store: MemoryObjects | None = None) -> None:
        super().__init__(MemoryEngine(store))
        self.failures = 0
        self.kept = False
        self.reads_fail = False

    async def _read(self, _verb: str) -> None:
        if self.reads_fail:
            raise Unavailable("read")

    async def _write(self, _verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        if self.failures and not self.kept:
            self.failures -= 1
            raise Unavailable("before")
        await effect()
        if self.failures:
            self.failures -= 1
            raise Unavailable("after")


@pytest.mark.parametrize("kept", [True, False])
async def test_an_outcome_that_stays_unknown_is_looked_up_by_the_next_turn(kept: bool) -> None:
    engine = Failing()
    node = Node(engine)
    await node.commit(mail("1item"))
    engine.failures, engine.kept = 99, kept
    with pytest.raises(Unavailable):
        await node.commit(mail("2item"))
    engine.failures = 0
    rows = await node.rows(fresh=False)
    assert ("2item" in rows) == kept
    await node.commit(mail("3item"))
    assert await Node(engine).rows() == {**rows, "3item": ("inbox", None)}


async def test_what_cannot_be_read_before_a_commit_leaves_it_unwritten() -> None:
    engine = Failing()
    node = Node(engine)
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    cold = Node(engine)
    async with cold.account.turn() as state:
        engine.reads_fail = True
        with pytest.raises(Unavailable):
            await cold.account.commit([Set("1item", "read", True)])
        engine.reads_fail = False
        assert state.commits.keys() == {node.writer.id}
    assert await Node(engine).rows() == {"1item": ("inbox", None)}


async def test_a_failed_refresh_is_made_up_for() -> None:
    engine = Failing()
    node = Node(engine)
    await node.commit(mail("1item"))
    node.account.told_of_news()
    engine.reads_fail = True
    with pytest.raises(Unavailable):
        await node.rows(fresh=False)
    engine.reads_fail = False
    assert node.account.is_stale
    assert len(await node.rows(fresh=False)) == 1


async def test_what_was_shed_is_opened_again() -> None:
    node = Node()
    await node.commit(mail("1item"))
    async with node.account.turn():
        assert not node.account.shed(), "somebody uses it"
    assert node.account.shed()
    assert node.account.is_stale
    assert await node.rows(fresh=False) == {"1item": ("inbox", None)}
    await node.commit(mail("2item"))
    assert len(await node.rows()) == 2


async def test_a_broken_writer_is_left_out_and_the_account_goes_on() -> None:
    node = Node()
    for n in range(3):
        await node.commit(mail(f"{n}item"))
    await node.postman.append([mail("9item")])
    name = paths.log(ACCOUNT, node.writer.id, 2)
    await node.engine.put(name, (await node.engine.get(name))[:-1] + b"x")
    other = Node(node.engine)
    assert set(await other.rows()) == {"0item", "9item"}
    await other.commit(mail("8item"))
    await node.postman.append([mail("7item")])
    assert set(await other.rows()) == {"0item", "9item", "8item", "7item"}


class Forger:
    """A writer with the public key alone, whose clock says what he likes."""

    def __init__(self, node: Node, id_: str = "f" * 16) -> None:
        self.node, self.id, self.n, self.before = node, id_, 0, objects.FIRST

    async def write(self, time: int) -> str:
        self.n += 1
        name = paths.log(ACCOUNT, self.id, self.n)
        header = objects.Header(delivered=True, epoch=1, before=self.before, usage_bytes=0)
        data = objects.make_delivered(name, PUBLIC, header, time, [mail(f"{self.n}forged")])
        self.before = objects.digest(data)
        await self.node.engine.put(name, data)
        return f"{self.n}forged"


@pytest.mark.parametrize("between", ["nothing", "checkpoint", "other"])
@pytest.mark.parametrize("time", [4, 5])
async def test_a_writer_whose_time_does_not_rise_is_heard_no_further(time: int, between: str) -> None:
    """What is pending is told in the order of times: falling ones would be told again and again, to no end."""
    node = Node()
    await node.rows()
    forger = Forger(node)
    expected = {await forger.write(5)}
    if between != "nothing":
        await node.account.checkpoint()
    if between == "other":
        await node.engine.delete([paths.log(ACCOUNT, forger.id, 1)])
        node = Node(node.engine)
    await forger.write(time)
    await forger.write(9)
    assert set(await node.rows()) == expected
    assert set(await Node(node.engine).rows()) == expected


# -- checkpoints


@given(st.lists(st.sampled_from(["mail", "set", "checkpoint", "shed", "other"]), max_size=25))
async def test_a_checkpoint_at_any_moment_and_a_cold_opening_equal_the_warm_account(steps: list[str]) -> None:
    store = MemoryObjects()
    nodes = [Node(MemoryEngine(store, list_page=3)), Node(MemoryEngine(store, list_page=2))]
    for number, step in enumerate(steps):
        node = nodes[0]
        if step == "mail":
            await node.postman.append([mail(ITEMS[number % len(ITEMS)])])
        elif step == "set":
            await node.commit(Set(ITEMS[number % 3], "read", number), Set(ITEMS[number % 5], "folder", f"f{number}"))
        elif step == "checkpoint":
            await node.rows()
            await node.account.checkpoint()
        elif step == "shed":
            node.account.shed()
        else:
            nodes.reverse()
    expected = await Node(store=store).rows()
    for node in nodes:
        assert await node.rows() == expected
        async with node.account.turn() as warm, Node(store=store).account.turn() as cold:
            assert warm.commits == cold.commits
            assert {w: warm.chain[w] for w in warm.commits} == {w: cold.chain[w] for w in warm.commits}


async def test_a_checkpoint_is_due_after_so_many_records_and_not_right_after_one() -> None:
    node = Node()
    await node.commit(*(mail(f"{n}item") for n in range(CHECKPOINT_RECORDS - 1)))
    assert not node.account.checkpoint_is_due
    await node.commit(mail("last"))
    assert node.account.checkpoint_is_due
    await node.account.checkpoint()
    assert not node.account.checkpoint_is_due
    cold = Node(node.engine)
    assert not cold.account.checkpoint_is_due
    await cold.rows()
    assert not cold.account.checkpoint_is_due


async def test_an_account_that_is_not_open_writes_no_checkpoint() -> None:
    node = Node()
    await node.account.checkpoint()
    assert await node.engine.list(ROOTS) == []


async def test_a_cold_opening_reads_the_root_and_no_page() -> None:
    node = Node()
    await node.commit(*(Added(f"{n:05}", "inbox", "Email", NOW_MS + n, content(n)) for n in range(3000)))
    await node.account.checkpoint()
    engine = CountingEngine(node.engine)
    cold = Node(engine)
    async with cold.account.turn() as state:
        assert state.base.count == 3000
        assert not state.touched
    assert engine.calls == {"list": 2, "get": 1}


async def test_a_damaged_checkpoint_leaves_the_one_before_and_the_log() -> None:
    node = Node()
    for n in range(3):
        await node.commit(mail(f"{n}item"))
        await node.account.checkpoint()
    names = await checkpoint.names(node.engine, ACCOUNT)
    assert len(names) == 3
    await node.engine.put(names[-1], (await node.engine.get(names[-1]))[:-1] + b"x")
    await node.engine.put(names[-2], b"")
    assert len(await Node(node.engine).rows()) == 3
    await node.engine.put(names[0], b"x")
    with pytest.raises(SealError):  # the log may have lost what they covered: no half account is shown
        await Node(node.engine).rows()


class Collected(WrappedEngine):
    """Lists a checkpoint that is gone, for so many listings."""

    def __init__(self, engine: MemoryEngine | WrappedEngine, times: int) -> None:
        super().__init__(engine)
        self.times = times

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        if key.startswith(ROOTS) and self.times:
            self.times -= 1
            raise NotFound(key)
        return await super().get(key, start, size)


async def test_a_checkpoint_collected_while_it_was_looked_for_is_looked_for_again_but_not_for_ever() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    assert len(await Node(Collected(node.engine, 2)).rows()) == 1  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await Node(Collected(node.engine, 99)).rows()  # type: ignore[arg-type]


# -- crashes


async def _life(engine: MemoryEngine | WrappedEngine) -> None:
    """Some of everything that writes: commits, deliveries, contents, checkpoints."""
    node = Node(engine)
    await node.commit(mail("1item"), mail("2item"))
    await node.postman.append([mail("3item")])
    stored = await node.account.store(b"draft", None)
    await node.commit(Added("4item", "drafts", "Email", 4, stored), Set("1item", "folder", "trash"))
    await node.account.checkpoint()
    await node.commit(Set("1item", "folder", None), Set("2item", "read", True))
    await node.account.checkpoint()
    await node.commit(mail("5item"), Set("4item", "folder", "sent"))


async def _snapshots() -> list[dict[str, tuple[str | None, object]]]:
    """What a node sees after each write of an undisturbed life."""
    engine = CountingEngine(MemoryEngine())
    await _life(engine)
    seen = []
    for writes in range(engine.calls["put"] + 1):
        store = MemoryObjects()
        with suppress(Crash):
            await _life(CrashingEngine(MemoryEngine(store), writes))
        seen.append(await Node(store=store).rows())
    return seen


@pytest.mark.parametrize("is_last_kept", [False, True])
async def test_a_crash_at_any_write_leaves_the_account_as_before_or_as_after_it(is_last_kept: bool) -> None:
    before = await _snapshots()
    assert before[0] == {}
    assert before[-1] == {
        "1item": (None, None), "2item": ("inbox", True), "3item": ("inbox", None),
        "4item": ("sent", None), "5item": ("inbox", None),
    }  # fmt: skip
    for writes in range(len(before) - 1):
        store = MemoryObjects()
        with pytest.raises(Crash):
            await _life(CrashingEngine(MemoryEngine(store), writes, is_last_kept=is_last_kept))
        node = Node(store=store)
        rows = await node.rows()
        assert rows == before[writes + is_last_kept]
        await _every_content_is_there(node)
        await node.commit(Set("1item", "read", "again"), mail("6item"))
        await node.account.checkpoint()
        assert await Node(store=store).rows() == await node.rows()


async def _every_content_is_there(node: Node) -> None:
    async with node.account.turn() as state:
        for item, found in (await state.contents(["1item", "4item"])).items():
            assert (item, await node.account.read(found)) == ("4item", b"draft")


async def test_two_nodes_that_write_at_once_converge() -> None:
    store = MemoryObjects()

    async def pause() -> None:
        await asyncio.sleep(0)

    nodes = [Node(SlowEngine(MemoryEngine(store, list_page=2), pause)) for _ in range(3)]

    async def live(number: int) -> None:
        node = nodes[number]
        for step in range(8):
            async with node.account.turn(fresh=step % 2 == 0):
                await node.account.commit([mail(f"{number}{step}"), Set(f"{step % 3}{step}", "read", [number, step])])
            await node.postman.append([mail(f"{step}mail")])
            if step % 3 == number:
                await node.account.checkpoint()

    await asyncio.gather(*map(live, range(3)))
    seen = [await node.rows() for node in [*nodes, Node(store=store)]]
    assert all(rows == seen[0] for rows in seen)
    assert len(seen[0]) == 24 + 8
    for name in await checkpoint.names(nodes[0].engine, ACCOUNT):
        assert await _cold(store, name) == seen[0]


async def _cold(store: MemoryObjects, root: str) -> dict[str, tuple[str | None, object]]:
    """Return what a node sees that finds only one of the checkpoints: any, with the log, is the whole account."""
    other = MemoryObjects()
    for key, data in store.contents.items():
        if key == root or not key.startswith(ROOTS):
            other.put(key, data)
    return await Node(store=other).rows()


async def test_contents_are_read_in_ranges_and_streamed() -> None:
    node = Node()
    plain = bytes(range(256)) * 10_000
    async with node.account.turn():
        found = await node.account.store(plain, None)
    assert await node.account.read(found, 100_000, 10) == plain[100_000:100_010]
    assert b"".join([piece async for piece in node.account.stream(found, 7)]) == plain[7:]
    assert len(plain) > blobs.PIECE_BYTES


def test_an_account_has_nothing_open_before_its_first_turn() -> None:
    node = Node()
    assert isinstance(node.account, Account)
    assert node.account.is_stale
    assert node.account.shed()


async def test_who_finds_his_own_commits_gone_writes_on_as_another_writer() -> None:
    """Behind a commit that is gone nobody reads: what was acknowledged there would be lost at the next start."""
    node = Node()
    for item in ("1item", "2item"):
        await node.commit(mail(item))
    lost = node.writer.id
    await node.engine.delete([paths.log(ACCOUNT, lost, 2)])  # as when the store is put back to an older state
    assert node.account.shed()
    await node.commit(mail("3item"))
    assert node.writer.id != lost
    assert set(await Node(node.engine).rows()) == {"1item", "3item"}
