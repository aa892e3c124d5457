"""What is kept of a message beside its bytes: enough for every list, and where each part lies.

`pack` gives plain values for msgpack, by position.  A position never changes its meaning: a new field goes to the end
with a default, so that older records are read with that default, and older readers pass over what they do not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the MIME tree.  Offsets and sizes are bytes of the stored message."""

    path: str = "1"  # as IMAP numbers parts: "2.1" is the first child of the second child of the root
    content_type: str = "text/plain"  # lower case, without parameters
    charset: str = ""  # as declared, lower case; "" when nothing is declared
    encoding: str = "7bit"  # Content-Transfer-Encoding, lower case
    header_start: int = 0  # where the part's own header begins; the message's header for a message of one part
    start: int = 0  # where the encoded content begins
    size: int = 0  # bytes of the encoded content
    decoded_size: int = 0  # bytes after transfer decoding: exact for text, by arithmetic for base64 attachments
    text_size: int = 0  # body parts only: bytes as UTF-8 with CRLF line ends (exact up to a bound, else decoded_size)
    name: str = ""  # decoded file name; attachments always have one, attached messages end in ".eml"
    content_id: str = ""  # without angle brackets
    content_location: str = ""
    disposition: str = ""  # "attachment", "inline" or ""
    is_attachment: bool = False
    is_inline: bool = False  # an attachment that the HTML body refers to
    is_signed: bool = False  # inside multipart/signed: its bytes must stay as they are
    method: int = 1  # [MS-ASAIRS] Attachment/Method: 1 normal, 5 embedded message

    @property
    def end(self) -> int:
        """The offset after the last byte of the encoded content."""
        return self.start + self.size

    def pack(self) -> list[Any]:
        """The values in field order."""
        return [getattr(self, name) for name in _PART_FIELDS]

    @classmethod
    def unpack(cls, values: Sequence[Any]) -> "Part":
        """Undo `pack`, of an older or newer version too."""
        return cls(*values[: len(_PART_FIELDS)])


@dataclass(frozen=True, slots=True)
class Summary:
    """A message as lists show it.  All texts are decoded, valid Unicode without NUL, and bounded."""

    subject: str = ""
    from_: str = ""  # RFC 5322 form, decoded: `"Name" <local@domain>`
    sender: str = ""  # only when it differs from `from_`
    to: str = ""  # addresses separated by ", "
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""  # addresses separated by ";" ([MS-ASEMAIL] ReplyTo)
    display_to: str = ""  # names (addresses where there is none) of To, separated by ";"
    message_id: str = ""  # with angle brackets, as in the header
    date: datetime | None = None  # header Date, UTC; None when missing or unreadable
    importance: int = 1  # 0 low, 1 normal, 2 high
    thread_topic: str = ""  # the subject without reply and forward prefixes
    conversation_id: bytes = bytes(16)  # 16 bytes, the same for all messages of a thread
    conversation_index: bytes = bytes(5)  # 5 bytes, then 5 for each level, in the form of EAS
    message_class: str = "IPM.Note"
    content_class: str = "urn:content-classes:message"
    preview: str = ""  # at most 255 characters, white space folded
    size: int = 0  # bytes of the message
    header_size: int = 0  # bytes of its header, the empty line included
    parts: tuple[Part, ...] = ()  # leaves in the order of the message
    text_part: int | None = None  # index in `parts` of the plain text body
    html_part: int | None = None  # index in `parts` of the HTML body
    calendar_part: int | None = None  # index in `parts` of the iCalendar object of a meeting message

    @property
    def attachments(self) -> tuple[Part, ...]:
        """The parts that are shown as attachments."""
        return tuple(part for part in self.parts if part.is_attachment)

    @property
    def text(self) -> Part | None:
        """The plain text body."""
        return None if self.text_part is None else self.parts[self.text_part]

    @property
    def html(self) -> Part | None:
        """The HTML body."""
        return None if self.html_part is None else self.parts[self.html_part]

    @property
    def calendar(self) -> Part | None:
        """The iCalendar object of a meeting message."""
        return None if self.calendar_part is None else self.parts[self.calendar_part]

    @property
    def is_smime(self) -> bool:
        """Whether the message is signed or encrypted by S/MIME, and so of use only as a whole."""
        return self.message_class.startswith("IPM.Note.SMIME")

    @property
    def native_body_type(self) -> int:
        """[MS-ASAIRS] NativeBodyType: 2 when there is an HTML body, else 1."""
        return 1 if self.html_part is None else 2

    def part(self, path: str) -> Part | None:
        """The part of that path."""
        return next((part for part in self.parts if part.path == path), None)

    def pack(self) -> list[Any]:
        """The values in field order: the date in seconds since 1970, each part as a list."""
        values = [getattr(self, name) for name in _SUMMARY_FIELDS]
        values[_DATE] = None if self.date is None else int((self.date - _EPOCH).total_seconds())
        values[_PARTS] = [part.pack() for part in self.parts]
        return values

    @classmethod
    def unpack(cls, values: Sequence[Any]) -> "Summary":
        """Undo `pack`, of an older or newer version too."""
        known = list(values[: len(_SUMMARY_FIELDS)])
        if len(known) > _DATE and known[_DATE] is not None:
            known[_DATE] = _EPOCH + timedelta(seconds=known[_DATE])
        if len(known) > _PARTS:
            known[_PARTS] = tuple(Part.unpack(part) for part in known[_PARTS])
        return cls(*known)


_PART_FIELDS = tuple(field.name for field in fields(Part))
_SUMMARY_FIELDS = tuple(field.name for field in fields(Summary))
_DATE = _SUMMARY_FIELDS.index("date")
_PARTS = _SUMMARY_FIELDS.index("parts")
