"""Cursors: a join, a part, a cut."""

from hypothesis import given
from hypothesis import strategies as st

from storage.cursor import EMPTY, WHOLE, Cursor, Rid, beyond, covers, cut_before, dominates, join, whole

WRITERS = ("a", "b", "c")
cursors: st.SearchStrategy[Cursor] = st.dictionaries(
    st.sampled_from(WRITERS), st.tuples(st.integers(1, 4), st.integers(1, 4))
)
rids = st.builds(Rid, st.integers(0, 9), st.sampled_from(WRITERS), st.integers(1, 4), st.integers(1, 4))


def test_a_writer_that_is_absent_has_been_seen_not_at_all() -> None:
    assert not covers(EMPTY, Rid(0, "a", 1, 1))
    assert covers({"a": (1, 1)}, Rid(9, "a", 1, 1))
    assert not covers({"a": (1, 1)}, Rid(0, "a", 1, 2))
    assert covers({"a": (2, 0)}, Rid(0, "a", 1, 7))


def test_a_writer_without_a_commit_is_in_no_cursor() -> None:
    assert whole({"a": 2, "b": 0}) == {"a": (2, WHOLE)}


@given(cursors, cursors, rids)
def test_inside_a_join_is_what_is_inside_one_of_them(one: Cursor, other: Cursor, rid: Rid) -> None:
    assert covers(join(one, other), rid) == (covers(one, rid) or covers(other, rid))
    assert join(one, other) == join(other, one)
    assert dominates(join(one, other), one)


@given(cursors, cursors)
def test_what_is_beyond_a_base_makes_it_whole_again(cursor: Cursor, base: Cursor) -> None:
    assert join(base, beyond(cursor, base)) == join(base, cursor)
    assert (beyond(cursor, base) == {}) == dominates(base, cursor)


@given(cursors, cursors, rids)
def test_who_dominates_covers_whatever_the_other_does(one: Cursor, other: Cursor, rid: Rid) -> None:
    if dominates(one, other) and covers(other, rid):
        assert covers(one, rid)


@given(cursors, st.lists(rids, max_size=4), rids)
def test_a_cut_ends_before_the_first_of_its_records_in_every_writer(cursor: Cursor, cuts: list[Rid], rid: Rid) -> None:
    cut = cut_before(cursor, cuts)
    stopped = any(other.writer == rid.writer and (other.n, other.place) <= (rid.n, rid.place) for other in cuts)
    assert covers(cut, rid) == (covers(cursor, rid) and not stopped)


@given(cursors, cursors, st.lists(rids, max_size=3))
def test_no_function_changes_its_arguments(one: Cursor, other: Cursor, cuts: list[Rid]) -> None:
    before = dict(one), dict(other)
    join(one, other)
    beyond(one, other)
    cut_before(one, cuts)
    assert (one, other) == before
