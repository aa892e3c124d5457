"""The base: an account's rows as the last checkpoint has them, read page by page as questions need them.

Immutable: a new checkpoint makes a new base that shares every page it did not change (`merge`).  Opening a big account
reads the checkpoint's root and no page; the pages that a Sync touches are few, whatever the account's size.
"""

import heapq
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from storage.epochs import FIRST_EPOCH
from storage.items import Item
from storage.pages import (
    NOTHING,
    ContentPage,
    Moved,
    Page,
    PageRef,
    by_page,
    describe,
    pack_contents,
    pack_one,
    pack_page,
    pack_row,
    split,
    unpack_contents,
    unpack_page,
    with_places,
)
from storage.records import Content
from storage.views import Floor

PAGES_CACHED = 12
"""Decoded pages kept by one account: about 100 KB each,"""
CACHED_BYTES_MAX = 16 << 20
"""and all of them together no longer than this, whatever senders made of them."""

RENEWED_PAGES_MAX = 16
"""Pages of an older key epoch that one checkpoint seals anew, besides those that change anyway."""
_T = TypeVar("_T")


class Sealed(Protocol):
    """Where pages lie: sealed objects by name."""

    async def read(self, name: str) -> bytes:
        """Return the plain bytes of the object."""

    async def write_page(self, plain: bytes) -> str:
        """Store a page under a new name and return the name; durable on return."""


