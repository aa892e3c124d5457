"""SmartReply and SmartForward without ReplaceMime: the phone sends the new text alone, the server adds the original.

The result has the phone's header, its content rebuilt in UTF-8: `mixed(related(alternative(text, HTML), pictures),
files)`, each level only where it is needed.  Files are copied as they are encoded.
"""

from datetime import datetime

from eas.mail.header_fields import Block, HeaderTooLong, raw_field
from eas.mail.mime_writer import attachment_part, copied_part, multipart, text_part
from eas.mail.outgoing import UnreadableMime
from eas.mail.quoting import Texts, forward_html, forward_text, reply_html, reply_text
from eas.mail.threading import add_thread_fields
from storage.message.index import index_message
from storage.message.names import clean_name
from storage.message.summary import Part, Summary

_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")


def reply(mime: bytes, original: bytes, now: datetime) -> bytes:
    """The phone's message with the original quoted below its text, and with the pictures that the quotation shows.

    Raises `UnreadableMime`.
    """
    return _composed(mime, original, now, is_reply=True)


def forward(mime: bytes, original: bytes, now: datetime) -> bytes:
    """The phone's message with the original below its text, and all its attachments.

    An original that cannot be taken apart (S/MIME, or without any text) goes along whole, as message/rfc822.
    Raises `UnreadableMime`.
    """
    return _composed(mime, original, now, is_reply=False)


def _composed(mime: bytes, original: bytes, now: datetime, *, is_reply: bool) -> bytes:
    try:
        block = Block(mime)
    except HeaderTooLong as error:
        raise UnreadableMime from error
    new, old = index_message(mime), index_message(original)
    add_thread_fields(block, original, now)
    if new.is_smime or new.message_class.startswith("IPM.Note.Receipt"):
        return block.message()  # signed or encrypted by the phone: nothing can be added to the content
    if old.is_smime or (old.text is None and old.html is None):
        content = _with_whole(mime, new, original, old)
    else:
        content = _with_quoted(mime, new, original, old, is_reply=is_reply)
    block.keep(lambda name: not name.startswith(b"content-") and name != b"mime-version")
    return block.header() + raw_field("MIME-Version", "1.0") + content


def _with_quoted(mime: bytes, new: Summary, original: bytes, old: Summary, *, is_reply: bool) -> bytes:
    texts, quoted = Texts(mime, new), Texts(original, old)
    render_text, render_html = (reply_text, reply_html) if is_reply else (forward_text, forward_html)
    bodies = [text_part(render_text(texts, quoted, old))]
    has_html = texts.has_html or quoted.has_html
    if has_html:
        bodies.append(text_part(render_html(texts, quoted, old), "html"))
    pictures, files = _sorted(mime, new, has_html=has_html)
    old_pictures, old_files = _sorted(original, old, has_html=has_html)
    related = multipart("related", [multipart("alternative", bodies), *pictures, *old_pictures])
    return multipart("mixed", [related, *files, *([] if is_reply else old_files)])


def _with_whole(mime: bytes, new: Summary, original: bytes, old: Summary) -> bytes:
    """The phone's own parts, and the original as an attachment."""
    texts = Texts(mime, new)
    bodies = [text_part(texts.text)]
    if texts.has_html:
        bodies.append(text_part(texts.document, "html"))
    pictures, files = _sorted(mime, new, has_html=texts.has_html)
    name = (clean_name(old.subject) or "message") + ".eml"
    whole = attachment_part(_without_traces(original), "message/rfc822", name)
    related = multipart("related", [multipart("alternative", bodies), *pictures])
    return multipart("mixed", [related, *files, whole])


def _without_traces(original: bytes) -> bytes:
    """The original without what concerns its owner alone: who else got it, and where it was put."""
    try:
        block = Block(original)
    except HeaderTooLong:
        return original
    block.remove(b"bcc", b"return-path", b"delivered-to", b"x-original-to")
    return block.message().removesuffix(b"\r\n")


def _sorted(data: bytes, summary: Summary, *, has_html: bool) -> tuple[list[bytes], list[bytes]]:
    """The attachments as copies: those that an HTML body shows, and the others."""
    pictures: list[bytes] = []
    files: list[bytes] = []
    for index, part in enumerate(summary.parts):
        if _is_carried(part, is_calendar=index == summary.calendar_part):
            (pictures if part.is_inline and has_html else files).append(copied_part(data, part))
    return pictures, files


def _is_carried(part: Part, *, is_calendar: bool) -> bool:
    return (part.is_attachment or is_calendar) and part.content_type not in _SIGNATURES
