"""Pages: rows in order, divided so that each page opens, and a directory that says what is in them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.items import Item
from storage.pages import (
    NOWHERE,
    PAGE_BYTES_MAX,
    ROWS_MAX,
    PageRef,
    by_page,
    describe,
    pack_contents,
    pack_one,
    pack_page,
    pack_ref,
    page_of,
    split,
    unpack_contents,
    unpack_page,
)
from storage.records import Added, Location, Set, UnknownRecord, pack, pack_located, unpack, unpack_located
from storage.state import Commit
from storage.views import BOTTOM, TOP, Floor
from tests.properties.histories import FOLDERS, floors, item_histories, rids
from tests.storage.nodes import content


def rows_of(commits: list[Commit]) -> list[Item]:
    items: dict[str, Item] = {}
    for rid, record in rids(commits):
        item = items.setdefault(record.item, Item(record.item))
        if isinstance(record, Added):
            item.offer_added(rid, record)
        else:
            item.offer_set(rid, record)
    return [items[item_id] for item_id in sorted(items)]


@given(item_histories, st.sets(st.sampled_from(FOLDERS)), floors, floors)
def test_a_page_gives_back_its_rows_and_where_they_are(
    commits: list[Commit], folders: set[str], low: Floor, high: Floor
) -> None:
    items = rows_of(commits)
    page = unpack_page(pack_page(items))
    assert list(page.items()) == items
    for item in items:
        assert page.find(item.id) == item
    assert page.find("zz") is None
    assert page.find("") is None
    expected = [item.floor for item in items if item.membership.folder in folders and low <= item.floor < high]
    assert list(page.floors(folders, low, high)) == expected
    assert not list(page.floors({NOWHERE}, BOTTOM, TOP)) or any(item.membership.folder is None for item in items)


@given(item_histories)
def test_the_directory_says_how_many_are_where_and_how_old(commits: list[Commit]) -> None:
    items = rows_of(commits)
    if not items:
        return
    ref = describe(items, items[0].id, "rows", "contents")
    assert PageRef(*pack_ref(ref)) == ref
    assert ref.count == len(items) == sum(ref.folders.values())
    assert ref.earliest_ms == min(item.date_ms for item in items)
    assert ref.latest_ms == max(item.date_ms for item in items)
    assert ref.size_bytes == sum(item.size_bytes for item in items if item.membership.folder)
    assert ref.folders.get(NOWHERE, 0) == sum(item.membership.folder is None for item in items)


def test_contents_lie_apart_and_are_found_by_id() -> None:
    page = unpack_contents(pack_contents({"1item": pack_one(content(1, summary=["subject"]))}))
    assert page.find("1item") == content(1, summary=["subject"])
    assert page.find("2item") is None
    assert page.summary("1item") == ["subject"]


def test_a_page_says_where_a_content_was_moved_to_and_a_record_does_not() -> None:
    moved = replace(content(1, summary=["subject"]), location=Location("p" * 32, 5))
    found = unpack_contents(pack_contents({"1item": pack_one(moved)})).find("1item")
    assert found is not None
    assert found == moved == content(1, summary=["subject"])
    assert found.location == moved.location
    told = unpack(pack(Added("1item", "inbox", "Email", 5, moved)))
    assert isinstance(told, Added)
    assert told.content is not None
    assert told.content.location is None


@pytest.mark.parametrize("location", [[], ["p" * 32], ["p" * 32, -1], ["p" * 32, "0"], ["../x", 0], "p" * 32, 5])
def test_what_is_no_place_in_a_pack_is_refused(location: object) -> None:
    packed = [*pack_located(content(1)), location]
    with pytest.raises(UnknownRecord):
        unpack_located(packed)


def test_what_a_newer_version_adds_to_a_content_is_passed_over() -> None:
    packed = pack_located(content(1))
    assert unpack_located([*packed, None, "more"]) == content(1)
    assert unpack_located([*packed, ["p" * 32, 5], "more"]).location == Location("p" * 32, 5)


sizes = st.lists(st.sampled_from([1, 100, PAGE_BYTES_MAX // 2, PAGE_BYTES_MAX, PAGE_BYTES_MAX + 1]), max_size=40)


@given(sizes | st.integers(0, 5 * ROWS_MAX).map(lambda count: [1] * count), st.booleans())
def test_every_stretch_fits_a_page_or_is_one_row(sizes: list[int], is_last: bool) -> None:
    parts = split(sizes, is_last=is_last)
    assert [place for part in parts for place in part] == list(range(len(sizes)))
    for part in parts:
        assert len(part) <= 1 or (len(part) <= ROWS_MAX and sum(sizes[place] for place in part) <= PAGE_BYTES_MAX)


def test_the_last_page_is_filled_and_one_in_between_is_halved() -> None:
    sizes = [1] * (ROWS_MAX + 1)
    assert list(map(len, split(sizes, is_last=True))) == [ROWS_MAX, 1]
    assert list(map(len, split(sizes, is_last=False))) == [ROWS_MAX // 2, ROWS_MAX // 2 + 1]
    assert list(map(len, split(sizes[:-1], is_last=False))) == [ROWS_MAX]


def test_a_page_is_bounded_in_bytes_too() -> None:
    assert list(map(len, split([PAGE_BYTES_MAX // 2] * 3, is_last=True))) == [2, 1]
    assert list(map(len, split([PAGE_BYTES_MAX // 2 + 1] * 2, is_last=True))) == [1, 1]
    assert list(map(len, split([PAGE_BYTES_MAX * 9], is_last=False))) == [1]


ids = st.text(st.sampled_from("0123"), min_size=1, max_size=3)


@given(st.lists(ids, unique=True).map(sorted), st.lists(ids))
def test_a_row_s_page_is_the_last_that_begins_at_or_before_it(firsts: list[str], wanted: list[str]) -> None:
    for item_id in wanted:
        place = page_of(firsts, item_id)
        if not firsts:
            assert place is None
        else:
            before = [at for at, first in enumerate(firsts) if first <= item_id]
            assert place == (before[-1] if before else 0)
    grouped = by_page(firsts, wanted)
    assert sorted(item_id for group in grouped.values() for item_id in group) == sorted(wanted)


def test_a_removed_row_is_nowhere() -> None:
    item = Item("1item")
    (at, record), (other, removal) = rids(
        [Commit("a" * 16, 1, 1, [Added("1item", "inbox", "Email", 3, content(1)), Set("1item", "folder", None)])]
    )
    item.offer_added(at, record)
    ref = describe([item], "1item", "", "")
    assert (ref.folders, ref.size_bytes) == ({"inbox": 1}, 3)
    item.offer_set(other, removal)
    ref = describe([item], "1item", "", "")
    assert (ref.folders, ref.size_bytes) == ({NOWHERE: 1}, 0)
