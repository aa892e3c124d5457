"""Which items the latest records spoke of: so that "changed since" need not look at every row.

The journal lists, writer by writer, every record about an item after `since`.  A cursor that covers `since` is
answered from here in time proportional to what is new; an older one needs a walk over all rows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Any

from storage.cursor import WHOLE, Cursor, Rid

ENTRIES_KEPT = 1024
"""How many entries a checkpoint carries on."""


class Journal:
    """For each writer, its latest records about items in order: `(n, place, time, item)`."""

    def __init__(self, entries: Mapping[str, list[tuple[int, int, int, str]]] = {}, since: Cursor = {}) -> None:  # noqa: B006  # never changed
        self._entries = {writer: list(listed) for writer, listed in entries.items()}
        self._since = dict(since)
        self.size = sum(map(len, self._entries.values()))

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
        """Return a journal of what either of the two lists; *commits* are those that this one has folded."""
        joined = Journal(self._entries, self._since)
        for writer, since in other._since.items():
            if since > (commits.get(writer, 0), WHOLE):  # between the two lies what neither lists
                joined._since[writer] = max(since, self._since.get(writer, since))
                listed = joined._entries.pop(writer, [])
                joined.size -= len(listed)
                kept = [entry for entry in listed if entry[:2] > joined._since[writer]]
                if kept:
                    joined._entries[writer] = kept
                    joined.size += len(kept)
        for writer, listed in other._entries.items():
            for n, place, time, item in listed:
                joined.add(Rid(time, writer, n, place), item)
        return joined

    def after(self, cursor: Cursor) -> set[str] | None:
        """Return the items of all records outside *cursor*; None when the journal does not reach back so far."""
        if any(cursor.get(writer, (0, 0)) < seen for writer, seen in self._since.items()):
            return None
        items: set[str] = set()
        for writer, listed in self._entries.items():
            n, place = cursor.get(writer, (0, 0))
            first = bisect_right(listed, (n, place, 1 << 70, ""))
            items.update(entry[3] for entry in listed[first:])
        return items

    def trimmed(self, keep: int = ENTRIES_KEPT) -> "Journal":
        """Return a journal of the *keep* latest entries."""
        times = sorted((entry[2] for listed in self._entries.values() for entry in listed), reverse=True)
        if len(times) <= keep:
            return Journal(self._entries, self._since)
        oldest = times[keep - 1]
        since, entries = dict(self._since), {}
        for writer, listed in self._entries.items():
            # A commit's time rises with its number, so what is dropped is a beginning.
            kept = [entry for entry in listed if entry[2] >= oldest]
            if len(kept) < len(listed):
                since[writer] = listed[len(listed) - len(kept) - 1][:2]
            if kept:
                entries[writer] = kept
        return Journal(entries, since)

    def pack(self) -> list[Any]:
        """Return everything as positional lists, for a checkpoint."""
        return [self._entries, self._since]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "Journal":
        """Undo `pack`."""
        entries = {
            writer: [(n, place, time, item) for n, place, time, item in listed] for writer, listed in packed[0].items()
        }
        return cls(entries, {writer: (n, place) for writer, (n, place) in packed[1].items()})
