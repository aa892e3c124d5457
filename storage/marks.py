"""Marks: cursors that are written down once, so that views need not name every writer that ever was.

Each process that writes to an account is a writer of its own, and a cursor names all that were seen: after a year of
weekly restarts they are a thousand and more, thirty kilobytes a view.  So now and then the head is recorded as a
*mark*, under a hash of itself, and a view says which mark it is near, and the writers in which it differs: beyond the
mark, or short of it.  A writer of which the view has seen nothing, but the mark has, stands there as (0, 0); one that
is in neither has been seen not at all.

A view may be read before its mark: then its cursor is not known yet, and whoever asks is told to come again.  It is
known as soon as the mark is read, whatever came between.

A mark stays as long as a living view names it, and the `KEPT` newest stay in any case.  New views name only one of the
`NAMED` newest, so that a view which another node writes meanwhile finds its mark.
"""

from collections.abc import Collection, Iterable
from typing import Any

from storage.cursor import Cursor
from storage.marked import Mark, MarkedCursor, difference, mark_id, pack_cursor, unpack_cursor

WRITERS_MIN = 32
"""A cursor of so many writers is short enough; a mark is due when there are more that the newest one does not name."""
KEPT = 8
NAMED = 4


class Marks:
    """The marks that were read, and those that views ask for.  Any order of reading ends the same."""

    def __init__(self) -> None:
        self._marks: dict[bytes, Mark] = {}

    def _mark(self, id_: bytes) -> Mark:
        return self._marks.setdefault(id_, Mark(id_))

    def offer(self, cursor: Cursor, time: int) -> None:
        """Take a mark that was made at *time* (hybrid clock)."""
        mark = self._mark(mark_id(cursor))
        if mark.cursor is None:
            # Most writers ended long ago: marks differ in few of them, and share the rest.
            mark.cursor = _sharing(cursor, self._newest_cursor())
        mark.time = max(mark.time, time)

    def join(self, other: "Marks") -> None:
        """Take every mark of *other*."""
        for mark in other._marks.values():
            if mark.cursor is not None:
                self.offer(mark.cursor, mark.time)

    def _newest(self) -> list[Mark]:
        known = [mark for mark in self._marks.values() if mark.cursor is not None]
        return sorted(known, key=lambda mark: (mark.time, mark.id), reverse=True)

    def _newest_cursor(self) -> Cursor:
        newest = max(self._marks.values(), key=lambda mark: (mark.cursor is not None, mark.time, mark.id), default=None)
        return {} if newest is None or newest.cursor is None else newest.cursor

    def is_due(self, head: Cursor) -> bool:
        """Tell whether *head* names so many writers of which no mark speaks that it should become one.

        Those that go on writing do not count: a mark does not stop them.
        """
        newest = self._newest_cursor()
        return sum(writer not in newest for writer in head) > WRITERS_MIN

    def held(self, cursor: Cursor) -> Cursor:
        """Return *cursor* as it is best held and written: near one of these marks, if it is long."""
        if isinstance(cursor, MarkedCursor):
            mark = self._mark(cursor.mark.id)
            if mark.cursor is None and cursor.mark.cursor is not None:
                self.offer(cursor.mark.cursor, cursor.mark.time)
            cursor = MarkedCursor(mark, cursor.differences)
            if mark.cursor is None or len(cursor.differences) <= WRITERS_MIN:
                return cursor
        elif len(cursor) <= WRITERS_MIN:
            return cursor
        best, length = cursor, len(cursor.differences if isinstance(cursor, MarkedCursor) else cursor)
        for mark in self._newest()[:NAMED]:
            differences = difference(cursor, mark.cursor or {})
            if len(differences) < length:
                best, length = MarkedCursor(mark, differences), len(differences)
        return best

    def pack(self, named: Collection[bytes]) -> list[Any]:
        """Return those that stay, the ones that are *named* and the newest, as positional lists.

        The newest comes first, and the others are packed near it.
        """
        newest = self._newest()
        kept = newest[:KEPT] + [mark for mark in newest[KEPT:] if mark.id in named]
        return [[mark.time, pack_cursor(_near(mark, newest[0]))] for mark in kept]

    @classmethod
    def unpack(cls, packed: Iterable[Any]) -> "Marks":
        """Undo `pack`."""
        marks = cls()
        for time, cursor in packed:
            marks.offer(dict(marks.held(unpack_cursor(cursor))), time)
        return marks


def _sharing(cursor: Cursor, other: Cursor) -> dict[str, tuple[int, int]]:
    """Return *cursor* with the very pairs of *other*, where they are equal."""
    pairs = ((writer, seen, other.get(writer, seen)) for writer, seen in cursor.items())
    return {writer: theirs if theirs == seen else seen for writer, seen, theirs in pairs}


def _near(mark: Mark, newest: Mark) -> Cursor:
    """Return the cursor of *mark* as its difference from the *newest*, if that is shorter."""
    cursor, other = mark.cursor or {}, newest.cursor or {}
    differences = difference(cursor, other)
    return MarkedCursor(newest, differences) if mark is not newest and len(differences) < len(cursor) else cursor
