"""SendMail in both its forms, and what its failures are called."""

import pytest

from eas.commands.compose_request import CLIENT_ID_MAX, parse_compose
from eas.mail.outgoing import RECIPIENTS_MAX
from eas.mail.submission import SubmissionFailed
from eas.protocol.exchange import EasRequest, EasResponse
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import ComposeMail, RightsManagement
from storage.folders import SENT
from storage.message.index import index_message
from tests.commands.post_office import DEVICE, Node, Office, status_of
from tests.eas.world import address, world

MIME = b"From: anna@example.org\r\nTo: bob@example.com\r\nSubject: hi\r\n\r\nhello\r\n"


def request(
    client_id: str | None = "1", mime: bytes | None = MIME, *more: Element | None, saves: bool = True
) -> Element:
    return element(
        ComposeMail.SendMail,
        leaf(ComposeMail.ClientId, client_id),
        *more,
        empty(ComposeMail.SaveInSentItems) if saves else None,
        leaf(ComposeMail.Mime, mime),
    )


async def legacy(node: Node, mime: bytes, *, saves: bool = True, device: str = DEVICE) -> EasResponse:
    asked = EasRequest("SendMail", Version.V12_1, "", device, "SP", save_in_sent=saves, body=mime)
    return await node.ask(asked, None)


# -- wrong requests


@pytest.mark.parametrize(
    ("root", "status"),
    [
        (request(client_id=None), 103),
        (request(client_id=""), 103),
        (request(client_id="x" * (CLIENT_ID_MAX + 1)), 103),
        (request(mime=None), 103),
        (request(mime=b""), 107),
        (request(mime=b"\r\nno header\r\n"), 107),
        (request("1", MIME, leaf(ComposeMail.AccountId, "other")), 166),
        (request("1", MIME, leaf(RightsManagement.TemplateID, "secret")), 168),
        (request(mime=b"Subject: nobody\r\n\r\n"), 119),
        (request(mime=b"To: Bob\r\n\r\n"), 116),
        (request(mime=b"To: bob@example.com, Carl\r\n\r\n"), 116),
        (request(mime=b"To: " + b",".join(b"u%d@x.org" % n for n in range(RECIPIENTS_MAX + 1)) + b"\r\n\r\n"), 120),
        (request("1", MIME, Element(ComposeMail.SaveInSentItems, value="2")), 103),
    ],
)
async def test_a_wrong_request_is_refused_and_nothing_is_sent(root: Element, status: int) -> None:
    office = Office()
    node = await office.open()
    assert await node.post("SendMail", root) == status
    assert not office.server.tried


async def test_a_client_id_of_the_longest_size_is_taken() -> None:
    office = Office()
    node = await office.open()
    assert await node.post("SendMail", request(client_id="x" * CLIENT_ID_MAX)) == 1


async def test_as_many_recipients_as_the_mail_server_takes_are_taken() -> None:
    office = Office()
    node = await office.open()
    mime = b"To: " + b",".join(b"u%d@x.org" % n for n in range(RECIPIENTS_MAX)) + b"\r\n\r\n"
    assert await node.post("SendMail", request(mime=mime)) == 1
    assert len(office.server.taken[0][1]) == RECIPIENTS_MAX


async def test_message_id_and_mime_given_twice_count_once() -> None:
    office = Office()
    node = await office.open()
    root = request("1", MIME, leaf(ComposeMail.ClientId, "2"))
    root.children.append(Element(ComposeMail.Mime, value=b"To: eve@example.com\r\n\r\n"))
    assert await node.post("SendMail", root) == 1
    assert await node.post("SendMail", request("1")) == 118
    assert [recipients for _, recipients, _ in office.server.taken] == [["bob@example.com"]]


@pytest.mark.parametrize("body", [b"", b"\x03\x01\x6a\x00\x00\x15\x45\x01"])
async def test_below_14_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    office = Office()
    node = await office.open()
    assert (await legacy(node, body)).status == 400
    assert (await legacy(node, b"\r\n")).status == 400


# -- what it does


@pytest.mark.parametrize("saves", [False, True])
async def test_a_copy_is_kept_if_it_is_asked_for(saves: bool) -> None:
    office = Office()
    node = await office.open()
    assert await node.post("SendMail", request(saves=saves)) == 1
    assert len(await node.members(SENT.id)) == saves
    assert status_of(await legacy(node, MIME.replace(b"hi", b"ho"), saves=saves)) == 1
    assert len(await node.members(SENT.id)) == 2 * saves


