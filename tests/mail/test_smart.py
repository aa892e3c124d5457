"""Replies and forwards: the original in both forms, its files, its thread."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.compose import UnreadableMime, forward, reply
from eas.mail.threading import REFERENCES_MAX, child_index
from storage.message.headers import HEADER_BYTES_MAX, read_headers
from storage.message.index import index_message
from storage.message.transfer import decode_part, part_text
from tests.support.messages import mixed_message, multipart

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
HEAD = b"From: ann@a.example\r\nTo: bob@b.example\r\nSubject: Re: x\r\n"
PLAIN = HEAD + b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nMy gr\xfcn answer\r\n"
PARTS = [
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nMy answer",
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>My <b>answer</b></p></body></html>",
]
ALTERNATIVE = HEAD + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + multipart("b", PARTS)
FILE = b"Content-Type: image/png; name=new.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + multipart("m", [PARTS[0], FILE])
ORIGINAL = (
    b"From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: x\r\nMessage-ID: <2@b>\r\nReferences: <1@b>\r\n"
    b"Date: Mon, 20 Nov 2023 10:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    b"First line\n> older\n\nGr\xc3\xbc\xc3\x9fe\n"
)
RICH = (
    b"From: Bob <bob@b.example>\r\nSubject: x\r\nMessage-ID: <2@b>\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
) + multipart(
    "o",
    [
        b"Content-Type: multipart/related; boundary=r\r\n\r\n"
        + multipart(
            "r",
            [
                b"Content-Type: text/html\r\n\r\n<html><head><style>p{}</style></head><body class=x><p>Rich</p>"
                b"<img src='cid:pic@b'></body></html>",
                b"Content-Type: image/gif\r\nContent-ID: <pic@b>\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lG",
            ],
        ),
        b'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"\r\n\r\n%PDF',
    ],
)
ENCRYPTED = (
    b"From: bob@b.example\r\nBcc: secret@c.example\r\nSubject: Top/secret\r\n"
    b"Content-Type: application/pkcs7-mime\r\n\r\nAAAA"
)


def texts(message: bytes) -> tuple[str, str]:
    summary = index_message(message)
    text, html = (
        "" if part is None else part_text(part, message[part.start : part.end]) for part in (summary.text, summary.html)
    )
    return text, html


def names(message: bytes) -> list[str]:
    return [part.name for part in index_message(message).attachments]


def header(message: bytes, name: bytes) -> str:
    return read_headers(message)[0].text(name)


def test_a_reply_quotes_the_original_below_the_text() -> None:
    message = reply(PLAIN, ORIGINAL, NOW)
    assert message.startswith(HEAD)
    assert texts(message) == (
        "My grün answer\r\n\r\n"
        'On Mon, 20 Nov 2023 10:00:00 +0000, "Bob" <bob@b.example> wrote:\r\n\r\n'
        "> First line\r\n>> older\r\n>\r\n> Grüße\r\n",
        "",
    )


def test_a_reply_quotes_in_both_forms() -> None:
    text, html = texts(reply(ALTERNATIVE, ORIGINAL, NOW))
    assert "My answer" in text
    assert "> Grüße" in text
    assert html.index("<b>answer</b>") < html.index("wrote:") < html.index("Grüße") < html.index("</body>")
    assert html.count("</html>") == 1


def test_a_plain_reply_to_html_becomes_html_with_the_pictures_it_shows() -> None:
    message = reply(PLAIN, RICH, NOW)
    text, html = texts(message)
    assert "> Rich" in text
    assert "My grün answer" in html
    assert "<style>p{}</style>" in html
    assert html.count("<body") == 1
    summary = index_message(message)
    assert [(part.content_id, part.is_inline) for part in summary.attachments] == [("pic@b", True)]
    assert names(message) == ["ATT00001.gif"]


def test_a_reply_keeps_what_the_phone_attached() -> None:
    message = reply(MIXED, ORIGINAL, NOW)
    assert names(message) == ["new.png"]
    assert texts(message)[0].startswith("My answer\r\n\r\nOn ")


def test_a_forward_carries_text_and_all_files() -> None:
    message = forward(MIXED, RICH, NOW)
    text, html = texts(message)
    assert '---------- Forwarded message ----------\r\nFrom: "Bob" <bob@b.example>\r\nSubject: x\r\n\r\nRich' in text
    assert "<p>Rich</p>" in html
    assert names(message) == ["ATT00001.gif", "new.png", "a.pdf"]
    summary = index_message(message)
    assert [decode_part(part, message[part.start : part.end]) for part in summary.attachments] == [
        b"GIF",
        b"\0\0\0",
        b"%PDF",
    ]


@pytest.mark.parametrize("compose", [reply, forward])
def test_an_original_that_cannot_be_taken_apart_goes_along_whole(compose: object) -> None:
    message = forward(ALTERNATIVE, ENCRYPTED, NOW) if compose is forward else reply(ALTERNATIVE, ENCRYPTED, NOW)
    assert texts(message)[0] == "My answer"
    (part,) = index_message(message).attachments
    assert (part.name, part.content_type) == ("Top_secret.eml", "message/rfc822")
    inner = message[part.start : part.end]
    assert index_message(inner).is_smime
    assert b"secret@c.example" not in message


def test_what_the_phone_signed_is_not_touched() -> None:
    signed = (
        HEAD
        + b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
        + multipart("b", PARTS)
    )
    message = reply(signed, ORIGINAL, NOW)
    assert message.partition(b"\r\n\r\n")[2] == signed.partition(b"\r\n\r\n")[2]
    assert header(message, b"in-reply-to") == "<2@b>"


def test_the_answer_joins_the_thread() -> None:
    message = reply(PLAIN, ORIGINAL, NOW)
    assert header(message, b"in-reply-to") == "<2@b>"
    assert header(message, b"references") == "<1@b> <2@b>"
    assert index_message(message).conversation_id == index_message(ORIGINAL).conversation_id


def test_what_the_phone_says_of_the_thread_stays() -> None:
    mime = b"In-Reply-To: <9@p>\r\nReferences: <8@p>\r\n" + PLAIN
    message = reply(mime, ORIGINAL, NOW)
    assert (header(message, b"in-reply-to"), header(message, b"references")) == ("<9@p>", "<8@p>")


def test_long_references_keep_the_root_and_the_newest() -> None:
    chain = b" ".join(b"<%d@b>" % n for n in range(REFERENCES_MAX + 5))
    found = header(
        reply(PLAIN, b"References: " + chain + b"\r\n" + b"Message-ID: <last@b>\r\n\r\nx", NOW), b"references"
    ).split()
    assert len(found) == REFERENCES_MAX
    assert (found[0], found[-1]) == ("<0@b>", "<last@b>")


def test_a_thread_index_gets_one_level_more() -> None:
    index = b"\x01\xda\x1b\x8f\xf1\x17" + bytes(range(16))
    message = reply(PLAIN, b"Thread-Index: " + b64encode(index) + b"\r\n" + ORIGINAL, NOW)
    child = b64decode(header(message, b"thread-index"))
    assert child[:22] == index
    assert len(child) == 27
    assert index_message(message).conversation_id == bytes(range(16))


def test_levels_hold_the_time_since_the_first_message() -> None:
    begun = datetime(2023, 11, 20, 10, tzinfo=UTC)
    filetime = (begun - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    old = filetime.to_bytes(8, "big")[:6] + bytes(16)
    new = b"\x01" + filetime.to_bytes(8, "big")[:5] + bytes(16)
    for index, days in ((old, 1), (old, 365), (new, 3)):
        level = int.from_bytes(child_index(index, begun + timedelta(days=days))[22:26], "big")
        assert abs((level << 18) / 10**7 / 86400 - days) < 0.01
    level = int.from_bytes(child_index(old, begun + timedelta(days=1000))[22:26], "big")
    assert level >> 31 == 1
    assert abs(((level & 0x7FFFFFFF) << 23) / 10**7 / 86400 - 1000) < 0.1


def test_an_endless_header_is_refused() -> None:
    with pytest.raises(UnreadableMime):
        reply(b"X: " + b"x" * HEADER_BYTES_MAX + b"\r\n\r\n", ORIGINAL, NOW)


@pytest.mark.parametrize("n", range(12))
def test_the_mixture_is_forwarded_whole(n: int) -> None:
    original = mixed_message(n)
    message = forward(ALTERNATIVE, original, NOW)
    assert names(message) == names(original)
    kept = texts(original)[0].split()
    assert kept == texts(message)[0].split()[-len(kept) :]
    assert b"Delivered-To" not in message


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_any_bytes_can_be_answered(mime: bytes, original: bytes) -> None:
    for compose in (reply, forward):
        message = compose(mime, original, NOW)
        index_message(message)
