"""A draft after a phone's edit: the fields it gave, and of the previous version what it left out.  Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from mimetypes import guess_type

from eas.items.draft import HTML, MIME, PLAIN, DraftChanges, NewFile
from eas.mail.compose import Attachment, Draft, draft
from eas.mail.header_fields import Block, HeaderTooLong
from eas.mail.outgoing import UnreadableMime
from storage.message.addresses import Address
from storage.message.summary import Part, Summary
from storage.message.transfer import part_text

FILE_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Author:
    """Whose draft it is, and what names it where the phone does not."""

    from_: Address
    message_id: str


def new_draft(changes: DraftChanges, author: Author, now: datetime) -> bytes:
    """Return a draft that a phone adds.  Raises `UnreadableMime`."""
    return edited(changes, author, now, b"", Summary(), ())


def edited(
    changes: DraftChanges, author: Author, now: datetime, previous: bytes, summary: Summary, removed: Sequence[str]
) -> bytes:
    """Return the *previous* draft, whose index *summary* is, with *changes*; *removed* are paths of attachments.

    The same changes again give the same bytes.  Raises `UnreadableMime`.
    """
    body_type, body = _body(changes, previous, summary)
    texts = {"to": summary.to, "cc": summary.cc, "bcc": summary.bcc, "reply_to": summary.reply_to}
    texts |= {"subject": summary.subject} | changes.texts
    is_whole = body_type == MIME
    fields = Draft(
        from_=author.from_,
        importance=_importance(changes, summary, is_whole=is_whole),
        body_type=body_type,
        body=body,
        attachments=tuple(map(_attachment, changes.files)),
        # A whole message brings its own attachments; those of the version before it are not part of it.
        kept=() if is_whole else tuple(part.path for part in summary.attachments if part.path not in removed),
        **texts,
    )
    return draft(fields, summary.date or now, author.message_id, previous)


def _importance(changes: DraftChanges, summary: Summary, *, is_whole: bool) -> int:
    if changes.importance is not None:
        return changes.importance
    return 1 if is_whole else summary.importance


def _body(changes: DraftChanges, previous: bytes, summary: Summary) -> tuple[int, str | bytes]:
    if changes.body_type is not None:
        return changes.body_type, changes.body
    part = summary.html or summary.text
    if part is None:
        return PLAIN, ""
    return HTML if part is summary.html else PLAIN, part_text(part, previous[part.start : part.end])


def _attachment(file: NewFile) -> Attachment:
    return Attachment(
        file.name,
        file.content,
        _content_type(file),
        file.content_id.strip("<>"),
        file.content_location,
        file.is_inline,
    )


def _content_type(file: NewFile) -> str:
    """Return the type that the phone gives, or that the name tells; never one that would be taken for structure."""
    found = file.content_type.strip().lower() or guess_type(file.name)[0] or FILE_TYPE
    if found.startswith("multipart/") or (found.startswith("message/") and found != file.content_type.lower()):
        return FILE_TYPE
    return found


def new_parts(summary: Summary, files: Sequence[NewFile]) -> list[tuple[NewFile, Part]]:
    """Return which attachments of a draft are the *files* that were just added to it.

    Pictures that the body shows stand among the others of their kind and are known by their Content-ID; files stand
    at the end, in their order.
    """
    found: list[tuple[NewFile, Part]] = []
    left = list(summary.attachments)
    for file in reversed(files):
        wanted = file.content_id.strip("<>")
        part = next((each for each in reversed(left) if each.content_id == wanted), None)
        if part is not None:
            left.remove(part)
            found.append((file, part))
    return found[::-1]


def undated(message: bytes) -> bytes:
    """Return the draft as it is sent: dated when it goes, not when it was begun.  Raises `UnreadableMime`."""
    try:
        block = Block(message)
    except HeaderTooLong as error:
        raise UnreadableMime from error
    block.remove(b"date")
    return block.message()
