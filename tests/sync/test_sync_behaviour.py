"""Sync of mail against a running server: windows, filters, changes both ways, conflicts, empty and partial requests."""

import time

import pytest

from eas.commands.sync_turn import FAILED
from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSyncBase, Email, Tasks
from storage.clock import stamp_at
from storage.records import Added, Set, Stamp
from tests.eas.world import World
from tests.support.client import Device, EasClient
from tests.support.sync_requests import (
    BodyPreference,
    CollectionRequest,
    Options,
    categories,
    change,
    delete,
    fetch,
    flag,
    read,
)
from tests.sync.asking import ARCHIVE, INBOX, TAG, TRASH, put
from tests.system.laws import assert_same, members

BRIEF = Options(filter_type=0)


async def test_new_mail_comes_newest_first_in_windows(phone: EasClient, server: World) -> None:
    account = await server.account()
    for n in range(7):
        await put(account, f"m{n}", days_old=n)
    await phone.sync(INBOX)
    told = [await phone.sync(INBOX, window_size=3) for _ in range(3)]
    assert [[item.subject for item in one.added] for one in told] == [["m0", "m1", "m2"], ["m3", "m4", "m5"], ["m6"]]
    assert [one.more_available for one in told] == [True, True, False]
    assert (await phone.sync(INBOX)).sync_key is None  # nothing new: an empty answer


async def test_the_window_of_the_request_is_shared_by_its_collections(phone: EasClient, server: World) -> None:
    account = await server.account()
    for folder in (INBOX, ARCHIVE):
        await phone.sync_all(folder)
        for n in range(5):
            await put(account, f"{folder}{n}", folder=folder)

    async def once(window: int) -> dict[str, tuple[int, bool]]:
        keys = [(name, phone.mailbox.folder(name).sync_key) for name in (INBOX, ARCHIVE)]
        answer = await phone.sync_collections([CollectionRequest(*pair) for pair in keys], window_size=window)
        return {name: (result.changes, result.more_available) for name, result in answer.results.items()}

    assert await once(3) == {INBOX: (3, True), ARCHIVE: (0, True)}
    assert await once(3) == {INBOX: (2, False), ARCHIVE: (1, True)}
    assert await once(3) == {ARCHIVE: (3, True)}
    assert await once(3) == {ARCHIVE: (1, False)}


async def test_a_first_download_keeps_to_the_window_of_the_request(phone: EasClient, server: World) -> None:
    account = await server.account()
    for n in range(5):
        await put(account, f"m{n}")
    await phone.sync(INBOX)
    key = phone.mailbox.folder(INBOX).sync_key
    answer = await phone.sync_collections([CollectionRequest(INBOX, key)], window_size=2)
    assert (answer.results[INBOX].changes, answer.results[INBOX].more_available) == (2, True)


@pytest.mark.parametrize("window", [2, 5, 6])
async def test_a_phone_that_gets_pairs_for_what_it_may_have_keeps_its_window(server: World, window: int) -> None:
    """A Delete and an Add are two changes."""
    account, android = await server.account(), server.client(1)
    await android.sync_all(INBOX)
    for n in range(12):
        await put(account, f"m{n}")
    await android.sync(INBOX, window_size=window, loses_answer=True)
    await android.sync(INBOX, window_size=window, loses_answer=True)
    result = await android.sync(INBOX, window_size=window)  # the client counts
    assert 0 < len(result.deleted) <= len(result.added)
    assert len((await android.sync_all(INBOX, window_size=window)).items) == 12


async def test_whatever_is_answered_comes_under_a_new_key(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX)
    folder = phone.mailbox.folder(INBOX)
    gone = f"{INBOX}:nothing"
    for command in (fetch(gone), read(gone), delete(gone)):
        before = folder.sync_key
        result = await phone.sync(INBOX, [command], get_changes=False)
        assert [one.status for one in result.responses] == [8]
        assert folder.sync_key != before
        again = await phone.sync(INBOX, [command], get_changes=False, sync_key=before)  # the answer was lost
        assert [one.status for one in again.responses] == [8]
    assert (await phone.sync(INBOX)).sync_key is None


