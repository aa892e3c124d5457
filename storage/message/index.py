"""One message → its `Summary`: made at delivery, with no private key at hand, and for what the server adds itself."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from storage.message import conversation
from storage.message.addresses import Address, join_bounded, parse_addresses, show
from storage.message.charsets import to_text
from storage.message.headers import Buffer, Headers
from storage.message.html import html_to_text
from storage.message.message_class import READ_BYTES_MAX, message_class
from storage.message.roles import Roles, assign
from storage.message.splitter import Leaf, split
from storage.message.summary import Part, Summary
from storage.message.transfer import EXACT_BYTES_MAX, crlf_utf8_size, decode_part, decoded_size, part_text
from storage.message.words import decode_text

PREVIEW_CHARACTERS_MAX = 255  # [MS-ASAIRS] BodyPreference/Preview asks for at most this
SUBJECT_CHARACTERS_MAX = 2048
_PREVIEW_BYTES = 64 * 1024  # of a body above `EXACT_BYTES_MAX`: what a preview may be looked for in

_CONTENT_CLASS = "urn:content-classes:message"
_IMPORTANCE = {"high": 2, "low": 0, "normal": 1}
_WIDTHLESS = re.compile(
    "[\u00ad\u034f\u200b-\u200f\u2060\ufeff]+"
)  # fillers behind the hidden first line of newsletters
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]+")


def index_message(data: Buffer) -> Summary:
    """Read the header and find the parts of *data*; texts are decoded once, attachments not at all.

    Never raises, whatever the bytes: at worst the whole message is one text part.
    """
    headers, content, leaves = split(data)
    roles = assign(data, leaves)
    parts = list(roles.parts)
    preview = ""
    for index in (roles.text, roles.html):
        if index is not None:
            parts[index], text = _measured(data, parts[index])
            preview = preview or make_preview(text, is_html=index == roles.html)
    return _summary(data, headers, content, leaves, replace(roles, parts=tuple(parts)), preview)


def make_preview(text: str, *, is_html: bool) -> str:
    """The first characters of a body on one line."""
    if is_html:
        text = html_to_text(text, 4 * PREVIEW_CHARACTERS_MAX)
    text = text[: 8 * PREVIEW_CHARACTERS_MAX]
    if not text.isascii():
        text = _WIDTHLESS.sub("", text)
    return _CONTROL.sub("", " ".join(text.split()))[:PREVIEW_CHARACTERS_MAX].rstrip()


def _measured(data: Buffer, part: Part) -> tuple[Part, str]:
    """The body part with its sizes, and the text or the beginning of a long one."""
    if part.size > EXACT_BYTES_MAX:
        size = decoded_size(data, part)
        raw = bytes(data[part.start : part.start + _PREVIEW_BYTES])
        return replace(part, decoded_size=size, text_size=size), part_text(part, raw)
    content = decode_part(part, bytes(data[part.start : part.end]))
    text = to_text(content, part.charset)
    return replace(part, decoded_size=len(content), text_size=crlf_utf8_size(text)), text


def _summary(data: Buffer, headers: Headers, content: int, leaves: list[Leaf], roles: Roles, preview: str) -> Summary:
    subject = headers.text(b"subject")[:SUBJECT_CHARACTERS_MAX]
    topic = headers.text(b"thread-topic")[:SUBJECT_CHARACTERS_MAX]
    from_ = parse_addresses(headers.first(b"from"))[:1]
    sender = parse_addresses(headers.first(b"sender"))[:1]
    to = _all(headers, b"to")
    date = parse_date(headers.first(b"date"))
    calendar = None if roles.calendar is None else leaves[roles.calendar]
    calendar_text = b"" if roles.calendar is None else _beginning(data, roles.parts[roles.calendar])
    ids = conversation.message_ids(headers.first(b"message-id"))
    return Summary(
        subject=subject,
        from_=show(from_),
        sender=show(sender) if sender and [each.address for each in sender] != [each.address for each in from_] else "",
        to=show(to),
        cc=show(_all(headers, b"cc")),
        bcc=show(_all(headers, b"bcc")),
        reply_to=show(parse_addresses(headers.first(b"reply-to")), ";"),
        display_to=join_bounded((mailbox.shown for mailbox in to), ";"),
        message_id=ids[0].decode("utf-8", "replace") if ids else "",
        date=date,
        importance=_importance(headers),
        thread_topic=topic or conversation.thread_topic(subject),
        conversation_id=conversation.conversation_id(headers),
        conversation_index=conversation.conversation_index(headers, date),
        message_class=message_class(data, headers, leaves, calendar, calendar_text),
        content_class=headers.text(b"content-class")[:PREVIEW_CHARACTERS_MAX] or _CONTENT_CLASS,
        preview=preview,
        size=len(data),
        header_size=content,
        parts=roles.parts,
        text_part=roles.text,
        html_part=roles.html,
        calendar_part=roles.calendar,
    )


def _all(headers: Headers, name: bytes) -> list[Address]:
    return [mailbox for raw in headers.all(name) for mailbox in parse_addresses(raw)]


def _beginning(data: Buffer, part: Part) -> bytes:
    return decode_part(part, bytes(data[part.start : min(part.end, part.start + READ_BYTES_MAX)]))


def _importance(headers: Headers) -> int:
    """Importance or Priority by name, else X-Priority by number: 1 and 2 are high, 4 and 5 low."""
    named = _IMPORTANCE.get(decode_text(headers.first(b"importance")).lower())
    if named is not None:
        return named
    number = headers.first(b"x-priority").strip()[:1]
    return 2 if number in (b"1", b"2") else 0 if number in (b"4", b"5") else 1


def parse_date(raw: bytes) -> datetime | None:
    """The date of a field in UTC, to the second; None when it cannot be read.  A date without a zone counts as UTC."""
    try:
        date = parsedate_to_datetime(decode_text(raw[:200]))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date.replace(microsecond=0)
