"""A server that answers as it is told, for tests of the client: no protocol of its own, all headers right."""

import base64
import gzip
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode

HEADERS = {"Cache-Control": "private", "MS-Server-ActiveSync": "16.1"}
WBXML = {"Content-Type": "application/vnd.ms-sync.wbxml"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came."""

    command: str
    query: dict[str, str]
    raw_query: str
    headers: dict[str, str]
    body: bytes

    @property
    def root(self) -> Element:
        """The body, decoded."""
        return decode(self.body)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in full, for those that are not a WBXML document with the usual headers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: HEADERS | WBXML)
    body: bytes = b""


@dataclass(slots=True)
class FakeServer:
    """Answers in the order in which they were given, each command its own; the requests are in `seen`."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    queues: defaultdict[str, deque[Told]] = field(default_factory=lambda: defaultdict(deque))

    def tell(self, command: str, *answers: Element | Told | None, zipped: bool = False) -> None:
        """Prepare answers to *command*; None is the empty one."""
        for one in answers:
            told = one if isinstance(one, Told) else Told(body=b"" if one is None else encode(one))
            if zipped:
                packed = gzip.compress(told.body)
                told = Told(told.status, {**told.headers, "Content-Encoding": "gzip"}, packed)
            self.queues[command].append(told)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        command = request.query.get("Cmd", "OPTIONS" if request.method == "OPTIONS" else "")
        if not command:
            command = {0: "Sync", 9: "FolderSync", 19: "ItemOperations"}[base64.b64decode(request.query_string)[1]]
        self.seen.append(
            Seen(command, dict(request.query), request.query_string, dict(request.headers), await request.read())
        )
        told = self.queues[command].popleft()
        return web.Response(status=told.status, headers=told.headers, body=told.body)


@asynccontextmanager
async def fake_server() -> AsyncIterator[FakeServer]:
    """Run the server on a free port of loopback."""
    fake = FakeServer()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_route("*", "/Microsoft-Server-ActiveSync", fake.handle)
    server = TestServer(application)
    async with server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake
