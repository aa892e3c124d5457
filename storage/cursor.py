"""What has been seen of an account's log: for each writer, up to which record.

A cursor is a plain mapping `{writer: (n, place)}`: of that writer's commits, everything up to and including record
*place* of commit *n* is inside.  A writer that is absent has been seen not at all.  Cursors are values: no function
here changes its arguments, and nobody else may.

`Rid` names one record for ever.  It begins with its commit's time, so that records sort in commit order, the order in
which pending changes are told; whether a record is inside a cursor depends on writer, n and place alone.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

Cursor = Mapping[str, tuple[int, int]]
EMPTY: Cursor = {}
WHOLE = 1 << 20
"""A place past every record of a commit: the whole commit is inside."""


class Rid(NamedTuple):
    """One record: the time of its commit (hybrid clock), its writer, the commit's number, its place from 1."""

    time: int
    writer: str
    n: int
    place: int


def covers(cursor: Cursor, rid: Rid) -> bool:
    """Tell whether *rid* is inside *cursor*."""
    seen = cursor.get(rid.writer)
    return seen is not None and (rid.n, rid.place) <= seen


def dominates(cursor: Cursor, other: Cursor) -> bool:
    """Tell whether everything inside *other* is inside *cursor*."""
    return all(cursor.get(writer, (0, 0)) >= seen for writer, seen in other.items())


def join(*cursors: Cursor) -> dict[str, tuple[int, int]]:
    """Return the cursor inside which is whatever is inside one of *cursors*."""
    joined: dict[str, tuple[int, int]] = {}
    for cursor in cursors:
        for writer, seen in cursor.items():
            if joined.get(writer, (0, 0)) < seen:
                joined[writer] = seen
    return joined


def beyond(cursor: Cursor, base: Cursor) -> dict[str, tuple[int, int]]:
    """Return the part of *cursor* that *base* does not cover."""
    return {writer: seen for writer, seen in cursor.items() if base.get(writer, (0, 0)) < seen}


def cut_before(cursor: Cursor, records: Iterable[Rid]) -> dict[str, tuple[int, int]]:
    """Return *cursor* stopped, in every writer, before the first of *records*."""
    cut = dict(cursor)
    for rid in records:
        if (rid.n, rid.place) <= cut.get(rid.writer, (0, 0)):
            cut[rid.writer] = (rid.n, rid.place - 1)
    return {writer: seen for writer, seen in cut.items() if seen > (1, 0)}


def whole(commits: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the cursor of *commits*, each writer's last one wholly inside."""
    return {writer: (n, WHOLE) for writer, n in commits.items() if n}
