"""Request bodies: read to their end within bounds of size, of time and of memory altogether, and inflated.

Knows nothing of the web framework: it is given something to read from.
"""

import asyncio
import io
import zlib
from typing import Protocol

GRACE_SECONDS = 60.0
"""So long a body may take, and so long it may pause, whatever its size."""
RATE_MIN = 1024
"""Bytes a second that a body must make beyond the grace: a phone on GPRS makes four times as much."""
_INFLATE_STEP = 1024 * 1024  # at most so much is inflated before others have their turn
_COMPRESSED = frozenset({"gzip", "x-gzip"})
_PLAIN = frozenset({"", "identity"})


class BodyTooLarge(Exception):
    """The body is, or inflates to, more than the bound."""


class BodyTooSlow(Exception):
    """The peer sends too slowly, or has stopped sending."""


class BodyMalformed(Exception):
    """The body is not in the encoding that it says it is."""


class UnknownEncoding(Exception):
    """The Content-Encoding is none that is known here."""


class BodiesFull(Exception):
    """All bodies together would take more memory than allowed: the phone may come again."""


class BodyReader(Protocol):
    """What a body is read from."""

    async def readany(self) -> bytes:
        """Return what has come, at least a byte; nothing means the end."""


class Intake:
    """All bodies being read or worked on, and their bounds."""

    def __init__(self, body_max_bytes: int, bodies_max_bytes: int) -> None:
        self.body_max_bytes = body_max_bytes
        self._bodies_max_bytes = bodies_max_bytes
        self._taken_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Count bytes that came.  Raises `BodiesFull`."""
        if self._taken_bytes + size_bytes > self._bodies_max_bytes:
            raise BodiesFull
        self._taken_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Forget bytes whose body is no longer held."""
        self._taken_bytes -= size_bytes


class Body:
    """One body.  A context manager: leaving it says that its bytes are no longer needed."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._size_bytes = 0

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.give_back(self._size_bytes)
        self._size_bytes = 0

    def declare(self, size_bytes: int) -> None:
        """Take the Content-Length, so that what is too large is refused unread.  Raises `BodyTooLarge`."""
        if size_bytes > self._intake.body_max_bytes:
            raise BodyTooLarge

    async def read(self, reader: BodyReader, encoding: str) -> bytes:
        """Read the whole body, inflated if it was compressed.

        The bytes are held once: `BytesIO` grows in place and hands out its own buffer.
        Raises `BodyTooLarge`, `BodyTooSlow`, `BodyMalformed`, `UnknownEncoding`, `BodiesFull`.
        """
        encoding = encoding.strip().lower()
        if encoding not in _PLAIN and encoding not in _COMPRESSED:
            raise UnknownEncoding(encoding)
        content = io.BytesIO()
        inflater = zlib.decompressobj(wbits=31) if encoding in _COMPRESSED else None
        clock = asyncio.get_running_loop().time
        started, received = clock(), 0
        while True:
            deadline = min(clock() + GRACE_SECONDS, started + GRACE_SECONDS + received / RATE_MIN)
            try:
                async with asyncio.timeout_at(deadline):
                    data = await reader.readany()
            except TimeoutError:
                raise BodyTooSlow from None
            if not data:
                break
            received += len(data)
            if inflater is None:
                self._add(content, data)
            else:
                await self._inflate(content, inflater, data)
        if inflater is not None and received and not inflater.eof:
            raise BodyMalformed
        return content.getvalue()

    async def _inflate(self, content: io.BytesIO, inflater: "zlib._Decompress", data: bytes) -> None:
        while data:
            if inflater.eof:
                raise BodyMalformed  # bytes behind the end
            try:
                inflated = inflater.decompress(data, _INFLATE_STEP)
            except zlib.error as error:
                raise BodyMalformed from error
            self._add(content, inflated)
            data = inflater.unconsumed_tail or inflater.unused_data
            if len(inflated) == _INFLATE_STEP:
                await asyncio.sleep(0)

    def _add(self, content: io.BytesIO, data: bytes) -> None:
        if self._size_bytes + len(data) > self._intake.body_max_bytes:
            raise BodyTooLarge
        self._intake.take(len(data))
        self._size_bytes += len(data)
        content.write(data)