async def test_a_narrower_filter_takes_old_mail_off_and_a_wider_one_brings_it_back(
    phone: EasClient, server: World
) -> None:
    account = await server.account()
    old, new = await put(account, "old", days_old=10), await put(account, "new")
    await phone.sync_all(INBOX, options=Options(filter_type=3))
    folder = phone.mailbox.folder(INBOX)
    assert list(folder.items) == [new]
    await phone.sync_all(INBOX, options=Options(filter_type=4))
    assert folder.items.keys() == {old, new}
    narrowed = await phone.sync(INBOX, options=Options(filter_type=2))
    assert (narrowed.soft_deleted, narrowed.deleted) == ((old,), ())
    assert list(folder.items) == [new]


@pytest.mark.parametrize(("filter_type", "days"), [(1, 1), (2, 3), (3, 7), (4, 14), (5, 31)])
async def test_each_filter_has_its_window(phone: EasClient, server: World, filter_type: int, days: int) -> None:
    account = await server.account()
    inside = await put(account, "in", days_old=days - 0.01)
    await put(account, "out", days_old=days + 1.01)
    folder = await phone.sync_all(INBOX, options=Options(filter_type=filter_type))
    assert list(folder.items) == [inside]


async def test_what_a_phone_changes_reaches_the_other_and_does_not_come_back(phone: EasClient, server: World) -> None:
    other = server.client(1, device=None)
    other.device = type(phone.device)("other", "SP", "x")
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    await phone.sync_all(INBOX)
    await other.sync_all(INBOX)
    [server_id] = phone.mailbox.folder(INBOX).items
    mine = [read(server_id), flag(server_id), categories(server_id, ["a", "b"])]
    result = await phone.sync(INBOX, mine, options=None)
    assert (result.status, result.responses, result.changes) == (1, (), 0)
    told = await other.sync(INBOX, options=None)
    assert [set(item.properties) for item in told.changed] == [{Email.Read, Email.Flag, Email.Categories}]
    held = other.mailbox.folder(INBOX).items[server_id]
    assert (held.is_read, held.is_flagged) == (True, True)
    await phone.sync(INBOX, [change(server_id, empty(Email.Flag)), read(server_id, False)], options=None)
    await other.sync(INBOX, options=None)
    assert (held.is_read, held.is_flagged) == (False, False)


