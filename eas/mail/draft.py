"""A draft that a phone edits by its fields (16.0+), as a message; reading it back is what the index does.

Sending it is `outgoing` of the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from eas.mail.body import wire_text
from eas.mail.header_fields import Block, HeaderTooLong, address_field, raw_field, text_field
from eas.mail.html import complete_document
from eas.mail.mime_writer import attachment_part, copied_part, multipart, text_part
from eas.mail.outgoing import UnreadableMime
from storage.message.addresses import Address, parse_addresses
from storage.message.headers import HEADER_BYTES_MAX
from storage.message.html import html_to_text
from storage.message.index import index_message

_KEPT_FIELDS = (b"message-id", b"in-reply-to", b"references", b"thread-index")
_IMPORTANCE = {0: ("low", "5"), 2: ("high", "1")}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a phone adds ([MS-ASAIRS] Attachments/Add)."""

    name: str
    content: bytes
    content_type: str = "application/octet-stream"
    content_id: str = ""
    content_location: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a draft as the phone writes them; lists of addresses are separated by commas or semicolons."""

    from_: Address
    to: str = ""
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""
    subject: str = ""
    importance: int = 1
    body_type: int = 1  # 1 plain, 2 HTML; 4: `body` is a whole message, whose header goes before the fields above
    body: str | bytes = ""
    attachments: tuple[Attachment, ...] = ()
    kept: tuple[str, ...] = ()  # paths of the parts of the previous version that stay


def draft(fields: Draft, now: datetime, message_id: str, previous: bytes = b"") -> bytes:
    """The draft as a message, CRLF line ends, and none added to the text: it would grow with every edit.

    *message_id* is used when neither version has one.

    Raises `UnreadableMime` for a body of type 4 with an endless header.
    """
    try:
        block = Block(_bytes(fields.body)) if fields.body_type == 4 else _header(fields)
        before = Block(previous)
    except HeaderTooLong as error:
        raise UnreadableMime from error
    _set_importance(block, fields)  # before the others, here as in the first version: the same draft, the same bytes
    for name, field in before.fields:
        if name in _KEPT_FIELDS and not block.has(name):
            block.put(name, field.rstrip(b"\r\n") + b"\r\n")
    if not block.has(b"message-id"):
        block.put(b"message-id", raw_field("Message-ID", message_id))
    if not block.has(b"date"):
        block.put(b"date", raw_field("Date", format_datetime(now)))
    pictures, files = _attachments(fields, previous)
    if fields.body_type == 4 and not pictures and not files:
        return block.message()
    content = multipart("mixed", [multipart("related", [_body(fields, block), *pictures]), *files])
    block.keep(lambda name: not name.startswith(b"content-") and name != b"mime-version")
    return block.header() + raw_field("MIME-Version", "1.0") + content


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode("utf-8", "replace")


def _text(body: str | bytes) -> str:
    return wire_text(body if isinstance(body, str) else body.decode("utf-8", "replace"))


def _header(fields: Draft) -> Block:
    block = Block(b"")
    block.put(b"from", address_field("From", [fields.from_]))
    lists = (("To", fields.to), ("Cc", fields.cc), ("Bcc", fields.bcc), ("Reply-To", fields.reply_to))
    for name, value in lists:
        mailboxes = parse_addresses(value.encode("utf-8", "replace"), limit=HEADER_BYTES_MAX)
        if mailboxes:
            block.put(name.lower().encode(), address_field(name, mailboxes, unfinished=True))
    block.put(b"subject", text_field("Subject", fields.subject))
    return block


def _set_importance(block: Block, fields: Draft) -> None:
    if fields.body_type == 4 and fields.importance == 1:
        return
    block.remove(b"importance", b"x-priority", b"priority", b"x-msmail-priority")
    if fields.importance in _IMPORTANCE:
        name, number = _IMPORTANCE[fields.importance]
        block.put(b"importance", raw_field("Importance", name))
        block.put(b"x-priority", raw_field("X-Priority", number))


def _body(fields: Draft, block: Block) -> bytes:
    """The body as one part."""
    if fields.body_type == 4:
        whole = Block(block.message())
        whole.keep(lambda name: name.startswith(b"content-"))
        return whole.message().removesuffix(b"\r\n")
    text = _text(fields.body)
    if fields.body_type != 2:
        return text_part(text)
    plain = wire_text(html_to_text(text, links=True))
    return multipart("alternative", [text_part(plain), text_part(complete_document(text), "html")])


def _attachments(fields: Draft, previous: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The attachments of both origins: those that an HTML body shows, and the others."""
    pictures: list[bytes] = []
    files: list[bytes] = []
    has_html = fields.body_type == 2
    summary = index_message(previous)
    for path in fields.kept:
        part = summary.part(path)
        if part is not None and part.is_attachment:
            (pictures if part.is_inline and has_html else files).append(copied_part(previous, part))
    for each in fields.attachments:
        part_bytes = attachment_part(
            each.content,
            each.content_type,
            each.name,
            content_id=each.content_id,
            content_location=each.content_location,
            inline=each.is_inline,
        )
        (pictures if each.is_inline and each.content_id and has_html else files).append(part_bytes)
    return pictures, files
