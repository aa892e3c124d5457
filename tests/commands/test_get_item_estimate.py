"""GetItemEstimate."""

from datetime import timedelta

import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.settings import Settings
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, GetItemEstimate, Tag
from storage.records import Set
from tests.commands.office import Office, Phone


def new_form(collection: str | None, key: str | None, *options: Element | None, more: Element | None = None) -> Element:
    """Write a Collection as from 14.0 on."""
    return element(
        GetItemEstimate.Collection,
        leaf(AirSync.SyncKey, key),
        leaf(GetItemEstimate.CollectionId, collection),
        more,
        element(AirSync.Options, *options) if options else None,
    )


def old_form(collection: str, key: str, filter_type: int | None) -> Element:
    """Write a Collection as up to 12.1."""
    return element(
        GetItemEstimate.Collection,
        leaf(GetItemEstimate.Class, "Email"),
        leaf(GetItemEstimate.CollectionId, collection),
        leaf(AirSync.FilterType, filter_type),
        leaf(AirSync.SyncKey, key),
    )


def days(filter_type: int) -> Element | None:
    return leaf(AirSync.FilterType, filter_type)


async def ask(phone: Phone, *collections: Element) -> Element:
    return await phone.ask(element(GetItemEstimate.GetItemEstimate, element(GetItemEstimate.Collections, *collections)))


async def estimates(phone: Phone, *collections: Element) -> list[tuple[str, int | None]]:
    """Return Status and Estimate of each."""
    found = []
    for response, asked in zip((await ask(phone, *collections)).children, collections, strict=True):
        inner = response.first(GetItemEstimate.Collection)
        assert inner is not None
        assert inner.text(GetItemEstimate.CollectionId) == asked.text(GetItemEstimate.CollectionId)
        found.append((response.text(GetItemEstimate.Status), inner.number_or(GetItemEstimate.Estimate, None)))
    return found


async def synced(phone: Phone, key: str = "0", folder: str = "inbox", window: int = 100) -> str:
    """Sync a folder and return the new key."""
    collection = element(
        AirSync.Collection,
        leaf(AirSync.SyncKey, key),
        leaf(AirSync.CollectionId, folder),
        leaf(AirSync.WindowSize, window),
        element(AirSync.Options, leaf(AirSync.FilterType, 0)),
    )
    root = await phone.ask(element(AirSync.Sync, element(AirSync.Collections, collection)))
    collections = root.first(AirSync.Collections)
    assert collections is not None
    return collections.children[0].text(AirSync.SyncKey)


@pytest.mark.parametrize("missing", [GetItemEstimate.CollectionId, AirSync.SyncKey])
async def test_without_an_element_it_is_invalid(phone: Phone, missing: Tag) -> None:
    collection = new_form("inbox", "0")
    collection.children = [child for child in collection.children if child.tag is not missing]
    assert (await ask(phone, collection)).text(GetItemEstimate.Status) == "103"


async def test_without_collections_it_is_invalid(office: Office, phone: Phone) -> None:
    for request in (
        element(GetItemEstimate.GetItemEstimate),
        element(GetItemEstimate.GetItemEstimate, element(GetItemEstimate.Collections)),
    ):
        assert (await phone.ask(request)).text(GetItemEstimate.Status) == "103"
        old = Phone(office.node(), Version.V12_1)
        assert await old.post(request) is None
        assert old.last.status == 400


@pytest.mark.parametrize(
    "collection",
    [
        new_form("", "0"),
        new_form("x" * 65, "0"),
        new_form("inbox", "0", days(9)),
        new_form("inbox", "0", days(-1)),
        new_form("calendar", "0", more=leaf(AirSync.ConversationMode, 1)),
        old_form("inbox", "0", 9),
    ],
)
async def test_what_no_folder_can_have_is_invalid(phone: Phone, collection: Element) -> None:
    assert (await ask(phone, collection)).text(GetItemEstimate.Status) == "103"


async def test_two_blocks_of_options_for_one_class_are_invalid(phone: Phone) -> None:
    collection = new_form("inbox", "0", days(1))
    collection.children.append(collection.children[-1])
    assert (await ask(phone, collection)).text(GetItemEstimate.Status) == "103"


