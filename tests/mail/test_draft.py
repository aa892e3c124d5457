"""Drafts: what the phone wrote in fields is what the index reads back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.body import wire_text
from eas.mail.compose import Attachment, Draft, UnreadableMime, draft, outgoing
from storage.message.addresses import Address
from storage.message.headers import HEADER_BYTES_MAX
from storage.message.index import SUBJECT_CHARACTERS_MAX, index_message
from storage.message.summary import Part
from storage.message.transfer import decode_part, part_text

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
ANN = Address("Ann Ünlü", "ann@a.example")
RAW = b"From: ann@a.example\r\nTo: b@b.example\r\nMessage-ID: <p@phone>\r\nContent-Type: text/html\r\n\r\n<p>raw\r\n"


def made(fields: Draft, previous: bytes = b"") -> bytes:
    return draft(fields, NOW, "<new@a.example>", previous)


def content(message: bytes, part: Part | None) -> str:
    return "" if part is None else part_text(part, message[part.start : part.end])


def test_fields_are_read_back() -> None:
    fields = Draft(
        ANN,
        to='"Doe, John" <j@b.example>; c@c.example',
        cc="Jörg <j@d.example>",
        bcc="e@e.example",
        reply_to="f@f.example",
        subject="Grüße: " + "sehr lang " * 20 + "Ende",
        importance=2,
        body="Hallo\nWelt",
    )
    message = made(fields)
    summary = index_message(message)
    assert summary.from_ == '"Ann Ünlü" <ann@a.example>'
    assert summary.to == '"Doe, John" <j@b.example>, c@c.example'
    assert (summary.cc, summary.bcc, summary.reply_to) == ('"Jörg" <j@d.example>', "e@e.example", "f@f.example")
    assert (summary.subject, summary.importance) == (fields.subject, 2)
    assert (summary.date, summary.message_id) == (NOW, "<new@a.example>")
    assert content(message, summary.text) == "Hallo\r\nWelt"
    assert max(map(len, message.split(b"\r\n"))) < 100
    assert b"\n" not in message.replace(b"\r\n", b"")


def test_editing_again_changes_nothing() -> None:
    first = made(Draft(ANN, subject="s", body="Hallo\nWelt"))
    text = content(first, index_message(first).text)
    assert made(Draft(ANN, subject="s", body=text), first) == first


def test_an_html_body_has_a_text_beside_it() -> None:
    message = made(Draft(ANN, body_type=2, body="<p>one</p><p>two"))
    summary = index_message(message)
    assert "<p>one</p><p>two" in content(message, summary.html)
    assert content(message, summary.text) == "one\r\n\r\ntwo"


def test_unfinished_recipients_stay_in_a_draft_and_are_named_on_sending() -> None:
    message = made(Draft(ANN, to="bo; b@b.example"))
    assert index_message(message).to == '"bo", b@b.example'
    assert outgoing(message, ["ann@a.example"], NOW, "<x@y>").unusable == ('"bo"',)


def test_attachments_are_read_back() -> None:
    files = (
        Attachment("Übersicht.pdf", b"%PDF" * 100, "application/pdf"),
        Attachment("pic.png", b"\x89PNG", "image/png", content_id="<pic@a>", is_inline=True),
        Attachment("x" * 200 + "€" * 50 + ".bin", b"", "no type; at=all"),
    )
    message = made(Draft(ANN, body_type=2, body="<img src='cid:pic@a'>", attachments=files))
    found = index_message(message).attachments
    assert {part.name for part in found} == {each.name for each in files}
    by_name = {part.name: part for part in found}
    for each in files:
        part = by_name[each.name]
        assert decode_part(part, message[part.start : part.end]) == each.content
        assert part.decoded_size == len(each.content)
    assert (by_name["pic.png"].content_id, by_name["pic.png"].is_inline) == ("pic@a", True)
    assert by_name[files[2].name].content_type == "application/octet-stream"
    assert max(map(len, message.split(b"\r\n"))) < 200


def test_an_attached_message_stays_a_message() -> None:
    message = made(Draft(ANN, attachments=(Attachment("m.eml", b"Subject: in\r\n\r\nx", "message/rfc822"),)))
    (part,) = index_message(message).attachments
    assert (part.method, message[part.start : part.end]) == (5, b"Subject: in\r\n\r\nx")


def test_kept_attachments_come_from_the_previous_version() -> None:
    first = made(Draft(ANN, attachments=(Attachment("a", b"1"), Attachment("b", b"2"))))
    parts = {part.name: part for part in index_message(first).attachments}
    second = made(
        Draft(ANN, body="new", attachments=(Attachment("c", b"3"),), kept=(parts["b"].path, "9.9", "1")), first
    )
    assert [part.name for part in index_message(second).attachments] == ["b", "c"]


def test_identity_and_thread_come_from_the_previous_version() -> None:
    first = b"Message-ID: <old@a>\r\nReferences: <r@a>\r\n <s@a>\r\nIn-Reply-To: <s@a>\r\nSubject: gone\r\n\r\nx"
    summary = index_message(made(Draft(ANN, subject="now"), first))
    assert (summary.message_id, summary.subject) == ("<old@a>", "now")
    assert summary.conversation_id == index_message(b"Message-ID: <r@a>\r\n\r\n").conversation_id


def test_a_whole_message_is_kept_as_it_is() -> None:
    message = made(Draft(ANN, subject="ignored", body_type=4, body=RAW))
    head, _, body = RAW.partition(b"\r\n\r\n")
    assert message == head + b"\r\nDate: Mon, 06 May 2024 07:08:09 +0000\r\n\r\n" + body
    assert made(Draft(ANN, body_type=4, body=RAW.decode())) == message


def test_a_whole_message_takes_attachments() -> None:
    message = made(Draft(ANN, body_type=4, body=RAW, importance=0, attachments=(Attachment("a", b"1"),)))
    summary = index_message(message)
    assert content(message, summary.html) == "<p>raw"
    assert ([part.name for part in summary.attachments], summary.to) == (["a"], "b@b.example")
    assert (summary.importance, summary.message_id) == (0, "<p@phone>")


def test_an_endless_header_is_refused() -> None:
    with pytest.raises(UnreadableMime):
        made(Draft(ANN, body_type=4, body=b"X: " + b"x" * HEADER_BYTES_MAX + b"\r\n\r\n"))


def test_no_field_can_smuggle_in_another() -> None:
    evil = "a\r\nBcc: x@evil.example\r\n\r\nbody"
    message = made(Draft(Address(evil, "ann@a.example"), to=f'"{evil}" <b@b.example>', subject=evil))
    assert b"\nBcc" not in message
    assert outgoing(message, ["ann@a.example"], NOW, "<x@y>").recipients == ("b@b.example",)


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)


@given(TEXT, TEXT, st.sampled_from([1, 2]))
def test_any_text_is_read_back(subject: str, body: str, body_type: int) -> None:
    message = made(Draft(ANN, subject=subject, body_type=body_type, body=body))
    summary = index_message(message)
    assert summary.subject.split() == index_message(made(Draft(ANN, subject=summary.subject))).subject.split()
    assert len(summary.subject) <= SUBJECT_CHARACTERS_MAX
    if body_type == 1:
        assert content(message, summary.text) == wire_text(body).removeprefix("\ufeff")
    else:
        assert wire_text(body) in content(message, summary.html) or "<meta" in body or "<?xml" in body


@given(st.text(max_size=60), st.binary(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_any_attachment_is_read_back(name: str, data: bytes, content_type: str, content_id: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    file = Attachment(name, data, content_type, content_id, is_inline=True)
    message = made(Draft(ANN, body_type=2, body="x", attachments=(file,)))
    (part,) = index_message(message).attachments
    if part.encoding == "base64":
        assert decode_part(part, message[part.start : part.end]) == data
