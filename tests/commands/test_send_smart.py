"""SmartReply and SmartForward: the source, what becomes of it, and the marks."""

from dataclasses import replace

import pytest

from eas.commands.compose_request import FORWARDEES_MAX, ID_MAX, LONG_ID_MAX
from eas.mail.submission import SubmissionFailed
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSyncBase, ComposeMail, Email2
from eas.wbxml.tag import Tag
from storage.folders import SENT
from storage.records import Added, Set
from tests.commands.post_office import DEVICE, Node, Office, status_of
from tests.eas.world import world

ORIGINAL = (
    b"From: Bob <bob@example.com>\r\nTo: anna@example.org, Carl <carl@example.com>\r\nCc: dora@example.com\r\n"
    b"Message-ID: <question@example.com>\r\nSubject: question\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwhat now?\r\n--x\r\n"
    b"Content-Type: application/pdf; name=plan.pdf\r\nContent-Disposition: attachment\r\n\r\npdf\r\n--x--\r\n"
)
REPLY = b"From: anna@example.org\r\nTo: bob@example.com\r\nSubject: Re: question\r\n\r\nnothing\r\n"
INBOX_ITEM = "inbox:00000000000000000001"
C = ComposeMail


def source(folder: str | None = "inbox", item: str | None = INBOX_ITEM, *more: Element | None) -> Element:
    return element(C.Source, leaf(C.FolderId, folder), leaf(C.ItemId, item), *more)


def smart(
    command: Tag = C.SmartReply,
    about: Element | None = None,
    mime: bytes | None = REPLY,
    client_id: str = "1",
    *more: Element | None,
) -> Element:
    return element(
        command,
        leaf(C.ClientId, client_id),
        source() if about is None else about,
        empty(C.SaveInSentItems) if mime is not None else None,
        *more,
        leaf(C.Mime, mime),
    )


async def opened() -> tuple[Office, Node]:
    office = Office()
    node = await office.open()
    assert await node.put(ORIGINAL) == INBOX_ITEM
    return office, node


async def ask(node: Node, root: Element, version: Version = Version.V16_1) -> int:
    return await node.post(root.tag.name, root, version)


# -- the source


@pytest.mark.parametrize(
    ("about", "status"),
    [
        (element(C.Source), 103),
        (source(item=None), 103),
        (source(None, None, leaf(C.LongId, "")), 103),
        (source("inbox", INBOX_ITEM, leaf(C.LongId, INBOX_ITEM)), 105),
        (source(None, None, leaf(C.LongId, INBOX_ITEM), leaf(C.InstanceId, "2024-01-01T00:00:00.000Z")), 105),
        (source("x" * (ID_MAX + 1)), 106),
        (source(item="inbox:" + "0" * (ID_MAX - 5)), 106),
        (source(None, None, leaf(C.LongId, "inbox:" + "0" * (LONG_ID_MAX - 5))), 106),
        (source("inbox", INBOX_ITEM, leaf(C.InstanceId, "tomorrow")), 104),
        (source("inbox", INBOX_ITEM, leaf(C.InstanceId, "2024-01-01T00:00:00.000Z")), 146),
        (source(item="inbox:0000000000000000000z"), 150),
        (source(item="0000000000000000001"), 150),
        (source("inbox", "x" * ID_MAX), 150),
        (source(None, None, leaf(C.LongId, "x" * LONG_ID_MAX)), 150),
    ],
)
@pytest.mark.parametrize("command", [C.SmartReply, C.SmartForward])
async def test_a_source_that_is_none_is_refused(command: Tag, about: Element, status: int) -> None:
    office, node = await opened()
    assert await ask(node, smart(command, about)) == status
    assert not office.server.tried


async def test_without_a_source_it_is_refused() -> None:
    _, node = await opened()
    root = smart()
    root.children = [child for child in root.children if child.tag is not C.Source]
    assert await ask(node, root) == 103


async def test_a_removed_source_is_not_found_and_a_moved_one_is() -> None:
    office, node = await opened()
    await node.commit(Set(INBOX_ITEM.partition(":")[2], "folder", "archive"))
    assert await ask(node, smart()) == 1
    assert b"> what now?" in office.server.taken[0][2]
    await node.commit(Set(INBOX_ITEM.partition(":")[2], "folder", None))
    assert await ask(node, smart(mime=REPLY + b"more\r\n", client_id="2")) == 150


