"""An attachment as a file: its type, its exact size, and any range of its decoded bytes, in bounded memory.

Small ones are decoded at once.  Of a big one in base64 only the range is read that is asked for, if its lines are of
equal length (`Lines`): then the place of a byte is arithmetic.  Any other big one is decoded from its beginning, once
to count its bytes and once to send them: answers have to say sizes before the bytes.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from eas.mail.transfer_decoder import decoder_of
from storage.account import Account
from storage.message.summary import Part
from storage.message.transfer import decode_part
from storage.records import Content

SMALL_BYTES_MAX = 1 << 20
"""Encoded; such a part is read and decoded at once."""
UNKNOWN_TYPE = "application/octet-stream"

_ENDS_BYTES = 4096
"""How much of the beginning and of the end is looked at."""
_TYPE = re.compile(r"[\w.+-]{1,127}/[\w.+-]{1,127}", re.ASCII)
_LINE = re.compile(rb"((?:[A-Za-z0-9+/]{4})+)(\r?\n)")
_LAST_LINE = re.compile(rb"[A-Za-z0-9+/]+(={0,2})")


@dataclass(frozen=True, slots=True)
class Lines:
    """Base64 in lines of equal length: *characters* each and, with the line end, *pitch* bytes; decoded *size*."""

    characters: int
    pitch: int
    size: int

    def place(self, decoded: int) -> int:
        """Return where the group of four characters begins that holds the decoded byte at *decoded*."""
        line, character = divmod(decoded // 3 * 4, self.characters)
        return line * self.pitch + character


@dataclass(frozen=True, slots=True)
class AttachmentFile:
    """One attachment.  `size_bytes` is that of the decoded file, exactly."""

    account: Account
    content: Content
    part: Part
    size_bytes: int
    data: bytes | None = None
    """All of it, when it is small."""
    lines: Lines | None = None

    @property
    def content_type(self) -> str:
        """Its type, without parameters; what is no type at all is of an unknown one."""
        return self.part.content_type if _TYPE.fullmatch(self.part.content_type) else UNKNOWN_TYPE

    async def stream(self, start: int, size: int) -> AsyncIterator[bytes]:
        """Yield *size* decoded bytes from *start*, which must be within the file, in pieces of about 1 MiB.

        Raises `EngineError`, `SealError`.
        """
        if self.data is not None:
            yield self.data[start : start + size]
            return
        passed, left = start, size
        pieces = self._decoded()
        if self.lines is not None:
            passed = start % 3
            pieces = self._decoded(self.lines.place(start), self.lines.place(start + size + 2))
        async with aclosing(pieces):
            async for piece in pieces:
                wanted = piece[passed : passed + left]
                passed -= min(passed, len(piece))
                left -= len(wanted)
                if wanted:
                    yield wanted
                if not left:
                    return

    async def _decoded(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the decoding of the encoded bytes from *start* to *end*."""
        size = (self.part.size if end is None else min(end, self.part.size)) - start
        decoder = decoder_of(self.part.encoding)
        async for piece in self.account.stream(self.content, self.part.start + start, size):
            yield decoder.feed(piece)
        yield decoder.finish()


async def open_attachment(account: Account, content: Content, part: Part) -> AttachmentFile:
    """Return the file in *part* of *content*.  Raises `EngineError`, `SealError`.

    Reads all of a small one, two short ranges of a big one in regular base64, and all of any other in an encoding.
    """
    if part.size <= SMALL_BYTES_MAX:
        raw = await account.read(content, part.start, part.size) if part.size else b""
        data = decode_part(part, raw)
        return AttachmentFile(account, content, part, len(data), data)
    if part.encoding not in ("base64", "quoted-printable"):
        return AttachmentFile(account, content, part, part.size)
    lines = await _lines(account, content, part) if part.encoding == "base64" else None
    if lines is not None:
        return AttachmentFile(account, content, part, lines.size, lines=lines)
    uncounted = AttachmentFile(account, content, part, 0)
    size = 0
    async for piece in uncounted._decoded():
        size += len(piece)
    return AttachmentFile(account, content, part, size)


async def _lines(account: Account, content: Content, part: Part) -> Lines | None:
    """Return the shape of *part* if its first lines and its last ones say that all are of one length, else None."""
    head = await account.read(content, part.start, min(_ENDS_BYTES, part.size))
    start = max(part.size - _ENDS_BYTES, 0)
    return regular_lines(head, await account.read(content, part.start + start, part.size - start), part.size)


def regular_lines(head: bytes, tail: bytes, size: int) -> Lines | None:
    """Return the shape of base64 of *size* bytes with that beginning and end, None if it is not regular.

    A line in the middle that differs moves all that follow, the last one too, and so shows at the end; for two that
    cancel out somebody has to write them on purpose.
    """
    first = _LINE.match(head)
    if first is None or not _LINE.match(head, first.end()):
        return None
    pitch, tail_start = len(first[0]), size - len(tail)
    end = tail_start + len(tail.rstrip(b"\r\n"))
    last_start = (end - 1) // pitch * pitch
    before = _LINE.fullmatch(tail, max(last_start - pitch - tail_start, 0), last_start - tail_start)
    last = _LAST_LINE.fullmatch(tail, last_start - tail_start, end - tail_start)
    if before is None or last is None or len(before[0]) != pitch or before[2] != first[2] or len(last[0]) % 4:
        return None
    characters = len(first[1])
    decoded = (last_start // pitch * characters + len(last[0])) // 4 * 3 - len(last[1])
    return Lines(characters, pitch, decoded)
