"""The client writes requests as phones do, reads the answers, and examines every one."""

import base64
import struct
from collections.abc import AsyncIterator
from dataclasses import asdict

import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.dump import dump
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import (
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    Find,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    Move,
    Ping,
    Provision,
    Search,
    Settings,
)
from tests.support import client_cli
from tests.support.answers import InvalidAnswer
from tests.support.client import EasClient
from tests.support.client_account import OOF_ON
from tests.support.commanding import Refused
from tests.support.drafts import Draft
from tests.support.mailbox import ConfusedPhone
from tests.support.sync_requests import CollectionRequest, Options, delete, fetch, read
from tests.support_tests.examples import PING_OVER, added, folder, hierarchy, mail, removed, responded, synced
from tests.support_tests.fake import HEADERS, FakeServer, Told, fake_server

OPTIONS = HEADERS | {"MS-ASProtocolVersions": "12.1,14.0,14.1", "MS-ASProtocolCommands": "Sync,Ping"}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with fake_server() as fake:
        yield fake


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[EasClient]:
    async with EasClient(server.url, "u1@example.test", "pw-ü") as client:
        yield client


def names(parent: Element) -> list[str]:
    return [child.tag.name for child in parent.children]


def properties(*children: Element | None) -> Element:
    return element(ItemOperations.Properties, *children)


def fetched(*children: Element | None) -> Element:
    page = ItemOperations
    return element(page.ItemOperations, leaf(page.Status, 1), element(page.Response, element(page.Fetch, *children)))


