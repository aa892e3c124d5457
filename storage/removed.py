"""What was removed from an account, and the way back within the grace period.

Removal is a property: the folder set to nowhere.  To bring an item back is a later write of the same property, and
makes it new again to every phone.  The collector keeps what was removed for a day longer than it can be brought back.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from storage.account import Account
from storage.clock import stamp_ms
from storage.engine import Damaged, NotFound
from storage.folders import INBOX
from storage.items import Item
from storage.pages import NOWHERE
from storage.records import Content, Record, Set
from storage.seal import SealError
from storage.state import State
from storage.views import BOTTOM, TOP

GRACE_MS = 30 * 24 * 60 * 60 * 1000
"""How long after its removal an item can be brought back."""
ITEMS_AT_ONCE = 256
"""Of one commit, and of one look."""


@dataclass(frozen=True, slots=True)
class Removed:
    """An item that was removed."""

    item: Item
    removed_ms: int
    folder: str
    """Where it was last; that folder may be gone."""
    content: Content | None


@dataclass(slots=True)
class BroughtBack:
    """What became of those that were asked for, by id; each is in one of the lists."""

    back: list[str] = field(default_factory=list)
    too_late: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    """Not removed at all, or back already."""
    unknown: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Their content is not to be had any more."""


async def removed_items(state: State, since_ms: int = 0) -> AsyncIterator[Removed]:
    """Yield what was removed since then and is still remembered; the page with the newest arrivals first.

    Cost: the pages that have removed rows, and their contents.
    """
    floors = await state.base.floors({NOWHERE}, BOTTOM, TOP, limit=None, newest_first=True, skip=state.touched.keys())
    ids = [floor.item for floor in floors]
    ids += [item.id for item in state.touched.values() if _is_removed(item)]
    for start in range(0, len(ids), ITEMS_AT_ONCE):
        part = ids[start : start + ITEMS_AT_ONCE]
        items = await state.items(part)
        wanted = [item for item_id in part if (item := items.get(item_id)) and removed_at(item) >= since_ms]
        contents = await state.contents([item.id for item in wanted])
        for item in wanted:
            yield Removed(item, removed_at(item), _last_folder(item), contents.get(item.id))


def _is_removed(item: Item) -> bool:
    return item.exists and item.membership.folder is None


def removed_at(item: Item) -> int:
    """Return when a removed item was removed, in milliseconds: the time of the record that did it."""
    return stamp_ms(item.registers["folder"].rid.time)


def _last_folder(item: Item) -> str:
    """Return the folder of the last record that put the item anywhere."""
    return max(((rid, folder) for folder, rids in item.entries.items() for rid in rids), default=(None, INBOX.id))[1]


async def bring_back(account: Account, item_ids: Sequence[str], now_ms: int, to: str | None = None) -> BroughtBack:
    """Put items back into the folder they were in (into the Inbox if it is gone), or into folder *to*.

    Commits of some hundreds; each is durable when the next begins.  Raises `EngineError`.
    """
    done = BroughtBack()
    wanted = list(dict.fromkeys(item_ids))
    for start in range(0, len(wanted), ITEMS_AT_ONCE):
        async with account.turn() as state:
            await _bring_back(account, state, wanted[start : start + ITEMS_AT_ONCE], now_ms, to, done)
    return done


async def _bring_back(
    account: Account, state: State, item_ids: Sequence[str], now_ms: int, to: str | None, done: BroughtBack
) -> None:
    items, contents = await state.items(item_ids), await state.contents(item_ids)
    tree = state.folders.tree()
    records: list[Record] = []
    size_bytes = 0
    for item_id in item_ids:
        item = items.get(item_id)
        if item is None:
            done.unknown.append(item_id)
        elif not _is_removed(item):
            done.present.append(item_id)
        elif now_ms - removed_at(item) > GRACE_MS:
            done.too_late.append(item_id)
        elif item_id in contents and not await _is_there(account, contents[item_id]):
            done.lost.append(item_id)
        else:
            last = _last_folder(item)
            records.append(Set(item_id, "folder", to or (last if last in tree else INBOX.id)))
            size_bytes += item.size_bytes
            done.back.append(item_id)
    if records:
        await account.commit(records, size_bytes)


async def _is_there(account: Account, content: Content) -> bool:
    try:
        await account.read(content, max(content.size_bytes - 1, 0), 1)
    except (NotFound, Damaged, SealError):
        return False
    return True
