"""Views: what each device holds of each folder, in a hundred bytes, whatever the folder's size.

A view says two things.  Its *cursor*: a change whose record is inside has been told.  Its *floor*: the device has every
member of the folder at or above it; the floor joins the start of the filter window and the position of a first
synchronisation, which goes newest first.  After an answer was lost, a view also carries a *doubt*: up to `possible` and
down to `low` the device may hold things that it was never seen to confirm.

Views are a set, one for each key that was given out, and never overwritten: a phone that retried on another node
holds either successor.  A key of zero begins a *lineage*; a lineage is *confirmed* once a view of its second generation
was made, for then the phone used the first.  Alive is a view

- of the two highest generations of its lineage,
- whose lineage is not older than the two newest confirmed ones (a late key-zero request must not kill the living
  chain, and an abandoned chain must not live for ever),
- and, of a first generation, whose lineage is one of the newest `BEGUN_KEPT` (a phone may ask with key zero for ever).

Each of the three, once false, stays false whatever is read later: so views can be let go of at once, and any order of
reading ends the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from storage.cursor import Cursor, Rid
from storage.marked import MarkedCursor, pack_cursor, unpack_cursor
from storage.marks import Marks


class ViewId(NamedTuple):
    """The record that made the view."""

    writer: str
    n: int
    place: int


class Floor(NamedTuple):
    """A position among a folder's items: date (milliseconds since 1970) and item id."""

    date_ms: int
    item: str


TOP = Floor(1 << 62, "~")
"""Above every item: nothing has been told yet."""
BOTTOM = Floor(-1, "")
"""Below every item: no window."""

BEGUN_KEPT = 8
CONFIRMED_KEPT = 2


