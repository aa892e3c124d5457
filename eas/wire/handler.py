"""aiohttp's side of a connection: a handler that can be left, and the answer that leaves it.

aiohttp offers no such thing: this module touches what is private to it, no other does, and `check_aiohttp` refuses to
start when that has changed.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from eas.protocol.exchange import EasResponse, Held
from eas.wire import answer as http_answer
from eas.wire.dormant import GZIP, HTTP10, KEEPS_ALIVE

log = structlog.get_logger(__name__)

HEAD_SECONDS = 30.0
"""From the first byte of a request to the end of its headers."""


class AiohttpChanged(Exception):
    """This aiohttp is not built as the dormant poll expects: another version must be installed."""


class Keeper(Protocol):
    """What a handler asks of the lobby that made it."""

    def leave(self, handler: "Handler") -> None:
        """Count a connection out."""

    def park(self, handler: "Handler", held: Held | None, marks: int = KEEPS_ALIVE) -> bool:
        """Take the connection of *handler*, to hold *held* or to rest.  False: nothing was taken."""


class Handler(RequestHandler):
    """aiohttp's handler of a connection, which leaves the connection when there is nothing to do."""

    __slots__ = ("_head_due", "_lobby")

    def __init__(self, lobby: Keeper, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self._lobby: Keeper | None = lobby
        self._head_due = 0.0  # when the headers that have begun must be complete; 0: none have begun

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered (one may have begun to come)."""
        return self._request_count == 0 or (self._waiter is not None and not self._waiter.done())

    def data_received(self, data: bytes) -> None:
        """Parse, and note how far the next request has come."""
        super().data_received(data)
        if not self.is_idle:
            self._head_due = 0.0
            if self._current_request is not None and self._messages and not hasattr(self._messages[-1][0], "headers"):
                self._current_request._cancel(RequestPayloadError("malformed body"))  # aiohttp would let it wait
        elif data and not self._head_due:
            self._head_due = self._loop.time() + HEAD_SECONDS

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the tasks, and count the connection out unless the lobby has it."""
        super().connection_lost(exc)
        lobby, self._lobby = self._lobby, None
        if lobby is not None:
            lobby.leave(self)

    def is_at_rest(self) -> bool:
        """Whether every byte that came belongs to a request that was answered.

        Asking the parser destroys what it may have begun: only for a handler that ends.
        """
        if self._messages or self._parser is None:
            return False
        try:
            return self._parser.feed_eof() is None
        except HttpProcessingError:
            return False

    def detach(self) -> asyncio.Transport | None:
        """Give the connection away; the tasks of aiohttp end, as if the peer had left.  None: it has left."""
        transport, self.transport = self.transport, None
        if transport is None:
            return None
        self._lobby = None
        self.connection_lost(None)
        return transport

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse, without a word of the cause; such a connection is closed."""
        if isinstance(exc, LineTooLong) or (message or "").startswith("Too many headers"):
            status = 431
        if not isinstance(exc, ConnectionError):
            log.info("http.malformed", status=status, cause=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer is out")
        response = web.Response(
            status=status,
            reason=http_answer.reason(status),
            headers=http_answer.headers(EasResponse(status=status, body=b""), size=None),
        )
        response.force_close()
        return response

    def _process_keepalive(self) -> None:
        """Leave a connection that has rested (aiohttp would close it)."""
        self._keepalive_handle = None
        lobby, now = self._lobby, self._loop.time()
        if lobby is None or self._force_close or not self._keepalive or not self.is_idle:
            return  # when it is busy, the end of its request sets the next timer
        due = max(self._next_keepalive_close_time, self._head_due)
        if now < due:
            self._keepalive_handle = self._loop.call_at(due, self._process_keepalive)
        elif self._head_due or not lobby.park(self, None):
            self.force_close()


class Parked(web.StreamResponse):
    """What a handler returns instead of an answer: aiohttp, about to write it, loses the connection to the lobby."""

    def __init__(self, lobby: Keeper, held: Held, *, accepts_gzip: bool) -> None:
        super().__init__()
        self._lobby = lobby
        self._held = held
        self._accepts_gzip = accepts_gzip

    async def prepare(self, request: web.BaseRequest) -> None:
        """Park the connection of *request*."""
        marks = GZIP if self._accepts_gzip else 0
        marks |= KEEPS_ALIVE if request.keep_alive else 0
        marks |= HTTP10 if request.version < aiohttp.HttpVersion11 else 0
        handler = request.protocol
        if not isinstance(handler, Handler) or not self._lobby.park(handler, self._held, marks):
            self._held.abandon()

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: the connection is aiohttp's no more."""


_PRIVATE = (
    "_current_request",
    "_force_close",
    "_keepalive",
    "_keepalive_handle",
    "_messages",
    "_next_keepalive_close_time",
    "_parser",
    "_process_keepalive",
    "_request_count",
    "_waiter",
)


def check_aiohttp(new_handler: Callable[[], Handler]) -> None:
    """Try what this module relies on: the attributes, and that a parser tells whether it is within a request.

    Raises `AiohttpChanged`.
    """
    missing = [name for name in _PRIVATE if not hasattr(RequestHandler, name)]
    if missing:
        raise AiohttpChanged(f"aiohttp {aiohttp.__version__} has no {', '.join(missing)}")
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    for sent, is_at_rest in ((request, True), (request + request[:3], False), (request[:30], False)):
        handler = new_handler()
        handler.data_received(sent)
        taken = len(handler._messages)
        handler._messages.clear()
        if handler.is_at_rest() is not is_at_rest or taken != (len(sent) >= len(request)):
            raise AiohttpChanged(f"aiohttp {aiohttp.__version__} parses otherwise than expected")
