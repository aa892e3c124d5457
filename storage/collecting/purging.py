"""Purging: rows of items that were removed long ago leave the state, once no device has to be told of it any more.

A row of a removed item is kept for two reasons: it can be brought back (for `UNDELETE_MS`), and a device that holds the
item must be told that it went.  So it goes when both are over: the removal is old, and inside every living view of each
folder that the item was ever in.  Views of a device that has not been heard of for `IDLE_MS` do not count; in its place
`State.purged` keeps, for each folder, up to where removals were purged, and a view that does not cover that is refused:
that device must begin anew.

A purged row is left in the overlay as one of which nothing is left; the next checkpoint leaves it out.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from storage.clock import stamp_ms
from storage.cursor import Cursor, covers, join
from storage.folders import TRASH
from storage.items import Item
from storage.marked import known
from storage.pages import NOWHERE
from storage.state import State

DAY_MS = 86_400_000
UNDELETE_MS = 30 * DAY_MS
"""How long a removed item can be brought back."""
REMOVED_MS = 31 * DAY_MS
"""How long its content is kept: a day more, as clocks differ."""
IDLE_MS = 180 * DAY_MS
"""A device that was silent for so long begins anew if it comes back after removals that it was not told."""


def removed_ms(item: Item) -> int | None:
    """Return when the item was removed, in milliseconds since 1970; None while it is somewhere."""
    moved = item.registers.get("folder")
    return stamp_ms(moved.rid.time) if item.exists and moved is not None and moved.value is None else None


def is_over(item: Item, ms: int) -> bool:
    """Tell whether the item was removed, or never came, and nobody wrote about it since *ms*."""
    return (removed_ms(item) is not None or not item.exists) and all(stamp_ms(rid.time) < ms for rid in item.rids())


async def removed_rows(state: State) -> AsyncIterator[Item]:
    """Yield the rows of removed items, and those of which only changes were read.  Reads the pages that have any."""
    touched = dict(state.touched)
    for ref in list(state.base.refs):
        if ref.folders.get(NOWHERE):
            page, _ = await state.base.whole_page(ref)
            for item in page.items():
                if item.id not in touched and item.membership.folder is None:
                    yield item
    for item in touched.values():
        if item.membership.folder is None and not item.is_empty:
            yield item


async def purgeable(state: State, now_ms: int, *, removed_ms: int = REMOVED_MS, idle_ms: int = IDLE_MS) -> list[Item]:
    """Return the rows that may go."""
    seen = _seen_by_living(state, now_ms - idle_ms)
    before_ms = now_ms - removed_ms
    return [item async for item in removed_rows(state) if is_over(item, before_ms) and _is_told(state, item, seen)]


def purge(state: State, items: Iterable[Item]) -> None:
    """Take rows out of *state*, inside the turn in which they were found purgeable; a checkpoint is to follow."""
    for item in items:
        state.touched[item.id] = Item(item.id)
        state.fresh.pop(item.id, None)
        for folder in _folders(state, item):
            told = ({rid.writer: (rid.n, rid.place)} for rid in item.membership.rids)
            state.purged[folder] = join(state.purged.get(folder, {}), *told)


def _seen_by_living(state: State, idle_since_ms: int) -> dict[str, list[Cursor]]:
    """Return, by folder, what the views of devices that are in use have seen."""
    active: dict[str, int] = defaultdict(int)
    for time, view in state.views.all():
        active[view.device] = max(active[view.device], stamp_ms(time), state.devices.active_ms(view.device))
    seen: dict[str, list[Cursor]] = defaultdict(list)
    for _, view in state.views.all():
        if active[view.device] >= idle_since_ms:
            seen[view.folder].append(known(view.cursor))
    return seen


def _folders(state: State, item: Item) -> set[str]:
    """Return the folders in which a device may hold the item."""
    rested = {TRASH.id} if state.folders.gone.keys() & item.entries.keys() else set()
    return rested | item.entries.keys()


def _is_told(state: State, item: Item, seen: dict[str, list[Cursor]]) -> bool:
    rids = item.membership.rids
    return all(covers(cursor, rid) for folder in _folders(state, item) for cursor in seen[folder] for rid in rids)
