"""From a stored mail to what a device is shown: row, summary and the needed bytes of the message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from eas.items.airsyncbase import Attachment
from eas.items.email import Email
from eas.items.flag import Flag
from eas.mail import body as bodies
from eas.mail.body import Body, Preference
from eas.protocol.versions import Version
from storage.account import Account
from storage.blobs import Range
from storage.folders import DRAFTS
from storage.items import Item
from storage.message.summary import Part, Summary
from storage.records import Content

MEETING = "IPM.Schedule."


@dataclass(frozen=True, slots=True)
class Wish:
    """Which body a device wants."""

    preferences: tuple[Preference, ...] = ()
    mime_support: int = 0
    mime_truncation: int | None = None
    """Bytes; the smaller of it and the preference's own limit counts."""


def email_of(item: Item, folder: str, summary: Summary) -> Email:
    """Return the mail as its elements' values."""
    verb = item.value("verb")
    message_class, content_class = summary.message_class, summary.content_class
    if message_class.startswith(MEETING):
        # Without a MeetingRequest element phones cannot show a meeting: until there is one, it is a mail.
        message_class, content_class = "IPM.Note", "urn:content-classes:message"
    return Email(
        date_received=datetime.fromtimestamp(item.date_ms / 1000, UTC),
        read=bool(item.value("read", False)),
        flag=Flag.unpack(item.value("flag")),
        categories=tuple(item.value("categories", ())),
        subject=summary.subject,
        from_=summary.from_,
        sender=summary.sender,
        to=summary.to,
        cc=summary.cc,
        bcc=summary.bcc,
        reply_to=summary.reply_to,
        display_to=summary.display_to,
        thread_topic=summary.thread_topic,
        importance=summary.importance,
        message_class=message_class,
        content_class=content_class,
        conversation_id=summary.conversation_id,
        conversation_index=summary.conversation_index,
        last_verb=verb[0] if verb else 0,
        last_verb_time=datetime.fromtimestamp(verb[1] / 1000, UTC) if verb else None,
        is_draft=folder == DRAFTS.id,
        native_body_type=summary.native_body_type,
        attachments=attachments_of(f"{folder}:{item.id}", summary.attachments),
    )


def attachments_of(server_id: str, parts: Sequence[Part]) -> tuple[Attachment, ...]:
    """Return the attachments, each with the reference by which it is fetched: `<folder>:<item>:<part>`."""
    return tuple(
        Attachment(
            part.name,
            f"{server_id}:{part.path}",
            part.method,
            part.decoded_size,
            part.content_id,
            part.content_location,
            part.is_inline,
        )
        for part in parts
    )


@dataclass(slots=True)
class Message:
    """A stored mail whose body is wanted; `pieces`: the bytes that the plan asks for, as far as they have been read."""

    content: Content
    summary: Summary
    plan: bodies.Plan
    pieces: list[bytes | None]

    @classmethod
    def planned(cls, content: Content, summary: Summary, wish: Wish, version: Version) -> "Message":
        """Choose the body; nothing is read yet."""
        plan = bodies.plan(summary, wish.preferences, wish.mime_support, version, mime_truncation=wish.mime_truncation)
        return cls(content, summary, plan, [None if size else b"" for _, size in plan.ranges])

    async def body(self, account: Account) -> Body:
        """Return the body; reads what was not read ahead.  Raises `EngineError`, `SealError`."""
        pieces = [
            await account.read(self.content, *span) if piece is None else piece
            for span, piece in zip(self.plan.ranges, self.pieces, strict=True)
        ]
        return bodies.render(self.plan, pieces)


async def read_ahead(account: Account, messages: Iterable[Message]) -> None:
    """Read what the bodies of *messages* take, in as few requests as can be.  Raises `Unavailable`.

    What is too much for that, or cannot be read, is left to `Message.body`.
    """
    missing = [(each, place) for each in messages for place, piece in enumerate(each.pieces) if piece is None]
    pieces = await account.read_many([Range(each.content, *each.plan.ranges[place]) for each, place in missing])
    for (message, place), piece in zip(missing, pieces, strict=True):
        message.pieces[place] = piece


async def load_body(account: Account, content: Content, summary: Summary, wish: Wish, version: Version) -> Body:
    """Return the body that the device wants; reads the ranges of the message that it takes.

    Raises `EngineError`, `SealError`.
    """
    return await Message.planned(content, summary, wish, version).body(account)
