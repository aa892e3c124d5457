"""Pages: the rows of a checkpoint, a few hundred to a sealed object, in the order of their ids.

Item ids begin with the hour at which the item came (`ids.py`), so a page is also a stretch of time: new mail touches
the last pages only, and the directory entry of each page (`PageRef`: range of dates, members of each folder) tells
which of them a question needs.  A row's page is found by its id alone, wherever the item was moved to.

Rows lie apart from contents: a changed flag rewrites one page of rows and no summary.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import msgpack

from storage.epochs import FIRST_EPOCH
from storage.items import Item, pack_item, unpack_item
from storage.records import Content, Location, Value, pack_located, unpack_located
from storage.views import Floor

ROWS_MAX = 512
"""A page of more rows is split."""
PAGE_BYTES_MAX = 2 << 20
"""So is one whose rows and contents are longer, unless it is a single row: senders decide how long a summary is, and
nothing opens that is longer than `seal.PLAIN_BYTES_MAX`."""
NOWHERE = ""
"""The folder of removed items, in a page's columns."""


@dataclass(slots=True)
class PageRef:
    """A page's entry in the directory.  Never changed; not frozen, as every opening makes them all."""

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
    """How many rows are in each folder; removed ones under `NOWHERE`."""
    epoch: int = FIRST_EPOCH
    """Of the key under which rows and contents are sealed; of the older one, if they differ."""


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


def pack_row(item: Item) -> bytes:
    """Return one row packed."""
    return bytes(msgpack.packb(pack_item(item)))


def pack_page(items: Sequence[Item], rows: Sequence[bytes] | None = None) -> bytes:
    """Return the plain bytes of a page of *items*, which are in the order of their ids; *rows*: each by `pack_row`."""
    ids = [item.id for item in items]
    dates = [item.date_ms for item in items]
    folders = [item.membership.folder or NOWHERE for item in items]
    names = sorted(set(folders))
    packed = list(map(pack_row, items)) if rows is None else list(rows)
    return bytes(msgpack.packb([ids, dates, names, bytes_of_places(folders, names), packed]))


def bytes_of_places(folders: Sequence[str], names: Sequence[str]) -> bytes:
    """Return each folder's place among *names*, two bytes each."""
    places = {name: place for place, name in enumerate(names)}
    return b"".join(places[folder].to_bytes(2, "big") for folder in folders)


def unpack_page(plain: bytes) -> Page:
    """Undo `pack_page`."""
    ids, dates, names, places, rows = msgpack.unpackb(plain)
    folders = [names[int.from_bytes(places[at : at + 2], "big")] for at in range(0, len(places), 2)]
    return Page(ids, dates, folders, rows)


class Moved(NamedTuple):
    """Where in a pack a blob lies now."""

    blob: str
    location: Location


NOTHING: Mapping[str, Moved] = MappingProxyType({})


class ContentPage:
    """Contents by id, unpacked one at a time."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.packed = contents

    def find(self, item_id: str) -> Content | None:
        """Return the content of that item, or None."""
        packed = self.packed.get(item_id)
        return None if packed is None else unpack_located(msgpack.unpackb(packed))

    def summary(self, item_id: str) -> Value:
        """Return the summary of that item's content.  Raises KeyError when it has none."""
        return msgpack.unpackb(self.packed[item_id])[4]


def pack_contents(contents: Mapping[str, bytes]) -> bytes:
    """Return the plain bytes of a page of contents, each packed by `pack_one`."""
    return bytes(msgpack.packb(dict(contents)))


def pack_one(content: Content) -> bytes:
    """Return one content packed."""
    return bytes(msgpack.packb(pack_located(content)))


def with_places(contents: Mapping[str, bytes], moved: Mapping[str, Moved]) -> dict[str, bytes]:
    """Return packed *contents* in which those of *moved* say where they lie now, unless another has taken its place."""
    changed = dict(contents)
    for item_id, (blob, location) in moved.items():
        known = unpack_located(msgpack.unpackb(contents[item_id])) if item_id in contents else None
        if known is not None and known.blob == blob:
            changed[item_id] = pack_one(replace(known, location=location))
    return changed


def unpack_contents(plain: bytes) -> ContentPage:
    """Undo `pack_contents`."""
    return ContentPage(msgpack.unpackb(plain))


def describe(items: Sequence[Item], first: str, rows: str, contents: str, epoch: int = FIRST_EPOCH) -> PageRef:
    """Return the directory entry of a page of *items*, stored under the names *rows* and *contents*."""
    dates = [item.date_ms for item in items]
    folders = Counter(item.membership.folder or NOWHERE for item in items)
    size = sum(item.size_bytes for item in items if item.membership.folder)
    return PageRef(first, rows, contents, len(items), min(dates), max(dates), size, folders, epoch)


def pack_ref(ref: PageRef) -> list[Any]:
    """Return *ref* as a positional list."""
    later = [ref.epoch] if ref.epoch != FIRST_EPOCH else []
    return [
        ref.first,
        ref.rows,
        ref.contents,
        ref.count,
        ref.earliest_ms,
        ref.latest_ms,
        ref.size_bytes,
        dict(ref.folders),
        *later,
    ]


def page_of(firsts: Sequence[str], item_id: str) -> int | None:
    """Return the place of the page in whose range *item_id* falls, given every page's first id; None if no page is."""
    return max(bisect_right(firsts, item_id) - 1, 0) if firsts else None


def split(sizes: Sequence[int], *, is_last: bool) -> list[range]:
    """Return the stretches into which rows of *sizes* bytes are divided, so that each fits a page or is a single row.

    The last page overflows because new mail came: full pages, and the rest left to grow.  Any other one because rows
    came in between, and more may: halves, or each that comes would split off a page of its own.
    """
    return _filled(sizes) if is_last else _halved(sizes, 0, len(sizes))


def _fits(sizes: Sequence[int]) -> bool:
    return len(sizes) <= 1 or (len(sizes) <= ROWS_MAX and sum(sizes) <= PAGE_BYTES_MAX)


def _filled(sizes: Sequence[int]) -> list[range]:
    starts, size = [0], 0
    for at, of_row in enumerate(sizes):
        if at > starts[-1] and (at - starts[-1] == ROWS_MAX or size + of_row > PAGE_BYTES_MAX):
            starts.append(at)
            size = 0
        size += of_row
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True)]


def _halved(sizes: Sequence[int], start: int, end: int) -> list[range]:
    if _fits(sizes[start:end]):
        return [range(start, end)]
    middle = (start + end) // 2
    return [*_halved(sizes, start, middle), *_halved(sizes, middle, end)]


def by_page(firsts: Sequence[str], item_ids: Iterable[str]) -> dict[int, list[str]]:
    """Return *item_ids* by the place of their page; everything under 0 when there is no page yet."""
    grouped: dict[int, list[str]] = {}
    for item_id in item_ids:
        grouped.setdefault(page_of(firsts, item_id) or 0, []).append(item_id)
    return grouped
