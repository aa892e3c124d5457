"""Views: packed and read back; who stays alive; whose children they are."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from storage.cursor import Rid
from storage.views import (
    BEGUN_KEPT,
    BOTTOM,
    TOP,
    View,
    ViewId,
    Views,
    began_before,
    lineage_name,
    next_lineage,
    pack_view,
    unpack_view,
)
from tests.properties.histories import LINEAGES
from tests.properties.histories import views as drawn_views

W = "a" * 16


def view(lineage: int, generation: int, parent: ViewId | None = None, folder: str = "inbox") -> View:
    return View("phone", folder, f"{lineage:016x}{W}1.1", generation, parent, {}, TOP)


def read(*made: tuple[int, View]) -> Views:
    """Return the views, each made at the time beside it."""
    views = Views()
    for time, each in made:
        views.add(Rid(time, W, time, 1), each)
    return views


def alive(views: Views) -> set[int]:
    """Return the times at which the living were made."""
    return {view_id.n for view_id in views._views}


@given(drawn_views)
def test_what_is_packed_is_read_back(drawn: View) -> None:
    assert unpack_view(pack_view(drawn)) == drawn


@given(st.lists(st.tuples(st.integers(1, 99), drawn_views), max_size=20, unique_by=lambda each: each[0]))
def test_a_checkpoint_carries_all_of_them(made: list[tuple[int, View]]) -> None:
    views = read(*made)
    assert Views.unpack(views.pack()) == views


def test_a_view_is_a_hundred_bytes_whatever_it_says() -> None:
    assert TOP > BOTTOM
    assert min(LINEAGES) < max(LINEAGES)
    assert lineage_name(Rid(5, W, 1, 1)) < lineage_name(Rid(0xFFFFF, W, 1, 1))


def test_a_lineage_is_younger_than_all_before_it_whatever_its_clock_says() -> None:
    views = read((1, view(2, 2)))
    first = next(iter(views._views.values()))
    late = next_lineage(Rid(5, W, 9, 1), views, first.device, first.folder, 0)
    assert late > first.lineage
    assert not began_before(next_lineage(Rid(5, W, 9, 1), Views(), "other", first.folder, 77), 77)


def test_the_two_highest_generations_of_a_lineage_live() -> None:
    assert alive(read((1, view(1, 1)), (2, view(1, 2)), (3, view(1, 3)), (4, view(1, 3)))) == {2, 3, 4}


def test_a_view_that_comes_late_is_as_dead_as_if_it_had_come_in_time() -> None:
    made = [(1, view(1, 1)), (2, view(1, 2)), (3, view(1, 3))]
    assert alive(read(*reversed(made), made[0])) == {2, 3}


def test_a_late_key_of_zero_does_not_kill_the_living_chain() -> None:
    views = read((1, view(1, 5)), (2, view(2, 1)), (3, view(3, 1)))
    assert alive(views) == {1, 2, 3}
    newest = views.newest("phone", "inbox")
    assert newest is not None
    assert newest[0].n == 1


def test_the_two_newest_confirmed_lineages_live_and_none_older() -> None:
    views = read((1, view(1, 2)), (2, view(2, 1)), (3, view(3, 2)), (4, view(4, 2)))
    assert alive(views) == {3, 4}
    views.add(Rid(1, W, 1, 1), view(1, 2))  # the same again
    views.add(Rid(9, W, 9, 1), view(1, 1))
    assert alive(views) == {3, 4}


def test_a_phone_that_asks_with_key_zero_for_ever_costs_a_bounded_number_of_views() -> None:
    many = BEGUN_KEPT + 5
    views = read(*((number, view(number, 1)) for number in range(1, many + 1)))
    assert alive(views) == set(range(many - BEGUN_KEPT + 1, many + 1))
    views.add(Rid(100, W, 100, 1), view(1, 2))  # and yet the phone uses the very first
    assert alive(views) == {*range(many - BEGUN_KEPT + 1, many + 1), 100}


def test_folders_and_devices_do_not_disturb_each_other() -> None:
    other = replace(view(9, 9), device="tablet")
    views = read((1, view(1, 3)), (2, view(2, 3)), (3, view(3, 3, folder="trash")), (4, other))
    assert alive(views) == {1, 2, 3, 4}
    assert set(views.of_device("phone")) == {"inbox", "trash"}
    assert views.of_device("tablet") == ["inbox"]
    assert views.newest("tablet", "trash") is None


def test_children_are_the_views_given_for_a_key_oldest_first() -> None:
    parent = ViewId(W, 1, 1)
    made = [(1, view(1, 1)), (3, view(1, 2, parent)), (2, view(1, 2, parent)), (4, view(1, 2))]
    views = read(*made)
    assert [views.time(parent)] == [1]
    assert views.children(parent) == [made[2][1], made[1][1]]


def test_a_forgotten_device_keeps_what_began_afterwards() -> None:
    views = read((1, view(1, 1)), (8, view(1, 2)), (9, view(7, 1)))
    views.forget("tablet", 100)
    assert alive(views) == {1, 8, 9}
    views.forget("phone", 7)
    assert alive(views) == {9}
    views.forget("phone", 8)
    assert views.of_device("phone") == []
    assert views.get(ViewId(W, 9, 1)) is None