async def test_a_source_that_is_no_mail_is_refused() -> None:
    _, node = await opened()
    content = await node.account.store(b"BEGIN:VCALENDAR", None)
    await node.commit(Added("0000000000000000cal0", "calendar", "Calendar", 0, content))
    assert await ask(node, smart(about=source("calendar", "calendar:0000000000000000cal0"))) == 147


@pytest.mark.parametrize(
    "about", [source(), source(folder=None), source(None, None, leaf(C.LongId, INBOX_ITEM)), source("archive")]
)
async def test_the_ids_name_the_item_in_every_form(about: Element) -> None:
    office, node = await opened()
    assert await ask(node, smart(about=about)) == 1
    assert b"> what now?" in office.server.taken[0][2]


# -- what is sent


async def test_a_reply_quotes_and_threads() -> None:
    office, node = await opened()
    assert await ask(node, smart()) == 1
    [(_, recipients, message)] = office.server.taken
    assert recipients == ["bob@example.com"]
    assert b"nothing\r\n" in message
    assert b"> what now?" in message
    assert b"In-Reply-To: <question@example.com>" in message
    assert b"plan.pdf" not in message
    assert [copy[:20] for copy in await node.messages(SENT.id)] == [message[:20]]


async def test_a_forward_carries_the_attachments() -> None:
    office, node = await opened()
    assert await ask(node, smart(C.SmartForward)) == 1
    message = office.server.taken[0][2]
    assert b"Forwarded message" in message
    assert b"plan.pdf" in message


@pytest.mark.parametrize("command", [C.SmartReply, C.SmartForward])
async def test_replace_mime_adds_nothing(command: Tag) -> None:
    office, node = await opened()
    assert await ask(node, smart(command, None, REPLY, "1", empty(C.ReplaceMime))) == 1
    assert office.server.taken[0][2].endswith(b"\r\n\r\nnothing\r\n")
    assert b"In-Reply-To" not in office.server.taken[0][2]


# -- the mark


@pytest.mark.parametrize(
    ("command", "to", "verb"),
    [
        (C.SmartReply, b"bob@example.com", 1),
        (C.SmartReply, b"bob@example.com, anna@example.org", 1),
        (C.SmartReply, b"bob@example.com, stranger@example.com", 1),
        (C.SmartReply, b"bob@example.com, CARL@example.com", 2),
        (C.SmartReply, b"bob@example.com\r\nCc: dora@example.com", 2),
        (C.SmartForward, b"bob@example.com, carl@example.com", 3),
    ],
)
async def test_the_source_is_marked(command: Tag, to: bytes, verb: int) -> None:
    office, node = await opened()
    assert await ask(node, smart(command, mime=REPLY.replace(b"To: bob@example.com", b"To: " + to))) == 1
    item = await node.item(INBOX_ITEM)
    assert item.value("verb") == [verb, office.world.wall.ms]
    assert item.device_of(item.registers["verb"].rid) == DEVICE


async def test_a_reply_that_failed_leaves_no_mark() -> None:
    office, node = await opened()
    office.server.errors = [SubmissionFailed("no", permanent=True)]
    assert await ask(node, smart()) == 120
    assert (await node.item(INBOX_ITEM)).value("verb") is None


# -- again


async def test_a_retry_is_known_even_when_the_source_is_gone() -> None:
    office, node = await opened()
    assert await ask(node, smart()) == 1
    await node.commit(Set(INBOX_ITEM.partition(":")[2], "folder", None))
    assert await ask(node, smart()) == 118
    assert await ask(node, smart(client_id="2")) == 1  # another ClientId, the same bytes
    assert len(office.server.taken) == 1


async def test_the_same_words_about_another_mail_are_another_message() -> None:
    office, node = await opened()
    other = await node.put(ORIGINAL, item="00000000000000000002")
    assert await ask(node, smart()) == 1
    assert await ask(node, smart(about=source(item=other), client_id="2")) == 1
    assert len(office.server.taken) == 2


# -- Forwardees


def forwardee(email: str | None, name: str | None = None) -> Element:
    return element(C.Forwardee, leaf(C.ForwardeeName, name), leaf(C.ForwardeeEmail, email))


def forwardees(*each: Element) -> Element:
    return element(C.Forwardees, *each)


def body(text: str = "see below", kind: int | None = 1) -> Element:
    return element(AirSyncBase.Body, leaf(AirSyncBase.Type, kind), leaf(AirSyncBase.Data, text))


