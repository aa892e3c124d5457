"""Ping: what it refuses, what it remembers, what ends it, and that nothing of a request stays while it waits."""

import asyncio
import gc

import aiohttp
import pytest

from eas.commands.ping import ID_CHARS_MAX
from eas.commands.sync_turn import Piece, SyncTurn
from eas.protocol.exchange import EasRequest, HttpRequest
from eas.protocol.versions import Version
from eas.sync.delta import Plan
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import Ping
from storage.account import Account
from storage.records import Added, Set
from tests.eas.world import World
from tests.support.client import Device, EasClient
from tests.support.sync_requests import CollectionRequest, Options, delete, read, sync_request
from tests.sync.asking import ARCHIVE, INBOX, put
from tests.system import raw

LONG, SOON = 3000, 1
OTHER = Device("other", "SP", "x")


def folder(collection_id: str) -> Element:
    return element(Ping.Folder, leaf(Ping.Id, collection_id), leaf(Ping.Class, "Email"))


async def status(phone: EasClient, *children: Element | None) -> int:
    answer = await phone.post("Ping", element(Ping.Ping, *children))
    assert answer.root is not None
    return answer.root.number(Ping.Status)


async def until_held(server: World, count: int = 1) -> None:
    """Wait until *count* requests are held."""
    async with asyncio.timeout(5):
        while server.app.http.held != count or len(server.app.hub) != count:
            await asyncio.sleep(0.002)


@pytest.fixture
async def synced(phone: EasClient) -> EasClient:
    for name in (INBOX, ARCHIVE):
        await phone.sync_all(name)
    return phone


async def test_wrong_requests_are_refused(phone: EasClient) -> None:
    heartbeat = leaf(Ping.HeartbeatInterval, 100)
    assert await status(phone) == 4
    assert await status(phone, leaf(Ping.HeartbeatInterval, "long")) == 4
    assert await status(phone, heartbeat, element(Ping.Folders, folder(INBOX), folder(INBOX))) == 4
    assert await status(phone, heartbeat, element(Ping.Folders, empty(Ping.Folder))) == 4
    assert await status(phone, heartbeat, element(Ping.Folders, folder("x" * (ID_CHARS_MAX + 1)))) == 4
    assert await status(phone, heartbeat, element(Ping.Folders, folder("x" * ID_CHARS_MAX))) == 7
    assert await status(phone, heartbeat, element(Ping.Folders, folder("gone"))) == 7


async def test_what_is_missing_and_was_never_said_is_told_3(phone: EasClient) -> None:
    assert (await phone.ping()).status == 3
    assert (await phone.ping([INBOX])).status == 3
    assert (await phone.ping(heartbeat=100)).status == 3
    assert await status(phone, leaf(Ping.HeartbeatInterval, 100), empty(Ping.Folders)) == 3


@pytest.mark.parametrize(("asked", "nearest"), [(0, 1), (-5, 1), (3541, 3540), (10**12, 3540)])
async def test_a_heartbeat_out_of_range_is_told_the_nearest_at_once(phone: EasClient, asked: int, nearest: int) -> None:
    answer = await phone.ping([INBOX], asked)
    assert (answer.status, answer.heartbeat) == (5, nearest)


async def test_too_many_folders_are_refused_and_not_remembered(phone: EasClient) -> None:
    answer = await phone.ping([f"f{n}" for n in range(301)], LONG)
    assert (answer.status, answer.max_folders) == (6, 300)
    assert (await phone.ping()).status == 3


async def test_the_time_is_over_and_all_is_remembered(synced: EasClient) -> None:
    assert (await synced.ping([INBOX], SOON)).status == 1
    assert (await synced.ping()).status == 1
    assert (await synced.ping([ARCHIVE])).status == 1
    assert (await synced.ping(heartbeat=SOON)).status == 1


async def test_new_mail_ends_it_and_sync_brings_it(synced: EasClient, server: World) -> None:
    ping = asyncio.create_task(synced.ping([INBOX, ARCHIVE], LONG))
    await until_held(server)
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    answer = await ping
    assert (answer.status, answer.folders) == (2, (INBOX,))
    assert (await synced.ping()).status == 2  # until it is fetched
    assert len((await synced.sync(INBOX)).added) == 1
    assert (await synced.ping(heartbeat=SOON)).status == 1


