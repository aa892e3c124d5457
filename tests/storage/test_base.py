"""The base: what merging rows in any portions leaves, asked page by page."""

import asyncio
from collections import Counter
from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import pages
from storage.base import CACHED_BYTES_MAX, PAGES_CACHED, Base
from storage.cursor import Rid
from storage.items import Item
from storage.pages import Moved
from storage.records import Added, Content, Location, Set
from storage.views import BOTTOM, TOP, Floor
from tests.storage.nodes import content

W = "a" * 16
SMALL = 4
FOLDERS = ("inbox", "junk", None)


class Sealed:
    """Where pages lie, and how often each was read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads: Counter[str] = Counter()

    async def read(self, name: str) -> bytes:
        self.reads[name] += 1
        return self.objects[name]

    async def write_page(self, plain: bytes) -> str:
        name = f"{len(self.objects):016}"
        self.objects[name] = plain
        return name


def item(number: int, folder: str | None = "inbox", date_ms: int | None = None, *, read: int = 0) -> Item:
    made = Item(f"{number:04}")
    made.offer_added(Rid(1, W, 1, 1), Added(made.id, "inbox", "Email", number if date_ms is None else date_ms, None))
    if folder != "inbox":
        made.offer_set(Rid(2, W, 2, 1), Set(made.id, "folder", folder))
    if read:
        made.offer_set(Rid(3, W, 3 + read, 1), Set(made.id, "read", read))
    return made


def bare(number: int) -> Item:
    """A row whose add has not come yet."""
    made = Item(f"{number:04}")
    made.offer_set(Rid(2, W, 2, 1), Set(made.id, "read", True))
    return made


async def built(numbers: int, sealed: Sealed | None = None) -> Base:
    items = {f"{number:04}": item(number) for number in range(numbers)}
    return await Base(sealed or Sealed()).merge(items, {item_id: content(int(item_id)) for item_id in items})


class Rows:
    """The same rows, without pages."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rows: dict[str, Item] = {}
        self.contents: dict[str, Content] = {}

    def portion(self) -> tuple[dict[str, Item], dict[str, Content], dict[str, Moved]]:
        random = self.random
        touched, fresh, moved = {}, {}, {}
        for _ in range(random.choice([0, 1, 2, 9])):
            number = random.randint(0, 40)
            row = bare(number) if random.random() < 0.1 else item(
                number, random.choice(FOLDERS), random.randint(0, 12), read=random.randint(0, 3)
            )  # fmt: skip
            touched[row.id] = row
            if random.random() < 0.6:
                fresh[row.id] = content(random.randint(0, 9), summary="x" * random.choice([0, 0, 90]))
        self.rows.update(touched)
        self.contents.update(fresh)
        for item_id in random.sample(sorted(self.contents), min(len(self.contents), random.choice([0, 0, 1, 5]))):
            known, location = self.contents[item_id], Location("p" * 32, random.randint(0, 9))
            is_current = random.random() < 0.8  # else its content was replaced while it was moved
            moved[item_id] = Moved(known.blob if is_current else "another", location)
            self.contents[item_id] = replace(known, location=location) if is_current else known
        return touched, fresh, moved

    def floors(self, folders: set[str], low: Floor, high: Floor, *, newest_first: bool) -> list[Floor]:
        found = [row.floor for row in self.rows.values() if row.membership.folder in folders]
        return sorted((floor for floor in found if low <= floor < high), reverse=newest_first)


@given(st.integers(0, 1 << 32).map(Random))
def test_merged_in_any_portions_it_answers_like_a_plain_table(random: Random) -> None:
    async def live() -> None:
        sealed, plain = Sealed(), Rows(random)
        base = Base(sealed)
        for _ in range(random.randint(1, 6)):
            base = await base.merge(*plain.portion())
            if random.random() < 0.5:
                base = Base(sealed, base.refs)  # opened anew
            await _compared(base, plain)

    with patch.object(pages, "ROWS_MAX", SMALL), patch.object(pages, "PAGE_BYTES_MAX", 600):
        asyncio.run(live())


