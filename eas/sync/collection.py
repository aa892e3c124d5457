"""One collection of one request, from the key presented to the key given.

Three phases, all inside one turn of the account:

1. the client's acts become records (`add`, `set`, `remove`);
2. with the records of *all* collections of the request supposed to be folded, a plan is made (`eas/sync/plan.py`),
   whose steps are rendered as far as the limits allow;
3. one commit carries the records and the new views, and then the new keys may leave.

An act is stamped from the view of the key presented, not from the clock: on every node alike, so that a request which
arrives late, when nobody waits for it any more, cannot override what was done since.  (But for a device that says that
it wins conflicts: what somebody else did, and it has not seen, it overrides.)
"""

from dataclasses import dataclass, field

from storage.account import Account
from storage.clock import stamp_ms
from storage.cursor import Rid, covers
from storage.ids import own_item
from storage.items import Register
from storage.records import Added, Content, Record, Set, Stamp, Value
from storage.state import State
from storage.views import BOTTOM, TOP, View, ViewId, next_lineage


class UnknownKey(Exception):
    """The key presented is not that of a living view: the device must begin again."""


class LostView(Exception):  # reads better where it is caught
    """The key is genuine, but the commit that made its view is not there: the store lost data, or was rolled back.

    The device is to ask again later, not to begin anew: it would drop what the store may still get back.  When that is
    given up, an administrator forgets the device.
    """


def first_view(device: str, folder: str, rid: Rid, state: State) -> View:
    """Return the view with which a device begins, made by record *rid*: everything is still to be told."""
    lineage = next_lineage(rid, state.views, device, folder, state.devices.forgotten(device))
    return View(device, folder, lineage, 1, None, state.head, TOP, -1, BOTTOM, {}, TOP)


def living_view(state: State, key: ViewId, device: str, folder: str) -> View:
    """Return the view of *key*, given to *device* for *folder*.

    Raises `UnknownKey`, `LostView`; only after a fresh listing may the device be told of either.
    """
    view = state.views.get(key)
    if view is not None and state.tells_all(view.folder, view.cursor):
        return view
    begins_anew = state.devices.forgotten(device) and state.views.newest(device, folder) is None
    if state.commits.get(key.writer, 0) < key.n and not begins_anew:
        raise LostView(f"commit {key.n} of {key.writer} is missing, which gave {device} its key")
    raise UnknownKey(f"{key.writer} {key.n}")


def added_before(state: State, key: ViewId, view: View) -> dict[str, tuple[str, int]]:
    """Return the items that the device added with *key* or shortly before, as `View.added` has them.

    Other views may tell of them than that of *key*: of two tries of one request, or of two halves that a phone made of
    it, the device has the key of one.
    """
    others = [*state.views.children(key), *(state.views.children(view.parent) if view.parent else ())]
    return {name: added for one in (*others, view) for name, added in one.added.items()}


@dataclass(slots=True)
class Collection:
    """What a request says of one folder, as it turns into records."""

    account: Account
    state: State
    key: ViewId
    view: View
    records: list[Record] = field(default_factory=list)
    added: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Items of this request's Adds: `{client id: (item, generation)}`."""
    again: list[str] = field(default_factory=list)
    """Those of them that an earlier try of this request had added already."""
    echoed: set[int] = field(default_factory=set)
    """Places in `records` of what the device is to be told although its own request brought it about."""

    def stamp(self, over: Stamp | None = None) -> Stamp:
        """Return the stamp of this request's next act; *over*: one that it has to win against."""
        attempt = len(self.state.views.children(self.key)) + 1
        time = self.state.views.time(self.key)
        if over is not None:
            time = max(time, over.time + 1)
        return Stamp(time, self._author, (attempt, len(self.records) + 1))

    @property
    def _author(self) -> str:
        return f"~{self.view.device}"

    def is_of_sync(self, present: Register) -> bool:
        """Whether this device set that by a Sync, and not by another command."""
        return present.stamp.by == self._author

    def item_of(self, client_id: str) -> tuple[str, bool]:
        """Return the item that an Add of *client_id* makes, and whether an earlier try made it already.

        The same client id with this key, or within the two generations before, is the same item.
        """
        known = {**added_before(self.state, self.key, self.view), **self.added}
        if client_id in known:
            return known[client_id][0], True
        began = stamp_ms(self.state.views.time(self.key))
        parts = (self.view.device, self.view.lineage, client_id, repr(self.key))
        return own_item(self.account.keys.ids, began, *parts), False

    def add(self, client_id: str, kind: str, date_ms: int, content: Content | None, values: dict[str, Value]) -> str:
        """Add an item to the folder, once however often it is asked for; return its id."""
        item, known = self.item_of(client_id)
        if known:
            self.again.append(item)
        else:
            added = Added(item, self.view.folder, kind, date_ms, content, values, self.view.device, self.stamp())
            self.records.append(added)
        self.added[client_id] = (item, self.view.generation + 1)
        return item

    def set(self, item: str, name: str, value: Value, present: Register | None, *, wins: bool = False) -> None:
        """Give a property of an item a new value in place of *present*; *wins*: also of what is unseen."""
        over = present.stamp if present is not None and (wins or self._has_seen(present)) else None
        self.records.append(Set(item, name, value, self.view.device, self.stamp(over)))

    def _has_seen(self, present: Register) -> bool:
        """Whether the device knows that value: then its new one wins, however far ahead the clock of the old one was.

        What it set itself with this key counts, too: of two tries the later one is its last word.
        """
        return covers(self.view.cursor, present.rid) or present.device == self.view.device

    def remove(self, item: str, to: str | None, present: Register | None) -> None:
        """Move an item out of the folder, to another one or (None) nowhere; *present*: what says that it is here."""
        self.set(item, "folder", to, present)