@dataclass(frozen=True, slots=True)
class View:
    """What a device holds of a folder once it has the answer that carried this view's key."""

    device: str
    folder: str
    lineage: str
    generation: int
    parent: ViewId | None
    cursor: Cursor
    floor: Floor
    window: int = 0
    """The filter that the window was made with; another one moves it anew."""
    window_start: Floor = BOTTOM
    possible: Cursor = field(default_factory=dict)
    low: Floor = TOP
    """With `possible`: the doubt.  Down to here the device may hold more than the floor says."""
    added: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Client ids of items added with this or one of the two generations before: `{client id: (item, generation)}`."""
    known: Mapping[str, bytes] = field(default_factory=dict)
    """For the view of the folder list itself: `{folder id: digest of what the device was told of it}`."""


def pack_view(view: View) -> list[Any]:
    """Return *view* as a positional list."""
    return [
        view.device,
        view.folder,
        view.lineage,
        view.generation,
        view.parent,
        pack_cursor(view.cursor),
        view.floor,
        view.window,
        view.window_start,
        pack_cursor(view.possible),
        view.low,
        dict(view.added),
        dict(view.known),
    ]


def unpack_view(packed: list[Any]) -> View:
    """Undo `pack_view`.  Raises ValueError or TypeError for anything else."""
    match packed:
        case [str(), str(), str(), int(), _, _, _, int(), _, _, _, dict(), dict()]:
            pass
        case _:
            raise ValueError("not a view")
    device, folder, lineage, generation, parent, cursor, floor, window, start, possible, low, added, known = packed
    return View(
        device,
        folder,
        lineage,
        generation,
        _parent(parent),
        unpack_cursor(cursor),
        _floor(floor),
        window,
        _floor(start),
        unpack_cursor(possible),
        _floor(low),
        {client_id: (item, since) for client_id, (item, since) in added.items()},
        known,
    )


def _parent(packed: Any) -> ViewId | None:
    match packed:
        case None:
            return None
        case [str(writer), int(n), int(place)]:
            return ViewId(writer, n, place)
    raise ValueError("not the id of a view")


def _floor(packed: Any) -> Floor:
    match packed:
        case [int(date_ms), str(item)]:
            return Floor(date_ms, item)
    raise ValueError("not a position")


@dataclass(slots=True)
class _Lineage:
    highest: int = 0
    views: dict[ViewId, View] = field(default_factory=dict)


def lineage_name(rid: Rid) -> str:
    """Return the name of the lineage that record *rid* begins.  Names sort by age."""
    return f"{rid.time:016x}{rid.writer}{rid.n:x}.{rid.place:x}"


def next_lineage(rid: Rid, views: "Views", device: str, folder: str, forgotten: int) -> str:
    """Return the name of the lineage that record *rid* begins: younger than all others of *device*.

    The clock that gave *rid* its time may be hours behind those under which the others began, or under which the device
    was *forgotten*: by its own time the new one would be the oldest, and retire at once.
    """
    return lineage_name(rid._replace(time=max(rid.time, views.youngest(device, folder) + 1, forgotten)))


def began_before(lineage: str, time: int) -> bool:
    """Tell whether a lineage began before *time* (hybrid clock)."""
    return lineage < f"{time:016x}"


class Views:
    """All living views of an account.  Reading records in any order, or twice, ends the same."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], dict[str, _Lineage]] = {}
        self._views: dict[ViewId, View] = {}
        self._times: dict[ViewId, int] = {}
        self.marks = Marks()

    def held(self, view: View) -> View:
        """Return *view* as it is best held and written: near a mark, if it names many writers."""
        cursor, possible = self.marks.held(view.cursor), self.marks.held(view.possible)
        is_same = cursor is view.cursor and possible is view.possible
        return view if is_same else replace(view, cursor=cursor, possible=possible)

    def add(self, rid: Rid, view: View) -> None:
        """Take the view that record *rid* made, and let go of those it retires."""
        view = self.held(view)
        lineages = self._pairs.setdefault((view.device, view.folder), {})
        lineage = lineages.setdefault(view.lineage, _Lineage())
        view_id = ViewId(rid.writer, rid.n, rid.place)
        lineage.highest = max(lineage.highest, view.generation)
        lineage.views[view_id] = self._views[view_id] = view
        self._times[view_id] = rid.time
        self._retire(lineages)

    def _drop(self, lineage: _Lineage, view_ids: list[ViewId]) -> None:
        for view_id in view_ids:
            del lineage.views[view_id], self._views[view_id], self._times[view_id]

    def _retire(self, lineages: dict[str, _Lineage]) -> None:
        newest_first = sorted(lineages, reverse=True)
        confirmed = [name for name in newest_first if lineages[name].highest > 1]
        oldest = confirmed[CONFIRMED_KEPT - 1] if len(confirmed) >= CONFIRMED_KEPT else ""
        for place, name in enumerate(newest_first):
            lineage = lineages[name]
            least = max(lineage.highest - 1, 1 if place < BEGUN_KEPT else 2)
            is_over = name < oldest
            self._drop(lineage, [key for key, view in lineage.views.items() if is_over or view.generation < least])
            if not lineage.views:
                del lineages[name]

    def join(self, other: "Views") -> None:
        """Take every view of *other*, and let go of those that are over."""
        self.marks.join(other.marks)
        for view_id, view in other._views.items():
            self.add(Rid(other._times[view_id], *view_id), view)

    def all(self) -> Iterator[tuple[int, View]]:
        """Yield every living view with the time (hybrid clock) at which it was made."""
        for view_id, view in self._views.items():
            yield self._times[view_id], view

    def get(self, view_id: ViewId) -> View | None:
        """Return the living view of that id, or None."""
        return self._views.get(view_id)

    def time(self, view_id: ViewId) -> int:
        """Return the time (hybrid clock) at which a living view was made."""
        return self._times[view_id]

    def children(self, view_id: ViewId) -> list[View]:
        """Return the views given out in answer to the key of *view_id*, oldest first."""
        found = [(self._times[key], key) for key, view in self._views.items() if view.parent == view_id]
        return [self._views[key] for _, key in sorted(found)]

    def newest(self, device: str, folder: str) -> tuple[ViewId, View] | None:
        """Return the latest view that *device* was given of *folder*: what it holds if nothing got lost.

        A confirmed lineage goes first: a late key-zero request must not deafen a phone that waits on its old key.
        """
        ranked = [
            (view.generation > 1, self._times[view_id], view.generation, view_id)
            for lineage in self._pairs.get((device, folder), {}).values()
            for view_id, view in lineage.views.items()
        ]
        if not ranked:
            return None
        view_id = max(ranked)[3]
        return view_id, self._views[view_id]

    def youngest(self, device: str, folder: str) -> int:
        """Return the time in the name of the youngest living lineage, 0 without one."""
        return max((int(name[:16], 16) for name in self._pairs.get((device, folder), {})), default=0)

    def of_device(self, device: str) -> list[str]:
        """Return the folders of which *device* holds a view."""
        return [
            folder
            for (owner, folder), lineages in self._pairs.items()
            if owner == device and any(lineage.views for lineage in lineages.values())
        ]

    def forget(self, device: str, before: int) -> None:
        """Let go of the lineages of *device* begun before that time (hybrid clock): whole ones, for their views decide
        together who is alive.  `add` is not to be given any of them afterwards.
        """
        for pair, lineages in self._pairs.items():
            if pair[0] == device:
                for name in [name for name in lineages if began_before(name, before)]:
                    self._drop(lineages[name], list(lineages[name].views))
                    del lineages[name]

    def shorten(self) -> None:
        """Hold each view near one of the marks that there are now."""
        for lineages in self._pairs.values():
            for lineage in lineages.values():
                lineage.views = {view_id: self.held(view) for view_id, view in lineage.views.items()}
                self._views.update(lineage.views)

    def pack(self) -> list[Any]:
        """Return everything but the marks as positional lists, for a checkpoint."""
        return [[*view_id, self._times[view_id], pack_view(view)] for view_id, view in self._views.items()]

    def pack_marks(self) -> list[Any]:
        """Return the marks that stay as positional lists, for a checkpoint."""
        cursors = [cursor for view in self._views.values() for cursor in (view.cursor, view.possible)]
        return self.marks.pack({cursor.mark.id for cursor in cursors if isinstance(cursor, MarkedCursor)})

    @classmethod
    def unpack(cls, packed: list[Any], marks: Iterable[Any] = ()) -> "Views":
        """Undo `pack` and `pack_marks`."""
        views = cls()
        views.marks = Marks.unpack(marks)
        for writer, n, place, time, view in packed:
            views.add(Rid(time, writer, n, place), unpack_view(view))
        return views

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Views) and self._views == other._views and self._times == other._times

    __hash__ = None  # type: ignore[assignment]  # mutable
