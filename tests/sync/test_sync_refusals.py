"""Sync asked wrongly: what is refused as a whole, what for one collection, and what is overlooked."""

import pytest

from eas.commands.sync_request import COMMANDS_MAX, ID_CHARS_MAX
from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email
from tests.eas.world import World
from tests.support.client import EasClient
from tests.support.sync_requests import fetch
from tests.sync.asking import INBOX, TAG, ask, collection, root_status, statuses, sync

OPTIONS, PREFERENCE = AirSync.Options, AirSyncBase.BodyPreference


def key_of(phone: EasClient, folder: str = INBOX) -> str:
    return phone.mailbox.folder(folder).sync_key


def options(*children: Element | None) -> Element:
    return element(OPTIONS, *children)


WRONG: dict[str, tuple[Element, ...]] = {
    "GetChanges 1 with key 0": (leaf(TAG.GetChanges, 1),),  # type: ignore[dict-item]
    "empty GetChanges with key 0": (empty(TAG.GetChanges),),
    "GetChanges 2": (leaf(TAG.GetChanges, 2),),  # type: ignore[dict-item]
    "DeletesAsMoves x": (leaf(TAG.DeletesAsMoves, "x"),),  # type: ignore[dict-item]
    "wrong order": (leaf(TAG.WindowSize, 5), leaf(TAG.DeletesAsMoves, 1)),  # type: ignore[dict-item]
    "WindowSize -1": (leaf(TAG.WindowSize, -1),),  # type: ignore[dict-item]
    "WindowSize text": (leaf(TAG.WindowSize, "many"),),  # type: ignore[dict-item]
    "FilterType 9": (options(leaf(TAG.FilterType, 9)),),
    "FilterType -1": (options(leaf(TAG.FilterType, -1)),),
    "FilterType text": (options(leaf(TAG.FilterType, "all")),),
    "MIMESupport 3": (options(leaf(TAG.MIMESupport, 3)),),
    "MIMETruncation 9": (options(leaf(TAG.MIMETruncation, 9)),),
    "Conflict 2": (options(leaf(TAG.Conflict, 2)),),
    "BodyPreference Type 0": (options(element(PREFERENCE, leaf(AirSyncBase.Type, 0))),),
    "BodyPreference Type 5": (options(element(PREFERENCE, leaf(AirSyncBase.Type, 5))),),
    "TruncationSize 2^32": (
        options(element(PREFERENCE, leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.TruncationSize, 1 << 32))),
    ),
    "AllOrNone 7": (options(element(PREFERENCE, leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.AllOrNone, 7))),),
    "two Options of one class": (options(leaf(TAG.Class, "Email")), options(leaf(TAG.Class, "Email"))),
    "two Options of two classes": (options(leaf(TAG.Class, "Email")), options(leaf(TAG.Class, "Tasks"))),
    "two Options for SMS": (options(leaf(TAG.Class, "SMS")), options(leaf(TAG.Class, "SMS"))),
    "a command that is none": (element(TAG.Commands, empty(TAG.Supported)),),
    "Add without ClientId": (element(TAG.Commands, element(TAG.Add, empty(TAG.ApplicationData))),),
    "Add without data": (element(TAG.Commands, element(TAG.Add, leaf(TAG.ClientId, "1"))),),
    "ClientId too long": (
        element(TAG.Commands, element(TAG.Add, leaf(TAG.ClientId, "1" * 65), empty(TAG.ApplicationData))),
    ),
    "Change without data": (element(TAG.Commands, element(TAG.Change, leaf(TAG.ServerId, "inbox:1"))),),
    "Delete without ServerId": (element(TAG.Commands, empty(TAG.Delete)),),
}


@pytest.mark.parametrize("children", WRONG.values(), ids=WRONG.keys())
async def test_a_request_that_breaks_the_protocol_is_refused_with_4(
    phone: EasClient, children: tuple[Element, ...]
) -> None:
    assert await root_status(phone, sync(collection(*children))) == 4


async def test_what_every_collection_must_have(phone: EasClient) -> None:
    holder = element(TAG.Collections, element(TAG.Collection, leaf(TAG.SyncKey, "0")))
    assert await root_status(phone, element(TAG.Sync, holder)) == 4
    holder = element(TAG.Collections, element(TAG.Collection, leaf(TAG.CollectionId, INBOX)))
    assert await root_status(phone, element(TAG.Sync, holder)) == 4