async def test_the_same_client_id_again_is_118_and_below_14_the_same_bytes_are_a_success() -> None:
    office = Office()
    node = await office.open()
    assert [await node.post("SendMail", request()) for _ in range(2)] == [1, 118]
    mime = MIME.replace(b"hi", b"ho")
    assert [status_of(await legacy(node, mime)) for _ in range(2)] == [1, 1]
    assert len(office.server.taken) == 2


async def test_below_14_the_message_id_stands_for_the_client_id() -> None:
    office = Office()
    node = await office.open()
    mime = b"Message-ID: <1@phone>\r\n" + MIME
    assert status_of(await legacy(node, mime)) == 1
    assert status_of(await legacy(node, mime.replace(b"hello", b"HELLO"))) == 1
    assert len(office.server.taken) == 1
    assert status_of(await legacy(node, mime.replace(b"1@", b"2@"))) == 1
    assert len(office.server.taken) == 2


async def test_below_14_the_same_bytes_may_be_sent_again_the_day_after() -> None:
    office = Office()
    node = await office.open()
    await legacy(node, MIME)
    office.pass_time(hours=25)
    await legacy(node, MIME)
    assert len(office.server.taken) == len(await node.members(SENT.id)) == 2
    first, second = (index_message(message).message_id for _, _, message in office.server.taken)
    assert first != second


async def test_a_new_client_id_for_each_attempt_sends_it_once() -> None:
    office = Office()
    node = await office.open()
    assert [await node.post("SendMail", request(str(n))) for n in range(3)] == [1, 1, 1]
    assert len(office.server.taken) == len(await node.members(SENT.id)) == 1


@pytest.mark.parametrize(
    ("failed", "status", "http"),
    [
        (SubmissionFailed("no", permanent=True), 120, 500),
        (SubmissionFailed("no", permanent=True, recipients=("bob@example.com",)), 116, 500),
        (SubmissionFailed("later", permanent=False), 111, 503),
        (SubmissionFailed("lost", permanent=False, certain=False), 111, 503),
    ],
)
async def test_what_a_failed_submission_is_called(failed: SubmissionFailed, status: int, http: int) -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [failed, failed]
    assert await node.post("SendMail", request()) == status
    response = await legacy(node, MIME.replace(b"hi", b"ho"))
    assert response.status == http
    assert ("Retry-After" in response.headers) == (http == 503)
    assert await node.members(SENT.id) == []


def test_save_in_sent_items_is_a_flag_that_may_be_empty() -> None:
    asked = EasRequest("SendMail", Version.V14_0, "", DEVICE, "SP")
    assert parse_compose(request(saves=True), asked).is_saved
    assert not parse_compose(request(saves=False), asked).is_saved
    off = request("1", MIME, Element(ComposeMail.SaveInSentItems, value="0"), saves=False)
    assert not parse_compose(off, asked).is_saved


# -- with a whole server


@pytest.mark.parametrize("base64_form", [False, True])
@pytest.mark.parametrize("version", ANNOUNCED)
async def test_over_the_wire_in_every_version(version: Version, base64_form: bool) -> None:
    async with world() as w:
        phone = w.client(1, version=version, base64_form=base64_form)
        await phone.set_up()
        await phone.sync_all("sent")
        mime = (
            b"Subject: gr\xc3\xbc\xc3\x9fe\r\nTo: friend@example.net\r\nBcc: other@example.net\r\n\r\n\xff\x00 raw\r\n"
        )
        for expected in (None, 118 if version >= Version.V14_0 else None):
            answer = await phone.send_mail(mime, client_id="same")
            assert answer.status == 200
            assert answer.root is None if expected is None else answer.root is not None
        [sent] = w.sent
        assert sent.sender == address(1)
        assert sent.recipients == ("friend@example.net", "other@example.net")
        assert sent.message.endswith(b"\r\n\r\n\xff\x00 raw\r\n")
        assert b"other@" not in sent.message
        folder = await phone.sync_all("sent")
        [copy] = folder.items.values()
        assert copy.is_read
