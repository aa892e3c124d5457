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
from storage.journal import Journal
from storage.records import Added, DeviceSet, FolderSet, Record, Set, ViewMade
from storage.state import Commit, State
from storage.views import BOTTOM, TOP, Floor, View
from tests.properties.histories import ITEMS, cursors, item_histories, rids
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
    wanted = {record.item for rid, record in rids(commits) if not covers(seen, rid)}
    found = {item.id for item in await state.changed("inbox", seen)}
    assert found >= wanted & (await state.items(ITEMS)).keys()


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
