"""Drafts: both ways, edited, again after lost answers, and sent."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from eas.items.draft import FILES_MAX, NAME_CHARS_MAX, TEXT_CHARS_MAX
from eas.mail.submission import SubmissionFailed
from eas.protocol.versions import Version
from eas.settings import Settings
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSyncBase, Email, Email2
from storage.engine_memory import MemoryEngine
from tests.eas.world import World, address, world
from tests.support.client import Device, EasClient
from tests.support.drafts import Draft, DraftFile
from tests.support.mailbox import INVALID_KEY, Item
from tests.support.sync_requests import HTML, MIME, PLAIN, BodyPreference, Options, add, change

DRAFTS, SENT = "drafts", "sent"
AS_PLAIN = Options(bodies=(BodyPreference(PLAIN),))
AS_MIME = Options(bodies=(BodyPreference(MIME),), mime_support=2)
NOTE = Draft(
    to="bob@example.com; Carl <carl@example.com>", bcc="eve@example.com", subject="plan", body="tea\r\nat five"
)
FILE = DraftFile("f1", "plan.pdf", b"pdf" * 100, "application/pdf")
OTHER_FILE = DraftFile("f2", "Größe.txt", b"large")


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world() as made:
        yield made


async def phone_of(w: World, version: Version = Version.V16_1, device: Device | None = None) -> EasClient:
    phone = w.client(1, version=version, device=device)
    await phone.set_up()
    await phone.sync_all(DRAFTS, options=AS_PLAIN)
    await phone.sync_all(SENT)
    return phone


async def draft_on(phone: EasClient, draft: Draft = NOTE) -> str:
    """Add a draft and return its ServerId."""
    response = await phone.draft_add(DRAFTS, draft)
    assert response.status == 1
    return response.server_id


async def seen(w: World, server_id: str, options: Options = AS_PLAIN) -> Item:
    """Return the draft as another phone sees it."""
    phone = w.client(1)
    await phone.set_up()
    return (await phone.sync_all(DRAFTS, options=options)).items[server_id]


def names(item: Item) -> list[str]:
    return [each.text(AirSyncBase.DisplayName) for each in item.attachments]


def references(item: Item) -> dict[str, str]:
    return {each.text(AirSyncBase.DisplayName): each.text(AirSyncBase.FileReference) for each in item.attachments}


def keys(w: World) -> list[str]:
    assert isinstance(w.store.engine, MemoryEngine)
    return list(w.store.engine.objects.keys)


def blobs(w: World) -> list[str]:
    return [key for key in keys(w) if "/blob/" in key]


# -- wrong commands


def attachments(*each: Element) -> Element:
    return element(AirSyncBase.Attachments, *each)


def file(*children: Element | None) -> Element:
    return element(AirSyncBase.Add, *children)


def body(kind: int | None, data: str = "x") -> Element:
    return element(AirSyncBase.Body, leaf(AirSyncBase.Type, kind), leaf(AirSyncBase.Data, data))


NAMED = (leaf(AirSyncBase.ClientId, "1"), leaf(AirSyncBase.Content, b"x"))
WRONG = {
    "From": [leaf(Email.From, "anna@example.org")],
    "DateReceived": [leaf(Email.DateReceived, "2024-01-01T00:00:00.000Z")],
    "ConversationId": [leaf(Email2.ConversationId, b"0123456789abcdef")],
    "IsDraft": [leaf(Email2.IsDraft, True)],
    "Sender": [leaf(Email2.Sender, "anna@example.org")],
    "Importance": [leaf(Email.Importance, 3)],
    "an Importance that is no number": [leaf(Email.Importance, "high")],
    "Read": [leaf(Email.Read, "yes")],
    "Flag": [element(Email.Flag, leaf(Email.Status, 7))],
    "RTF": [body(3)],
    "a Body without Type": [body(None)],
    "To beside MIME": [body(MIME), leaf(Email.To, "bob@example.com")],
    "Subject beside MIME": [body(MIME), leaf(Email.Subject, "x")],
    "MIME with an endless header": [body(MIME, "X: " + "x" * 300_000)],
    "a long Subject": [leaf(Email.Subject, "x" * (TEXT_CHARS_MAX + 1))],
    "a file without a name": [attachments(file(*NAMED))],
    "a file without content": [attachments(file(NAMED[0], leaf(AirSyncBase.DisplayName, "x")))],
    "a file without ClientId": [attachments(file(NAMED[1], leaf(AirSyncBase.DisplayName, "x")))],
    "a file with a long name": [attachments(file(*NAMED, leaf(AirSyncBase.DisplayName, "x" * (NAME_CHARS_MAX + 1))))],
    "too many files": [attachments(*[file(*NAMED, leaf(AirSyncBase.DisplayName, "x"))] * (FILES_MAX + 1))],
    "an Attachment": [attachments(element(AirSyncBase.Attachment, leaf(AirSyncBase.DisplayName, "x")))],
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_draft_is_refused_alone(w: World, data: list[Element]) -> None:
    phone = await phone_of(w)
    right, stored = add("right", leaf(Email.Subject, "fine")), await draft_on(phone)
    commands = [add("wrong", *data), right, change(stored, *data), add("sent", *data, send=True)]
    result = await phone.sync(DRAFTS, commands)
    statuses = {each.client_id or each.server_id: each.status for each in result.responses}
    assert statuses == {"wrong": 6, "right": 1, stored: 6, "sent": 6}
    assert not w.sent


async def test_bounds_themselves_are_allowed(w: World) -> None:
    phone = await phone_of(w)
    files = tuple(DraftFile(str(n), "x", b"") for n in range(FILES_MAX))
    draft = Draft(subject="x" * 10_000, files=(DraftFile("n", "n" * NAME_CHARS_MAX, b""), *files[1:]))
    item = await seen(w, await draft_on(phone, draft))
    assert len(item.attachments) == FILES_MAX


async def test_references_of_another_item_are_refused(w: World) -> None:
    phone = await phone_of(w)
    first, second = await draft_on(phone, replace(NOTE, files=(FILE,))), await draft_on(phone)
    for reference in (f"{first}:2", "2", "", f"{second}x:2"):
        result = await phone.sync(DRAFTS, [Draft(removed_files=(reference,)).change(second)])
        assert result.response(second).status == 6
    assert (await phone.sync(DRAFTS, [Draft(removed_files=(f"{second}:9",)).change(second)])).responses == ()


async def test_a_draft_above_the_bound_of_requests_is_refused() -> None:
    async with world(settings=Settings(body_bytes_max=4000)) as w:
        phone = await phone_of(w)
        stored = await draft_on(phone)
        files = (DraftFile("1", "x", b"x" * 2900),)
        result = await phone.sync(DRAFTS, [Draft(files=files).change(stored)])
        assert result.response(stored).status == 122
        assert (await phone.draft_add(DRAFTS, Draft(subject="s", files=files))).status == 122
        assert names(await seen(w, stored)) == []


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1])
async def test_before_16_drafts_are_for_reading(w: World, version: Version) -> None:
    newer, older = await phone_of(w), await phone_of(w, version=version)
    stored = await draft_on(newer)
    await older.sync_all(DRAFTS)
    result = await older.sync(DRAFTS, [add("1", leaf(Email.Subject, "x")), change(stored, leaf(Email.Subject, "x"))])
    assert [each.status for each in result.responses] == [6, 6]
    await older.sync(DRAFTS, [change(stored, leaf(Email.Read, False))])
    assert not (await seen(w, stored)).is_read


async def test_in_other_folders_nothing_is_added(w: World) -> None:
    phone = await phone_of(w)
    result = await phone.sync(SENT, [add("1", leaf(Email.Subject, "x"))])
    assert result.response("1").status == 6


# -- adding


async def test_a_draft_is_seen_by_other_phones(w: World) -> None:
    phone = await phone_of(w)
    response = await phone.draft_add(DRAFTS, replace(NOTE, cc="dora@example.com", importance=2))
    assert response.data is not None
    assert len(response.data.opaque(Email2.ConversationId)) == 16
    item = await seen(w, response.server_id)
    assert (item.text(Email.To), item.text(Email.Cc)) == (
        'bob@example.com, "Carl" <carl@example.com>',
        "dora@example.com",
    )
    assert (item.text(Email2.Bcc), item.subject, item.body) == ("eve@example.com", "plan", "tea\r\nat five")
    assert (item.text(Email.Importance), item.text(Email2.IsDraft), item.is_read) == ("2", "1", True)
    assert item.text(Email.From) == f'"User 1" <{address(1)}>'
    assert (await phone.sync(DRAFTS)).changes == 0


async def test_a_draft_may_be_empty(w: World) -> None:
    item = await seen(w, await draft_on(await phone_of(w), Draft()))
    assert (item.subject, item.body) == ("", "")


async def test_flag_and_read_come_with_it(w: World) -> None:
    phone = await phone_of(w)
    flag = element(Email.Flag, leaf(Email.Status, 2), leaf(Email.FlagType, "for Follow Up"))
    command = add("1", leaf(Email.Subject, "x"), leaf(Email.Read, False), flag)
    result = await phone.sync(DRAFTS, [command], get_changes=False)
    item = await seen(w, result.response("1").server_id)
    assert (item.is_flagged, item.is_read) == (True, False)


async def test_html_stays_html(w: World) -> None:
    phone = await phone_of(w)
    html = "<html><body><p>tea <b>at five</b></p></body></html>"
    stored = await draft_on(phone, replace(NOTE, body=html, body_type=HTML))
    assert "<b>at five</b>" in (await seen(w, stored, Options(bodies=(BodyPreference(HTML),)))).body
    assert "at five" in (await seen(w, stored)).body


async def test_a_whole_message_is_a_draft(w: World) -> None:
    phone = await phone_of(w)
    mime = f"From: {address(1)}\r\nTo: bob@example.com\r\nBcc: eve@example.com\r\nSubject: plan\r\n"
    mime += "Message-ID: <own@phone>\r\n\r\ntea"
    stored = await draft_on(phone, Draft(body=mime, body_type=MIME, files=(FILE,)))
    item = await seen(w, stored)
    assert (item.subject, item.body.strip(), item.text(Email2.Bcc)) == ("plan", "tea", "eve@example.com")
    assert names(item) == ["plan.pdf"]
    await phone.sync(DRAFTS, [Draft(body=mime.replace("tea", "coffee"), body_type=MIME).change(stored)])
    item = await seen(w, stored)
    assert (item.body.strip(), names(item)) == ("coffee", [])
    assert "Message-ID: <own@phone>" in (await seen(w, stored, AS_MIME)).body


async def test_an_add_whose_answer_was_lost_is_one_draft(w: World) -> None:
    phone = await phone_of(w)
    command = replace(NOTE, files=(FILE,)).add("1")
    first = await phone.sync(DRAFTS, [command], loses_answer=True)
    stored = blobs(w)
    again = await phone.sync(DRAFTS, [command])
    assert first.responses[0].server_id == again.responses[0].server_id
    assert first.responses[0].data == again.responses[0].data
    assert blobs(w) == stored
    phone.mailbox.folder(DRAFTS).items.clear()
    assert len((await (await phone_of(w)).sync_all(DRAFTS)).items) == 1


async def test_adds_that_come_again_in_parts_are_one_draft_each(w: World) -> None:
    phone = await phone_of(w)
    one, two = add("1", leaf(Email.Subject, "one")), add("2", leaf(Email.Subject, "two"))
    await phone.sync(DRAFTS, [one, two], loses_answer=True)
    await phone.sync(DRAFTS, [one])  # with the same key: the phone has a key now that the first answer did not bring
    assert [each.status for each in (await phone.sync(DRAFTS, [two])).responses] == [1]
    drafts = (await (await phone_of(w)).sync_all(DRAFTS)).items
    assert sorted(item.subject for item in drafts.values()) == ["one", "two"]


# -- changing


async def test_a_change_keeps_what_it_leaves_out(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone, replace(NOTE, importance=0, files=(FILE,)))
    result = await phone.sync(DRAFTS, [Draft(subject="Plan für heute", cc="dora@example.com").change(stored)])
    assert (result.responses, result.changes) == ((), 0)
    item = await seen(w, stored)
    assert (item.subject, item.text(Email.Cc)) == ("Plan für heute", "dora@example.com")
    assert (item.text(Email2.Bcc), item.body.strip(), item.text(Email.Importance), names(item)) == (
        "eve@example.com",
        "tea\r\nat five",
        "0",
        ["plan.pdf"],
    )


async def test_empty_elements_clear(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    await phone.sync(DRAFTS, [Draft(to="", bcc="", subject="", body="").change(stored)])
    item = await seen(w, stored)
    assert (item.text(Email.To), item.text(Email2.Bcc), item.subject, item.body.strip()) == ("", "", "", "")


async def test_unfinished_addresses_are_kept(w: World) -> None:
    item = await seen(w, await draft_on(await phone_of(w), replace(NOTE, to="Bo; carl@example.com")))
    assert item.text(Email.To) == '"Bo", carl@example.com'


@pytest.mark.parametrize("body_type", [PLAIN, HTML, MIME])
async def test_a_phone_that_sends_its_drafts_anew_changes_nothing(w: World, body_type: int) -> None:
    phone = await phone_of(w)
    draft = replace(NOTE, body_type=body_type)
    if body_type == MIME:
        draft = Draft(body="Subject: x\r\nMessage-ID: <x@y>\r\n\r\nhello\r\n", body_type=MIME)
    stored = [await draft_on(phone, draft) for _ in range(3)]
    before = blobs(w)
    for _ in range(2):
        result = await phone.sync(DRAFTS, [draft.change(each) for each in stored])
        assert (result.responses, result.changes) == ((), 0)
    assert blobs(w) == before


async def test_a_change_that_says_what_is_there_is_not_even_read(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    command = Draft(subject="plan", bcc="eve@example.com", importance=1).change(stored)
    await phone.sync(DRAFTS, [command])
    before = blobs(w)
    await phone.sync(DRAFTS, [command])
    assert blobs(w) == before


async def test_a_change_of_what_is_gone_is_not_found(w: World) -> None:
    phone = await phone_of(w)
    result = await phone.sync(DRAFTS, [NOTE.change("drafts:none"), NOTE.change("drafts:gone", send=True)])
    assert [each.status for each in result.responses] == [8, 8]


async def test_of_two_phones_the_one_that_was_first_wins(w: World) -> None:
    phone, other = await phone_of(w), await phone_of(w)
    stored = await draft_on(phone)
    await other.sync_all(DRAFTS, options=AS_PLAIN)
    other_device = w.client(1, device=replace(other.device, id="otherphone1"))
    await other_device.set_up()
    await other_device.sync_all(DRAFTS, options=AS_PLAIN)
    await phone.sync(DRAFTS, [Draft(subject="first").change(stored)])
    result = await other_device.sync(DRAFTS, [Draft(subject="second").change(stored)], options=AS_PLAIN)
    assert result.response(stored).status == 7
    assert other_device.mailbox.folder(DRAFTS).items[stored].subject == "first"
    assert (await seen(w, stored)).subject == "first"


# -- files


async def test_files_are_named_in_the_answer_and_can_be_read(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    result = await phone.sync(DRAFTS, [Draft(files=(FILE, OTHER_FILE)).change(stored)])
    data = result.response(stored).data
    assert data is not None
    told = {
        each.text(AirSyncBase.ClientId): each.text(AirSyncBase.FileReference)
        for each in (data.first(AirSyncBase.Attachments) or Element(AirSyncBase.Attachments)).children
    }
    item = await seen(w, stored)
    assert references(item) == {"plan.pdf": told["f1"], "Größe.txt": told["f2"]}
    assert [each.number(AirSyncBase.EstimatedDataSize) for each in item.attachments] == [300, 5]


async def test_a_picture_of_the_text_is_told_from_files(w: World) -> None:
    phone = await phone_of(w)
    picture = DraftFile("p", "a.png", b"png", "image/png", "pic@phone")
    html = '<html><body><img src="cid:pic@phone"></body></html>'
    stored = await draft_on(phone, replace(NOTE, body=html, body_type=HTML, files=(FILE,)))
    result = await phone.sync(DRAFTS, [Draft(files=(OTHER_FILE, picture)).change(stored)])
    data = result.response(stored).data
    assert data is not None
    told = (data.first(AirSyncBase.Attachments) or Element(AirSyncBase.Attachments)).children
    by_id = {each.text(AirSyncBase.ClientId): each.text(AirSyncBase.FileReference) for each in told}
    found = references(await seen(w, stored))
    assert (found["a.png"], found["Größe.txt"]) == (by_id["p"], by_id["f2"])


async def test_a_file_that_goes_renumbers_and_the_phone_is_told(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone, replace(NOTE, files=(FILE, OTHER_FILE)))
    found = references(await seen(w, stored))
    result = await phone.sync(DRAFTS, [Draft(removed_files=(found["plan.pdf"],)).change(stored)], options=AS_PLAIN)
    [told] = result.changed
    assert references(told) == references(await seen(w, stored)) == {"Größe.txt": found["plan.pdf"]}
    assert (await phone.sync(DRAFTS)).changes == 0


async def test_a_file_that_goes_is_told_later_to_a_phone_that_does_not_ask(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone, replace(NOTE, files=(FILE, OTHER_FILE)))
    reference = references(await seen(w, stored))["plan.pdf"]
    result = await phone.sync(DRAFTS, [Draft(removed_files=(reference,)).change(stored)], get_changes=False)
    assert result.changes == 0
    [told] = (await phone.sync(DRAFTS, options=AS_PLAIN)).changed
    assert names(told) == ["Größe.txt"]


async def test_an_edit_of_files_whose_answer_was_lost_is_done_once(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone, replace(NOTE, files=(FILE, OTHER_FILE)))
    reference = references(await seen(w, stored))["plan.pdf"]
    third = DraftFile("f3", "third", b"3")
    command = Draft(files=(third,), removed_files=(reference,)).change(stored)
    first = await phone.sync(DRAFTS, [command], loses_answer=True)
    before = blobs(w)
    again = await phone.sync(DRAFTS, [command])
    assert first.response(stored).data == again.response(stored).data
    assert names(await seen(w, stored)) == ["Größe.txt", "third"]
    assert blobs(w) == before


# -- sending


async def subjects(phone: EasClient, folder: str) -> list[str]:
    return sorted(item.subject for item in (await phone.sync_all(folder)).items.values())


async def test_a_draft_that_is_sent_moves_to_sent_items(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone, replace(NOTE, files=(FILE,)))
    result = await phone.sync(DRAFTS, [Draft(subject="final").change(stored, send=True)])
    assert (result.responses, result.deleted) == ((), (stored,))
    [sent] = w.sent
    assert sent.sender == address(1)
    assert sent.recipients == ("bob@example.com", "carl@example.com", "eve@example.com")
    assert b"Subject: final" in sent.message
    assert b"plan.pdf" in sent.message
    assert b"Bcc" not in sent.message
    assert await subjects(phone, DRAFTS) == []
    assert await subjects(phone, SENT) == ["final"]


async def test_a_draft_is_sent_as_it_is_without_application_data(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    command = change(stored, send=True)
    command.children.pop()
    await phone.sync(DRAFTS, [command])
    assert b"Subject: plan" in w.sent[0].message


@pytest.mark.parametrize("get_changes", [True, False])
async def test_a_draft_that_is_added_to_be_sent_does_not_stay(w: World, get_changes: bool) -> None:
    phone = await phone_of(w)
    result = await phone.sync(DRAFTS, [NOTE.add("1", send=True)], get_changes=get_changes)
    assert result.response("1").status == 1
    assert result.deleted == ((result.response("1").server_id,) if get_changes else ())
    await phone.sync_all(DRAFTS)
    assert not phone.mailbox.folder(DRAFTS).items
    assert await subjects(phone, SENT) == ["plan"]
    assert len(w.sent) == 1


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_lost_answer_sends_it_once_and_is_given_again(w: World, is_stored: bool) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    command = Draft(subject="final").change(stored, send=True) if is_stored else NOTE.add("1", send=True)
    first = await phone.sync(DRAFTS, [command], loses_answer=True)
    again = await phone.sync(DRAFTS, [command])
    assert (first.responses, first.deleted) == (again.responses, again.deleted)
    assert len(w.sent) == 1
    assert len(phone.mailbox.folder(DRAFTS).items) == (0 if is_stored else 1)
    assert len(await subjects(phone, SENT)) == 1


async def test_the_same_client_id_with_another_text_is_another_message(w: World) -> None:
    phone = await phone_of(w)
    for subject in ("one", "two"):
        await phone.draft_add(DRAFTS, replace(NOTE, subject=subject), send=True, client_id="1")
    assert len(w.sent) == 2


async def test_the_same_text_with_another_client_id_is_another_message(w: World) -> None:
    phone = await phone_of(w)
    for client_id in "12":
        await phone.draft_add(DRAFTS, NOTE, send=True, client_id=client_id)
    assert len(w.sent) == 2


async def test_the_same_client_id_and_text_of_another_device_is_another_message(w: World) -> None:
    for device in (Device("one"), Device("two")):
        phone = await phone_of(w, device=device)
        assert (await phone.draft_add(DRAFTS, NOTE, send=True, client_id="1")).status == 1
    assert len(w.sent) == 2
    assert len(await subjects(phone, SENT)) == 2


async def test_a_stored_draft_that_two_devices_send_goes_out_once(w: World) -> None:
    one, two = [await phone_of(w, device=Device(name)) for name in ("one", "two")]
    stored = await draft_on(one)
    await two.sync_all(DRAFTS)
    for phone in (one, two):
        await phone.sync(DRAFTS, [change(stored, send=True)])
    assert len(w.sent) == 1


async def test_a_message_is_dated_when_it_is_sent(w: World) -> None:
    phone = await phone_of(w)
    mime = "Date: Mon, 01 Jan 2024 08:00:00 +0000\r\nTo: bob@example.com\r\nSubject: old\r\n\r\nx\r\n"
    stored = await draft_on(phone, Draft(body=mime, body_type=MIME))
    await phone.sync(DRAFTS, [change(stored, send=True)])
    assert w.sent[0].message.count(b"Date:") == 1
    assert b"2024" not in w.sent[0].message


@pytest.mark.parametrize("to", ["", "Bob", "bob@example.com; Carl"])
async def test_bad_recipients_are_183_and_the_draft_stays(w: World, to: str) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    bad = Draft(to=to, bcc="", subject="bad")
    result = await phone.sync(DRAFTS, [bad.change(stored, send=True), bad.add("1", send=True)])
    assert [each.status for each in result.responses] == [183, 183]
    assert not w.sent
    assert (await seen(w, stored)).subject == "plan"
    await phone.sync(DRAFTS, [Draft(subject="good").change(stored, send=True)])
    assert len(w.sent) == 1


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (SubmissionFailed("no", permanent=True), 120),
        (SubmissionFailed("no", permanent=True, recipients=("bob@example.com",)), 183),
        (SubmissionFailed("later", permanent=False), 111),
    ],
)
async def test_what_could_not_be_sent_stays_and_can_be_sent_later(
    w: World, refusal: SubmissionFailed, status: int
) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    w.refusal = refusal
    result = await phone.sync(DRAFTS, [change(stored, send=True), NOTE.add("1", send=True)])
    assert [each.status for each in result.responses] == [status, status]
    w.refusal = None
    await phone.sync(DRAFTS, [change(stored, send=True), NOTE.add("1", send=True)])
    assert len(w.sent) == 2
    assert await subjects(phone, SENT) == ["plan", "plan"]


async def test_with_a_wrong_key_nothing_is_sent(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    result = await phone.sync(DRAFTS, [change(stored, send=True), NOTE.add("1", send=True)], sync_key="wrong")
    assert result.status == INVALID_KEY
    assert not w.sent


async def test_before_16_nothing_is_sent_by_sync(w: World) -> None:
    newer, older = await phone_of(w), await phone_of(w, version=Version.V14_1)
    stored = await draft_on(newer)
    await older.sync_all(DRAFTS)
    await older.sync(DRAFTS, [Draft(subject="x").change(stored, send=True)])
    assert not w.sent


async def test_a_draft_that_another_phone_has_sent_is_not_sent_again(w: World) -> None:
    phone = await phone_of(w)
    stored = await draft_on(phone)
    other = w.client(1, device=replace(phone.device, id="otherphone1"))
    await other.set_up()
    await other.sync_all(DRAFTS)
    await phone.sync(DRAFTS, [change(stored, send=True)])
    result = await other.sync(DRAFTS, [Draft(subject="mine").change(stored, send=True)], loses_answer=True)
    assert result.response(stored).status == 8
    result = await other.sync(DRAFTS, [change(stored, send=True)])
    assert (result.responses, result.deleted) == ((), (stored,))
    assert len(w.sent) == 1