async def test_a_request_has_what_http_needs(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", hierarchy("1"))
    client.policy_key = 7
    await client.folder_sync()
    (seen,) = server.seen
    assert seen.raw_query.startswith(
        "Cmd=FolderSync&User=u1@example.test&DeviceId=androidc1234567890&DeviceType=Android"
    )
    assert base64.b64decode(seen.headers["Authorization"].removeprefix("Basic ")).decode() == "u1@example.test:pw-ü"
    assert seen.headers["MS-ASProtocolVersion"] == "14.1"
    assert seen.headers["X-MS-PolicyKey"] == "7"
    assert seen.headers["Content-Type"] == "application/vnd.ms-sync.wbxml"
    assert seen.headers["Accept-Encoding"] == "gzip"


async def test_a_base64_query_replaces_the_headers(server: FakeServer) -> None:
    async with EasClient(server.url, "u1", "p", base64_form=True) as client:
        client.policy_key = 7
        server.tell("FolderSync", hierarchy("1"))
        await client.folder_sync()
    assert not {"MS-ASProtocolVersion", "X-MS-PolicyKey"} & server.seen[0].headers.keys()
    assert base64.b64decode(server.seen[0].raw_query)[:2] == bytes((141, 9))


async def test_headers_can_be_replaced_and_taken_away(client: EasClient, server: FakeServer) -> None:
    server.tell("Ping", PING_OVER)
    await client.post("Ping", PING_OVER, headers={"User-Agent": "x", "MS-ASProtocolVersion": ""})
    assert server.seen[0].headers["User-Agent"] == "x"
    assert "MS-ASProtocolVersion" not in server.seen[0].headers


async def test_options_choose_the_highest_version(client: EasClient, server: FakeServer) -> None:
    server.tell("OPTIONS", Told(headers=OPTIONS))
    client.version = Version.V16_1
    assert await client.options() == (Version.V12_1, Version.V14_0, Version.V14_1)
    assert client.version is Version.V14_1


async def test_a_compressed_answer_is_read(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", hierarchy("1", folder("1", "Inbox", 2)), zipped=True)
    assert (await client.folder_sync())["1"].name == "Inbox"


async def test_no_answer_escapes_the_examination(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", hierarchy("1", folder("1", "", 2)))
    with pytest.raises(InvalidAnswer, match="DisplayName"):
        await client.post("FolderSync", element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0")))
    server.tell("OPTIONS", Told())
    with pytest.raises(InvalidAnswer, match="MS-ASProtocolVersions"):
        await client.options()


async def test_the_hierarchy_is_kept(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", hierarchy("1", folder("1", "Inbox", 2), folder("2", "Old", 12), folder("3", "Sub", 12)))
    await client.folder_sync()
    client.mailbox.hierarchy["3"].parent_id = "2"
    gone = element(FolderHierarchy.Delete, leaf(FolderHierarchy.ServerId, "2"))
    server.tell("FolderSync", hierarchy("2", folder("1", "Eingang", 2, "Update"), gone))
    await client.folder_sync()
    assert [one.name for one in client.mailbox.hierarchy.values()] == ["Eingang"]
    assert (await client.inbox(), client.mailbox.named("Eingang"), client.mailbox.hierarchy_key) == ("1", "1", "2")
    with pytest.raises(ConfusedPhone):
        client.mailbox.of_type(3)


async def test_folders_are_made_changed_and_deleted(client: EasClient, server: FakeServer) -> None:
    page = FolderHierarchy
    server.tell(
        "FolderCreate",
        element(page.FolderCreate, leaf(page.Status, 1), leaf(page.SyncKey, "2"), leaf(page.ServerId, "9")),
    )
    server.tell("FolderUpdate", element(page.FolderUpdate, leaf(page.Status, 1), leaf(page.SyncKey, "3")))
    server.tell("FolderDelete", element(page.FolderDelete, leaf(page.Status, 1), leaf(page.SyncKey, "4")))
    assert await client.folder_create("New") == "9"
    await client.folder_update("9", "Newer", "1")
    assert asdict(client.mailbox.hierarchy["9"]) == {"server_id": "9", "parent_id": "1", "name": "Newer", "type": 12}
    await client.folder_delete("9")
    assert (client.mailbox.hierarchy, client.mailbox.hierarchy_key) == ({}, "4")
    assert [names(seen.root) for seen in server.seen] == [
        ["SyncKey", "ParentId", "DisplayName", "Type"],
        ["SyncKey", "ServerId", "ParentId", "DisplayName"],
        ["SyncKey", "ServerId"],
    ]


async def test_a_refusal_is_raised_with_its_status(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.Status, 9)))
    server.tell("FolderSync", Told(403))
    with pytest.raises(Refused) as refused:
        await client.folder_sync()
    assert refused.value.status == 9
    with pytest.raises(Refused) as refused:
        await client.folder_sync()
    assert (refused.value.status, refused.value.answer.status) == (None, 403)


async def test_sync_begins_with_the_key_and_goes_on_until_all_is_there(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1"), synced("2", added("5:1"), more=True), synced("3", added("5:2")))
    found = await client.sync_all("5", window_size=1)
    assert sorted(found.items) == ["5:1", "5:2"]
    collections = [seen.root.children[0].children[0] for seen in server.seen]
    assert [names(one) for one in collections] == [
        ["SyncKey", "CollectionId"],
        ["SyncKey", "CollectionId", "GetChanges", "WindowSize", "Options"],
        ["SyncKey", "CollectionId", "GetChanges", "WindowSize", "Options"],
    ]
    assert [one.text(AirSync.SyncKey) for one in collections] == ["0", "1", "2"]


async def test_an_empty_answer_is_no_change(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1"), None)
    assert (await client.sync_all("5")).sync_key == "1"


async def test_a_lost_answer_leaves_the_phone_as_it_was(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1"), synced("2", added("5:1")), synced("2b", added("5:1")))
    await client.sync("5")
    lost = await client.sync("5", loses_answer=True)
    assert (lost.sync_key, client.mailbox.folder("5").items) == ("2", {})
    assert [item.server_id for item in (await client.sync("5")).added] == ["5:1"]
    assert [seen.root.children[0].children[0].text(AirSync.SyncKey) for seen in server.seen] == ["0", "1", "1"]


async def test_promises_without_deeds_are_noticed(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1"), *(synced(str(key), more=True) for key in range(2, 5)))
    with pytest.raises(ConfusedPhone, match="bring nothing"):
        await client.sync_all("5")


async def test_commands_are_sent_and_their_responses_read(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1"), synced("2", added("5:1"), added("5:2")))
    await client.sync_all("5")
    whole = responded("Fetch", 1, server_id="5:2")
    whole.children.append(mail("whole"))
    server.tell("Sync", synced("3", responses=(responded("Change", 7, server_id="5:1"), whole)))
    commands = [read("5:1"), fetch("5:2"), delete("5:3")]
    result = await client.sync("5", commands, get_changes=False, deletes_as_moves=True, options=None)
    assert (result.response("5:1").status, client.mailbox.folder("5").items["5:2"].subject) == (7, "whole")
    collection = server.seen[-1].root.children[0].children[0]
    assert names(collection) == ["SyncKey", "CollectionId", "DeletesAsMoves", "GetChanges", "Commands"]


async def test_several_collections_and_the_empty_request(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", synced("1", collection_id="5"), None, element(AirSync.Sync, leaf(AirSync.Status, 13)))
    first = await client.sync_collections([CollectionRequest("5", "0"), CollectionRequest("6", "0")], heartbeat=60)
    assert (list(first.results), first.is_empty) == (["5"], False)
    assert (await client.sync_collections([])).is_empty
    assert (await client.sync_collections([])).status == 13
    assert [seen.body for seen in server.seen[1:]] == [b"", b""]
    assert names(server.seen[0].root) == ["Collections", "HeartbeatInterval"]


async def test_a_status_of_the_root_refuses_a_sync(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", element(AirSync.Sync, leaf(AirSync.Status, 14), leaf(AirSync.Limit, 59)), Told(449))
    for status in (14, None):
        with pytest.raises(Refused) as refused:
            await client.sync("5", wait=60)
        assert refused.value.status == status


async def test_drafts_go_through_sync(server: FakeServer) -> None:
    async with EasClient(server.url, "u1", "p", version=Version.V16_1) as client:
        stored = responded("Add", 1, client_id="c1", server_id="3:1")
        server.tell("Sync", synced("1", collection_id="3"), synced("2", collection_id="3", responses=(stored,)))
        server.tell("Sync", synced("3", collection_id="3"), synced("4", collection_id="3"))
        await client.sync("3")
        assert (await client.draft_add("3", Draft(subject="new"), client_id="c1")).server_id == "3:1"
        await client.draft_change("3", "3:1", Draft(to="a@example.test", subject="x", body="y"))
        await client.draft_send("3", "3:1")
    command = server.seen[2].root.children[0].children[0].all(AirSync.Commands)[0].children[0]
    assert names(command.children[1]) == ["To", "Subject", "Body"]
    sent = server.seen[3].root.children[0].children[0].all(AirSync.Commands)[0].children[0]
    assert names(sent) == ["ServerId", "Send", "ApplicationData"]


async def test_ping_is_written_and_read(client: EasClient, server: FakeServer) -> None:
    news = element(Ping.Ping, leaf(Ping.Status, 2), element(Ping.Folders, leaf(Ping.Folder, "5")))
    bounds = element(Ping.Ping, leaf(Ping.Status, 5), leaf(Ping.HeartbeatInterval, 60))
    server.tell("Ping", news, bounds, PING_OVER, element(Ping.Ping, leaf(Ping.Status, 111)))
    assert (await client.ping(["5"], 480)).folders == ("5",)
    assert (await client.ping(heartbeat=1)).heartbeat == 60
    assert (await client.ping()).status == 1
    with pytest.raises(Refused):
        await client.ping()
    assert dump(server.seen[0].root).count("Folder") >= 2
    assert "X-MS-PolicyKey" not in server.seen[0].headers
    assert server.seen[2].body == b""


async def test_items_are_moved(client: EasClient, server: FakeServer) -> None:
    moved = element(Move.Response, leaf(Move.SrcMsgId, "5:1"), leaf(Move.Status, 3), leaf(Move.DstMsgId, "4:1"))
    stayed = element(Move.Response, leaf(Move.SrcMsgId, "5:2"), leaf(Move.Status, 1))
    server.tell("MoveItems", element(Move.MoveItems, moved, stayed))
    results = await client.move([("5:1", "5", "4"), ("5:2", "5", "4")])
    assert [(one.status, one.dst_msg_id) for one in results] == [(3, "4:1"), (1, None)]


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1])
async def test_an_estimate_is_asked_for_in_the_form_of_the_version(server: FakeServer, version: Version) -> None:
    page = GetItemEstimate
    inside = element(page.Collection, leaf(page.CollectionId, "5"), leaf(page.Estimate, 3))
    server.tell("GetItemEstimate", element(page.GetItemEstimate, element(page.Response, leaf(page.Status, 1), inside)))
    server.tell("GetItemEstimate", element(page.GetItemEstimate, element(page.Response, leaf(page.Status, 4))))
    async with EasClient(server.url, "u1", "p", version=version) as client:
        assert await client.estimate("5") == 3
        with pytest.raises(Refused):
            await client.estimate("5")
    first = names(server.seen[0].root.children[0].children[0])[0]
    assert first == ("Class" if version == Version.V12_1 else "SyncKey")


async def test_an_item_is_fetched(client: EasClient, server: FakeServer) -> None:
    body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, 2), leaf(AirSyncBase.Data, "<p>all"))
    place = [leaf(AirSync.CollectionId, "5"), leaf(AirSync.ServerId, "5:1")]
    server.tell("ItemOperations", fetched(leaf(ItemOperations.Status, 1), *place, properties(body)))
    server.tell("ItemOperations", fetched(leaf(ItemOperations.Status, 6), leaf(Search.LongId, "L1")))
    assert (await client.fetch("5", "5:1")).item.body == "<p>all"
    assert (await client.fetch(long_id="L1", mime_support=2)).status == 6
    assert names(server.seen[0].root.children[0]) == ["Store", "CollectionId", "ServerId", "Options"]
    assert names(server.seen[1].root.children[0]) == ["Store", "LongId", "Options"]


async def test_a_file_comes_inline_in_ranges_and_in_parts(client: EasClient, server: FakeServer) -> None:
    page, reference = ItemOperations, leaf(AirSyncBase.FileReference, "5:1:0")
    kind = leaf(AirSyncBase.ContentType, "image/png")
    data = leaf(page.Data, base64.b64encode(b"abc").decode())
    ranged = (leaf(page.Range, "0-2"), leaf(page.Total, 9), data)
    server.tell("ItemOperations", fetched(leaf(page.Status, 1), reference, properties(kind, data)))
    server.tell("ItemOperations", fetched(leaf(page.Status, 1), reference, properties(*ranged)))
    document = encode(fetched(leaf(page.Status, 1), reference, properties(kind, leaf(page.Part, 1))))
    table = struct.pack("<5I", 2, 20, len(document), 20 + len(document), 3)
    many = HEADERS | {"Content-Type": "application/vnd.ms-sync.multipart"}
    server.tell("ItemOperations", Told(headers=many, body=table + document + b"abc"))
    server.tell("ItemOperations", fetched(leaf(page.Status, 15), reference))
    whole = await client.attachment("5:1:0")
    assert (whole.content_type, whole.data, whole.range) == ("image/png", b"abc", None)
    part = await client.attachment("5:1:0", byte_range="0-2")
    assert (part.data, part.range, part.total) == (b"abc", "0-2", 9)
    assert (await client.attachment("5:1:0", multipart=True)).data == b"abc"
    assert (await client.attachment("5:1:9")).status == 15
    assert server.seen[2].headers["MS-ASAcceptMultiPart"] == "T"


async def test_a_file_comes_by_get_attachment(client: EasClient, server: FakeServer) -> None:
    client.version = Version.V12_1
    server.tell("GetAttachment", Told(headers=HEADERS | {"Content-Type": "image/png"}, body=b"abc"), Told(500))
    assert (await client.get_attachment("5:1:0")).data == b"abc"
    assert server.seen[0].query["AttachmentName"] == "5:1:0"
    assert "Content-Type" not in server.seen[0].headers
    with pytest.raises(Refused):
        await client.get_attachment("5:1:9")


async def test_a_folder_is_emptied(client: EasClient, server: FakeServer) -> None:
    page = ItemOperations
    done = element(page.EmptyFolderContents, leaf(page.Status, 1), leaf(AirSync.CollectionId, "4"))
    server.tell("ItemOperations", element(page.ItemOperations, leaf(page.Status, 1), element(page.Response, done)))
    assert await client.empty_folder("4", with_subfolders=True) == 1


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_mail_is_sent_in_the_form_of_the_version(server: FakeServer, version: Version) -> None:
    server.tell("SendMail", None)
    server.tell("SmartReply", None)
    server.tell("SmartForward", None)
    async with EasClient(server.url, "u1", "p", version=version) as client:
        assert (await client.send_mail(b"MIME")).is_empty
        assert (await client.smart_reply(b"MIME", "5", "5:1", save=False, instance_id="i")).is_empty
        assert (await client.smart_forward(b"MIME", long_id="L1", replace_mime=True)).is_empty
    sent, reply, forward = server.seen
    if version == Version.V12_1:
        assert [(seen.body, seen.headers["Content-Type"]) for seen in server.seen] == [(b"MIME", "message/rfc822")] * 3
        assert sent.query["SaveInSent"] == "T"
        assert (reply.query["ItemId"], reply.query["CollectionId"], reply.query["Occurrence"]) == ("5:1", "5", "i")
        assert ("SaveInSent" in reply.query, forward.query["LongId"]) == (False, "L1")
    else:
        assert names(sent.root) == ["ClientId", "SaveInSentItems", "Mime"]
        assert names(reply.root) == ["ClientId", "Source", "Mime"]
        assert names(forward.root) == ["ClientId", "Source", "SaveInSentItems", "ReplaceMime", "Mime"]
        assert sent.root.opaque(ComposeMail.Mime) == b"MIME"


async def test_a_mail_that_was_not_sent_is_told(client: EasClient, server: FakeServer) -> None:
    server.tell("SendMail", element(ComposeMail.SendMail, leaf(ComposeMail.Status, 120)))
    answer = await client.send_mail(b"MIME", client_id="same")
    assert answer.root is not None
    assert (answer.is_empty, answer.root.number(ComposeMail.Status)) == (False, 120)


async def test_searches_are_written_and_read(client: EasClient, server: FakeServer) -> None:
    page = Search
    hit = element(
        page.Result,
        leaf(AirSync.Class, "Email"),
        leaf(page.LongId, "L1"),
        leaf(AirSync.CollectionId, "5"),
        element(page.Properties, leaf(Email.Subject, "Lunch")),
    )
    store = element(page.Store, leaf(page.Status, 1), hit, leaf(page.Range, "0-0"), leaf(page.Total, 1))
    none = element(page.Store, leaf(page.Status, 1), empty(page.Result))
    for one in (store, none):
        server.tell("Search", element(page.Search, leaf(page.Status, 1), element(page.Response, one)))
    found = await client.search("lunch", "5")
    assert [(one.id, one.collection_id, one.item.subject) for one in found.results] == [("L1", "5", "Lunch")]
    assert (found.range, found.total) == ("0-0", 1)
    assert (await client.search_gal("ann")).results == ()
    asked = server.seen[0].root.children[0]
    assert names(asked) == ["Name", "Query", "Options"]
    assert names(asked.children[1].children[0]) == ["Class", "CollectionId", "FreeText"]


async def test_find_is_written_and_read(server: FakeServer) -> None:
    page = Find
    hit = element(
        page.Result,
        leaf(AirSync.ServerId, "5:1"),
        leaf(AirSync.CollectionId, "5"),
        element(page.Properties, leaf(Email.Subject, "Lunch")),
    )
    response = element(page.Response, leaf(page.Status, 1), hit, leaf(page.Range, "0-0"), leaf(page.Total, 1))
    server.tell("Find", element(page.Find, leaf(page.Status, 1), response))
    async with EasClient(server.url, "u1", "p", version=Version.V16_1) as client:
        found = await client.find("lunch")
    assert [(one.id, one.item.subject) for one in found.results] == [("5:1", "Lunch")]


def provisioned(key: int, *more: Element) -> Element:
    page = Provision
    policy = element(
        page.Policy,
        leaf(page.PolicyType, "MS-EAS-Provisioning-WBXML"),
        leaf(page.Status, 1),
        leaf(page.PolicyKey, key),
        *more,
    )
    return element(page.Provision, leaf(page.Status, 1), element(page.Policies, policy))


DOCUMENT = element(Provision.Data, element(Provision.EASProvisionDoc, leaf(Provision.DevicePasswordEnabled, False)))


async def test_setting_up_provisions_when_the_server_demands_it(client: EasClient, server: FakeServer) -> None:
    server.tell("FolderSync", element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.Status, 142)))
    server.tell("Provision", provisioned(11, DOCUMENT), provisioned(12))
    server.tell("FolderSync", hierarchy("1", folder("1", "Inbox", 2)))
    policy = await client.set_up()
    assert policy is not None
    assert (policy.key, policy.wipe, policy.document is not None) == (12, None, True)
    keys = [seen.headers["X-MS-PolicyKey"] for seen in server.seen]
    assert keys == ["0", "0", "11", "12"]
    assert names(server.seen[1].root) == ["DeviceInformation", "Policies"]
    assert names(server.seen[2].root.children[0].children[0]) == ["PolicyType", "PolicyKey", "Status"]


async def test_before_14_1_the_device_speaks_of_itself_in_settings(server: FakeServer) -> None:
    server.tell("FolderSync", Told(449), hierarchy("1"))
    server.tell("Provision", provisioned(11, DOCUMENT), provisioned(12))
    told = element(Settings.DeviceInformation, leaf(Settings.Status, 1))
    server.tell("Settings", element(Settings.Settings, leaf(Settings.Status, 1), told))
    async with EasClient(server.url, "u1", "p", version=Version.V12_1) as client:
        await client.set_up()
    assert [seen.command for seen in server.seen] == ["FolderSync", "Provision", "Provision", "Settings", "FolderSync"]
    assert names(server.seen[1].root) == ["Policies"]


async def test_a_wipe_is_told_and_acknowledged(client: EasClient, server: FakeServer) -> None:
    server.tell("Provision", element(Provision.Provision, leaf(Provision.Status, 1), empty(Provision.RemoteWipe)))
    server.tell("Provision", element(Provision.Provision, leaf(Provision.Status, 1)))
    wipe = (await client.provision()).wipe
    assert wipe is Provision.RemoteWipe
    await client.acknowledge_wipe(wipe)
    assert dump(server.seen[1].root)


async def test_settings_are_read_and_set(client: EasClient, server: FakeServer) -> None:
    page = Settings
    addresses = element(page.EmailAddresses, leaf(page.SMTPAddress, "u1@example.test"))
    user = element(
        page.UserInformation,
        leaf(page.Status, 1),
        element(page.Get, element(page.Accounts, element(page.Account, addresses))),
    )
    message = element(
        page.OofMessage, empty(page.AppliesToInternal), leaf(page.Enabled, True), leaf(page.ReplyMessage, "away")
    )
    oof = element(page.Oof, leaf(page.Status, 1), element(page.Get, leaf(page.OofState, 1), message))
    for one in (user, oof, element(page.Oof, leaf(page.Status, 1)), element(page.Oof, leaf(page.Status, 2))):
        server.tell("Settings", element(page.Settings, leaf(page.Status, 1), one))
    assert await client.user_addresses() == ["u1@example.test"]
    assert (await client.oof()).message == "away"
    await client.set_oof(OOF_ON, "away")
    with pytest.raises(Refused):
        await client.set_oof(OOF_ON)


async def test_bytes_are_sent_as_they_are(client: EasClient, server: FakeServer) -> None:
    server.tell("Sync", element(AirSync.Sync, leaf(AirSync.Status, 4)))
    await client.post("Sync", b"\x03\x01nonsense")
    assert server.seen[0].body == b"\x03\x01nonsense"


def test_options_stand_in_the_order_of_phones() -> None:
    written = Options(filter_type=3, class_name="Email", conflict=1, mime_support=2, mime_truncation=8).render()
    assert names(written) == ["FilterType", "Class", "Conflict", "MIMESupport", "MIMETruncation"]


async def test_the_command_line_lists_mail(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.tell("OPTIONS", Told(headers=OPTIONS))
    server.tell("FolderSync", hierarchy("1", folder("5", "Inbox", 2)))
    server.tell("Sync", synced("1"), synced("2", added("5:1"), removed("5:2")))
    asked = client_cli._parser().parse_args(
        ["--url", server.url, "--user", "u1", "--password", "p", "--protocol", "14.0", "list"]
    )
    await client_cli._run(asked)
    assert capsys.readouterr().out == '* 2024-01-02T03:04  "Ann" <ann@example.test>        Lunch\n'


async def test_the_command_line_waits_for_mail(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.tell("OPTIONS", Told(headers=OPTIONS))
    server.tell("FolderSync", hierarchy("1", folder("5", "Inbox", 2)))
    server.tell("Sync", synced("1"), None, synced("2", added("5:1")))
    server.tell("Ping", element(Ping.Ping, leaf(Ping.Status, 2), element(Ping.Folders, leaf(Ping.Folder, "5"))))
    arguments = ["--url", server.url, "--user", "u1", "--password", "p", "ping", "--heartbeat", "60"]
    await client_cli._run(client_cli._parser().parse_args(arguments))
    assert capsys.readouterr().out == "Status 2, changed: 5\n* Lunch\n"
