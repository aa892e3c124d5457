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
from storage.cursor import Rid
from storage.ids import own_item
from storage.records import Added, Content, Record, Set, Stamp, Value
from storage.state import State
from storage.views import BOTTOM, TOP, View, ViewId, lineage_name


class UnknownKey(Exception):
    """The key presented is not that of a living view: the device must begin again."""


class LostView(Exception):  # reads better where it is caught
    """The key is genuine, but the commit that made its view is not there: the store lost data, or was rolled back.

    The device is to ask again later, not to begin anew: it would drop what the store may still get back.  When that is
    given up, an administrator forgets the device.
    """


def first_view(device: str, folder: str, rid: Rid, state: State) -> View:
    """Return the view with which a device begins, made by record *rid*: everything is still to be told."""
    return View(device, folder, lineage_name(rid), 1, None, state.head, TOP, -1, BOTTOM, {}, TOP)


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
        return Stamp(time, f"~{self.view.device}", (attempt, len(self.records) + 1))

    def item_of(self, client_id: str) -> tuple[str, bool]:
        """Return the item that an Add of *client_id* makes, and whether an earlier try made it already.

        The same client id with this key, or within the two generations before, is the same item.
        """
        views = [self.view, *self.state.views.children(self.key)]
        for view in views:
            if client_id in view.added:
                return view.added[client_id][0], True
        if client_id in self.added:
            return self.added[client_id][0], True
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

    def set(self, item: str, name: str, value: Value, over: Stamp | None = None) -> None:
        """Give a property of an item a new value; *over*: the stamp of somebody else's that it replaces."""
        self.records.append(Set(item, name, value, self.view.device, self.stamp(over)))

    def remove(self, item: str, to: str | None) -> None:
        """Move an item out of the folder, to another one or (None) nowhere."""
        self.set(item, "folder", to)
