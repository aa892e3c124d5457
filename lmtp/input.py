"""The bytes that a peer has sent and nobody has read yet."""

from typing import Protocol

LINE_BYTES_MAX = 2048  # with CRLF.  RFC 5321 4.5.3.1.4 wants 512, and each extension some more


class LineTooLong(Exception):
    """A line over `LINE_BYTES_MAX` was stepped over, up to its CRLF."""


class Reader(Protocol):
    """What takes the bytes of a message (`lmtp/content.py`)."""

    def read(self, buffer: bytes, at: int) -> int:
        """Take bytes from *buffer* on *at*.  Returns where the commands go on, or -1 once it took all."""
        ...


class Input:
    """Lines and content out of a stream, however that was cut."""

    __slots__ = ("_at", "_buffer", "_is_skipping")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # done with up to here: cutting the buffer after each line would be quadratic
        self._is_skipping = False

    def add(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def line(self) -> bytes | None:
        """Return the next line without its CRLF, None if it is not whole yet.  Raises `LineTooLong`, once a line."""
        end = self._buffer.find(b"\r\n", self._at)
        size = (len(self._buffer) if end < 0 else end) - self._at
        if end >= 0:
            line = self._buffer[self._at : end]
            self._at = end + 2
            if self._is_skipping or size > LINE_BYTES_MAX - 2:
                self._is_skipping = False
                raise LineTooLong
            return line
        if self._is_skipping or size >= LINE_BYTES_MAX:  # no CRLF can come in time
            self._is_skipping = True
            self._at = len(self._buffer) - self._buffer.endswith(b"\r")
        return None

    def pass_to(self, reader: Reader) -> bool:
        """Give *reader* what there is.  True once it has all it wants; the rest is for others."""
        end = reader.read(self._buffer, self._at)
        self._at = end if end >= 0 else len(self._buffer)
        return end >= 0
