"""FolderDelete."""

import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import element
from eas.wbxml.pages import FolderHierarchy
from storage.records import FolderSet
from storage.views import BOTTOM, TOP
from tests.commands.hierarchy import FolderList, delete
from tests.commands.office import Office, Phone


@pytest.fixture
async def listing(phone: Phone) -> FolderList:
    made = FolderList(phone)
    await made.sync()
    return made


async def test_without_an_element_it_is_malformed(listing: FolderList) -> None:
    assert await listing.refused(element(FolderHierarchy.FolderDelete)) == "10"
    assert await listing.refused(delete(listing.key, None)) == "10"


async def test_a_wrong_key_is_told_before_anything_else(listing: FolderList) -> None:
    assert await listing.refused(delete("17", "nowhere")) == "9"


@pytest.mark.parametrize("folder", ["inbox", "trash", "junk", "contacts", "RI"])
async def test_default_folders_stay(listing: FolderList, folder: str) -> None:
    assert await listing.refused(delete(listing.key, folder)) == "3"


@pytest.mark.parametrize("folder", ["f0000", "", "x" * 1000])
async def test_an_unknown_folder_is_told(listing: FolderList, folder: str) -> None:
    assert await listing.refused(delete(listing.key, folder)) == "4"


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_the_folder_goes_and_is_not_told_again(office: Office, version: Version) -> None:
    listing = FolderList(Phone(office.node(), version))
    await listing.sync()
    made = await listing.create("Plans")
    await listing.delete(made)
    assert listing.has == await listing.truth()
    assert await listing.sync() == []
    assert await listing.refused(delete(listing.key, made)) == "4"


async def test_what_lies_in_it_goes_too_and_is_not_told(listing: FolderList) -> None:
    outer = await listing.create("Outer")
    await listing.create("Inmost", await listing.create("Inner", outer))
    await listing.delete(outer)
    assert listing.has == await listing.truth()
    assert await listing.sync() == []


async def test_other_devices_are_told_of_all_that_went(office: Office, listing: FolderList) -> None:
    outer = await listing.create("Outer")
    inner = await listing.create("Inner", outer)
    other = FolderList(Phone(office.node(), device="phone2"))
    await other.sync()
    await listing.delete(outer)
    assert set(await other.sync()) == {("Delete", outer), ("Delete", inner)}


async def test_its_items_are_found_in_deleted_items(listing: FolderList) -> None:
    made = await listing.create("Plans")
    inner = await listing.create("Inner", made)
    await listing.phone.deliver("one", folder=made)
    await listing.phone.deliver("two", folder=inner)
    await listing.delete(made)
    members = await (await listing.phone.state()).members("trash", BOTTOM, TOP)
    assert {item.id for item in members} == {"one", "two"}


async def test_asked_again_with_the_previous_key_it_is_gone_all_the_same(office: Office, listing: FolderList) -> None:
    outer = await listing.create("Outer")
    await listing.create("Inner", outer)
    again = FolderList(Phone(office.node()), listing.key, dict(listing.has))
    await listing.delete(outer)
    await again.delete(outer)
    assert again.has == await again.truth()
    assert await again.sync() == []


async def test_a_folder_that_somebody_else_removed_is_gone_as_wished(listing: FolderList) -> None:
    made = await listing.create("Plans")
    await listing.phone.commit(FolderSet(made, "gone", True))
    await listing.delete(made)
    assert await listing.sync() == []


async def test_after_a_lost_answer_folder_sync_tells_what_went(listing: FolderList) -> None:
    outer = await listing.create("Outer")
    inner = await listing.create("Inner", outer)
    await FolderList(listing.phone, listing.key, dict(listing.has)).delete(outer)
    assert set(await listing.sync()) == {("Delete", outer), ("Delete", inner)}
    assert listing.has == await listing.truth()


async def test_what_others_did_is_still_told(listing: FolderList) -> None:
    made = await listing.create("Plans")
    await listing.phone.commit(FolderSet("theirs", "name", "Theirs"))
    await listing.delete(made)
    assert await listing.sync() == [("Add", "theirs")]
    assert listing.has == await listing.truth()


async def test_what_others_put_into_it_meanwhile_goes_too(listing: FolderList) -> None:
    made = await listing.create("Plans")
    await listing.phone.commit(FolderSet("theirs", "name", "Theirs"), FolderSet("theirs", "parent", made))
    await listing.delete(made)
    assert await listing.sync() == []
    assert listing.has == await listing.truth()


async def test_what_others_moved_out_of_it_stays_on_the_phone(office: Office, listing: FolderList) -> None:
    outer = await listing.create("Outer")
    inner = await listing.create("Inner", outer)
    await listing.phone.commit(FolderSet(inner, "parent", "inbox"))
    await listing.delete(outer)
    assert inner not in listing.has
    assert await listing.sync() == [("Add", inner)]
    assert listing.has == await listing.truth()


async def test_what_others_moved_into_it_goes_from_the_phone(office: Office, listing: FolderList) -> None:
    outer = await listing.create("Outer")
    inner = await listing.create("Inner")
    await listing.phone.commit(FolderSet(inner, "parent", outer))
    await listing.delete(outer)
    assert inner in listing.has
    assert await listing.sync() == [("Delete", inner)]
    assert listing.has == await listing.truth()