class Base:
    """The rows of one checkpoint."""

    def __init__(self, sealed: Sealed, refs: Sequence[PageRef] = ()) -> None:
        self.refs = list(refs)
        self._firsts = [ref.first for ref in self.refs]
        self._sealed = sealed
        self._pages: OrderedDict[str, Page | ContentPage] = OrderedDict()
        self._sizes: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many rows there are, removed items included."""
        return sum(ref.count for ref in self.refs)

    async def _page(self, ref: PageRef) -> Page:
        page = self._cached(ref.rows)
        if page is None:
            plain = await self._sealed.read(ref.rows)
            page = self._keep(ref.rows, unpack_page(plain), len(plain))
        assert isinstance(page, Page)  # noqa: S101  # row pages and content pages have names of their own
        return page

    async def _contents(self, ref: PageRef) -> ContentPage:
        page = self._cached(ref.contents)
        if page is None:
            plain = await self._sealed.read(ref.contents)
            page = self._keep(ref.contents, unpack_contents(plain), len(plain))
        assert isinstance(page, ContentPage)  # noqa: S101
        return page

    async def whole_page(self, ref: PageRef) -> tuple[Page, ContentPage]:
        """Return a page's rows and contents past the cache: a walk over all would push out what is in use."""
        return unpack_page(await self._sealed.read(ref.rows)), await self.contents_of(ref.contents)

    async def contents_of(self, name: str) -> ContentPage:
        """Return the page of contents of that name, past the cache, too."""
        return unpack_contents(await self._sealed.read(name))

    def _cached(self, name: str) -> Page | ContentPage | None:
        page = self._pages.get(name)
        if page is not None:
            self._pages.move_to_end(name)
        return page

    def _keep(self, name: str, page: _T, size_bytes: int) -> _T:
        self._pages[name] = page  # type: ignore[assignment]
        self._sizes[name] = size_bytes
        while len(self._pages) > PAGES_CACHED or sum(self._sizes.values()) > CACHED_BYTES_MAX:
            oldest, _ = self._pages.popitem(last=False)
            del self._sizes[oldest]
        return page

    def _grouped(self, item_ids: Iterable[str]) -> list[tuple[PageRef, list[str]]]:
        # In the order of the pages: what a set of ids is asked for must not make a history differ from its replay.
        grouped = by_page(self._firsts, item_ids) if self.refs else {}
        return [(self.refs[at], grouped[at]) for at in sorted(grouped)]

    async def rows(self, item_ids: Iterable[str]) -> dict[str, Item]:
        """Return the rows of those of *item_ids* that there are.  Each is a fresh copy, the caller's to change."""
        found: dict[str, Item] = {}
        for ref, ids in self._grouped(item_ids):
            page = await self._page(ref)
            for item_id in ids:
                item = page.find(item_id)
                if item is not None:
                    found[item_id] = item
        return found

    async def contents(self, item_ids: Iterable[str]) -> dict[str, Content]:
        """Return the contents of those of *item_ids* that have one."""
        found: dict[str, Content] = {}
        for ref, ids in self._grouped(item_ids):
            page = await self._contents(ref)
            for item_id in ids:
                content = page.find(item_id)
                if content is not None:
                    found[item_id] = content
        return found

    async def items(self) -> AsyncIterator[Item]:
        """Yield every row, newest page first."""
        for ref in reversed(self.refs):
            page = await self._page(ref)
            for item in page.items():
                yield item

    async def floors(
        self,
        folders: set[str],
        low: Floor,
        high: Floor,
        *,
        limit: int | None,
        newest_first: bool,
        skip: Collection[str],
    ) -> list[Floor]:
        """Return positions in `[low, high)` of members of *folders*, none of *skip*, in the order asked for.

        With a *limit*, at least the first *limit* of them, and no more pages are read than that needs.
        """
        if low >= high:
            return []
        refs = [
            ref
            for ref in self.refs
            if ref.latest_ms >= low.date_ms and ref.earliest_ms <= high.date_ms and folders & ref.folders.keys()
        ]
        refs.sort(key=lambda ref: -ref.latest_ms if newest_first else ref.earliest_ms)
        found: list[Floor] = []
        for ref in refs:
            if limit is not None and len(found) >= limit:
                if limit <= 0:
                    break
                pick = heapq.nlargest if newest_first else heapq.nsmallest
                last = pick(limit, found)[-1]
                if (last.date_ms > ref.latest_ms) if newest_first else (last.date_ms < ref.earliest_ms):
                    break
            page = await self._page(ref)
            found.extend(floor for floor in page.floors(folders, low, high) if floor.item not in skip)
        return sorted(found, reverse=newest_first)

    def pages_of_old_epochs(self, epoch: int) -> list[int]:
        """Return the places of pages that are sealed under keys older than *epoch*'s."""
        return [at for at, ref in enumerate(self.refs) if ref.epoch < epoch]

    async def merge(
        self,
        touched: Mapping[str, Item],
        contents: Mapping[str, Content],
        moved: Mapping[str, Moved] = NOTHING,
        epoch: int = FIRST_EPOCH,
    ) -> "Base":
        """Return the base in which *touched* rows and *contents* replace this one's; writes the pages that change.

        *moved*: contents, by item, that lie in a pack now; of an item that has another content by now nothing changes.
        *epoch*: of the key that pages are sealed under; some of those of older ones are written anew, too.
        """
        old = self.pages_of_old_epochs(epoch)[:RENEWED_PAGES_MAX]
        if not touched and not moved and not old:
            return self
        refs: list[PageRef] = []
        changed: dict[int, list[str]] = {at: [] for at in old} | by_page(self._firsts, touched)
        relocated = by_page(self._firsts, moved)
        for at in range(max(len(self.refs), 1)):
            new = {item_id: moved[item_id] for item_id in relocated.get(at, ())}
            if at in changed:
                refs.extend(await self._rewritten(at, changed[at], touched, contents, new, epoch))
            elif new and self.refs:
                refs.append(await self._relocated(self.refs[at], new))
            else:
                refs.extend(self.refs[at : at + 1])
        merged = Base(self._sealed, refs)
        kept = {name for ref in refs for name in (ref.rows, ref.contents)}
        merged._pages = OrderedDict((name, page) for name, page in self._pages.items() if name in kept)
        merged._sizes = {name: self._sizes[name] for name in merged._pages}
        return merged

    async def _relocated(self, ref: PageRef, moved: Mapping[str, Moved]) -> PageRef:
        packed = with_places((await self._contents(ref)).packed, moved)
        return replace(ref, contents=await self._sealed.write_page(pack_contents(packed)))

    async def _rewritten(
        self,
        at: int,
        ids: list[str],
        touched: Mapping[str, Item],
        contents: Mapping[str, Content],
        moved: Mapping[str, Moved],
        epoch: int,
    ) -> list[PageRef]:
        old = self.refs[at] if self.refs else None
        items = {item.id: item for item in (await self._page(old)).items()} if old else {}
        items.update((item_id, touched[item_id]) for item_id in ids)
        ordered = [items[item_id] for item_id in sorted(items) if not items[item_id].is_empty]
        if not ordered:
            return []
        rows = list(map(pack_row, ordered))
        is_last = at >= len(self.refs) - 1
        fresh = {item_id: pack_one(contents[item_id]) for item_id in ids if item_id in contents}
        fits = len(split(list(map(len, rows)), is_last=is_last)) == 1
        is_purged = len(ordered) < len(items)  # then what is left of contents goes, too
        if old and not fresh and not moved and not is_purged and old.epoch == epoch and fits:
            name = await self._sealed.write_page(pack_page(ordered, rows))
            return [describe(ordered, min(old.first, ordered[0].id), name, old.contents, epoch)]
        packed = with_places({**((await self._contents(old)).packed if old else {}), **fresh}, moved)
        sizes = [len(row) + len(packed.get(item.id, b"")) for row, item in zip(rows, ordered, strict=True)]
        refs = []
        for part in split(sizes, is_last=is_last):
            of_part = ordered[part.start : part.stop]
            name = await self._sealed.write_page(pack_page(of_part, rows[part.start : part.stop]))
            beside = {item.id: packed[item.id] for item in of_part if item.id in packed}
            first = of_part[0].id if part.start or old is None else min(old.first, of_part[0].id)
            beside_name = await self._sealed.write_page(pack_contents(beside))
            refs.append(describe(of_part, first, name, beside_name, epoch))
        return refs
