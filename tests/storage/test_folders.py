"""The tree: one that every node makes of the same registers, whatever they say."""

from storage.cursor import Rid
from storage.folders import DEFAULTS, INBOX, TRASH, Folders, FolderType
from storage.items import Item
from storage.records import Added, FolderSet, Set

W = "a" * 16


def folders(*told: tuple[str, str, object]) -> Folders:
    """Return the registers after these (folder, name, value), one after the other."""
    made = Folders()
    for n, (folder, name, value) in enumerate(told, 1):
        made.offer(Rid(n, W, n, 1), FolderSet(folder, name, value))
    return made


def place(of: Folders, folder: str) -> tuple[str, str | None]:
    found = of.tree()[folder]
    return found.name, found.parent


def test_every_account_has_the_defaults_and_no_record_changes_them() -> None:
    made = folders(("inbox", "name", "Other"), ("inbox", "gone", True), ("trash", "parent", "inbox"))
    assert {folder.id for folder in made.tree().values()} == {default.id for default in DEFAULTS}
    assert place(made, "inbox") == (INBOX.name, None)
    assert all(folder.is_default for folder in made.tree().values())


def test_what_a_folder_holds_follows_from_its_type() -> None:
    made = folders(("f1", "name", "A"), ("f1", "type", 13), ("f2", "name", "B"))
    assert made.tree()["f1"].holds == "Calendar"
    assert made.tree()["f2"].holds == "Email"
    assert made.tree()["tasks"].holds == "Tasks"
    assert not made.tree()["f1"].is_default


def test_a_type_that_only_a_newer_version_knows_is_shown_as_mail() -> None:
    assert folders(("f1", "name", "A"), ("f1", "type", 99)).tree()["f1"].type is FolderType.USER_MAIL


def test_a_folder_without_a_name_is_not_there_yet() -> None:
    assert "f1" not in folders(("f1", "parent", "inbox")).tree()


def test_siblings_of_one_name_get_numbers_in_the_order_in_which_they_were_named() -> None:
    made = folders(("f2", "name", "News"), ("f1", "name", "news"), ("f3", "name", "Inbox"), ("f4", "name", "news (2)"))
    assert [place(made, f"f{n}")[0] for n in (1, 2, 3, 4)] == ["news (2)", "News", "Inbox (2)", "news (2) (2)"]
    below = folders(("f1", "name", "News"), ("f2", "name", "News"), ("f2", "parent", "f1"))
    assert place(below, "f2") == ("News", "f1")


def test_a_folder_whose_parent_is_gone_hangs_at_the_top() -> None:
    made = folders(("f1", "name", "A"), ("f2", "name", "B"), ("f2", "parent", "f1"), ("f1", "gone", True))
    assert place(made, "f2") == ("B", None)
    assert "f1" not in made.tree()
    assert place(folders(("f1", "name", "A"), ("f1", "parent", "never")), "f1") == ("A", None)


def test_of_a_ring_the_link_that_was_set_last_goes_to_the_top() -> None:
    made = folders(
        *((f"f{n}", "name", f"{n}") for n in (1, 2, 3)), ("f1", "parent", "f2"), ("f2", "parent", "f3"),
        ("f3", "parent", "f1"), ("f4", "name", "4"), ("f4", "parent", "f1"),
    )  # fmt: skip
    assert [place(made, f"f{n}")[1] for n in (1, 2, 3, 4)] == ["f2", "f3", None, "f1"]
    assert place(folders(("f1", "name", "A"), ("f1", "parent", "f1")), "f1") == ("A", None)


def test_removal_is_for_ever_and_stands_at_its_earliest_record() -> None:
    made = folders(("f1", "name", "A"), ("f1", "gone", True), ("f1", "name", "B"), ("f1", "gone", True))
    assert "f1" not in made.tree()
    assert made.gone == {"f1": Rid(2, W, 2, 1)}


def test_members_of_a_removed_folder_rest_in_the_trash() -> None:
    item = Item("1item")
    item.offer_added(Rid(1, W, 1, 1), Added("1item", "f1", "Email", 5, None))
    before, after = folders(("f1", "name", "A")), folders(("f1", "name", "A"), ("f1", "gone", True))
    assert before.resting_place(item) == ("f1", (Rid(1, W, 1, 1),))
    assert after.resting_place(item) == (TRASH.id, (Rid(1, W, 1, 1), Rid(2, W, 2, 1)))
    assert list(before.entering(item, TRASH.id)) == []
    assert list(after.entering(item, TRASH.id)) == [(Rid(1, W, 1, 1), Rid(2, W, 2, 1))]
    item.offer_set(Rid(3, W, 3, 1), Set("1item", "folder", None))
    assert after.resting_place(item).folder is None


def test_a_removed_folder_has_no_members_of_its_own() -> None:
    made = folders(("f1", "name", "A"), ("f1", "gone", True))
    assert made.sources("f1") == set()
    assert made.sources(TRASH.id) == {TRASH.id, "f1"}
    assert made.sources("inbox") == {"inbox"}


def test_what_is_packed_is_read_back() -> None:
    made = folders(("f1", "name", "A"), ("f1", "parent", None), ("f2", "name", "B"), ("f2", "gone", True))
    assert Folders.unpack(made.pack()) == made
    assert Folders.unpack(made.pack()).tree() == made.tree()


def test_the_digest_changes_with_name_parent_and_type() -> None:
    digests = [
        folders(("f1", "name", "A")).tree()["f1"].digest,
        folders(("f1", "name", "B")).tree()["f1"].digest,
        folders(("f1", "name", "A"), ("f1", "parent", "inbox")).tree()["f1"].digest,
        folders(("f1", "name", "A"), ("f1", "type", 13)).tree()["f1"].digest,
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == folders(("f1", "name", "A"), ("f1", "type", 12)).tree()["f1"].digest