async def _compared(base: Base, plain: Rows) -> None:
    random = plain.random
    asked = {f"{random.randint(0, 45):04}" for _ in range(random.randint(0, 9))}
    assert await base.rows(asked) == {item_id: plain.rows[item_id] for item_id in asked & plain.rows.keys()}
    contents = await base.contents(asked)
    assert contents == {item_id: plain.contents[item_id] for item_id in asked & plain.contents.keys()}
    for item_id, found_content in contents.items():
        assert found_content.location == plain.contents[item_id].location
    assert {row.id: row async for row in base.items()} == plain.rows
    assert base.count == len(plain.rows)
    for ref in base.refs:
        assert 1 <= ref.count <= SMALL
    low, high = sorted(Floor(random.randint(-1, 13), f"{random.randint(0, 40):04}") for _ in range(2))
    folders = set(random.sample(["inbox", "junk"], random.randint(0, 2)))
    skip = set(random.sample(sorted(asked), len(asked) // 2))
    for newest_first in (True, False):
        wanted = plain.floors(folders, low, high, newest_first=newest_first)
        wanted = [floor for floor in wanted if floor.item not in skip]
        for limit in (None, 0, 1, 3):
            found = await base.floors(folders, low, high, limit=limit, newest_first=newest_first, skip=skip)
            assert found[:limit] == wanted[:limit]
            assert len(found) == len(set(found))


async def test_the_newest_few_of_many_need_one_page() -> None:
    sealed = Sealed()
    base = await built(6 * pages.ROWS_MAX, sealed)
    opened = Base(sealed, base.refs)
    found = await opened.floors({"inbox"}, BOTTOM, TOP, limit=9, newest_first=True, skip=())
    assert found[0].item == f"{6 * pages.ROWS_MAX - 1:04}"
    assert sealed.reads.total() == 1
    assert (await opened.floors({"inbox"}, Floor(5, ""), Floor(5, ""), limit=9, newest_first=True, skip=())) == []
    assert (await opened.floors({"junk"}, BOTTOM, TOP, limit=9, newest_first=True, skip=())) == []
    assert sealed.reads.total() == 1


async def test_a_changed_flag_rewrites_one_page_of_rows_and_no_contents() -> None:
    sealed = Sealed()
    base = await built(3 * pages.ROWS_MAX, sealed)
    before = len(sealed.objects)
    merged = await base.merge({"0001": item(1, read=1)}, {})
    assert len(sealed.objects) == before + 1
    assert [ref.contents for ref in merged.refs] == [ref.contents for ref in base.refs]
    assert sum(ref.rows != old.rows for ref, old in zip(merged.refs, base.refs, strict=True)) == 1


async def test_a_moved_content_rewrites_one_page_of_contents_and_no_rows() -> None:
    sealed = Sealed()
    base = await built(3 * pages.ROWS_MAX, sealed)
    before = len(sealed.objects)
    moved = {
        "0001": Moved(content(1).blob, Location("p" * 32, 7)),
        "none": Moved(content(2).blob, Location("p" * 32, 8)),
    }
    merged = await base.merge({}, {}, moved)
    assert [ref.rows for ref in merged.refs] == [ref.rows for ref in base.refs]
    assert len(sealed.objects) == before + 2, "the page of one that is there, and the page where the other would be"
    found = (await Base(sealed, merged.refs).contents(["0001"]))["0001"]
    assert (found, found.location) == (content(1), Location("p" * 32, 7))
    assert (await Base(sealed).merge({}, {}, moved)).refs == []


async def test_a_purged_row_takes_its_content_along() -> None:
    base = await built(3)
    merged = await base.merge({"0001": Item("0001")}, {})
    assert merged.count == 2
    assert (await merged.contents(["0000", "0001", "0002"])).keys() == {"0000", "0002"}


async def test_new_mail_touches_the_last_page_alone() -> None:
    base = await built(2 * pages.ROWS_MAX)
    merged = await base.merge({"9999": item(9999)}, {"9999": content(1)})
    assert merged.refs[0] == base.refs[0]
    assert [ref.count for ref in merged.refs] == [pages.ROWS_MAX, pages.ROWS_MAX, 1]
    again = await merged.merge({"99991": Item("99991")}, {})
    assert again.refs[:2] == merged.refs[:2]


async def test_rows_that_come_in_between_do_not_split_off_a_page_each() -> None:
    base = await built(900)
    random = Random(1)
    for number in random.sample(range(10_000), 400):
        base = await base.merge({f"0{number:04}": Item(f"0{number:04}")}, {})
    assert len(base.refs) <= 2 * -(-base.count // pages.ROWS_MAX) + 1


async def test_contents_of_any_size_leave_pages_that_open() -> None:
    """Senders decide how long a summary is: a page of the longest must not pass what can be opened."""
    sealed = Sealed()
    long = "s" * (pages.PAGE_BYTES_MAX // 3)
    items = {f"{number:04}": item(number) for number in range(9)}
    base = await Base(sealed).merge(items, {item_id: content(1, summary=long) for item_id in items})
    assert max(map(len, sealed.objects.values())) <= pages.PAGE_BYTES_MAX
    assert len(await base.contents(items)) == 9


async def test_a_merge_leaves_the_base_as_it_was_and_shows_nothing_stale() -> None:
    base = await built(10)
    assert (await base.rows(["0001"]))["0001"].value("read") is None
    merged = await base.merge({"0001": item(1, read=5)}, {"0001": content(7)})
    assert (await base.rows(["0001"]))["0001"].value("read") is None
    assert (await base.contents(["0001"]))["0001"] == content(1)
    assert (await merged.rows(["0001"]))["0001"].value("read") == 5
    assert (await merged.contents(["0001"]))["0001"] == content(7)


async def test_a_row_is_the_callers_to_change() -> None:
    base = await built(3)
    (row,) = (await base.rows(["0001"])).values()
    row.offer_set(Rid(9, W, 9, 1), Set("0001", "read", True))
    assert (await base.rows(["0001"]))["0001"].value("read") is None


async def test_nothing_touched_is_the_same_base() -> None:
    base = await built(3)
    assert await base.merge({}, {}) is base
    assert await Base(Sealed()).rows(["0001"]) == {}
    assert [row async for row in Base(Sealed()).items()] == []


async def test_memory_is_bounded_by_the_pages_kept() -> None:
    sealed = Sealed()
    with patch.object(pages, "ROWS_MAX", SMALL):
        base = Base(sealed, (await built(400, sealed)).refs)
        async for _ in base.items():
            pass
    assert len(base._pages) == PAGES_CACHED
    assert base._sizes.keys() == base._pages.keys()


async def test_memory_is_bounded_by_their_bytes_too() -> None:
    sealed = Sealed()
    items = {f"{number:04}": item(number) for number in range(12)}
    long = {item_id: content(1, summary="s" * pages.PAGE_BYTES_MAX) for item_id in items}
    base = Base(sealed, (await Base(sealed).merge(items, long)).refs)
    assert len(base.refs) == 12
    for item_id in items:
        assert (await base.contents([item_id]))[item_id].summary
    assert 0 < sum(base._sizes.values()) <= CACHED_BYTES_MAX
    assert len(base._pages) == CACHED_BYTES_MAX // (pages.PAGE_BYTES_MAX + 999)


@pytest.mark.parametrize("of", ["rows", "contents"])
async def test_a_page_in_use_is_read_once(of: str) -> None:
    sealed = Sealed()
    base = Base(sealed, (await built(10, sealed)).refs)
    for number in range(10):
        await getattr(base, of)([f"{number:04}"])
    assert sealed.reads.total() == 1
