"""What a device is told of the folders: it ends with the server's list, whatever it had and whatever was lost."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from eas.sync import hierarchy
from storage.cursor import Rid
from storage.folders import Folders
from storage.records import FolderSet
from storage.views import TOP, View, ViewId

Change = tuple[str, str, object]
NAMES = ("work", "home", "old")
names = st.sampled_from(NAMES)
acts = st.one_of(
    st.tuples(names, st.just("name"), st.sampled_from(["A", "B", "C"])),
    st.tuples(names, st.just("parent"), st.sampled_from([None, *NAMES, "inbox"])),
    st.tuples(names, st.just("gone"), st.just(True)),
)


@dataclass
class History:
    """Folders, as records change them."""

    folders: Folders = field(default_factory=Folders)
    n: int = 0

    def apply(self, made: list[Change]) -> None:
        for folder, name, value in made:
            self.n += 1
            self.folders.offer(Rid(self.n, "w", self.n, 1), FolderSet(folder, name, value))


def made() -> History:
    history = History()
    history.apply([(name, key, value) for name in NAMES for key, value in (("name", name), ("type", 12))])
    return history


def view(known: dict[str, bytes], parent: ViewId | None = None) -> View:
    return View("phone", hierarchy.HIERARCHY, "lineage", 1, parent, {}, TOP, known=known)


def applied(held: dict[str, bytes], told: hierarchy.Changes) -> dict[str, bytes]:
    """Return what a phone has that had *held*.  It may be told to delete what it does not have, and add what it has."""
    result = dict(held)
    for folder in told.deleted:
        result.pop(folder, None)
    for one in told.updated:
        assert one.id in held, "an Update of a folder that the phone does not have"
        result[one.id] = one.digest
    for one in told.added:
        assert one.parent is None or one.parent in result, "a folder comes before its parent"
        result[one.id] = one.digest
    return result


@given(st.lists(acts, max_size=8), st.lists(acts, max_size=8))
def test_a_phone_ends_with_the_list(before: list[Change], after: list[Change]) -> None:
    history = made()
    history.apply(before)
    had = hierarchy.digests(history.folders)
    history.apply(after)
    told = hierarchy.changes(history.folders, hierarchy.knowledge(view(had)))
    assert applied(had, told) == hierarchy.digests(history.folders)
    assert told.count == len(told.added) + len(told.updated) + len(told.deleted)
    assert hierarchy.changes(history.folders, hierarchy.digests(history.folders)).count == 0


@given(st.lists(st.lists(acts, max_size=4), min_size=1, max_size=3), st.lists(acts, max_size=4), st.data())
def test_so_does_one_that_missed_answers_or_got_them_in_part(
    lost: list[list[Change]], after: list[Change], data: st.DataObject
) -> None:
    history = made()
    held = had = hierarchy.digests(history.folders)
    children: list[View] = []
    for batch in lost:
        history.apply(batch)
        told = hierarchy.changes(history.folders, hierarchy.knowledge(view(had), children))
        children.append(view(hierarchy.digests(history.folders)))
        if data.draw(st.booleans()):  # it was taken, and the phone died before it noted the key
            held = applied(held, told)
    history.apply(after)
    told = hierarchy.changes(history.folders, hierarchy.knowledge(view(had), children))
    result = dict(held)
    for folder in told.deleted:
        result.pop(folder, None)
    for one in (*told.updated, *told.added):
        result[one.id] = one.digest
    assert result == hierarchy.digests(history.folders)


def test_a_first_list_has_every_folder_once_parents_first() -> None:
    history = made()
    history.apply([("work", "parent", "home"), ("home", "parent", "old")])
    told = hierarchy.changes(history.folders, {})
    assert applied({}, told) == hierarchy.digests(history.folders)
    assert (told.updated, told.deleted) == ((), ())
    places = [folder.id for folder in told.added]
    assert len(set(places)) == len(places)
    assert places.index("old") < places.index("home") < places.index("work")


def test_parents_in_a_circle_are_told_all_the_same() -> None:
    history = made()
    history.apply([("work", "parent", "home"), ("home", "parent", "work")])
    assert applied({}, hierarchy.changes(history.folders, {})) == hierarchy.digests(history.folders)
