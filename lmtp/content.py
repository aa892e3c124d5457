"""The bytes of a message on their way from the wire to the spool.

`DotReader` reads what follows DATA, `ChunkReader` what follows BDAT.  Both take any cut of the stream and keep at most
four bytes back.  Neither loses its place: what belongs to the message is never looked at as a command.

Line ends.  Only CRLF . CRLF ends a message (RFC 5321 4.1.1.4); LF . LF, LF . CRLF, CR . CR and the like are text, and
only a dot after CRLF is transparency (RFC 5321 4.5.2).  To see an end where the server before us saw none is how a
second message with a forged sender is smuggled inside a first one.  RFC 5321 2.3.8 forbids to send a bare LF; we store
it as CRLF rather than bounce mail that some device sent so: by then the end has been decided on the bytes as they came,
and whatever reads the stored message knows one kind of line end.  A bare CR stays as it is: it ends no line for anybody
who reads by these rules.  NUL and lines over 1000 bytes stay too: to refuse them would lose mail, to change them break
signatures.  BDAT gets the same treatment, as we do not offer BINARYMIME and its text has the same rules.
"""

import re
from collections.abc import Callable

_END = b"\r\n.\r\n"
_BARE_LF = re.compile(rb"(?<!\r)\n")

Write = Callable[[bytes], None]


def canonical(text: bytes) -> bytes:
    """Return *text* with each bare LF as CRLF; an LF at its beginning counts as bare."""
    if text.count(b"\n") == text.count(b"\r\n"):  # a fifth of what the expression takes
        return text
    return _BARE_LF.sub(b"\r\n", text)


class DotReader:
    """Finds the end of DATA and undoes its transparency."""

    __slots__ = ("_held", "_is_first", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held = b"\r\n"  # the one of the DATA command: a dot may come first, and an end at once
        self._is_first = True

    def read(self, buffer: bytes, at: int) -> int:
        """Take text from *buffer* on *at*.  Returns where the commands go on, or -1 if the text does."""
        held = len(self._held)
        text = self._held + (buffer[at:] if at else buffer)
        end = text.find(_END)
        if end >= 0:
            self._pass_on(text[: end + 2])  # the first CRLF of the five bytes ends the message's last line
            return at - held + end + len(_END)
        kept = _begun(text)
        self._held = text[len(text) - kept :]
        self._pass_on(text[: len(text) - kept])
        return -1

    def _pass_on(self, text: bytes) -> None:
        """Write text that begins with CRLF if it is the first, and never ends between CR and LF or before a dot."""
        if not text:
            return
        text = canonical(text.replace(b"\r\n.", b"\r\n"))
        if self._is_first:
            text = text[2:]
            self._is_first = False
        self._write(text)


class ChunkReader:
    """Counts the bytes of one BDAT command."""

    __slots__ = ("_left", "_write")

    def __init__(self, size_bytes: int, write: Write) -> None:
        self._left = size_bytes
        self._write = write

    def read(self, buffer: bytes, at: int) -> int:
        """Take bytes from *buffer* on *at*.  Returns where the commands go on, or -1 if the chunk does."""
        piece = buffer[at : at + self._left]
        self._left -= len(piece)
        self._write(piece)
        return -1 if self._left else at + len(piece)


class ChunkText:
    """Line ends across the chunks of one message: a CR waits for what follows it."""

    __slots__ = ("_held", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held = b""

    def write(self, piece: bytes) -> None:
        """Take the next bytes, however cut."""
        text = self._held + piece if self._held else piece
        if text.endswith(b"\r"):
            text, self._held = text[:-1], b"\r"
        else:
            self._held = b""
        self._write(canonical(text))

    def flush(self) -> None:
        """The message is whole: write what waited."""
        self._write(self._held)
        self._held = b""


def _begun(text: bytes) -> int:
    """Return how many bytes at the end of *text* may be the beginning of an end."""
    return next((size for size in (4, 3, 2, 1) if text.endswith(_END[:size])), 0)
