"""HTTP by hand: bytes that no client library would send, and nothing in this process but a socket."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from tests.support.transport import PATH

SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """What came: status, headers by their names in small letters, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def root(self) -> Element:
        """The document in the body."""
        return decode(self.body)


@dataclass
class Wire:
    """A connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Write it, as far as the server reads."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """Read one answer with a Content-Length.  Raises `asyncio.IncompleteReadError` when the server closes."""
        async with asyncio.timeout(SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Wire]:
    """Connect to the server at *url*."""
    parsed = URL(url)
    reader, writer = await asyncio.open_connection(parsed.host, parsed.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def login(user: str, password: str) -> bytes:
    """Return the Authorization line."""
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()) + b"\r\n"


def request(
    body: bytes = b"",
    *,
    query: str = "Cmd=Sync&User=u&DeviceId=raw1&DeviceType=SP",
    version: str = "16.1",
    headers: bytes = b"",
    method: str = "POST",
    path: str = PATH,
) -> bytes:
    """Return a whole request."""
    line = f"{method} {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
    named = f"MS-ASProtocolVersion: {version}\r\n".encode() if version else b""
    return line + named + headers + b"\r\n" + body
