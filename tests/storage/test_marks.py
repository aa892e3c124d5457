"""Marks: a cursor near a mark is the same cursor, whatever was read first, and takes little room."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import paths
from storage.collecting import purging
from storage.cursor import WHOLE, Cursor, Rid, beyond, covers, cut_before, dominates, join
from storage.engine_memory import MemoryObjects
from storage.marked import Mark, MarkedCursor, UnknownMark, difference, mark_id, pack_cursor, unpack_cursor
from storage.marks import KEPT, NAMED, WRITERS_MIN, Marks
from storage.records import MarkMade, UnknownRecord, ViewMade, pack, unpack
from storage.views import TOP, View, ViewId, Views
from tests.storage.nodes import ACCOUNT, NOW_MS, Node, mail

WRITERS = "abcd"
cursors = st.dictionaries(st.sampled_from(WRITERS), st.tuples(st.integers(1, 4), st.sampled_from([1, 2, WHOLE])))
rids = st.builds(Rid, st.just(0), st.sampled_from(WRITERS), st.integers(1, 5), st.integers(1, 3))


def many(count: int, n: int = 1, start: int = 0) -> dict[str, tuple[int, int]]:
    return {f"{number:016x}": (n, WHOLE) for number in range(start, start + count)}


def near(cursor: Cursor, marked: Cursor) -> MarkedCursor:
    return MarkedCursor(Mark(mark_id(marked), marked, 0), difference(cursor, marked))


def view(cursor: Cursor, generation: int = 1, possible: Cursor | None = None) -> View:
    return View("phone", "inbox", f"{1:016x}{'a' * 16}1.1", generation, None, cursor, TOP, possible=possible or {})


def repacked(cursor: Cursor) -> Cursor:
    return unpack_cursor(msgpack.unpackb(msgpack.packb(pack_cursor(cursor))))


@given(cursors, cursors)
def test_a_cursor_near_any_mark_is_the_same_mapping(cursor: Cursor, marked: Cursor) -> None:
    other = near(cursor, marked)
    assert other == cursor
    assert cursor == other
    assert dict(other) == dict(other.items()) == cursor
    assert len(other) == len(cursor)
    for writer in [*WRITERS, "nobody"]:
        assert (writer in other) == (writer in cursor)
        assert other.get(writer) == cursor.get(writer)
        assert other.get(writer, (0, 0)) == cursor.get(writer, (0, 0))


@given(cursors, cursors, cursors, cursors, st.lists(rids))
def test_what_is_done_with_cursors_is_done_with_marked_ones(
    one: Cursor, two: Cursor, mark: Cursor, other: Cursor, found: list[Rid]
) -> None:
    first, second = near(one, mark), near(two, other)
    assert join(first, second) == join(one, two)
    assert beyond(first, second) == beyond(one, two)
    assert dominates(first, second) == dominates(one, two)
    assert cut_before(first, found) == cut_before(one, found)
    assert [covers(first, rid) for rid in found] == [covers(one, rid) for rid in found]
    assert (first == second) == (one == two)


@given(cursors, cursors)
def test_it_is_known_as_soon_as_its_mark_is_whatever_was_read_first(cursor: Cursor, marked: Cursor) -> None:
    read: dict[str, Marks] = {"mark": Marks(), "view": Marks()}
    read["mark"].offer(marked, 1)
    told = repacked(near(cursor, marked))
    held = {first: known.held(told) for first, known in read.items()}
    with pytest.raises(UnknownMark):
        covers(held["view"], Rid(0, "a", 1, 1))
    assert held["view"] != cursor
    read["view"].offer(marked, 1)
    assert held["view"] == held["mark"] == cursor


def test_two_that_are_not_known_yet_are_equal_if_they_say_the_same() -> None:
    mark, other = mark_id({"a": (1, 1)}), mark_id({"a": (2, 1)})
    unknown = MarkedCursor(Mark(mark), {"b": (1, 1)})
    assert unknown == MarkedCursor(Mark(mark), {"b": (1, 1)})
    assert unknown != MarkedCursor(Mark(mark), {"b": (1, 2)})
    assert unknown != MarkedCursor(Mark(other), {"b": (1, 1)})
    assert unknown != 5
    for ask in (len, list, dict, lambda cursor: cursor["b"]):
        with pytest.raises(UnknownMark):
            ask(unknown)


def test_a_writer_of_which_nothing_was_seen_is_said() -> None:
    marked = {"a": (5, WHOLE), "b": (3, 2)}
    cursor = near({"b": (3, 2), "c": (1, 1)}, marked)
    assert cursor.differences == {"a": (0, 0), "c": (1, 1)}
    assert not covers(cursor, Rid(0, "a", 1, 1))
    assert "a" not in cursor
    with pytest.raises(KeyError):
        cursor["a"]


def test_a_mark_s_id_is_that_of_its_cursor_in_any_order() -> None:
    one, two = {"a": (1, 2), "b": (3, 4)}, {"b": (3, 4), "a": (1, 2)}
    assert mark_id(one) == mark_id(two) != mark_id({**one, "a": (1, 1)})
    packed = pack(MarkMade(one))
    assert unpack(msgpack.unpackb(msgpack.packb(packed))) == MarkMade(one)
    with pytest.raises(UnknownRecord):
        unpack([*packed[:1], bytes(16), packed[2]])


@pytest.mark.parametrize(
    "packed", [None, [], [b"short", {}], [bytes(16)], [bytes(16), {}, 1], [bytes(16), []], {"a": 1}, 5]
)
def test_what_is_no_cursor_is_refused(packed: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpack_cursor(packed)


def test_a_view_of_the_first_versions_is_still_read() -> None:
    made = view({"a": (1, 2)}, possible={"b": (1, 1)})
    packed = pack(ViewMade(made))
    assert packed[1][5] == {"a": (1, 2)}
    assert unpack(msgpack.unpackb(msgpack.packb(packed))) == ViewMade(made)


# -- which mark


def test_long_cursors_alone_are_held_near_a_mark() -> None:
    known = Marks()
    known.offer(many(100), 1)
    short = many(WRITERS_MIN)
    assert known.held(short) is short
    held = known.held(many(100, start=3))
    assert isinstance(held, MarkedCursor)
    assert len(held.differences) == 6
    far = many(60, start=500)
    assert known.held(far) is far
    assert Marks().held(many(100)) == many(100)


def test_the_nearest_of_the_newest_is_named() -> None:
    known = Marks()
    for time in range(NAMED + 1):
        known.offer(many(100, n=time + 1), time)
    held = known.held(many(100, n=1))
    assert not isinstance(held, MarkedCursor), "the oldest is as far as any: others may forget it"
    held = known.held(many(100, n=2))
    assert isinstance(held, MarkedCursor)
    assert not held.differences


def test_a_cursor_that_strayed_far_is_held_near_another_mark() -> None:
    known = Marks()
    known.offer(many(10), 1)
    held = known.held(MarkedCursor(Mark(mark_id(many(10))), many(50, start=10)))
    assert isinstance(held, MarkedCursor)
    assert held.mark.cursor == many(10)
    known.offer(many(61), 2)
    again = known.held(held)
    assert isinstance(again, MarkedCursor)
    assert again.mark.cursor == many(61)
    assert again == held == many(60)


def test_views_share_the_mark() -> None:
    views = Views()
    views.marks.offer(many(500), 1)
    for generation in (1, 2):
        views.add(Rid(1, "a" * 16, generation, 1), view(many(500), generation, many(400)))
    found = [views.get(ViewId("a" * 16, generation, 1)) for generation in (1, 2)]
    cursors = [cursor for each in found if each for cursor in (each.cursor, each.possible)]
    assert all(isinstance(cursor, MarkedCursor) for cursor in cursors)
    assert len({id(cursor.mark) for cursor in cursors if isinstance(cursor, MarkedCursor)}) == 1


def test_a_mark_is_due_when_many_writers_came_that_the_newest_does_not_name() -> None:
    known = Marks()
    assert not known.is_due(many(WRITERS_MIN))
    assert known.is_due(many(WRITERS_MIN + 1))
    known.offer(many(WRITERS_MIN + 1), 5)
    known.offer({}, 4)
    assert not known.is_due(many(WRITERS_MIN + 1, n=9)), "that these go on is no reason"
    assert known.is_due(many(2 * WRITERS_MIN + 2))


# -- what stays


def read(packed: list[Any]) -> set[int]:
    packed = msgpack.unpackb(msgpack.packb(packed))
    return {len(mark.cursor) for mark in Marks.unpack(packed)._marks.values() if mark.cursor is not None}


def test_the_newest_marks_stay_and_those_that_views_name() -> None:
    views = Views()
    for time in range(KEPT + 4):
        views.marks.offer(many(100 + time), time)
        if time in (1, 3):
            views.add(Rid(1, "a" * 16, time, 1), replace(view(many(100 + time), time), lineage=f"{time}"))
    assert read(views.pack_marks()) == {101, 103, *range(104, 104 + KEPT)}
    again = Views.unpack(views.pack(), views.pack_marks())
    assert again == views
    assert read(again.pack_marks()) == read(views.pack_marks())


def test_a_mark_that_was_made_twice_is_as_new_as_the_later() -> None:
    known = Marks()
    for cursor, time in ((many(50), 9), (many(60), 5), (many(50), 1)):
        known.offer(cursor, time)
    assert [time for time, _ in known.pack(())] == [9, 5]


def test_marks_of_one_account_are_packed_near_the_newest() -> None:
    known = Marks()
    for time in range(KEPT):
        known.offer({**many(500), **many(32 * (time + 1), start=500)}, time)
    packed = known.pack(())
    assert [len(cursor) for _, cursor in packed] == [500 + 32 * KEPT, *[2] * (KEPT - 1)]
    assert [len(cursor[1]) for _, cursor in packed[1:]] == [32 * (place + 1) for place in range(KEPT - 1)]
    again = Marks.unpack(msgpack.unpackb(msgpack.packb(packed)))
    assert {mark.id: (mark.cursor, mark.time) for mark in again._marks.values()} == {
        mark.id: (mark.cursor, mark.time) for mark in known._marks.values()
    }
    pairs = [mark.cursor[f"{7:016x}"] for mark in again._marks.values() if mark.cursor]
    assert len(set(map(id, pairs))) == 1, "what is the same in all is held once"


def test_joined_marks_are_those_of_both_sides() -> None:
    one, two = Views(), Views()
    one.marks.offer(many(40), 1)
    two.marks.offer(many(50), 2)
    waiting: Mapping[str, tuple[int, int]] = MarkedCursor(Mark(mark_id(many(50))), {})
    one.add(Rid(1, "a" * 16, 1, 1), view(waiting))
    one.marks.join(two.marks)
    assert read(one.pack_marks()) == {40, 50}
    found = one.get(ViewId("a" * 16, 1, 1))
    assert found is not None
    assert found.cursor == many(50)


def test_what_is_asked_for_and_was_never_read_is_not_carried_on() -> None:
    views = Views()
    views.add(Rid(1, "a" * 16, 1, 1), view(MarkedCursor(Mark(bytes(16)), {"a": (1, 1)})))
    views.shorten()
    assert views.pack_marks() == []
    again = Views.unpack(views.pack(), [])
    assert again == views


# -- in an account


async def _used(writers: int) -> Node:
    """Return the last of so many nodes that wrote once each."""
    store = MemoryObjects()
    for number in range(writers):
        node = Node(store=store)
        await node.commit(mail(f"{number:03}item"))
    return node


async def _give_view(node: Node) -> ViewId:
    async with node.account.turn() as state:
        writer, n = node.account.next_place
        await node.account.commit([ViewMade(view(state.head))])
        return ViewId(writer, n, 1)


async def _cursor(node: Node, key: ViewId) -> Cursor:
    async with node.account.turn() as state:
        found = state.views.get(key)
        assert found is not None
        return found.cursor


async def test_a_checkpoint_of_many_writers_makes_a_mark_and_views_are_short_from_then_on() -> None:
    node = await _used(WRITERS_MIN + 1)
    before = await _give_view(node)
    spelled_out = dict(await _cursor(node, before))
    await node.account.checkpoint()
    assert isinstance(await _cursor(node, before), MarkedCursor)
    after = await _give_view(node)
    short = await _cursor(node, after)
    assert isinstance(short, MarkedCursor)
    assert len(short.differences) == 1, "the writer of the mark itself"
    commits = await node.engine.list(paths.prefix(paths.Kind.LOG, ACCOUNT))
    await node.account.checkpoint()
    assert len(await node.engine.list(paths.prefix(paths.Kind.LOG, ACCOUNT))) == len(commits) + 1, "no second mark"
    await node.engine.delete([entry.key for entry in commits if paths.parse(entry.key).kind is paths.Kind.LOG])
    other = Node(node.engine)
    assert await _cursor(other, before) == spelled_out
    assert await _cursor(other, after) == short


async def test_few_writers_need_no_mark() -> None:
    node = await _used(WRITERS_MIN)
    before = await node.engine.list("")
    await node.account.checkpoint()
    after = await node.engine.list("")
    assert {paths.parse(entry.key).kind for entry in after if entry not in before} == {
        paths.Kind.CHECKPOINT, paths.Kind.PAGE,
    }  # fmt: skip


async def test_a_view_whose_mark_is_not_there_yet_is_put_off_and_known_once_it_comes() -> None:
    node = await _used(WRITERS_MIN + 1)
    await node.account.checkpoint()
    maker = Node(node.engine)
    made = await _give_view(maker)
    roots = await node.engine.list(paths.prefix(paths.Kind.CHECKPOINT, ACCOUNT))
    await node.engine.delete([entry.key for entry in roots])
    mark = paths.log(ACCOUNT, node.writer.id, node.writer.n)
    data = await node.engine.get(mark)
    await node.engine.delete([mark])
    late = Node(node.engine)
    with pytest.raises(UnknownMark):
        covers(await _cursor(late, made), Rid(0, node.writer.id, 1, 1))
    async with late.account.turn() as state:
        assert await purging.purgeable(state, NOW_MS) == [], "it holds up nothing else"
        await late.account.write_checkpoint()
    await node.engine.put(mark, data)
    expected = dict(await _cursor(maker, made))
    assert await _cursor(late, made) == expected
    await late.account.checkpoint()
    assert await _cursor(Node(node.engine), made) == expected
