"""`validate` knows right answers from wrong ones; the wrong ones are what real clients trip over."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.decoder import decode
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import (
    GAL,
    AirSync,
    AirSyncBase,
    Calendar,
    ComposeMail,
    Email,
    Email2,
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
from tests.support.schema import ROOTS, check_bytes, validate
from tests.support_tests.documents import answer
from tests.support_tests.examples import CONVERSATION, added, changed, folder, hierarchy, mail, removed, synced

NEWEST = Version.V16_1
SEEDS = 1 << 32


def body(*children: Element | None) -> Element:
    return changed("5:1", element(AirSyncBase.Body, *children))


@pytest.mark.parametrize("version", ANNOUNCED)
@pytest.mark.parametrize("root", ROOTS, ids=repr)
@given(seed=st.integers(0, SEEDS))
def test_what_the_tables_make_is_right_and_survives_the_wire(version: Version, root: object, seed: int) -> None:
    tag = next(tag for tag in ROOTS if tag is root)
    if tag.since <= version:
        document = answer(tag, version, Random(seed))
        written = encode(document)
        assert (check_bytes(written), decode(written), validate(document, version)) == ([], document, [])


@pytest.mark.parametrize(
    "document",
    [
        synced("1"),
        synced("2", added("5:1"), changed("5:2", leaf(Email.Read, True)), removed("5:3"), removed("5:4", "SoftDelete")),
        synced("2", added("5:1", mail("x", *CONVERSATION)), more=True),
        synced("2", changed("5:1", empty(Email.Flag))),
        element(AirSync.Sync, leaf(AirSync.Status, 13)),
        element(AirSync.Sync, leaf(AirSync.Status, 14), leaf(AirSync.Limit, 3540)),
        hierarchy("1", folder("1", "Inbox", 2), folder("2", "Drafts", 3)),
        hierarchy("1"),
        element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.Status, 142)),
        element(Ping.Ping, leaf(Ping.Status, 2), element(Ping.Folders, leaf(Ping.Folder, "5"))),
        element(ComposeMail.SendMail, leaf(ComposeMail.Status, 120)),
        element(Settings.Settings, leaf(Settings.Status, 1), element(Settings.Oof, leaf(Settings.Status, 1))),
        element(
            Search.Search,
            leaf(Search.Status, 1),
            element(Search.Response, element(Search.Store, leaf(Search.Status, 1), empty(Search.Result))),
        ),
    ],
    ids=lambda document: document.tag.name,
)
def test_these_are_right(document: Element) -> None:
    assert validate(document, NEWEST) == []


WRONG = {
    "no command's answer": element(AirSync.Collections),
    "an empty root": element(AirSync.Sync),
    "empty Collections, which crash iOS": element(AirSync.Sync, element(AirSync.Collections)),
    "a Status above Collections": element(AirSync.Sync, leaf(AirSync.Status, 1), *synced("1").children),
    "a Limit without its Status": element(AirSync.Sync, leaf(AirSync.Status, 4), leaf(AirSync.Limit, 60)),
    "an unknown status": synced("1", status=2),
    "items under the key 0": synced("0", added("5:1")),
    "items of a failed collection": synced("1", added("5:1"), status=5),
    "an Add without Body": synced("1", added("5:1", element(AirSync.ApplicationData, *mail().children[:4]))),
    "an Add without DateReceived": synced("1", added("5:1", element(AirSync.ApplicationData, *mail().children[3:]))),
    "a subject twice": synced("1", added("5:1", mail("x", leaf(Email.Subject, "y")))),
    "a boolean in words": synced("1", changed("5:1", leaf(Email.Read, "true"))),
    "an empty boolean": synced("1", changed("5:1", empty(Email.Read))),
    "a padded number": synced("1", changed("5:1", leaf(Email.Importance, "01"))),
    "a number out of range": synced("1", changed("5:1", leaf(Email.Importance, 3))),
    "a compact time for a dashed one": synced("1", changed("5:1", leaf(Email.DateReceived, "20240102T030405Z"))),
    "no milliseconds": synced("1", changed("5:1", leaf(Email.DateReceived, "2024-01-02T03:04:05Z"))),
    "30 February": synced("1", changed("5:1", leaf(Email.DateReceived, "2024-02-30T03:04:05.000Z"))),
    "text for bytes": synced("1", changed("5:1", leaf(Email2.ConversationId, "abc"))),
    "bytes for text": synced("1", changed("5:1", leaf(Email.Subject, b"abc"))),
    "a value and no elements": element(AirSync.Sync, leaf(AirSync.Collections, "x")),
    "elements and no value": synced("1", changed("5:1", element(Email.Subject, leaf(Email.Subject, "x")))),
    "an element of 2.5": synced("1", changed("5:1", leaf(Email.Body, "x"))),
    "an element of requests": synced("1", changed("5:1", empty(Email2.Send))),
    "Type after Data": synced("1", body(leaf(AirSyncBase.Data, "x"), leaf(AirSyncBase.Type, 1))),
    "a cut body without its size": synced("1", body(leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.Truncated, True))),
    "a body of no type": synced("1", body(leaf(AirSyncBase.Data, "x"))),
    "a ServerId of 65 characters": synced("1", removed("x" * 65)),
    "an empty ServerId": synced("1", removed("")),
    "empty Attachments": synced("1", changed("5:1", empty(AirSyncBase.Attachments))),
    "an attachment without its size, which AOSP drops": synced(
        "1",
        changed(
            "5:1",
            element(
                AirSyncBase.Attachments,
                element(
                    AirSyncBase.Attachment,
                    leaf(AirSyncBase.DisplayName, "a.txt"),
                    leaf(AirSyncBase.FileReference, "5:1:0"),
                    leaf(AirSyncBase.Method, 1),
                ),
            ),
        ),
    ),
    "mail and calendar in one item": synced("1", changed("5:1", leaf(Email.Read, True), leaf(Calendar.UID, "x"))),
    "an unknown element": synced("1", changed("5:1", leaf(Ping.Status, 1))),
    "a wrong Count": hierarchy("1", element(FolderHierarchy.Add)),
    "two Inboxes": hierarchy("1", folder("1", "Inbox", 2), folder("2", "Inbox", 2)),
    "a folder twice, which makes AOSP wipe": hierarchy("1", folder("1", "A", 12), folder("1", "B", 12)),
    "a folder without a name": hierarchy("1", folder("1", "", 12)),
    "Delete after Add": hierarchy(
        "1", folder("1", "A", 12), element(FolderHierarchy.Delete, leaf(FolderHierarchy.ServerId, "2"))
    ),
    "success without a key": element(FolderHierarchy.FolderDelete, leaf(FolderHierarchy.Status, 1)),
    "a key beside a failure": element(
        FolderHierarchy.FolderDelete, leaf(FolderHierarchy.Status, 3), leaf(FolderHierarchy.SyncKey, "2")
    ),
    "Ping's news without folders": element(Ping.Ping, leaf(Ping.Status, 2)),
    "Ping's empty Folders": element(Ping.Ping, leaf(Ping.Status, 2), empty(Ping.Folders)),
    "Ping's bounds without a heartbeat": element(Ping.Ping, leaf(Ping.Status, 5)),
    "a heartbeat for nothing": element(Ping.Ping, leaf(Ping.Status, 1), leaf(Ping.HeartbeatInterval, 60)),
    "a move without its target": element(
        Move.MoveItems, element(Move.Response, leaf(Move.SrcMsgId, "5:1"), leaf(Move.Status, 3))
    ),
    "sent, but not by silence": element(ComposeMail.SendMail, leaf(ComposeMail.Status, 1)),
    "a policy under the key 0": element(
        Provision.Provision,
        leaf(Provision.Status, 1),
        element(
            Provision.Policies,
            element(
                Provision.Policy,
                leaf(Provision.PolicyType, "MS-EAS-Provisioning-WBXML"),
                leaf(Provision.Status, 1),
                leaf(Provision.PolicyKey, 0),
            ),
        ),
    ),
    "Settings without its Status first": element(
        Settings.Settings, element(Settings.Oof, leaf(Settings.Status, 1)), leaf(Settings.Status, 1)
    ),
    "a file of no content": element(
        ItemOperations.ItemOperations,
        leaf(ItemOperations.Status, 1),
        element(
            ItemOperations.Response,
            element(
                ItemOperations.Fetch,
                leaf(ItemOperations.Status, 1),
                leaf(AirSyncBase.FileReference, "5:1:0"),
                element(ItemOperations.Properties, leaf(ItemOperations.Total, 5)),
            ),
        ),
    ),
    "results that Android 4 does not show": element(
        Search.Search,
        leaf(Search.Status, 1),
        element(
            Search.Response,
            element(
                Search.Store,
                leaf(Search.Status, 1),
                element(Search.Result, element(Search.Properties, leaf(GAL.DisplayName, "Ann"))),
            ),
        ),
    ),
    "an estimate of nothing": element(
        GetItemEstimate.GetItemEstimate, element(GetItemEstimate.Response, leaf(GetItemEstimate.Status, 1))
    ),
    "a range that ends before it begins": element(
        Find.Find,
        leaf(Find.Status, 1),
        element(Find.Response, leaf(Find.Status, 1), leaf(Find.Range, "5-1"), leaf(Find.Total, 0)),
    ),
}


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
def test_these_are_wrong(document: Element) -> None:
    assert validate(document, NEWEST)


def test_a_fault_names_its_place() -> None:
    document = synced("2", added("5:1"), added("5:2", mail("x", leaf(Email.Importance, 9))))
    assert validate(document, NEWEST) == [
        "Sync/Collections/Collection/Commands/Add[2]/ApplicationData/Importance: 9 is not within 0 to 2"
    ]


def test_the_order_below_collection_is_that_of_the_field() -> None:
    document = synced("2", added("5:1"), more=True)
    collection = document.children[0].children[0]
    collection.children.append(collection.children.pop(3))  # MoreAvailable behind Commands
    assert validate(document, NEWEST) == ["Sync/Collections/Collection/MoreAvailable: must come before Commands"]


@pytest.mark.parametrize(
    ("document", "first"),
    [
        (synced("2", changed("5:1", *CONVERSATION)), Version.V14_0),
        (synced("2", changed("5:1", element(Email.Categories, leaf(Email.Category, "red")))), Version.V14_0),
        (synced("2", changed("5:1", leaf(Email2.IsDraft, True))), Version.V16_0),
        (element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.Status, 142)), Version.V14_0),
        (hierarchy("1", folder("RI", "Recipients", 19)), Version.V14_0),
        (element(ComposeMail.SendMail, leaf(ComposeMail.Status, 120)), Version.V14_0),
        (element(Find.Find, leaf(Find.Status, 2)), Version.V16_1),
        (
            element(Provision.Provision, leaf(Provision.Status, 1), empty(Provision.AccountOnlyRemoteWipe)),
            Version.V16_1,
        ),
    ],
    ids=lambda value: value.text if isinstance(value, Version) else value.tag.name,
)
def test_what_is_newer_than_the_version_is_wrong(document: Element, first: Version) -> None:
    right = [version for version in ANNOUNCED if not validate(document, version)]
    assert right == [version for version in ANNOUNCED if version >= first]


def test_what_is_older_than_the_version_is_wrong() -> None:
    document = synced("2", added("5:1"))
    document.children[0].children[0].children.insert(0, Element(AirSync.Class, value="Email"))
    assert not validate(document, Version.V12_0)
    assert all(validate(document, version) for version in ANNOUNCED)
