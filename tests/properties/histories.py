"""Histories of an account, as hypothesis draws them: a few writers, and records of every kind about a few things."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from storage.cursor import WHOLE, Cursor, Rid
from storage.marked import Mark, MarkedCursor, mark_id
from storage.records import Added, DeviceSet, FolderSet, MarkMade, Record, Sending, Sent, Set, Stamp, ViewMade
from storage.state import Commit
from storage.views import Floor, View, ViewId
from tests.storage.nodes import content

WRITERS = ("a" * 16, "b" * 16, "c" * 16)
ITEMS = tuple(f"{number:02}item" for number in range(12))
FOLDERS = ("inbox", "trash", "own1", "own2", "own3")
DEVICES = ("phone1", "phone2")
LINEAGES = tuple(f"{time:016x}{WRITERS[0]}1.1" for time in range(2, 28, 2))
TIME_MAX = 30

items = st.sampled_from(ITEMS)
folders = st.sampled_from(FOLDERS)
devices = st.sampled_from(DEVICES)
contents = st.integers(0, 5).map(content)
stamps = st.none() | st.builds(
    Stamp, st.integers(0, TIME_MAX), st.sampled_from(["~phone1", "~phone2"]), st.tuples(st.integers(1, 2), st.just(1))
)
cursors = st.dictionaries(st.sampled_from(WRITERS), st.tuples(st.integers(1, 5), st.integers(0, 4)))
MARKED: tuple[Cursor, ...] = (
    {},
    {WRITERS[0]: (2, 1), WRITERS[1]: (1, WHOLE)},
    {WRITERS[0]: (4, WHOLE), WRITERS[1]: (3, 2), WRITERS[2]: (1, WHOLE)},
)
differences = st.dictionaries(
    st.sampled_from(WRITERS), st.tuples(st.integers(1, 5), st.integers(0, 4)) | st.just((0, 0))
)
marked_cursors = st.builds(
    lambda cursor, different: MarkedCursor(Mark(mark_id(cursor)), different), st.sampled_from(MARKED), differences
)
"""As a reader has them who does not know the mark yet."""
floors = st.builds(Floor, st.integers(0, 9), items)


def _item_records() -> st.SearchStrategy[Record]:
    return st.one_of(
        st.builds(
            Added,
            items,
            folders,
            st.just("Email"),
            st.integers(0, 9),
            st.none() | contents,
            st.fixed_dictionaries({}, optional={"read": st.booleans()}),
            st.sampled_from(["", *DEVICES]),
            stamps,
        ),
        st.builds(Set, items, st.just("folder"), st.none() | folders, st.just(""), stamps),
        st.builds(Set, items, st.sampled_from(["read", "flag"]), st.integers(0, 3), st.sampled_from(["", *DEVICES])),
        st.builds(Set, items, st.just("content"), contents, st.just(""), stamps),
    )


def _folder_records() -> st.SearchStrategy[Record]:
    return st.one_of(
        st.builds(FolderSet, folders, st.just("name"), st.sampled_from(["A", "a", "Inbox"]), st.just(""), stamps),
        st.builds(FolderSet, folders, st.just("parent"), st.none() | folders, st.just(""), stamps),
        st.builds(FolderSet, folders, st.just("type"), st.sampled_from([1, 12, 13, 99])),
        st.builds(FolderSet, folders, st.just("gone"), st.just(True)),
    )


views = st.builds(
    View,
    devices,
    st.sampled_from(["inbox", ""]),
    st.sampled_from(LINEAGES),
    st.integers(1, 4),
    st.none() | st.builds(ViewId, st.sampled_from(WRITERS), st.integers(1, 5), st.integers(1, 4)),
    cursors | marked_cursors,
    floors,
    st.integers(0, 3),
    floors,
    cursors | marked_cursors,
    floors,
    st.dictionaries(st.sampled_from(["1", "2"]), st.tuples(items, st.integers(1, 3)), max_size=1),
    st.dictionaries(folders, st.binary(max_size=2), max_size=2),
)


def _other_records() -> st.SearchStrategy[Record]:
    sends = st.sampled_from(["send1", "send2"])
    return st.one_of(
        st.builds(ViewMade, views),
        st.builds(MarkMade, st.sampled_from(MARKED)),
        st.builds(DeviceSet, devices, st.sampled_from(["", "policy"]), st.none() | st.integers(0, 3), stamps),
        st.builds(Sending, sends, st.sampled_from(["<1@a>", ""]), st.binary(max_size=2), st.just("process")),
        st.builds(Sent, sends, st.sampled_from(WRITERS), st.integers(1, 4), st.booleans()),
    )


records = st.one_of(_item_records(), _item_records(), _folder_records(), _other_records())


def _commits(drawn: Sequence[tuple[str, int, list[Record]]]) -> list[Commit]:
    commits: list[Commit] = []
    last: dict[str, tuple[int, int]] = {}
    for writer, pause, told in drawn:
        n, time = last.get(writer, (0, 0))
        last[writer] = n + 1, time + pause
        commits.append(Commit(writer, n + 1, time + pause, told))
    return commits


def histories(told: st.SearchStrategy[Record] = records) -> st.SearchStrategy[list[Commit]]:
    """Commits of each writer in its order, its times rising; between writers in whatever order."""
    drawn = st.tuples(st.sampled_from(WRITERS), st.integers(1, 4), st.lists(told, min_size=1, max_size=4))
    return st.lists(drawn, max_size=14).map(_commits)


item_histories = histories(_item_records())


def rids(commits: Sequence[Commit]) -> list[tuple[Rid, Any]]:
    """Return every record with its id."""
    return [pair for commit in commits for pair in zip(commit.rids(), commit.records, strict=True)]
