"""FolderUpdate."""

import pytest

from eas.commands import folders
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element
from eas.wbxml.pages import FolderHierarchy, Tag
from storage.records import FolderSet
from tests.commands.hierarchy import FolderList, update
from tests.commands.office import Office, Phone


@pytest.fixture
async def listing(phone: Phone) -> FolderList:
    made = FolderList(phone)
    await made.sync()
    return made


@pytest.mark.parametrize(
    "missing",
    [FolderHierarchy.SyncKey, FolderHierarchy.ServerId, FolderHierarchy.ParentId, FolderHierarchy.DisplayName],
)
async def test_without_an_element_it_is_malformed(listing: FolderList, missing: Tag) -> None:
    request = update(listing.key, await listing.create("Plans"), "Schemes")
    request.children = [child for child in request.children if child.tag is not missing]
    assert await listing.refused(request) == "10"


async def test_a_status_in_the_request_is_malformed(listing: FolderList) -> None:
    request = update(listing.key, await listing.create("Plans"), "Schemes")
    request.children.append(Element(FolderHierarchy.Status, value="1"))
    assert await listing.refused(request) == "10"


@pytest.mark.parametrize("name", ["", " ", "x" * 257, "a\rb"])
async def test_a_name_has_1_to_256_visible_characters(listing: FolderList, name: str) -> None:
    made = await listing.create("Plans")
    assert await listing.refused(update(listing.key, made, name)) == "10"


async def test_a_wrong_key_is_told_before_anything_else(listing: FolderList) -> None:
    assert await listing.refused(update("17", "nowhere", "Schemes")) == "9"


async def test_the_recipient_cache_stays_as_it_is(listing: FolderList) -> None:
    assert await listing.refused(update(listing.key, "RI", "Schemes")) == "3"


@pytest.mark.parametrize("folder", ["f0000", ""])
async def test_an_unknown_folder_is_told(listing: FolderList, folder: str) -> None:
    assert await listing.refused(update(listing.key, folder, "Schemes")) == "4"


@pytest.mark.parametrize("folder", ["inbox", "trash", "archive", "calendar"])
async def test_default_folders_stay_as_they_are(listing: FolderList, folder: str) -> None:
    assert await listing.refused(update(listing.key, folder, "Schemes")) == "2"
    assert await listing.refused(update(listing.key, folder, "Schemes", "sent")) == "2"


@pytest.mark.parametrize("parent", ["f0000", "RI"])
async def test_an_unknown_parent_is_told(listing: FolderList, parent: str) -> None:
    made = await listing.create("Plans")
    assert await listing.refused(update(listing.key, made, "Plans", parent)) == "5"


async def test_a_folder_never_comes_to_lie_in_itself(listing: FolderList) -> None:
    outer = await listing.create("Outer")
    inner = await listing.create("Inner", await listing.create("Middle", outer))
    for parent in (outer, inner):
        assert await listing.refused(update(listing.key, outer, "Outer", parent)) == "5"
    await listing.update(inner, "Inner", outer)
    assert listing.has == await listing.truth()


@pytest.mark.parametrize("name", ["Others", "OTHERS", "inbox"])
async def test_a_name_is_there_once_below_a_parent(listing: FolderList, name: str) -> None:
    await listing.create("Others")
    made = await listing.create("Plans")
    assert await listing.refused(update(listing.key, made, name)) == "2"
    await listing.update(made, name, "sent")


async def test_its_own_name_is_free_in_another_case(listing: FolderList) -> None:
    made = await listing.create("plans")
    await listing.update(made, "Plans")
    assert listing.has == await listing.truth()


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_name_and_parent_change_and_are_not_told_again(office: Office, version: Version) -> None:
    listing = FolderList(Phone(office.node(), version))
    await listing.sync()
    made = await listing.create("Plans")
    await listing.update(made, "Schemes", "inbox")
    await listing.update(made, "Plots", "inbox")
    await listing.update(made, "Plots", "0")
    assert listing.has == await listing.truth()
    assert await listing.sync() == []


async def test_other_devices_are_told(office: Office, listing: FolderList) -> None:
    other = FolderList(Phone(office.node(), device="phone2"))
    made = await listing.create("Plans")
    await other.sync()
    await listing.update(made, "Schemes")
    assert await other.sync() == [("Update", made)]
    assert other.has == listing.has


async def test_asked_again_with_the_previous_key_nothing_changes(office: Office, listing: FolderList) -> None:
    made = await listing.create("Plans")
    again = FolderList(Phone(office.node()), listing.key, dict(listing.has))
    await listing.update(made, "Schemes")
    await again.update(made, "Schemes")
    assert again.has == await again.truth()
    assert await again.sync() == []


async def test_asked_again_it_does_not_undo_what_others_did_since(office: Office, listing: FolderList) -> None:
    made = await listing.create("Plans")
    again = FolderList(Phone(office.node()), listing.key, dict(listing.has))
    await listing.update(made, "Schemes")
    await listing.phone.commit(FolderSet(made, "name", "Plots"))
    await again.update(made, "Schemes")
    assert await again.sync() == [("Update", made)]
    assert again.has[made][1] == "Plots"


async def test_after_a_lost_answer_another_name_counts(listing: FolderList) -> None:
    made = await listing.create("Plans")
    unheard = FolderList(listing.phone, listing.key, dict(listing.has))
    await unheard.update(made, "Schemes")
    await listing.update(made, "Plots")
    assert listing.has == await listing.truth()
    assert await listing.sync() == []


async def test_after_a_lost_answer_folder_sync_tells_what_was_done(listing: FolderList) -> None:
    made = await listing.create("Plans")
    await FolderList(listing.phone, listing.key, dict(listing.has)).update(made, "Schemes")
    other = await listing.create("Other")
    assert await listing.sync() == [("Update", made)]
    assert other in listing.has
    assert listing.has == await listing.truth()


async def test_a_tree_moves_only_as_deep_as_may_be(listing: FolderList) -> None:
    parent, chain = "0", []
    for depth in range(folders.DEPTH_MAX - 1):
        parent = await listing.create(f"{depth}", parent)
        chain.append(parent)
    outer = await listing.create("Outer")
    await listing.create("Inner", outer)
    assert await listing.refused(update(listing.key, outer, "Outer", chain[-1])) == "11"
    await listing.update(outer, "Outer", chain[-2])


async def test_an_empty_request_is_malformed(listing: FolderList) -> None:
    assert await listing.refused(element(FolderHierarchy.FolderUpdate)) == "10"