async def test_ids_are_bounded(phone: EasClient) -> None:
    longest = "x" * ID_CHARS_MAX
    assert await statuses(phone, sync(collection(folder=longest))) == {longest: 12}
    assert await statuses(phone, sync(collection(key=longest))) == {INBOX: 3}
    assert await root_status(phone, sync(collection(folder=longest + "x"))) == 4
    assert await root_status(phone, sync(collection(key=longest + "x"))) == 4


async def test_the_number_of_commands_is_bounded(phone: EasClient) -> None:
    await phone.sync_all(INBOX)
    many = [fetch(f"inbox:{n}") for n in range(COMMANDS_MAX + 1)]
    request = collection(element(TAG.Commands, *many[1:]), key=key_of(phone))
    assert await statuses(phone, sync(request)) == {INBOX: 1}
    request = collection(element(TAG.Commands, *many), key=key_of(phone))
    assert await root_status(phone, sync(request)) == 4


async def test_the_number_of_collections_is_bounded_and_the_bound_told(phone: EasClient) -> None:
    answer = await ask(phone, sync(*(collection(folder=f"f{n}") for n in range(301))))
    assert answer is not None
    assert (answer.number(TAG.Status), answer.number(TAG.Limit)) == (15, 300)
    assert len(await statuses(phone, sync(*(collection(folder=f"f{n}") for n in range(300))))) == 300


async def test_one_collection_given_twice_is_refused(phone: EasClient) -> None:
    assert await root_status(phone, sync(collection(), collection())) == 4


async def test_nothing_to_synchronise_is_refused(phone: EasClient) -> None:
    assert await root_status(phone, element(TAG.Sync)) == 4
    assert await root_status(phone, sync()) == 4
    assert await root_status(phone, element(TAG.Sync, empty(TAG.Partial))) == 4
    assert await root_status(phone, element(TAG.Sync, leaf(TAG.WindowSize, 5))) == 4


@pytest.mark.parametrize(
    ("wait", "status", "limit"),
    [
        (leaf(TAG.Wait, 0), 14, 1),
        (leaf(TAG.Wait, 60), 14, 59),
        (leaf(TAG.Wait, -1), 14, 1),
        (leaf(TAG.HeartbeatInterval, 0), 14, 1),
        (leaf(TAG.HeartbeatInterval, 3541), 14, 3540),
        (leaf(TAG.HeartbeatInterval, 10**18), 14, 3540),
        (leaf(TAG.HeartbeatInterval, 10**30), 4, None),
        (leaf(TAG.Wait, "long"), 4, None),
    ],
)
async def test_a_wait_out_of_range_is_told_the_nearest(
    phone: EasClient, wait: Element, status: int, limit: int | None
) -> None:
    answer = await ask(phone, sync(collection(), beside=(wait,)))
    assert answer is not None
    assert (answer.number(TAG.Status), answer.number_or(TAG.Limit, None)) == (status, limit)


async def test_both_kinds_of_wait_are_refused(phone: EasClient) -> None:
    both = (leaf(TAG.Wait, 1), leaf(TAG.HeartbeatInterval, 60))
    assert await root_status(phone, sync(collection(), beside=both)) == 4


async def test_a_bad_key_or_folder_leaves_the_other_collections_alone(phone: EasClient) -> None:
    await phone.sync_all(INBOX)
    trash = collection(key="made-up", folder="trash")
    gone = collection(key=key_of(phone), folder="gone")
    first = collection(folder="archive")
    foreign = collection(key=key_of(phone), folder="sent")
    assert await statuses(phone, sync(first, trash, gone, foreign)) == {"archive": 1, "trash": 3, "gone": 12, "sent": 3}


async def test_a_waiting_sync_of_a_folder_that_is_gone_is_answered_at_once(phone: EasClient) -> None:
    await phone.sync_all(INBOX)
    request = sync(collection(key=key_of(phone)), collection(folder="gone", key="x"), beside=(leaf(TAG.Wait, 10),))
    assert await statuses(phone, request) == {"gone": 12}