@pytest.mark.parametrize("filter_type", [6, 7, 8])
async def test_a_filter_that_mail_does_not_have_is_refused(phone: Phone, filter_type: int) -> None:
    collection = new_form("inbox", await synced(phone), days(filter_type))
    assert (await ask(phone, collection)).text(GetItemEstimate.Status) == "110"


async def test_so_many_collections_are_too_many(phone: Phone) -> None:
    most = Settings().collections_max
    assert len(await estimates(phone, *(new_form("inbox", "0") for _ in range(most)))) == most
    root = await ask(phone, *(new_form("inbox", "0") for _ in range(most + 1)))
    assert root.text(GetItemEstimate.Status) == "103"


async def test_unknown_folders_keys_and_beginnings_are_told_each_by_itself(phone: Phone) -> None:
    await phone.deliver("one")
    key = await synced(phone)
    assert await estimates(
        phone,
        new_form("nowhere", key),
        new_form("inbox", "0"),
        new_form("inbox", "17"),
        new_form("sent", key),
        new_form("inbox", key, leaf(AirSync.MaxItems, 5)),
        new_form("inbox", key),
    ) == [("2", None), ("3", None), ("4", None), ("4", None), ("2", None), ("1", 1)]


async def test_the_key_of_another_device_is_unknown(phone: Phone) -> None:
    other = Phone(phone.node, device="phone2")
    assert await estimates(other, new_form("inbox", await synced(phone))) == [("4", None)]


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_both_forms_are_read_in_any_order_and_version(office: Office, version: Version) -> None:
    phone = Phone(office.node(), version)
    await phone.deliver("one", "two")
    await phone.deliver("old", days_old=40)
    key = await synced(phone)
    old, new = old_form("inbox", key, 5), new_form("inbox", key, days(5))
    backwards = old_form("inbox", key, 5)
    backwards.children.reverse()
    if version >= Version.V14_0:
        old.children.pop(0)
        backwards.children.pop()
    assert await estimates(phone, old, backwards, new) == [("1", 2)] * 3
    root = await ask(phone, new)
    assert not root.children[0].children[1].has(GetItemEstimate.Class)  # of 12.0 and before


async def test_without_options_there_is_no_filter(phone: Phone) -> None:
    await phone.deliver("one")
    await phone.deliver("old", days_old=400)
    key = await synced(phone)
    assert await estimates(phone, new_form("inbox", key)) == [("1", 2)]
    assert await estimates(phone, new_form("inbox", key, days(1))) == [("1", 1)]


async def test_adds_changes_and_deletes_count(phone: Phone) -> None:
    await phone.deliver("one", "two", "three")
    key = await synced(phone, await synced(phone))
    assert await estimates(phone, new_form("inbox", key)) == [("1", 0)]
    await phone.deliver("four")
    await phone.commit(Set("one", "read", True), Set("two", "folder", "archive"))
    assert await estimates(phone, new_form("inbox", key)) == [("1", 3)]


async def test_it_counts_what_is_left_and_uses_up_no_key(office: Office, phone: Phone) -> None:
    await phone.deliver(*(f"m{n:04}" for n in range(600)))
    first = await synced(phone)
    assert await estimates(phone, new_form("inbox", first)) == [("1", 600)]
    second = await synced(phone, first, window=50)
    assert await estimates(phone, new_form("inbox", second)) == [("1", 550)]
    before = dict((await phone.state()).commits)
    assert await estimates(phone, new_form("inbox", second)) == [("1", 550)]
    assert (await phone.state()).commits == before
    office.now += timedelta(days=1)
    assert await estimates(Phone(office.node()), new_form("inbox", second)) == [("1", 550)]


async def test_what_leaves_a_smaller_window_counts(phone: Phone) -> None:
    await phone.deliver("one")
    await phone.deliver("old", days_old=40)
    key = await synced(phone, await synced(phone))
    assert await estimates(phone, new_form("inbox", key, days(5))) == [("1", 1)]


async def test_the_recipient_cache_is_empty(phone: Phone) -> None:
    assert await estimates(phone, new_form("RI", await synced(phone, folder="RI"))) == [("1", 0)]
