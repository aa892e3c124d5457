"""Pages: the rows of a checkpoint, a few hundred to a sealed object, in the order of their ids.

Item ids begin with the hour at which the item came (`ids.py`), so a page is also a stretch of time: new mail touches
the last pages only, and the directory entry of each page (`PageRef`: range of dates, members of each folder) tells
which of them a question needs.  A row's page is found by its id alone, wherever the item was moved to.

Rows lie apart from contents: a changed flag rewrites one page of rows and no summary.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from storage.items import Item, pack_item, unpack_item
from storage.records import Content, pack_content, unpack_content
from storage.views import Floor

ROWS_MAX = 512
"""A page of more rows is split in halves."""
NOWHERE = ""
"""The folder of removed items, in a page's columns."""


@dataclass(frozen=True, slots=True)
class PageRef:
    """A page's entry in the directory."""

    first: str
    """No row of the page has a lesser id, no row of the page before it a greater or equal one."""
    rows: str
    contents: str
    count: int
    earliest_ms: int
    latest_ms: int
    size_bytes: int
    """Of the contents of all items that are not removed."""
    folders: Mapping[str, int]


class Page:
    """Rows in the order of their ids, unpacked one at a time; dates and folders stand in columns."""

    def __init__(self, ids: list[str], dates: list[int], folders: list[str], rows: list[bytes]) -> None:
        self.ids, self.dates, self.folders, self._rows = ids, dates, folders, rows

    def item(self, place: int) -> Item:
        """Return the row at *place*."""
        return unpack_item(msgpack.unpackb(self._rows[place]))

    def find(self, item_id: str) -> Item | None:
        """Return the row of that id, or None."""
        place = bisect_left(self.ids, item_id)
        return self.item(place) if place < len(self.ids) and self.ids[place] == item_id else None

    def floors(self, folders: set[str], low: Floor, high: Floor) -> Iterator[Floor]:
        """Yield the positions in `[low, high)` of the members of *folders*."""
        for item_id, date_ms, folder in zip(self.ids, self.dates, self.folders, strict=True):
            if folder in folders and low <= (date_ms, item_id) < high:
                yield Floor(date_ms, item_id)

    def items(self) -> Iterator[Item]:
        """Yield every row."""
        return map(self.item, range(len(self.ids)))


def pack_page(items: Sequence[Item]) -> bytes:
    """Return the plain bytes of a page of *items*, which are in the order of their ids."""
    ids = [item.id for item in items]
    dates = [item.date_ms for item in items]
    folders = [item.membership.folder or NOWHERE for item in items]
    names = sorted(set(folders))
    columns = [ids, dates, names, bytes_of_places(folders, names), [msgpack.packb(pack_item(item)) for item in items]]
    return bytes(msgpack.packb(columns))


def bytes_of_places(folders: Sequence[str], names: Sequence[str]) -> bytes:
    """Return each folder's place among *names*, two bytes each."""
    places = {name: place for place, name in enumerate(names)}
    return b"".join(places[folder].to_bytes(2, "big") for folder in folders)


def unpack_page(plain: bytes) -> Page:
    """Undo `pack_page`."""
    ids, dates, names, places, rows = msgpack.unpackb(plain)
    folders = [names[int.from_bytes(places[at : at + 2], "big")] for at in range(0, len(places), 2)]
    return Page(ids, dates, folders, rows)


class ContentPage:
    """Contents by id, unpacked one at a time."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.packed = contents

    def find(self, item_id: str) -> Content | None:
        """Return the content of that item, or None."""
        packed = self.packed.get(item_id)
        return None if packed is None else unpack_content(msgpack.unpackb(packed))


def pack_contents(contents: Mapping[str, bytes]) -> bytes:
    """Return the plain bytes of a page of contents, each packed by `pack_one`."""
    return bytes(msgpack.packb(dict(contents)))


def pack_one(content: Content) -> bytes:
    """Return one content packed."""
    return bytes(msgpack.packb(pack_content(content)))


def unpack_contents(plain: bytes) -> ContentPage:
    """Undo `pack_contents`."""
    return ContentPage(msgpack.unpackb(plain))


def describe(items: Sequence[Item], first: str, rows: str, contents: str) -> PageRef:
    """Return the directory entry of a page of *items*, stored under the names *rows* and *contents*."""
    dates = [item.date_ms for item in items]
    folders = Counter(item.membership.folder or NOWHERE for item in items)
    size = sum(item.size_bytes for item in items if item.membership.folder)
    return PageRef(first, rows, contents, len(items), min(dates), max(dates), size, folders)


def pack_ref(ref: PageRef) -> list[Any]:
    """Return *ref* as a positional list."""
    return [
        ref.first,
        ref.rows,
        ref.contents,
        ref.count,
        ref.earliest_ms,
        ref.latest_ms,
        ref.size_bytes,
        dict(ref.folders),
    ]


def page_of(firsts: Sequence[str], item_id: str) -> int | None:
    """Return the place of the page in whose range *item_id* falls, given every page's first id; None if no page is."""
    return max(bisect_right(firsts, item_id) - 1, 0) if firsts else None


def split(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Yield *items* in stretches of at most `ROWS_MAX`, even in size, full ones where a log of new mail ends."""
    if len(items) <= ROWS_MAX:
        yield items
        return
    # Mostly a page overflows because new mail came: fill pages to the brim and leave the rest to grow.
    for start in range(0, len(items), ROWS_MAX):
        yield items[start : start + ROWS_MAX]


def by_page(firsts: Sequence[str], item_ids: Iterable[str]) -> dict[int, list[str]]:
    """Return *item_ids* by the place of their page; everything under 0 when there is no page yet."""
    grouped: dict[int, list[str]] = {}
    for item_id in item_ids:
        grouped.setdefault(page_of(firsts, item_id) or 0, []).append(item_id)
    return grouped
