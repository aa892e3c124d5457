"""The journal: exactly the items of what a cursor has not seen, or that it does not reach back so far."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from storage.cursor import EMPTY, Cursor, Rid, covers
from storage.journal import Journal
from storage.state import Commit
from tests.properties.histories import cursors, item_histories, rids
from tests.storage.nodes import mail

W = "a" * 16


def journal_of(commits: list[Commit]) -> Journal:
    journal = Journal()
    for rid, record in rids(commits):
        journal.add(rid, record.item)
    return journal


def expected(commits: list[Commit], cursor: Cursor) -> set[str]:
    return {record.item for rid, record in rids(commits) if not covers(cursor, rid)}


@given(item_histories, cursors, st.integers(0, 12))
def test_what_a_cursor_has_not_seen_or_nothing_at_all(commits: list[Commit], cursor: Cursor, keep: int) -> None:
    journal = journal_of(commits)
    assert journal.after(cursor) == expected(commits, cursor)
    trimmed = Journal.unpack(journal.trimmed(max(keep, 1)).pack())
    assert trimmed.after(cursor) in (None, expected(commits, cursor))
    assert journal.after(cursor) == expected(commits, cursor), "trimming changes a copy"


@given(item_histories, st.integers(1, 12))
def test_a_trimmed_journal_serves_whoever_has_seen_what_went(commits: list[Commit], keep: int) -> None:
    journal = journal_of(commits).trimmed(keep)
    times = sorted((rid.time for rid, _ in rids(commits)), reverse=True)
    since = times[keep - 1] - 1 if len(times) >= keep else -1
    cursor = {}
    for commit in commits:
        if commit.time <= since:
            cursor[commit.writer] = (commit.n, len(commit.records))
    assert journal.after(cursor) == expected(commits, cursor)
    if len(times) > keep:
        assert journal.size >= keep
        if journal.size < len(times):
            assert journal.after(EMPTY) is None


@given(item_histories, st.randoms(use_true_random=False), cursors)
def test_records_may_come_late_and_twice(commits: list[Commit], random: Random, cursor: Cursor) -> None:
    pairs = rids(commits)
    journal = Journal()
    for rid, record in random.sample(pairs, len(pairs)) + pairs[: len(pairs) // 2]:
        journal.add(rid, record.item)
    assert journal.after(cursor) == expected(commits, cursor)
    assert journal.size == len(pairs)


def test_a_record_from_before_the_beginning_is_known() -> None:
    commits = [Commit(W, n, n, [mail(f"{n}item")]) for n in range(1, 6)]
    journal = journal_of(commits).trimmed(2)
    journal.add(Rid(2, W, 2, 1), "2item")
    assert journal.size == 2
    assert journal.after({W: (3, 1)}) == {"4item", "5item"}
    assert journal.after({W: (2, 1)}) is None


def test_a_journal_carries_on_where_the_trimmed_one_ended() -> None:
    journal = journal_of([Commit(W, n, n, [mail(f"{n}item")]) for n in range(1, 6)]).trimmed(2).trimmed(1)
    journal.add(Rid(6, W, 6, 1), "6item")
    assert journal.after({W: (4, 1)}) == {"5item", "6item"}
    assert journal.after({W: (3, 1)}) is None
