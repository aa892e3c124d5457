"""MIME: any bytes have a sound summary and lawful bodies, and can be answered, forwarded and kept as a draft.

Sending refuses by its own errors, or gives CRLF lines without Bcc from an address of the account.
"""

from datetime import UTC, datetime

from eas.mail.body import Preference, plan, render
from eas.mail.compose import Draft, NoRecipient, TooManyRecipients, UnreadableMime, draft, forward, outgoing, reply
from eas.protocol.versions import Version
from storage.message.addresses import Address
from storage.message.index import index_message
from storage.message.summary import Summary
from tests.fuzz.target import Target
from tests.support.messages import mixed_message, multipart
from tests.support.soundness import assert_sound

NOW = datetime(2024, 5, 6, tzinfo=UTC)
ANN = Address("Ann", "ann@a.example")
ORIGINAL = mixed_message(1)
SIZES = (None, 0, 1, 500, 4096)


def run(data: bytes) -> None:
    summary = index_message(data)
    assert_sound(data, summary)
    _bodies(data, summary)
    for compose in (reply, forward):
        index_message(compose(data, ORIGINAL, NOW))
        index_message(compose(ORIGINAL, data, NOW))
    index_message(draft(Draft(ANN, body_type=4, body=data, importance=2), NOW, "<1@a.example>", data))
    _sending(data)


def _bodies(data: bytes, summary: Summary) -> None:
    for size in SIZES:
        for number in (1, 2, 4):
            preference = Preference(number, size, all_or_none=size == 500, preview=100)
            planned = plan(summary, [preference], 2, Version.V16_1)
            body = render(planned, [data[start : start + length] for start, length in planned.ranges])
            sent = len((body.data or "").encode())
            if not (sent <= body.estimated_data_size and (size is None or sent <= size)):
                raise AssertionError(f"type {number}, size {size}: {sent} bytes of {body.estimated_data_size}")
            if "\0" in (body.data or ""):
                raise AssertionError("NUL in a body")


def _sending(data: bytes) -> None:
    try:
        sent = outgoing(data, [ANN.address], NOW, "<1@a.example>")
    except (UnreadableMime, NoRecipient, TooManyRecipients):
        return
    header = sent.message.partition(b"\r\n\r\n")[0]
    if b"\nbcc:" in b"\n" + header.lower() or b"\n" in sent.message.replace(b"\r\n", b""):
        raise AssertionError("unfit to be sent")
    if sent.envelope_from.lower() != ANN.address:
        raise AssertionError("foreign sender")


_HTML = b'<html><head><meta charset="x"><style>p{}</style></head><body class=x><p>a &amp; b<br><a href="http://x">y</a>'
_NESTED = b"Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?=C3?= =?utf-8?q?=A4?=\r\n\r\n\xff\0"
_CALENDAR = b"Content-Type: text/calendar; method=REPLY\r\n\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b"
_SIGNATURE = b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA=="
_HEAD = b'From: "A, B" <ann@a.example> (c)\r\nTo: Friends: b@b.example;, <@r:c@c.example>\r\nBcc: d@d.example\r\n'

TARGET = Target(
    run,
    [
        mixed_message(1),
        mixed_message(3),
        mixed_message(0)[:9000],
        _HEAD + b"Content-Type: text/html; charset=gb2312\r\n\r\n" + _HTML,
        _HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + multipart("b", [_NESTED, _CALENDAR, b"\r\nx"]),
        _HEAD
        + b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
        + multipart("b", [b"\r\nsigned", _SIGNATURE]),
        _HEAD
        + b"Content-Type: multipart/related; boundary=b\r\nReferences: <1@a> <2@a>\r\nThread-Index: AdsZ\r\n\r\n"
        + multipart(
            "b", [b"Content-Type: text/html\r\n\r\n" + _HTML, b"Content-Type: image/png\r\nContent-ID: <i>\r\n\r\nx"]
        ),
    ],
)
