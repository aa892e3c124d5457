"""What a device is told of one item, where histories alone would rarely come."""

from eas.sync.delta import Act, Knowledge, pending
from storage.cursor import WHOLE, Rid
from storage.folders import Folders
from storage.items import Item
from storage.records import Added, Set
from storage.views import Floor, View

FIRST, LATER, REMOVER = "a" * 16, "b" * 16, "c" * 16


def told(item: Item, *, floor_ms: int) -> list[Act]:
    """Return what a device is told that has seen all of LATER alone, and has the folder down to a date."""
    view = View("phone", "inbox", "lineage", 2, None, {LATER: (1, WHOLE)}, Floor(floor_ms, ""), low=Floor(floor_ms, ""))
    return [step.act for step in pending(Knowledge.of(view, ()), [item], Folders())]


def twice_added() -> Item:
    """Return an item that came twice, of which the device saw the later date; the first, which counts, came last."""
    item = Item("1item")
    item.offer_added(Rid(20, LATER, 1, 1), Added("1item", "inbox", "Email", 200, None))
    item.offer_added(Rid(10, FIRST, 1, 1), Added("1item", "inbox", "Email", 100, None))
    return item


def test_an_item_that_lies_below_the_floor_by_a_date_that_counts_now_leaves_the_device() -> None:
    assert told(twice_added(), floor_ms=150) == [Act.SOFT_DELETE]
    assert told(twice_added(), floor_ms=50) == [Act.ADD]


def test_its_removal_is_told_although_it_lies_below_the_floor_now() -> None:
    item = twice_added()
    item.offer_set(Rid(30, REMOVER, 1, 1), Set("1item", "folder", None))
    assert told(item, floor_ms=150) == [Act.DELETE]


def test_of_what_came_and_lies_below_the_floor_nothing_is_told() -> None:
    item = Item("1item")
    item.offer_added(Rid(10, FIRST, 1, 1), Added("1item", "inbox", "Email", 100, None))
    assert told(item, floor_ms=150) == []
