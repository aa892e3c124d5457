"""A cursor as its difference from a mark (`marks.py`): what of it is said, and what it then is.

It is a mapping like any cursor, so whatever is done with cursors is done with these.
"""

import hashlib
import sys
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, overload

import msgpack

from storage.cursor import WHOLE, Cursor
from storage.engine import Unavailable

ID_BYTES = 16


class UnknownMark(Unavailable):
    """A view names a mark that was not read yet."""


@dataclass(slots=True)
class Mark:
    """A cursor that was written down; None: it was not read yet."""

    id: bytes
    cursor: Mapping[str, tuple[int, int]] | None = None
    time: int = -1
    """Of the latest commit that says it (hybrid clock)."""


class MarkedCursor(Mapping[str, tuple[int, int]]):
    """A cursor as its difference from a mark.  Views share the mark."""

    __slots__ = ("differences", "mark")

    def __init__(self, mark: Mark, differences: Mapping[str, tuple[int, int]]) -> None:
        self.mark, self.differences = mark, differences

    def _marked(self) -> Mapping[str, tuple[int, int]]:
        if self.mark.cursor is None:
            raise UnknownMark(f"mark {self.mark.id.hex()} was not read yet")
        return self.mark.cursor

    def _whole(self) -> dict[str, tuple[int, int]]:
        return {writer: seen for writer, seen in {**self._marked(), **self.differences}.items() if seen > (0, 0)}

    def __getitem__(self, writer: str) -> tuple[int, int]:
        marked = self._marked()
        seen = self.differences.get(writer) or marked[writer]
        if seen == (0, 0):
            raise KeyError(writer)
        return seen

    @overload
    def get(self, writer: str, /) -> tuple[int, int] | None: ...
    @overload
    def get(self, writer: str, /, default: tuple[int, int]) -> tuple[int, int]: ...
    @overload
    def get(self, writer: str, /, default: Any) -> Any: ...
    def get(self, writer: str, /, default: Any = None) -> Any:
        """See `Mapping.get`; asked for every record that a Sync looks at."""
        marked = self._marked()
        seen = self.differences.get(writer) or marked.get(writer)
        return default if seen is None or seen == (0, 0) else seen

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def items(self) -> ItemsView[str, tuple[int, int]]:
        """See `Mapping.items`."""
        return self._whole().items()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if isinstance(other, MarkedCursor):
            if (self.mark.id, self.differences) == (other.mark.id, other.differences):
                return True
            if other.mark.cursor is None:
                return False
        return self.mark.cursor is not None and self._whole() == dict(other.items())

    __hash__ = None  # type: ignore[assignment]  # a mapping


def difference(cursor: Cursor, marked: Cursor) -> dict[str, tuple[int, int]]:
    """Return what has to be said of *cursor* where *marked* is known."""
    differences = {writer: seen for writer, seen in cursor.items() if marked.get(writer) != seen}
    differences.update((writer, (0, 0)) for writer in marked if writer not in cursor)
    return differences


def known(cursor: Cursor) -> Cursor:
    """Return *cursor*, or what it says by itself while its mark was not read: all of that is inside it."""
    return cursor.differences if isinstance(cursor, MarkedCursor) and cursor.mark.cursor is None else cursor


def pack_cursor(cursor: Cursor) -> Any:
    """Return `{writer: (n, place)}`, or `[mark, differences]`."""
    if isinstance(cursor, MarkedCursor):
        return [cursor.mark.id, dict(cursor.differences)]
    return dict(cursor)


def unpack_cursor(packed: Any) -> Cursor:
    """Undo `pack_cursor`; a mark has no cursor yet.  Raises ValueError or TypeError for anything else."""
    match packed:
        case dict():
            return _writers(packed)
        case [bytes(mark), dict(differences)] if len(mark) == ID_BYTES:
            return MarkedCursor(Mark(mark), _writers(differences))
    raise ValueError("not a cursor")


def _writers(packed: Mapping[Any, Any]) -> dict[str, tuple[int, int]]:
    # Sixty views name the same few writers, most of them to the end of a commit: one text, one number serves them all.
    return {sys.intern(writer): (n, WHOLE if place == WHOLE else place) for writer, (n, place) in packed.items()}


def mark_id(cursor: Cursor) -> bytes:
    """Return the id of the mark that says *cursor*: a hash of it, its writers in order."""
    packed = msgpack.packb({writer: list(cursor[writer]) for writer in sorted(cursor)})
    return hashlib.blake2b(bytes(packed), digest_size=ID_BYTES).digest()
