"""Joining the checkpoint of another node into an open state.

Several nodes write checkpoints, each of what it had folded; the log below them goes in time.  So a node that meets a
checkpoint which covers more than it has folded itself joins it.  Every part of a state is a join already (registers,
growing sets, retiring views); what is special are rows, of which there are too many to look at:

- *A checkpoint that covers all of our base* takes the base's place.  Rows of the overlay whose records it covers are
  let go of, the others are joined with its rows: no page is read but theirs.
- *Any other* leaves our base.  Pages that both share hold the same rows; the others are read, on both sides.

A row that one side lacks, although it covers the record that added it, was purged there (`purging.py`): of such a row
only what lies outside that side's cursor counts.

First everything is read, then all of it takes effect at once: a failure in between changes nothing.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from storage.base import Base
from storage.cursor import Cursor, covers, dominates, whole
from storage.items import Item
from storage.records import Content
from storage.state import State


@dataclass(slots=True)
class _Rows:
    """What becomes of the overlay: rows and contents that it gets, and rows that it loses."""

    items: dict[str, Item] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    known_below: set[str] = field(default_factory=set)
    """Items whose content the base has: the overlay's goes."""


async def join(state: State, other: State) -> None:
    """Let *state* fold what *other*, fresh from its checkpoint, has folded.  Raises `NotFound`, `SealError`."""
    takes_base = dominates(whole(other.rooted), whole(state.rooted))
    rows = await (_onto(state, other) if takes_base else _beside(state, other))
    # From here on nothing waits.
    for item_id in rows.dropped:
        del state.touched[item_id]
    for item_id in rows.dropped | rows.known_below:
        state.fresh.pop(item_id, None)
    state.touched.update(rows.items)
    state.fresh.update(rows.contents)
    state.journal = state.journal.join(other.journal, state.commits)
    for item in rows.items.values():
        state.journal.entered(item.entries, item.rids())
    state.folders.join(other.folders)
    _join_views(state, other)
    state.sends.join(other.sends)
    for folder, cursor in other.purged.items():
        mine = state.purged.setdefault(folder, {})
        mine.update({writer: seen for writer, seen in cursor.items() if mine.get(writer, (0, 0)) < seen})
    for writer, n in other.commits.items():
        if n > state.commits.get(writer, 0):
            state.commits[writer], state.chain[writer] = n, other.chain[writer]
            state.times[writer] = other.times.get(writer, 0)
    state.time = max(state.time, other.time)
    if takes_base:
        state.rest_on(other.base, other.root, other.rooted)


def _join_views(state: State, other: State) -> None:
    state.devices.join(other.devices)
    for device in state.devices.registers:
        if forgotten := state.devices.forgotten(device):
            state.views.forget(device, forgotten)
            other.views.forget(device, forgotten)
    state.views.join(other.views)


async def _onto(state: State, other: State) -> _Rows:
    """Rows for the overlay once *other*'s base lies below it."""
    covered, rows = whole(other.rooted), _Rows()
    rows.dropped = {
        item_id for item_id, item in state.touched.items() if all(covers(covered, rid) for rid in item.rids())
    }
    kept = [item for item_id, item in state.touched.items() if item_id not in rows.dropped]
    below = await other.base.rows(item.id for item in kept)
    for item in kept:
        theirs = below.get(item.id)
        joined = item.join(theirs) if theirs else _purged(item, covered)
        rows.items[item.id] = joined
        if joined.content_rid is not None and covers(covered, joined.content_rid):
            rows.known_below.add(item.id)
    return rows


async def _beside(state: State, other: State) -> _Rows:
    """Rows for the overlay on our own base."""
    rows, own, theirs_covered = _Rows(), whole(state.commits), whole(other.commits)
    async for page_rows, page_contents in _unshared(other.base, state.base):
        mine = {item_id: state.touched[item_id] for item_id in page_rows if item_id in state.touched}
        mine.update(await state.base.rows(item_id for item_id in page_rows if item_id not in mine))
        for item_id, theirs in page_rows.items():
            have = mine.get(item_id)
            joined = have.join(theirs) if have and not have.is_empty else _purged(theirs, own)
            if joined == have or joined.is_empty:
                continue
            rows.items[item_id] = joined
            if item_id in page_contents and (have is None or have.content_rid != joined.content_rid):
                rows.contents[item_id] = page_contents[item_id]
    ours = {item_id: item for item_id, item in state.touched.items() if item_id not in rows.items}
    async for page_rows, _ in _unshared(state.base, other.base):
        ours.update((item_id, item) for item_id, item in page_rows.items() if item_id not in {**ours, **rows.items})
    there = await other.base.rows(ours)
    for item_id, item in ours.items():
        if item_id not in there:
            left = _purged(item, theirs_covered)
            if left != item:
                rows.items[item_id] = left
    return rows


def _purged(item: Item, cursor: Cursor) -> Item:
    """Return what *item* is where a side that has seen *cursor* lacks it."""
    if item.exists and not covers(cursor, item.adds[0].rid):
        return item
    return item.outside(cursor)


async def _unshared(base: Base, other: Base) -> AsyncIterator[tuple[dict[str, Item], dict[str, Content]]]:
    """Yield the rows and contents of each page of *base* that *other* does not have, too."""
    shared = {ref.rows for ref in other.refs}
    for ref in base.refs:
        if ref.rows not in shared:
            page, contents = await base.whole_page(ref)
            ids: Iterable[str] = contents.packed
            found = {item_id: content for item_id in ids if (content := contents.find(item_id)) is not None}
            yield {item.id: item for item in page.items()}, found
