"""State: base and overlay answer together; devices are forgotten; what changed is found."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import checkpoint
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.cursor import EMPTY, WHOLE, Cursor, covers
from storage.engine_memory import MemoryEngine
from storage.folders import TRASH
from storage.joining import join
from storage.journal import Journal
from storage.records import Added, DeviceSet, FolderSet, Record, Set, ViewMade
from storage.state import Commit, State
from storage.views import BOTTOM, TOP, Floor, View
from tests.properties.histories import ITEMS, cursors, item_histories
from tests.storage.nodes import ACCOUNT, KEYS, content, mail

W, X = "a" * 16, "b" * 16


async def folded(*told: Sequence[Record], cut_after: int = -1) -> State:
    """Return the state after these commits of one writer, resting on a checkpoint after the first *cut_after*."""
    engine = MemoryEngine()
    state = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
    for n, records in enumerate(told, 1):
        commit = Commit(W, n, n, list(records))
        await state.bring([commit])
        state.fold(commit)
        if n == cut_after:
            await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, state)
    return state


def view(device: str, lineage: int) -> ViewMade:
    return ViewMade(View(device, "inbox", f"{lineage:016x}{W}1.1", 1, None, {}, TOP))


@given(item_histories, cursors, st.integers(-1, 9))
async def test_whatever_a_cursor_has_not_seen_is_found(commits: list[Commit], seen: Cursor, cut_after: int) -> None:
    engine = MemoryEngine()
    state = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
    for number, commit in enumerate(commits):
        await state.bring([commit])
        state.fold(commit)
        if number == cut_after:
            await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, state)
            state.journal = state.journal.trimmed(2)
    await assert_everything_unseen_is_found(state, seen)


async def assert_everything_unseen_is_found(state: State, seen: Cursor) -> None:
    """Look for every item that *seen* lacks something of that still counts, in every folder in which it ever was."""
    items = (await state.items(ITEMS)).values()
    unseen = [item for item in items if not all(covers(seen, rid) for rid in item.rids())]
    for folder in {folder for item in items for folder in item.entries}:
        wanted = {item.id for item in unseen if folder in item.entries}
        assert {item.id for item in await state.changed(folder, seen)} >= wanted


@given(item_histories, cursors, st.data())
async def test_whatever_a_cursor_has_not_seen_is_found_wherever_the_journal_was_trimmed(
    commits: list[Commit], seen: Cursor, data: st.DataObject
) -> None:
    """Two nodes read on at their own pace, write checkpoints, trim their journals, and join."""
    engine = MemoryEngine()
    nodes = [State(Base(SealedPages(engine, ACCOUNT, KEYS.page))) for _ in range(2)]
    for commit in data.draw(st.permutations([*commits, *commits])):
        state = nodes[data.draw(st.integers(0, 1))]
        for each in sorted(commits, key=lambda each: each.n):  # a writer's commits are read in order
            if each.writer == commit.writer and state.commits.get(each.writer, 0) < each.n <= commit.n:
                await state.bring([each])
                state.fold(each)
                state.chain[each.writer] = bytes(16)
        if data.draw(st.integers(0, 2)) == 0:
            await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, state)
            state.journal = state.journal.trimmed(data.draw(st.integers(1, 3)))
    one, other = nodes
    name = await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, other)
    pages = SealedPages(engine, ACCOUNT, KEYS.page)
    await join(one, await checkpoint.load(engine, ACCOUNT, KEYS.checkpoint, pages, name))
    one.journal = one.journal.trimmed(data.draw(st.integers(1, 20)), places_of(one))
    await assert_everything_unseen_is_found(one, seen)


def places_of(state: State) -> dict[str, tuple[str, ...]]:
    return {item.id: tuple(item.entries) for item in state.touched.values()}


@pytest.mark.parametrize("cut_after", [-1, 1, 2])
async def test_members_of_a_folder_removed_unseen_are_news_of_the_trash(cut_after: int) -> None:
    state = await folded(
        [mail("1item", folder="f1"), mail("2item"), FolderSet("f1", "name", "A")],
        [FolderSet("f1", "gone", True)],
        cut_after=cut_after,
    )
    seen = {W: (1, WHOLE)}
    assert {item.id for item in await state.changed(TRASH.id, seen)} == {"1item"}
    assert not await state.changed("inbox", seen)
    assert await state.floors("f1", BOTTOM, TOP) == []
    assert [floor.item for floor in await state.floors(TRASH.id, BOTTOM, TOP)] == ["1item"]


@pytest.mark.parametrize("cut_after", [-1, 1])
async def test_base_and_overlay_answer_together(cut_after: int) -> None:
    first: list[Record] = [Added(f"{n}item", "inbox", "Email", n, content(n)) for n in range(6)]
    second: list[Record] = [
        Set("5item", "folder", "junk"),
        Set("1item", "read", True),
        Added("7item", "inbox", "Email", 7, content(7)),
    ]
    state = await folded(first, second, cut_after=cut_after)
    assert [floor.item for floor in await state.floors("inbox", BOTTOM, TOP, limit=3)] == ["7item", "4item", "3item"]
    oldest = await state.members("inbox", Floor(1, ""), TOP, limit=2, newest_first=False)
    assert [item.id for item in oldest] == ["1item", "2item"]
    assert oldest[0].value("read") is True
    assert await state.contents(["1item", "7item", "none"]) == {"1item": content(1), "7item": content(7)}
    assert await state.item("none") is None


async def test_a_row_that_only_a_set_speaks_of_does_not_exist_yet() -> None:
    state = await folded([Set("1item", "read", True)], cut_after=1)
    assert await state.item("1item") is None
    assert not await state.changed("inbox", EMPTY)
    assert await state.floors("inbox", BOTTOM, TOP) == []


async def test_a_forgotten_device_keeps_nothing_from_before_in_whatever_order() -> None:
    told: list[Record] = [
        DeviceSet("phone", "policy", 1),
        view("phone", 1),
        view("tablet", 1),
        DeviceSet("phone", "", None),
    ]
    for order in (told, told[::-1]):
        engine = MemoryEngine()
        state = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
        times = {id(record): time for time, record in enumerate(told, 1)}
        for n, record in enumerate(order, 1):
            state.fold(Commit(f"{n:016}", 1, times[id(record)], [record]))
        assert state.devices.get("phone", "policy", "none") == "none"
        assert state.devices.names() == []
        assert state.views.of_device("phone") == []
        assert state.views.of_device("tablet") == ["inbox"]
        state.fold(Commit(X, 1, 9, [DeviceSet("phone", "policy", 2), view("phone", 9)]))
        assert state.devices.get("phone", "policy") == 2
        assert state.devices.names() == ["phone"]
        assert state.views.of_device("phone") == ["inbox"]


async def test_a_snapshot_stays_as_it_was() -> None:
    state = await folded([mail("1item")])
    snapshot = state.snapshot()
    await state.bring([])
    state.fold(Commit(W, 2, 2, [mail("2item")]))
    assert await snapshot.item("2item") is None
    assert await state.item("2item") is not None


async def test_supposing_leaves_rows_of_the_base_alone() -> None:
    state = await folded([mail("1item")], cut_after=1)
    supposed = await state.supposing(Commit(W, 2, 2, [Set("1item", "read", True)]))
    (item,) = (await supposed.items(["1item"])).values()
    assert item.value("read") is True
    assert not state.touched
    assert state.journal.after({W: (1, WHOLE)}) == set()
    assert isinstance(supposed.journal, Journal)
    assert state.head == {W: (1, WHOLE)}
    assert supposed.head == {W: (2, WHOLE)}


READ = Commit(W, 2, 2, [Set("1item", "read", True)])
MOVED = Commit(X, 1, 4, [Set("1item", "folder", "own1")])


async def _forgot_that_it_was_read(engine: MemoryEngine) -> State:
    """Return a state whose journal let go of `READ` when the item had been in the inbox alone."""
    state = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
    for commit in (Commit(W, 1, 1, [mail("1item")]), READ, Commit(W, 3, 3, [mail("2item")])):
        await _read(state, commit)
    await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, state)
    state.journal = state.journal.trimmed(1)
    assert "1item" not in {item.id for item in await state.changed("own1", {W: (1, WHOLE)})}
    return state


async def _read(state: State, commit: Commit) -> None:
    await state.bring([commit])
    state.fold(commit)
    state.chain[commit.writer] = bytes(16)


async def test_an_item_that_comes_into_a_folder_brings_what_the_journal_let_go_of() -> None:
    state = await _forgot_that_it_was_read(MemoryEngine())
    await _read(state, MOVED)
    assert "1item" in {item.id for item in await state.changed("own1", {W: (1, WHOLE), X: (1, WHOLE)})}


async def test_so_does_one_that_another_nodes_checkpoint_shows_there() -> None:
    engine = MemoryEngine()
    state = await _forgot_that_it_was_read(engine)
    other = State(Base(SealedPages(engine, ACCOUNT, KEYS.page)))
    for commit in (Commit(W, 1, 1, [mail("1item")]), MOVED):
        await _read(other, commit)
    name = await checkpoint.write(engine, ACCOUNT, KEYS.checkpoint, other)
    pages = SealedPages(engine, ACCOUNT, KEYS.page)
    await join(state, await checkpoint.load(engine, ACCOUNT, KEYS.checkpoint, pages, name))
    assert "1item" in {item.id for item in await state.changed("own1", {W: (1, WHOLE), X: (1, WHOLE)})}
