"""FolderCreate."""

import pytest

from eas.commands import folders
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import element, leaf
from eas.wbxml.pages import FolderHierarchy, Tag
from storage.records import FolderSet
from tests.commands.hierarchy import FolderList, create
from tests.commands.office import Office, Phone


@pytest.fixture
async def listing(phone: Phone) -> FolderList:
    made = FolderList(phone)
    await made.sync()
    return made


@pytest.mark.parametrize(
    "missing", [FolderHierarchy.SyncKey, FolderHierarchy.ParentId, FolderHierarchy.DisplayName, FolderHierarchy.Type]
)
async def test_without_an_element_it_is_malformed(listing: FolderList, missing: Tag) -> None:
    request = create(listing.key, "Plans")
    request.children = [child for child in request.children if child.tag is not missing]
    assert await listing.refused(request) == "10"


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 18, 19, -1, 1 << 40])
async def test_default_and_unknown_types_cannot_be_made(listing: FolderList, kind: int) -> None:
    assert await listing.refused(create(listing.key, "Plans", kind=kind)) == "10"


async def test_a_type_that_is_no_number_is_malformed(listing: FolderList) -> None:
    request = create(listing.key, "Plans", kind=None)
    request.children.append(element(FolderHierarchy.Type))
    assert await listing.refused(request) == "10"


@pytest.mark.parametrize("name", ["", "   ", "x" * 257, "a\nb", "a\tb"])
async def test_a_name_has_1_to_256_visible_characters(listing: FolderList, name: str) -> None:
    assert await listing.refused(create(listing.key, name)) == "10"


async def test_a_name_may_have_256_characters(listing: FolderList) -> None:
    await listing.create("é" * 256)
    assert listing.has == await listing.truth()


@pytest.mark.parametrize("key", ["0", "1", "", "x" * 300])
async def test_a_key_that_was_never_given_is_refused(listing: FolderList, key: str) -> None:
    assert await listing.refused(create(key, "Plans")) == "9"


async def test_the_key_of_another_device_is_refused(office: Office, listing: FolderList) -> None:
    other = FolderList(Phone(listing.phone.node, device="phone2"))
    assert await other.refused(create(listing.key, "Plans")) == "9"


async def test_the_key_before_the_previous_is_refused(listing: FolderList) -> None:
    old = listing.key
    await listing.create("One")
    await listing.create("Two")
    assert await listing.refused(create(old, "Three")) == "9"


async def test_an_unknown_parent_is_told(listing: FolderList) -> None:
    assert await listing.refused(create(listing.key, "Plans", "f0000")) == "5"


async def test_nothing_lies_in_the_recipient_cache(listing: FolderList) -> None:
    assert await listing.refused(create(listing.key, "Plans", "RI")) == "3"


@pytest.mark.parametrize("name", ["Plans", "plans", "PLANS"])
async def test_a_name_is_there_once_below_a_parent_in_any_case(listing: FolderList, name: str) -> None:
    await listing.create("Plans")
    assert await listing.refused(create(listing.key, name)) == "2"
    await listing.create(name, "inbox")
    assert await listing.refused(create(listing.key, "INBOX")) == "2"


async def test_what_is_refused_uses_up_no_key_and_makes_nothing(listing: FolderList) -> None:
    before = await listing.truth()
    for request in (create(listing.key, "inbox"), create(listing.key, "Plans", "f0")):
        await listing.refused(request)
    await listing.create("Plans")
    assert len(await listing.truth()) == len(before) + 1


@pytest.mark.parametrize("kind", [1, 12, 13, 14, 15, 16, 17])
async def test_the_new_folder_is_there_and_is_not_told_again(listing: FolderList, kind: int) -> None:
    await listing.create("Plans", kind=kind)
    assert listing.has == await listing.truth()
    assert await listing.sync() == []


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_it_works_in_every_version(office: Office, version: Version) -> None:
    listing = FolderList(Phone(office.node(), version))
    await listing.sync()
    await listing.create("Plans", "inbox")
    assert listing.has == await listing.truth()