@pytest.mark.parametrize(
    ("more", "mime", "status"),
    [
        ([forwardees(forwardee("z@example.com"))], REPLY, 178),
        ([body()], REPLY, 178),
        ([forwardees(forwardee("z@example.com")), empty(C.ReplaceMime)], None, 178),
        ([forwardees(forwardee("z@example.com")), empty(C.SaveInSentItems)], None, 178),
        ([body()], None, 179),
        ([forwardees()], None, 179),
        ([forwardees(forwardee(None, "Zoe"))], None, 179),
        ([forwardees(forwardee("z@example.com")), body(kind=None)], None, 179),
        ([forwardees(forwardee("z@example.com")), body(kind=4)], None, 179),
        ([forwardees(*[forwardee(f"z{n}@example.com") for n in range(FORWARDEES_MAX + 1)])], None, 179),
        ([forwardees(forwardee("nobody"))], None, 116),
        ([], None, 103),
    ],
)
async def test_wrong_forwardees_are_refused(more: list[Element], mime: bytes | None, status: int) -> None:
    office, node = await opened()
    assert await ask(node, smart(C.SmartForward, None, mime, "1", *more)) == status
    assert not office.server.tried


async def test_the_server_writes_to_forwardees_itself() -> None:
    office, node = await opened()
    root = smart(C.SmartForward, None, None, "1", forwardees(forwardee("z@example.com", "Zoe")), body())
    assert await ask(node, root) == 1
    [(sender, recipients, message)] = office.server.taken
    assert (sender, recipients) == ("anna@example.org", ["z@example.com"])
    assert b"see below" in message
    assert b"plan.pdf" in message
    assert b"Subject: FW: question" in message
    assert await ask(node, root) == 118
    assert await node.members(SENT.id) == []


async def test_before_16_there_are_no_forwardees() -> None:
    _, node = await opened()
    root = smart(C.SmartForward, None, None, "1", forwardees(forwardee("z@example.com")))
    assert await ask(node, root, Version.V14_1) == 103


# -- the old form


async def legacy(node: Node, query: dict[str, str], command: str = "SmartReply") -> int:
    asked = EasRequest(command, Version.V12_1, "", DEVICE, "SP", save_in_sent=True, body=REPLY)
    asked = replace(asked, **query)  # type: ignore[arg-type]  # texts all of them
    return status_of(await node.ask(asked, None))


@pytest.mark.parametrize(
    ("query", "http"),
    [
        ({}, 400),
        ({"collection_id": "inbox"}, 400),
        ({"item_id": INBOX_ITEM, "long_id": INBOX_ITEM}, 400),
        ({"item_id": "inbox:0000000000000000000z"}, 500),
        ({"item_id": INBOX_ITEM, "occurrence": "never"}, 400),
    ],
)
async def test_below_14_a_wrong_source_is_an_http_status(query: dict[str, str], http: int) -> None:
    _, node = await opened()
    assert await legacy(node, query) == http


@pytest.mark.parametrize("query", [{"item_id": INBOX_ITEM, "collection_id": "inbox"}, {"long_id": INBOX_ITEM}])
@pytest.mark.parametrize("command", ["SmartReply", "SmartForward"])
async def test_below_14_the_query_names_the_source(command: str, query: dict[str, str]) -> None:
    office, node = await opened()
    assert await legacy(node, query, command) == 1
    assert b"what now?" in office.server.taken[0][2]
    assert await legacy(node, query, command) == 1
    assert len(office.server.taken) == 1


# -- with a whole server


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_over_the_wire_the_mark_and_the_copy_come_with_the_next_sync(version: Version) -> None:
    async with world() as w:
        await w.deliver(1, ORIGINAL)
        phone = w.client(1, version=version)
        await phone.set_up()
        await phone.sync_all("sent")
        inbox = await phone.sync_all("inbox")
        [item] = inbox.items.values()
        for answer in (
            await phone.smart_reply(REPLY, "inbox", item.server_id),
            await phone.smart_forward(REPLY.replace(b"nothing", b"look"), "inbox", item.server_id),
        ):
            assert (answer.status, answer.root) == (200, None)
        assert len(w.sent) == 2
        assert len((await phone.sync_all("sent")).items) == 2
        [item] = (await phone.sync_all("inbox")).items.values()
        if version >= Version.V14_0:
            assert item.text(Email2.LastVerbExecuted) == "3"