async def test_what_came_before_is_told_at_once(synced: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    assert (await synced.ping([INBOX], LONG)).status == 2


async def test_folders_that_were_never_synchronised_are_no_news(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    assert (await phone.ping([INBOX], SOON)).status == 1


async def test_what_this_device_did_does_not_end_it_but_what_another_did_does(synced: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    other = server.client(1, device=OTHER)
    for phone in (synced, other):
        await phone.sync_all(INBOX)
        await phone.sync_all(ARCHIVE)
    [server_id] = synced.mailbox.folder(INBOX).items
    ping, others = (asyncio.create_task(phone.ping([INBOX, ARCHIVE], LONG)) for phone in (synced, other))
    await until_held(server, 2)
    await synced.move([(server_id, INBOX, ARCHIVE)])
    assert (await others).folders == (INBOX, ARCHIVE)
    await asyncio.sleep(0.05)
    assert not ping.done()
    await other.sync_all(ARCHIVE)
    [moved] = other.mailbox.folder(ARCHIVE).items
    await other.sync(ARCHIVE, [read(moved)])
    assert (await ping).folders == (ARCHIVE,)


async def test_what_lies_outside_the_window_is_no_news(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX, options=Options(filter_type=1))
    await put(await server.account(), "old", days_old=9)
    assert (await phone.ping([INBOX], SOON)).status == 1


async def test_a_changed_hierarchy_ends_it(synced: EasClient, server: World) -> None:
    ping = asyncio.create_task(synced.ping([INBOX], LONG))
    await until_held(server)
    other = server.client(1, device=OTHER)
    await other.set_up()
    await other.folder_create("New")
    assert (await ping).status == 7
    assert (await synced.ping()).status == 7
    await synced.folder_sync()
    assert (await synced.ping([INBOX], SOON)).status == 1


async def test_a_newer_ping_ends_the_older_even_if_it_is_answered_at_once(synced: EasClient, server: World) -> None:
    first = asyncio.create_task(synced.ping([INBOX], LONG))
    await until_held(server)
    second = asyncio.create_task(synced.ping([INBOX], LONG))
    assert (await first).status == 1
    await until_held(server)
    assert (await synced.ping(["gone"], LONG)).status == 7
    assert (await second).status == 1
    assert len(server.app.hub) == 0


async def test_a_waiting_sync_and_a_ping_of_one_device_end_each_other(synced: EasClient, server: World) -> None:
    key = synced.mailbox.folder(INBOX).sync_key
    sync = asyncio.create_task(synced.sync_collections([CollectionRequest(INBOX, key)], heartbeat=LONG))
    await until_held(server)
    ping = asyncio.create_task(synced.ping([INBOX], LONG))
    assert (await sync).is_empty
    await until_held(server)
    again = asyncio.create_task(synced.sync_collections([CollectionRequest(INBOX, key)], heartbeat=LONG))
    assert (await ping).status == 1
    await until_held(server)
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    assert (await again).results[INBOX].changes == 1


async def test_a_phone_that_leaves_frees_its_place_at_once(synced: EasClient, server: World) -> None:
    with pytest.raises((TimeoutError, aiohttp.ServerTimeoutError)):
        await synced.ping([INBOX], LONG, timeout=0.3)
    async with asyncio.timeout(1):
        while len(server.app.hub) or server.app.http.held:
            await asyncio.sleep(0.002)


KINDS = (HttpRequest, EasRequest, Element, Piece, SyncTurn, Plan)


def living() -> dict[str, int]:
    """Return how many there are of what a request is made of."""
    gc.collect()
    there = gc.get_objects()
    return {kind.__name__: sum(type(one) is kind for one in there) for kind in KINDS}


@pytest.mark.parametrize("command", ["Ping", "Sync"])
async def test_nothing_of_a_request_is_kept_while_it_waits(synced: EasClient, server: World, command: str) -> None:
    key = synced.mailbox.folder(INBOX).sync_key
    if command == "Ping":
        body = encode(element(Ping.Ping, leaf(Ping.HeartbeatInterval, LONG), element(Ping.Folders, folder(INBOX))))
    else:
        body = encode(sync_request([CollectionRequest(INBOX, key, Options(filter_type=3))], heartbeat=LONG))
    asked = raw.request(
        body,
        query=f"Cmd={command}&User=u&DeviceId={synced.device.id}&DeviceType={synced.device.type}",
        headers=raw.login("u1@example.test", "pw-u1"),
    )
    synced.last = None
    before = living()
    async with raw.wire(server.url) as wire:
        await wire.send(asked)
        await until_held(server)
        assert living() == before
    async with asyncio.timeout(1):
        while len(server.app.hub):
            await asyncio.sleep(0.002)


async def test_a_waiting_sync_wakes_for_what_it_would_tell_only(synced: EasClient, server: World) -> None:
    """A collection whose changes are not asked for gives no reason: the phone would be back at once, for ever."""
    inbox, archive = (synced.mailbox.folder(name).sync_key for name in (INBOX, ARCHIVE))
    asked = [CollectionRequest(INBOX, inbox, get_changes=False), CollectionRequest(ARCHIVE, archive)]
    wait = asyncio.create_task(synced.sync_collections(asked, heartbeat=LONG))
    await until_held(server)
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    await asyncio.sleep(0.05)
    assert not wait.done()
    await put(await server.account(), "y", folder=ARCHIVE)
    assert list((await wait).results) == [ARCHIVE]


async def test_a_waiting_sync_ends_empty(synced: EasClient) -> None:
    key = synced.mailbox.folder(INBOX).sync_key
    assert (await synced.sync_collections([CollectionRequest(INBOX, key)], heartbeat=SOON)).is_empty
    assert (await synced.sync_collections([])).is_empty  # the empty request waits as long


async def test_a_waiting_sync_answers_with_the_options_that_it_brought(synced: EasClient, server: World) -> None:
    key = synced.mailbox.folder(INBOX).sync_key
    asked = CollectionRequest(INBOX, key, Options(filter_type=0))
    wait = asyncio.create_task(synced.sync_collections([asked], heartbeat=LONG))
    await until_held(server)
    await server.deliver(1, b"Subject: x\r\n\r\nsome text")
    assert (await wait).results[INBOX].changes == 1
    assert synced.mailbox.folder(INBOX).find("x").body == ""  # no BodyPreference: no data


async def test_a_sync_with_commands_never_waits(synced: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    [server_id] = (await synced.sync_all(INBOX)).items
    for commands in ([read(server_id, False)], [delete("inbox:none")]):
        key = synced.mailbox.folder(INBOX).sync_key
        asked = CollectionRequest(INBOX, key, commands=tuple(commands))
        async with asyncio.timeout(2):
            assert not (await synced.sync_collections([asked], heartbeat=LONG)).is_empty


async def test_news_of_a_store_that_fails_are_looked_at_again(
    synced: EasClient, server: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Ping survives a store that cannot be read for a moment."""
    ping = asyncio.create_task(synced.ping([INBOX], LONG))
    await until_held(server)
    stolen = Account.turn
    failures = 1

    def failing(account: Account, *, fresh: bool = True) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("away")
        return stolen(account, fresh=fresh)

    monkeypatch.setattr(Account, "turn", failing)
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    assert (await ping).status == 2


@pytest.mark.parametrize("version", [Version.V12_1, Version.V16_1])
async def test_changes_and_deletes_by_others_end_it_too(server: World, version: Version) -> None:
    phone = server.client(1, version=version)
    account = await server.account()
    item = (await put(account, "x")).partition(":")[2]
    await phone.set_up()
    await phone.sync_all(INBOX)
    for name, value in (("read", True), ("folder", None)):
        ping = asyncio.create_task(phone.ping([INBOX], LONG))
        await until_held(server)
        async with account.turn():
            await account.commit([Set(item, name, value)])
        assert (await ping).status == 2
        assert (await phone.sync(INBOX)).changes == 1


async def test_an_item_that_comes_and_goes_is_no_news(synced: EasClient, server: World) -> None:
    account = await server.account()
    async with account.turn():
        await account.commit([Added("0" * 20, INBOX, "Email", 1 << 41, None), Set("0" * 20, "folder", None)])
    assert (await synced.ping([INBOX], SOON)).status == 1