async def test_what_others_did_is_still_told(listing: FolderList) -> None:
    await listing.phone.commit(FolderSet("theirs", "name", "Theirs"))
    mine = await listing.create("Mine")
    assert await listing.sync() == [("Add", "theirs")]
    assert mine in listing.has
    assert listing.has == await listing.truth()


async def test_asked_again_with_the_previous_key_it_is_the_same_folder(office: Office, listing: FolderList) -> None:
    key = listing.key
    first = await listing.create("Plans")
    again = FolderList(Phone(office.node()), key, dict(listing.has))
    assert await again.create("Plans") == first
    assert again.has == await again.truth()
    assert await again.sync() == []
    assert await FolderList(listing.phone, again.key).sync() == []


async def test_an_answer_lost_on_the_way_is_made_up_for_by_folder_sync(listing: FolderList) -> None:
    made = await FolderList(listing.phone, listing.key).create("Plans")
    assert await listing.sync() == [("Add", made)]
    assert listing.has == await listing.truth()


async def test_asked_again_after_others_changed_it_their_change_is_told(office: Office, listing: FolderList) -> None:
    key, has = listing.key, dict(listing.has)
    made = await listing.create("Plans")
    await listing.phone.commit(FolderSet(made, "name", "Schemes"))
    again = FolderList(Phone(office.node()), key, has)
    assert await again.create("Plans") == made
    assert await again.sync() == [("Update", made)]
    await again.phone.commit(FolderSet(made, "gone", True))
    removed = FolderList(Phone(office.node()), key, has)
    assert await removed.refused(create("0", "Plans")) == "9"


async def test_asked_again_after_it_was_removed_it_is_not_made_again(office: Office, listing: FolderList) -> None:
    again = FolderList(Phone(office.node()), listing.key, dict(listing.has))
    made = await listing.create("Plans")
    await listing.phone.commit(FolderSet(made, "gone", True))
    assert await again.create("Plans") == made
    assert await again.sync() == [("Delete", made)]
    assert again.has == await again.truth()


async def test_another_request_with_the_previous_key_keeps_what_the_lost_answer_may_have_told(
    listing: FolderList,
) -> None:
    unheard = FolderList(listing.phone, listing.key, dict(listing.has))
    await listing.phone.commit(FolderSet("theirs", "name", "Theirs"))
    await unheard.sync()
    await listing.phone.commit(FolderSet("theirs", "gone", True))
    mine = await listing.create("Mine")
    assert await listing.sync() == [("Delete", "theirs")]
    assert mine in listing.has


async def test_two_devices_may_make_the_same_name_at_the_same_time(office: Office) -> None:
    one, two = (FolderList(Phone(office.node(), device=name)) for name in ("one", "two"))
    await one.sync()
    await two.sync()
    async with two.phone.account.turn():
        pass
    first = await one.create("Plans")
    assert await two.refused(create(two.key, "Plans")) == "2"
    await two.phone.commit(FolderSet("clash", "name", "Plans"))
    await one.sync()
    assert {one.has[first][1], one.has["clash"][1]} == {"Plans", "Plans (2)"}


async def test_there_are_at_most_so_many_folders(listing: FolderList, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = folders.FOLDERS_MAX - len(await listing.truth())
    await listing.phone.commit(*(FolderSet(f"f{n}", "name", f"Folder {n}") for n in range(missing - 1)))
    await listing.create("The last")
    assert await listing.refused(create(listing.key, "One more")) == "11"


async def test_folders_lie_in_each_other_only_so_deep(listing: FolderList) -> None:
    parent = "0"
    for depth in range(folders.DEPTH_MAX):
        parent = await listing.create(f"{depth}", parent)
    assert await listing.refused(create(listing.key, "deeper", parent)) == "11"


async def test_two_names_are_read_as_the_first(listing: FolderList) -> None:
    request = create(listing.key, "Plans")
    request.children.append(leaf(FolderHierarchy.DisplayName, "Others") or element(FolderHierarchy.DisplayName))
    root = await listing.phone.ask(request)
    assert (await listing.truth())[root.text(FolderHierarchy.ServerId)] == ("0", "Plans", "12")
