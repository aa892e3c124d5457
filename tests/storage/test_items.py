"""Rows: who put an item where, which values it has, and which of several adds counts."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from storage.cursor import Rid
from storage.items import Item, pack_item, unpack_item
from storage.records import Added, Content, Set, Stamp
from storage.state import Commit
from storage.views import Floor
from tests.properties.histories import item_histories, rids
from tests.storage.nodes import content

W, X = "a" * 16, "b" * 16


def added(date: int, of: Content | None, stamp: int, folder: str = "inbox", device: str = "") -> Added:
    return Added("1item", folder, "Email", date, of, {"read": bool(date % 2)}, device, Stamp(stamp, "", (0, 0)))


def row(*told: tuple[Rid, Added | Set]) -> Item:
    item = Item("1item")
    for rid, record in told:
        if isinstance(record, Added):
            item.offer_added(rid, record)
        else:
            item.offer_set(rid, record)
    return item


def rid(n: int, writer: str = W) -> Rid:
    return Rid(n, writer, n, 1)


@given(item_histories)
def test_what_is_packed_is_read_back(commits: list[Commit]) -> None:
    items: dict[str, Item] = {}
    for at, record in rids(commits):
        item = items.setdefault(record.item, Item(record.item))
        offer = item.offer_added if isinstance(record, Added) else item.offer_set
        offer(at, record)
    for item in items.values():
        assert unpack_item(pack_item(item)) == item == item.copy()


def test_of_two_adds_the_lowest_stamp_supplies_date_and_first_values() -> None:
    first, second = (rid(9, X), added(1, None, 3)), (rid(1), added(2, None, 5, "junk"))
    for order in permutations([first, second, second]):
        item = row(*order)
        assert item.floor == Floor(1, "1item")
        assert item.value("read") is True
        assert item.membership == ("inbox", (first[0],))
        assert item.entries == {"inbox": [first[0]], "junk": [second[0]]}


def test_an_add_without_content_takes_nobodys_content_away() -> None:
    bare, full = (rid(1), added(1, None, 1)), (rid(2), added(1, content(2, 7), 2))
    later = (rid(3), added(1, content(3, 9), 3))
    for order in permutations([bare, full, later]):
        item = Item("1item")
        source = None
        for at, record in order:
            if item.offer_added(at, record):
                source = record.content
        assert source == content(2, 7)
        assert item.size_bytes == 7
    assert row(bare).size_bytes == 0


def test_a_set_before_the_add_is_kept_for_it() -> None:
    moved = (rid(5), Set("1item", "folder", "archive", stamp=Stamp(0, "~phone", (1, 1))))
    item = row(moved)
    assert not item.exists
    assert item.membership == (None, ())
    assert item.date_ms == item.size_bytes == 0
    item.offer_added(rid(9, X), added(4, None, 99))
    assert item.exists
    assert item.membership == ("archive", (rid(5), rid(9, X)))


def test_initial_values_rank_below_every_later_write() -> None:
    item = row((rid(1), Set("1item", "read", False)), (rid(9, X), added(1, None, 99)))
    assert item.value("read") is False
    assert item.value("flag", "none") == "none"


def test_removal_is_the_folder_nowhere_and_a_later_write_undoes_it() -> None:
    item = row((rid(1), added(1, None, 1)), (rid(2), Set("1item", "folder", None)))
    assert item.membership.folder is None
    item.offer_set(rid(3), Set("1item", "folder", "inbox"))
    assert item.membership == ("inbox", (rid(3), rid(1)))
    assert item.entries["inbox"] == [rid(1), rid(3)]


def test_a_tie_of_stamps_goes_to_the_greater_record_whatever_came_first() -> None:
    stamp = Stamp(5, "~phone", (1, 1))
    one, other = (rid(1), Set("1item", "read", 1, stamp=stamp)), (rid(1, X), Set("1item", "read", 2, stamp=stamp))
    assert row(one, other).value("read") == row(other, one).value("read") == 2


def test_whose_doing_it_was() -> None:
    item = row((rid(1), added(1, None, 1, device="phone")), (rid(2), Set("1item", "read", True, device="tablet")))
    assert item.device_of(rid(1)) == "phone"
    assert item.device_of(rid(2)) == "tablet"
    assert item.device_of(rid(3)) == ""
    assert item.added_by("phone", "inbox")
    assert not item.added_by("phone", "junk")
    assert not item.added_by("tablet", "inbox")


@given(st.integers(0, 100))
def test_a_changed_content_has_the_size_that_counts(size: int) -> None:
    item = row((rid(1), added(1, content(1, 7), 1)), (rid(2), Set("1item", "content", content(2, size))))
    assert item.size_bytes == size