async def test_a_mail_folder_has_no_long_windows(phone: EasClient) -> None:
    for filter_type in (6, 7, 8):
        request = collection(options(leaf(TAG.FilterType, filter_type)))
        assert await statuses(phone, sync(request)) == {INBOX: 4}
        request = collection(options(leaf(TAG.FilterType, filter_type)), folder="calendar")
        assert await statuses(phone, sync(request)) == {"calendar": 1}


async def test_containers_may_come_empty(phone: EasClient) -> None:
    assert await statuses(phone, sync(collection(empty(TAG.Supported), empty(OPTIONS)))) == {INBOX: 1}
    await phone.sync_all(INBOX)
    request = collection(empty(OPTIONS), empty(TAG.Commands), key=key_of(phone))
    assert await statuses(phone, sync(request)) == {INBOX: 1}


async def test_commands_with_key_0_are_overlooked(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    folder = await phone.sync_all(INBOX)
    [server_id] = folder.items
    request = collection(element(TAG.Commands, element(TAG.Delete, leaf(TAG.ServerId, server_id))))
    assert await statuses(phone, sync(request)) == {INBOX: 1}
    assert list((await phone.sync_all(INBOX)).items) == [server_id]


async def test_the_first_of_an_option_given_twice_counts(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    first, second = leaf(AirSyncBase.TruncationSize, 1), leaf(AirSyncBase.TruncationSize, 9)
    preference = element(PREFERENCE, leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.Type, 4), first, second)
    await phone.sync(INBOX)
    both = options(leaf(TAG.FilterType, 0), leaf(TAG.FilterType, 9), preference)
    request = collection(leaf(TAG.WindowSize, 2), leaf(TAG.WindowSize, -1), both, key=key_of(phone))
    answer = await ask(phone, sync(request))
    assert answer is not None
    [data] = found(answer, AirSyncBase.Data)
    assert data.value == "x"


def found(root: Element, tag: object) -> list[Element]:
    """Return all elements of that tag below *root*."""
    here = [child for child in root.children if child.tag is tag]
    return here + [one for child in root.children for one in found(child, tag)]


async def test_an_empty_request_without_a_full_one_before_is_told_13(server: World) -> None:
    phone = server.client(1)
    assert await root_status(phone, None) == 13
    partial = element(TAG.Sync, leaf(TAG.Wait, 5), empty(TAG.Partial))
    assert await root_status(phone, partial) == 13


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1])
@pytest.mark.parametrize("folder", ["calendar", "contacts", "tasks", "notes"])
async def test_other_classes_refuse_each_item_by_itself(server: World, folder: str, version: Version) -> None:
    phone = server.client(1, version=version)
    await phone.set_up()
    await phone.sync_all(folder)
    data = element(TAG.ApplicationData, leaf(Email.Subject, "x"))
    commands = element(
        TAG.Commands,
        element(TAG.Add, leaf(TAG.ClientId, "1"), data),
        element(TAG.Change, leaf(TAG.ServerId, f"{folder}:1"), data),
        element(TAG.Delete, leaf(TAG.ServerId, f"{folder}:1")),
    )
    answer = await ask(phone, sync(collection(commands, key=key_of(phone, folder), folder=folder)))
    assert answer is not None
    [responses] = found(answer, TAG.Responses)
    assert [(one.tag, one.number(TAG.Status)) for one in responses.children] == [
        (TAG.Add, 6),
        (TAG.Change, 6),
        (TAG.Delete, 8),
    ]


async def test_the_recipient_cache_is_empty_and_read_only(server: World) -> None:
    phone = server.client(1, version=Version.V14_0)
    folders = await phone.folder_sync()
    assert folders["RI"].type == 19
    held = await phone.sync_all("RI")
    assert held.items == {}
    data = element(TAG.ApplicationData, leaf(Email.Subject, "x"))
    add = element(TAG.Commands, element(TAG.Add, leaf(TAG.ClientId, "1"), data))
    assert await root_status(phone, sync(collection(add, key=held.sync_key, folder="RI"))) == 4
    old = server.client(1, version=Version.V12_1)
    assert "RI" not in await old.folder_sync()
    assert await statuses(old, sync(collection(folder="RI"))) == {"RI": 12}
