"""Which items the latest records spoke of: so that "changed since" need not look at every row.

The journal lists, writer by writer, every record about an item after `since`.  A cursor that covers `since` is
answered from here in time proportional to what is new; an older one needs a walk over all rows.

But a phone's view of a quiet folder stays where it is while others fill the journal, and a walk at every look would be
dear.  So for each folder the journal keeps `dropped`: up to where records went out of it that concern an item which was
ever in that folder.  A view of the folder that covers this is answered, too.  An item that comes into a folder later
brings what was dropped of it along (`entered`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from storage.cursor import EMPTY, WHOLE, Cursor, Rid, dominates, join

ENTRIES_KEPT = 1024
"""How many entries a checkpoint carries on."""
ANYWHERE = ""
"""Instead of a folder: it is not known which one."""


class Journal:
    """For each writer, its latest records about items in order: `(n, place, time, item)`."""

    def __init__(
        self,
        entries: Mapping[str, list[tuple[int, int, int, str]]] = {},  # never changed
        since: Cursor = EMPTY,
        dropped: Mapping[str, Cursor] = {},
        places: Mapping[str, Collection[str]] = {},
    ) -> None:
        self._entries = {writer: list(listed) for writer, listed in entries.items()}
        self._since = dict(since)
        self._dropped = dict(dropped)
        self._places = dict(places)
        """In which folders each item ever was, as of the last trimming."""
        self.size = sum(map(len, self._entries.values()))

    def copy(self) -> "Journal":
        """Return one that can be added to apart."""
        return Journal(self._entries, self._since, self._dropped, self._places)

    def add(self, rid: Rid, item: str) -> None:
        """Note a record: mostly the writer's latest; any other finds its place, and one that is known adds nothing."""
        at = (rid.n, rid.place)
        if at <= self._since.get(rid.writer, (0, 0)):
            return
        listed = self._entries.setdefault(rid.writer, [])
        place = len(listed)
        if listed and listed[-1][:2] >= at:
            place = bisect_left(listed, at, key=lambda entry: entry[:2])
            if listed[place][:2] == at:
                return
        listed.insert(place, (*at, rid.time, item))
        self.size += 1

    def join(self, other: "Journal", commits: Mapping[str, int]) -> "Journal":
        """Return a journal of what either of the two lists; *commits* are those that this one has folded.

        Rows that are joined are to be told by `entered` afterwards.
        """
        joined = self.copy()
        for folder, cursor in other._dropped.items():
            joined._drop(folder, cursor)
        for item, folders in other._places.items():
            joined._places[item] = {*folders, *joined._places.get(item, ())}
        for writer, since in other._since.items():
            if since > (commits.get(writer, 0), WHOLE):  # between the two lies what neither lists
                joined._since[writer] = max(since, self._since.get(writer, since))
                listed = joined._entries.pop(writer, [])
                joined.size -= len(listed)
                kept = [entry for entry in listed if entry[:2] > joined._since[writer]]
                joined._drop_entries(writer, listed[: len(listed) - len(kept)])
                if kept:
                    joined._entries[writer] = kept
                    joined.size += len(kept)
        for writer, listed in other._entries.items():
            for n, place, time, item in listed:
                joined.add(Rid(time, writer, n, place), item)
        return joined

    def entered(self, folders: Iterable[str], rids: Iterable[Rid]) -> None:
        """Note that an item came into *folders* for the first time; *rids*: all records that its row keeps."""
        gone: dict[str, tuple[int, int]] = {}
        for rid in rids:
            if (rid.n, rid.place) <= self._since.get(rid.writer, (0, 0)):
                gone[rid.writer] = max(gone.get(rid.writer, (0, 0)), (rid.n, rid.place))
        if gone:
            for folder in folders:
                self._drop(folder, gone)

    def _drop(self, folder: str, cursor: Cursor) -> None:
        self._dropped[folder] = join(self._dropped.get(folder, EMPTY), cursor)

    def _drop_entries(self, writer: str, entries: Iterable[tuple[int, int, int, str]]) -> None:
        last: dict[str, tuple[int, int]] = {}
        for n, place, _, item in entries:  # in order
            for folder in self._places.get(item, (ANYWHERE,)):
                last[folder] = n, place
        for folder, seen in last.items():
            self._drop(folder, {writer: seen})

    def after(self, cursor: Cursor, folders: Iterable[str] | None = None) -> set[str] | None:
        """Return the items of all records outside *cursor*; None when the journal does not reach back so far.

        With *folders*: those of items that ever were in one of them, and maybe others.
        """
        missing = (
            [self._since] if folders is None else [self._dropped.get(each, EMPTY) for each in (ANYWHERE, *folders)]
        )
        if not all(dominates(cursor, each) for each in missing):
            return None
        items: set[str] = set()
        for writer, listed in self._entries.items():
            n, place = cursor.get(writer, (0, 0))
            first = bisect_right(listed, (n, place, 1 << 70, ""))
            items.update(entry[3] for entry in listed[first:])
        return items

    def trimmed(self, keep: int = ENTRIES_KEPT, entries_of: Mapping[str, Collection[str]] = {}) -> "Journal":
        """Return a journal of the *keep* latest entries.

        *entries_of*: in which folders each item ever was, of every item whose row changed since the last trimming.
        """
        times = sorted((entry[2] for listed in self._entries.values() for entry in listed), reverse=True)
        oldest = times[keep - 1] if len(times) > keep else 0
        trimmed = Journal({}, self._since, self._dropped, {**self._places, **entries_of})
        for writer, listed in self._entries.items():
            # A commit's time rises with its number, so what is dropped is a beginning.
            kept = [entry for entry in listed if entry[2] >= oldest]
            if len(kept) < len(listed):
                gone = listed[: len(listed) - len(kept)]
                trimmed._since[writer] = gone[-1][:2]
                trimmed._drop_entries(writer, gone)
            if kept:
                trimmed._entries[writer] = kept
                trimmed.size += len(kept)
        left = {entry[3] for listed in trimmed._entries.values() for entry in listed}
        trimmed._places = {item: tuple(folders) for item, folders in trimmed._places.items() if item in left}
        return trimmed

    def pack(self) -> list[Any]:
        """Return everything as positional lists, for a checkpoint."""
        names = sorted({folder for folders in self._places.values() for folder in folders})
        at = {folder: place for place, folder in enumerate(names)}
        places = {item: [at[folder] for folder in folders] for item, folders in self._places.items()}
        return [self._entries, self._since, self._dropped, names, places]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "Journal":
        """Undo `pack`."""
        entries = {
            writer: [(n, place, time, item) for n, place, time, item in listed] for writer, listed in packed[0].items()
        }
        since = _cursor(packed[1])
        if len(packed) < 5:  # as earlier versions wrote it
            return cls(entries, since, {ANYWHERE: since} if since else {})
        dropped = {folder: _cursor(cursor) for folder, cursor in packed[2].items()}
        names: list[str] = packed[3]
        return cls(
            entries, since, dropped, {item: tuple(names[at] for at in listed) for item, listed in packed[4].items()}
        )


def _cursor(packed: Mapping[str, list[int]]) -> dict[str, tuple[int, int]]:
    return {writer: (n, place) for writer, (n, place) in packed.items()}
