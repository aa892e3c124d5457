"""A client that speaks HTTP byte by byte, so that tests decide what is sent when, and a server for it to speak to."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from eas.protocol.exchange import EasResponse, Held, HttpRequest
from eas.wire.listeners import Listener
from eas.wire.server import Limits, Routes, Server

EAS = "/Microsoft-Server-ActiveSync"
PING = f"POST {EAS}?Cmd=Ping HTTP/1.1\r\nHost: mail\r\nContent-Length: 4\r\n\r\nping".encode()
SYNC = f"POST {EAS}?Cmd=Sync HTTP/1.1\r\nHost: mail\r\nContent-Length: 4\r\n\r\nsync".encode()
PATIENCE_SECONDS = 10.0


@dataclass
class Wait:
    """A held request as a hub would keep it."""

    reply: Callable[[EasResponse], None] | None = None
    is_abandoned: bool = False
    is_answered: bool = False

    def begin(self, reply: Callable[[EasResponse], None]) -> None:
        self.reply = reply

    def abandon(self) -> None:
        self.is_abandoned = True

    def answer(self, body: bytes = b"news") -> None:
        assert self.reply is not None
        self.is_answered = True
        self.reply(EasResponse(body=body))


@dataclass
class Hub:
    """Answers by the request's query: Ping is held, all else is what `ready` gives."""

    ready: Callable[[HttpRequest], Awaitable[EasResponse]] | None = None
    waits: list[Wait] = field(default_factory=list)
    seen: list[HttpRequest] = field(default_factory=list)

    async def answer(self, request: HttpRequest) -> EasResponse | Held:
        self.seen.append(request)
        if "Ping" in request.raw_query:
            wait = Wait()
            self.waits.append(wait)
            return wait
        if self.ready is not None:
            return await self.ready(request)
        return EasResponse(body=b"done " + request.body)

    async def held(self, count: int) -> Wait:
        """Wait until *count* requests in all have begun to wait, and return the last."""
        await until(lambda: len(self.waits) >= count and self.waits[count - 1].reply is not None)
        return self.waits[count - 1]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


class Phone:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> Answer:
        """Read one answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif headers.get("transfer-encoding") == "chunked":
                body = await self._chunks()
            else:
                body = await self.reader.read()
        return Answer(int(head[0].split()[1]), headers, body)

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.read()

    async def is_closed(self) -> bool:
        """Wait for the end of the connection; what comes before it is an error."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True

    def reset(self) -> None:
        """Leave without a word (RST)."""
        self.writer.transport.abort()

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


@dataclass
class Site:
    server: Server
    hub: Hub
    port: int
    trust: ssl.SSLContext | None = None

    @asynccontextmanager
    async def phone(self) -> AsyncIterator[Phone]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust)
        try:
            yield Phone(reader, writer)
        finally:
            writer.close()
            try:
                async with asyncio.timeout(1):
                    await writer.wait_closed()
            except (OSError, TimeoutError):
                writer.transport.abort()

    async def ask(self, data: bytes) -> Answer:
        async with self.phone() as phone:
            return await phone.ask(data)


@asynccontextmanager
async def site(
    hub: Hub | None = None,
    limits: Limits | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    trust: ssl.SSLContext | None = None,
    has_other: bool = False,
) -> AsyncIterator[Site]:
    """A server on a free port of the loopback."""
    hub = hub or Hub()
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    server = Server(Routes(hub, hub, hub if has_other else None), limits)
    [(_, port)] = await server.start([Listener("127.0.0.1", 0, tls)])
    try:
        yield Site(server, hub, port, trust)
    finally:
        await server.stop(1.0)
        assert server.connections == 0
        assert faults == []


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until *condition* holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)