async def test_of_two_changes_of_one_item_the_last_counts(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    folder = await phone.sync_all(INBOX)
    [server_id] = folder.items
    await phone.sync(INBOX, [read(server_id), read(server_id, False)], options=None)
    await assert_same(await server.account(), folder)
    assert not folder.items[server_id].is_read


async def test_a_change_to_what_is_there_already_is_answered(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    folder = await phone.sync_all(INBOX)
    [server_id] = folder.items
    for _ in range(2):
        result = await phone.sync(INBOX, [read(server_id, False)], options=None, get_changes=False)
        assert result.sync_key is not None
        assert (result.status, result.responses) == (1, ())


async def test_delete_wins_over_a_change_in_the_same_request(phone: EasClient, server: World) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    folder = await phone.sync_all(INBOX)
    [server_id] = folder.items
    result = await phone.sync(INBOX, [delete(server_id), read(server_id), delete(server_id)], options=None)
    assert result.responses == ()
    assert folder.items == {}
    assert [item.value("read") for item in await members(await server.account(), TRASH)] == [None]


@pytest.mark.parametrize(("moves", "in_trash"), [(None, 1), (True, 1), (False, 0)])
async def test_deletes_move_to_the_trash_unless_told_otherwise(
    phone: EasClient, server: World, moves: bool | None, in_trash: int
) -> None:
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    [server_id] = (await phone.sync_all(INBOX)).items
    await phone.sync(INBOX, [delete(server_id)], options=None, deletes_as_moves=moves)
    trash = await phone.sync_all(TRASH)
    assert len(trash.items) == in_trash
    for held in list(trash.items):  # in the trash itself it is for good
        await phone.sync(TRASH, [delete(held)], options=None)
    assert await members(await server.account(), TRASH) == []


BAD: dict[str, Element | None] = {
    "Read 2": leaf(Email.Read, 2),
    "Read empty": empty(Email.Read),
    "Read text": leaf(Email.Read, "yes"),
    "Subject": leaf(Email.Subject, "other"),
    "From": leaf(Email.From, "x@example.org"),
    "Flag Status 3": element(Email.Flag, leaf(Email.Status, 3)),
    "Flag without FlagType": element(Email.Flag, leaf(Email.Status, 2)),
    "Flag completed without a time": element(Email.Flag, leaf(Email.Status, 1)),
    "Flag of no date": element(
        Email.Flag, leaf(Email.Status, 2), leaf(Email.FlagType, "x"), leaf(Tasks.StartDate, "tomorrow")
    ),
    "Flag with one date": element(
        Email.Flag, leaf(Email.Status, 2), leaf(Email.FlagType, "x"), leaf(Tasks.StartDate, "2024-01-02T03:04:05.000Z")
    ),
    "Flag reminded at no time": element(
        Email.Flag, leaf(Email.Status, 2), leaf(Email.FlagType, "x"), leaf(Tasks.ReminderSet, 1)
    ),
    "update of no flag": element(Email.Flag, leaf(Tasks.Subject, "x")),
    "too many Categories": element(Email.Categories, *(leaf(Email.Category, str(n)) for n in range(301))),
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD.keys())
async def test_a_bad_value_fails_its_item_and_no_other(phone: EasClient, server: World, wrong: Element) -> None:
    for n in range(2):
        await server.deliver(1, b"Subject: %d\r\n\r\nx" % n)
    folder = await phone.sync_all(INBOX)
    first, second = folder.items
    result = await phone.sync(INBOX, [change(first, wrong), read(second)], options=None)
    assert [(one.server_id, one.status) for one in result.responses] == [(first, 6)]
    await assert_same(await server.account(), folder)


async def test_mail_cannot_be_added(server: World) -> None:
    for version in (Version.V12_1, Version.V14_1, Version.V16_1):
        phone = server.client(1, version=version)
        await phone.sync(INBOX)
        add = element(TAG.Add, leaf(TAG.ClientId, "1"), element(TAG.ApplicationData, leaf(Email.Subject, "x")))
        result = await phone.sync(INBOX, [add], options=None)
        assert [one.status for one in result.responses] == [6]


async def test_what_is_gone_is_told_8(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX)
    lost = "inbox:nothere"
    result = await phone.sync(INBOX, [read(lost), delete(lost), fetch(lost), fetch("inbox:"), fetch("x")], options=None)
    assert [one.status for one in result.responses] == [8, 8, 8, 8, 8]


async def test_fetch_brings_the_whole_item_and_no_changes(phone: EasClient, server: World) -> None:
    text = "long " * 1000
    await server.deliver(1, b"Subject: x\r\n\r\n" + text.encode())
    await phone.sync(INBOX)
    key = phone.mailbox.folder(INBOX).sync_key
    preference = Options(filter_type=0, bodies=(BodyPreference(1, 10),))
    folder = await phone.sync_all(INBOX, options=preference)
    [server_id] = folder.items
    assert len(folder.items[server_id].body) <= 10
    await server.deliver(1, b"Subject: y\r\n\r\ny")
    result = await phone.sync(INBOX, [fetch(server_id)], options=None, get_changes=None)
    assert (result.changes, [one.status for one in result.responses]) == (0, [1])
    assert folder.items[server_id].body.strip() == text.strip()
    assert key != folder.sync_key
    assert len((await phone.sync(INBOX, options=None)).added) == 1


async def test_a_mail_that_cannot_be_read_stops_neither_its_folder_nor_a_fetch(phone: EasClient, server: World) -> None:
    account = await server.account()
    async with account.turn():
        await account.commit([Added("00000000000000000000", INBOX, "Email", 1, None)])
    good = await put(account, "good")
    folder = await phone.sync_all(INBOX)
    assert list(folder.items) == [good]
    async with account.turn() as state:
        assert state.devices.get(phone.device.id, FAILED) == ["inbox:00000000000000000000"]
    result = await phone.sync(INBOX, [fetch("inbox:00000000000000000000"), fetch(good)], options=None)
    assert [one.status for one in result.responses] == [8, 1]


@pytest.mark.parametrize(("conflict", "status", "is_read"), [(None, 7, False), (1, 7, False), (0, None, True)])
async def test_a_conflict_is_won_by_the_server_unless_the_phone_says_so(
    phone: EasClient, server: World, conflict: int | None, status: int | None, is_read: bool
) -> None:
    account = await server.account()
    server_id = await put(account, "x")
    folder = await phone.sync_all(INBOX, options=Options(conflict=conflict))
    await phone.sync(INBOX, [read(server_id)], options=None)
    await phone.sync(INBOX, [read(server_id, False)], options=None)
    item = server_id.partition(":")[2]
    async with account.turn():
        await account.commit([Set(item, "read", True), Set(item, "read", False)])
    result = await phone.sync(INBOX, [categories(server_id, ["a"]), read(server_id), flag(server_id)], options=None)
    assert [one.status for one in result.responses] == ([status] if status else [])
    await phone.sync(INBOX, options=None)
    await assert_same(account, folder)
    assert folder.items[server_id].is_read == is_read
    assert folder.items[server_id].is_flagged


async def test_a_change_of_what_the_phone_has_seen_wins_over_a_clock_that_was_hours_ahead(
    phone: EasClient, server: World
) -> None:
    account = await server.account()
    server_id = await put(account, "x")
    item = server_id.partition(":")[2]
    ahead = Stamp(stamp_at(time.time_ns() // 1_000_000 + 5 * 3_600_000), "fast", (1, 1))
    async with account.turn():
        await account.commit([Set(item, "read", True, stamp=ahead), Set(item, "folder", INBOX, stamp=ahead)])
    folder = await phone.sync_all(INBOX)
    assert (await phone.sync(INBOX, [read(server_id, False)], options=None)).responses == ()
    await phone.sync(INBOX, options=None)
    await assert_same(account, folder)
    assert not folder.items[server_id].is_read
    await phone.sync(INBOX, [delete(server_id)], options=None)
    assert await members(account, INBOX) == []


async def test_a_change_of_what_the_phone_moved_away_by_another_command_is_not_found(
    phone: EasClient, server: World
) -> None:
    server_id = await put(await server.account(), "x")
    folder = await phone.sync_all(INBOX)
    key = folder.sync_key
    await phone.sync(INBOX, [read(server_id)], options=None)
    await phone.move([(server_id, INBOX, ARCHIVE)])
    again = await phone.sync(INBOX, [categories(server_id, ["a"])], options=None, sync_key=key)
    assert [one.status for one in again.responses] == [8]


async def test_the_same_change_on_both_sides_is_no_conflict(phone: EasClient, server: World) -> None:
    account = await server.account()
    server_id = await put(account, "x")
    await phone.sync_all(INBOX)
    async with account.turn():
        await account.commit([Set(server_id.partition(":")[2], "read", True)])
    result = await phone.sync(INBOX, [read(server_id)], options=None)
    assert result.responses == ()


async def test_options_are_kept_even_if_there_was_nothing_to_tell(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX, options=Options(bodies=(BodyPreference(1),)))
    short = Options(bodies=(BodyPreference(1, 5),))
    assert (await phone.sync(INBOX, options=short, get_changes=False)).sync_key is None
    await server.deliver(1, b"Subject: x\r\n\r\nlonger than five")
    await phone.sync(INBOX, options=None)
    assert phone.mailbox.folder(INBOX).find("x").body == "longe"
    shorter = Options(bodies=(BodyPreference(1, 3),))
    assert (await phone.sync(INBOX, options=shorter)).sync_key is None
    await server.deliver(1, b"Subject: y\r\n\r\nlonger than five")
    await phone.sync(INBOX, options=None)
    assert phone.mailbox.folder(INBOX).find("y").body == "lon"


async def test_an_empty_options_block_forgets_the_one_before(phone: EasClient, server: World) -> None:
    account = await server.account()
    old = await put(account, "old", days_old=90)
    folder = await phone.sync_all(INBOX, options=Options(filter_type=1))
    assert folder.items == {}
    await phone.sync(INBOX, options=None)
    assert folder.items == {}
    await phone.sync(INBOX, options=Options())
    assert list(folder.items) == [old]


async def test_categories_are_no_news_below_14_0(server: World) -> None:
    phone = server.client(1, version=Version.V12_1)
    account = await server.account()
    server_id = await put(account, "x")
    folder = await phone.sync_all(INBOX)
    async with account.turn():
        await account.commit([Set(server_id.partition(":")[2], "categories", ["a"])])
    result = await phone.sync(INBOX)
    assert (result.status, result.changes) == (1, 0)
    assert Email.Categories not in folder.items[server_id].properties


async def test_an_empty_request_repeats_the_last_and_a_partial_one_adds_to_it(phone: EasClient, server: World) -> None:
    for folder in (INBOX, ARCHIVE):
        await phone.sync_all(folder)
    keys = {name: phone.mailbox.folder(name).sync_key for name in (INBOX, ARCHIVE)}
    await phone.sync_collections([CollectionRequest(name, key) for name, key in keys.items()])
    assert (await phone.sync_collections([])).is_empty
    await server.deliver(1, b"Subject: x\r\n\r\nx")
    answer = await phone.sync_collections([])
    assert list(answer.results) == [INBOX]
    await put(await server.account(), "y", folder=ARCHIVE)
    mine = CollectionRequest(INBOX, phone.mailbox.folder(INBOX).sync_key)
    answer = await phone.sync_collections([mine], partial=True)
    assert list(answer.results) == [ARCHIVE]
    assert answer.results[ARCHIVE].changes == 1


async def test_a_partial_request_may_change_the_window_alone(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX)
    await phone.sync(INBOX)
    for n in range(3):
        await server.deliver(1, b"Subject: %d\r\n\r\nx" % n)
    answer = await phone.sync_collections([], partial=True, window_size=2)
    assert (answer.results[INBOX].changes, answer.results[INBOX].more_available) == (2, True)


async def test_what_is_remembered_is_written_even_if_all_commands_fail(phone: EasClient, server: World) -> None:
    for folder in (INBOX, ARCHIVE):
        await phone.sync_all(folder)
    await phone.sync(INBOX)
    await phone.sync(ARCHIVE, [read("archive:none")], options=None)
    await put(await server.account(), "x", folder=ARCHIVE)
    assert list((await phone.sync_collections([])).results) == [ARCHIVE]


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_the_previous_key_is_answered_again(phone: EasClient, server: World, times: int) -> None:
    for n in range(3):
        await server.deliver(1, b"Subject: %d\r\n\r\nx" % n)
    folder = await phone.sync_all(INBOX, options=BRIEF)
    first, second, third = folder.items
    for n in range(times):
        await server.deliver(1, b"Subject: new%d\r\n\r\nx" % n)
        lost = await phone.sync(INBOX, [read(first), delete(second)], options=None, loses_answer=True)
        assert lost.status == 1
    result = await phone.sync(INBOX, options=None)
    assert result.status == 1
    assert len(result.added) == times
    assert set(result.deleted) - {item.server_id for item in result.added} == {second}
    await assert_same(await server.account(), folder)
    assert folder.items.keys() >= {first, third}


async def test_the_key_before_the_previous_one_is_refused(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX)
    keys = [phone.mailbox.folder(INBOX).sync_key]
    for n in range(3):
        await server.deliver(1, b"Subject: %d\r\n\r\nx" % n)
        await phone.sync(INBOX)
        keys.append(phone.mailbox.folder(INBOX).sync_key)
    assert len(set(keys)) == 4
    other = server.client(1)
    for key, status in zip(keys, (3, 3, 1), strict=False):
        result = await other.sync(INBOX, sync_key=key, loses_answer=True)
        assert result.status == status


async def test_a_key_of_another_device_is_refused(phone: EasClient, server: World) -> None:
    await phone.sync_all(INBOX)
    other = server.client(1)
    other.device = type(phone.device)("other", "SP", "x")
    result = await other.sync(INBOX, sync_key=phone.mailbox.folder(INBOX).sync_key)
    assert result.status == 3


ALTERNATIVE = (
    b"From: a@example.net\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nplain text\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>rich <b>text</b></p>\r\n--b--\r\n"
)
PLAIN, HTML, MIME = 1, 2, 4


@pytest.mark.parametrize(
    ("options", "kind", "data", "is_cut"),
    [
        (Options(), HTML, None, True),
        (Options(bodies=(BodyPreference(PLAIN),)), PLAIN, "plain text", False),
        (Options(bodies=(BodyPreference(HTML),)), HTML, "<p>rich", False),
        (Options(bodies=(BodyPreference(PLAIN), BodyPreference(HTML))), HTML, "<p>rich", False),
        (Options(bodies=(BodyPreference(PLAIN, 5),)), PLAIN, "plain", True),
        (Options(bodies=(BodyPreference(PLAIN, 0),)), PLAIN, "", True),
        (Options(bodies=(BodyPreference(HTML, 5, True), BodyPreference(PLAIN))), PLAIN, "plain text", False),
        (Options(bodies=(BodyPreference(MIME),)), MIME, "multipart/alternative", False),
        (Options(bodies=(BodyPreference(MIME),), mime_support=2), MIME, "multipart/alternative", False),
        (Options(bodies=(BodyPreference(MIME, 100),), mime_support=2), MIME, "Return-Path", True),
        (Options(bodies=(BodyPreference(MIME),), mime_support=2, mime_truncation=0), MIME, "", True),
        (Options(bodies=(BodyPreference(MIME), BodyPreference(PLAIN)), mime_support=0), PLAIN, "plain text", False),
        (Options(bodies=(BodyPreference(MIME), BodyPreference(PLAIN)), mime_support=1), PLAIN, "plain text", False),
    ],
)
async def test_the_body_that_is_asked_for_comes(
    phone: EasClient, server: World, options: Options, kind: int, data: str | None, is_cut: bool
) -> None:
    await server.deliver(1, ALTERNATIVE)
    [item] = (await phone.sync_all(INBOX, options=options)).items.values()
    body = item.properties[AirSyncBase.Body]
    assert body.number(AirSyncBase.Type) == kind
    assert body.has(AirSyncBase.Truncated) == is_cut
    assert (data or "") in body.text_or(AirSyncBase.Data, "")
    assert body.has(AirSyncBase.Data) == bool(data)


async def test_a_preview_comes_when_asked_for(server: World) -> None:
    await server.deliver(1, ALTERNATIVE)
    options = Options(bodies=(BodyPreference(PLAIN, 0, preview=5),))
    for version, preview in ((Version.V12_1, ""), (Version.V14_0, "plain"), (Version.V16_1, "plain")):
        phone = server.client(1, version=version, device=Device(f"phone{version.text}".replace(".", ""), "SP", "x"))
        [item] = (await phone.sync_all(INBOX, options=options)).items.values()
        assert item.properties[AirSyncBase.Body].text_or(AirSyncBase.Preview, "") == preview
