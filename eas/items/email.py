"""The Email class: a mail as its elements ([MS-ASEMAIL] Email, Email2)."""

from dataclasses import dataclass
from datetime import datetime

from eas.items.airsyncbase import Attachment, BodyLike, render_attachments, render_body
from eas.items.flag import Flag, render_flag
from eas.protocol.datatypes import dashed
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf

EMAIL, EMAIL2, BASE = pages.Email, pages.Email2, pages.AirSyncBase

UTF_8 = "65001"
"""[MS-ASEMAIL] InternetCPID: what every mail is sent in, whatever it was written in."""
CATEGORIES_MAX = 300


@dataclass(frozen=True, slots=True)
class Email:
    """A mail.  Texts are decoded; "" stands for what the message does not have."""

    date_received: datetime
    read: bool
    flag: Flag | None
    categories: tuple[str, ...]
    subject: str = ""
    from_: str = ""
    sender: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""
    display_to: str = ""
    thread_topic: str = ""
    importance: int = 1
    message_class: str = "IPM.Note"
    content_class: str = "urn:content-classes:message"
    conversation_id: bytes = b""
    conversation_index: bytes = b""
    last_verb: int = 0
    last_verb_time: datetime | None = None
    is_draft: bool = False
    native_body_type: int = 1
    attachments: tuple[Attachment, ...] = ()


def render_email(email: Email, version: Version, body: BodyLike | None, part: int | None = None) -> list[Element]:
    """Return the children of ApplicationData or Properties; with *body* None, without a Body."""
    wanted = [
        leaf(EMAIL.To, email.to or None),
        leaf(EMAIL.Cc, email.cc or None),
        leaf(EMAIL2.Bcc, email.bcc or None) if version >= Version.V16_0 and email.is_draft else None,
        leaf(EMAIL.From, email.from_ or None),
        leaf(EMAIL2.Sender, email.sender or None) if version >= Version.V14_0 else None,
        leaf(EMAIL.Subject, email.subject or None),
        leaf(EMAIL.ReplyTo, email.reply_to or None),
        leaf(EMAIL.DateReceived, dashed(email.date_received)),
        leaf(EMAIL.DisplayTo, email.display_to or None),
        leaf(EMAIL.ThreadTopic, email.thread_topic or None),
        leaf(EMAIL.Importance, email.importance),
        leaf(EMAIL.Read, email.read),
        render_attachments(email.attachments),
        render_body(body, version, part) if body is not None else None,
        leaf(EMAIL.MessageClass, email.message_class),
        leaf(EMAIL.InternetCPID, UTF_8),
        render_flag(email.flag),
        leaf(EMAIL.ContentClass, email.content_class),
        leaf(BASE.NativeBodyType, email.native_body_type) if body is not None else None,
    ]
    if version >= Version.V14_0:
        wanted += [
            render_categories(email.categories),
            leaf(EMAIL2.ConversationId, email.conversation_id or None),
            leaf(EMAIL2.ConversationIndex, email.conversation_index or None),
            leaf(EMAIL2.LastVerbExecuted, email.last_verb or None),
            leaf(EMAIL2.LastVerbExecutionTime, dashed(email.last_verb_time) if email.last_verb_time else None),
        ]
    if version >= Version.V16_0:
        wanted.append(leaf(EMAIL2.IsDraft, email.is_draft))
    return [found for found in wanted if found is not None]


def render_news(email: Email, version: Version, names: tuple[str, ...]) -> list[Element]:
    """Return only the elements of the changed properties *names*: `read`, `flag`, `categories`."""
    wanted = [
        leaf(EMAIL.Read, email.read) if "read" in names else None,
        render_flag(email.flag) if "flag" in names else None,
        render_categories(email.categories) if "categories" in names and version >= Version.V14_0 else None,
    ]
    return [found for found in wanted if found is not None]


def render_categories(categories: tuple[str, ...]) -> Element:
    """Return the Categories element, empty when there are none."""
    return element(EMAIL.Categories, *(leaf(EMAIL.Category, name) for name in categories))
