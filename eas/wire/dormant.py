"""Connections with nothing to do: a held request costs a hundred bytes of ours beside its socket, not a web framework.

While a request is read and answered, aiohttp has the connection: its parser, its request, two tasks, 14 KB.  When the
answer is to wait (`Held`), `lobby.Lobby.park` takes the connection from aiohttp, whose tasks then end and take request,
headers and body with them, and gives it to a `Dormant`.  The answer is written from there, and the connection stays
dormant until its next bytes come: only then is a handler made anew.  A connection that aiohttp keeps alive goes dormant
too, when it has rested for a while.

A `Dormant` is *fresh* (no byte has come yet), *held*, *sending* (its answer is long, or its reader slow) or *idle*.
Each parking makes a new one, so that a late `reply` of an old wait can only reach an object that has no connection any
more.  At every moment a connection has one owner, a `Dormant` or a `handler.Handler`; the lobby counts them as one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

import structlog

from eas.protocol.exchange import EasResponse, Held
from eas.wire import answer as http_answer

log = structlog.get_logger(__name__)

EARLY_BYTES_MAX = 64 * 1024
"""What a peer may send ahead while its answer is awaited; past it the connection is closed.  No phone sends a byte."""
STALL_SECONDS = 60.0
"""How long a peer may not read at all while an answer is sent in pieces."""

KEEPS_ALIVE: Final = 1
GZIP: Final = 2
HTTP10: Final = 4
PAUSED: Final = 8  # the transport's buffer is full: the peer reads slowly
_SENDING: Final = 16
_WAKING: Final = 32  # its turn to be handed over will come


class Keeper(Protocol):
    """What a `Dormant` asks of the lobby it waits in."""

    is_stopping: bool

    def enter(self, dormant: "Dormant") -> None:
        """Count a new connection."""

    def leave(self, dormant: "Dormant") -> None:
        """Count a connection out."""

    def rest(self, dormant: "Dormant") -> None:
        """Let an answered connection wait for its next request."""

    def unhold(self, dormant: "Dormant") -> None:
        """Count a held request as answered, to its last byte."""

    def wake(self, dormant: "Dormant") -> bool:
        """Call `Dormant.hand_over`; False: not now but soon."""


class Dormant(asyncio.Protocol):
    """A connection that waits for its answer (`Held`), or for its next request."""

    __slots__ = ("_drained", "_early", "_held", "_lobby", "_marks", "_task", "_transport")

    def __init__(self, lobby: Keeper, marks: int = KEEPS_ALIVE) -> None:
        self._lobby = lobby
        self._marks = marks
        self._transport: asyncio.Transport | None = None
        self._held: Held | None = None
        self._early = b""
        self._drained: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # First what the event loop calls, then what the lobby and the hub call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first byte."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._lobby.enter(self)

    def data_received(self, data: bytes) -> None:
        """Wake, or keep what comes before the answer is out."""
        if self._transport is None:
            return
        if not self._is_busy:
            self._early = data
            self._wake()
        elif len(self._early) + len(data) > EARLY_BYTES_MAX:
            log.info("http.too_early", bytes=len(self._early) + len(data))
            self.abort()
        else:
            self._early += data  # answers leave in the order of the requests (RFC 9112 9.3.2)

    def pause_writing(self) -> None:
        """Note that the peer reads slowly."""
        self._marks |= PAUSED

    def resume_writing(self) -> None:
        """Go on: with an answer in pieces, or with a request that came while the peer read the last answer."""
        self._marks &= ~PAUSED
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._early and not self._is_busy:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place up: nobody reads the answer any more."""
        self._transport = None
        self._early = b""
        if self._task is not None:
            self._task.cancel()
        self._lobby.leave(self)
        self._forsake()

    def hold(self, transport: asyncio.Transport, held: Held) -> None:
        """Wait on *transport* for the reply to *held*, which may come before this returns."""
        self._transport, self._held = transport, held
        try:
            held.begin(self.reply)
        except Exception:
            log.exception("http.failed")
            self.reply(EasResponse(status=500))

    def rest(self, transport: asyncio.Transport) -> None:
        """Wait on *transport* for the next request."""
        self._transport = transport

    def reply(self, response: EasResponse) -> None:
        """Answer the held request.  On the loop's thread; without effect when the phone has left or was answered."""
        if self._held is None or self._transport is None:
            return
        self._held = None
        if isinstance(response.body, bytes) and len(response.body) <= http_answer.THREAD_BYTES_MIN:
            body = response.body
            if is_gzipped := self._is_gzipped(response):
                body = http_answer.compress(body)
            self._transport.write(self._head(response, len(body), is_gzipped=is_gzipped) + body)
            self._answered()
        else:
            self._marks |= _SENDING
            self._task = asyncio.get_running_loop().create_task(self._send(response))

    def close(self) -> None:
        """Leave in order: what is held is abandoned, and what is being written still goes out to a peer that reads."""
        if self._transport is not None and not self._marks & _SENDING:
            (self._transport.abort if self._marks & PAUSED else self._transport.close)()
        self._forsake()

    def abort(self) -> None:
        """Leave at once."""
        if self._transport is not None:
            self._transport.abort()
        self._forsake()

    def _forsake(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                held.abandon()
            except Exception:
                log.exception("http.failed")

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Give the connection to *protocol*, with the first bytes of its next request."""
        transport, self._transport = self._transport, None
        data, self._early = self._early, b""
        if transport is not None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            protocol.data_received(data)
            if self._marks & _WAKING:
                transport.resume_reading()

    @property
    def is_connected(self) -> bool:
        """Whether there is still something to hand over."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def _is_busy(self) -> bool:
        """Whether an answer is due or not yet read, or aiohttp will have the connection soon."""
        return self._held is not None or bool(self._marks & (PAUSED | _SENDING | _WAKING))

    def _wake(self) -> None:
        if not self._lobby.wake(self) and self._transport is not None:
            self._marks |= _WAKING
            self._transport.pause_reading()

    def _answered(self) -> None:
        """The answer is written: wait for the next request, or close."""
        self._marks &= ~_SENDING
        self._task = None
        self._lobby.unhold(self)
        if self._transport is None:
            return
        if not self._marks & KEEPS_ALIVE or self._lobby.is_stopping:
            self._transport.close()
        elif self._early and not self._marks & PAUSED:
            self._wake()
        else:
            self._lobby.rest(self)

    def _is_gzipped(self, response: EasResponse) -> bool:
        return bool(self._marks & GZIP) and http_answer.is_worth_gzip(response)

    def _head(
        self, response: EasResponse, size: int | None, *, is_gzipped: bool = False, is_chunked: bool = False
    ) -> bytes:
        fields = http_answer.headers(response, size=size, is_gzipped=is_gzipped)
        if is_chunked:
            fields["Transfer-Encoding"] = "chunked"
        return http_answer.head(
            response.status,
            fields,
            is_http10=bool(self._marks & HTTP10),
            keeps_alive=bool(self._marks & KEEPS_ALIVE) and not self._lobby.is_stopping,
        )

    async def _send(self, response: EasResponse) -> None:
        """Write an answer that is too long to be compressed at once, or that comes in pieces."""
        try:
            if isinstance(response.body, bytes):
                await self._send_whole(response, response.body)
            else:
                await self._send_pieces(response, response.body)
            self._answered()
        except (TimeoutError, ConnectionError):
            log.info("http.slow_reader")
            self.abort()
        except Exception:
            log.exception("http.answer_broken")  # half an answer is out: only closing tells the phone
            self.abort()

    async def _send_whole(self, response: EasResponse, body: bytes) -> None:
        if is_gzipped := self._is_gzipped(response):
            body = await asyncio.to_thread(http_answer.compress, body)
        if self._transport is not None:
            self._transport.write(self._head(response, len(body), is_gzipped=is_gzipped))
            self._transport.write(body)

    async def _send_pieces(self, response: EasResponse, pieces: AsyncIterator[bytes]) -> None:
        is_chunked = response.size is None and not self._marks & HTTP10
        if response.size is None and not is_chunked:
            self._marks &= ~KEEPS_ALIVE  # only the end of the connection ends the body
        await self._write(self._head(response, response.size, is_chunked=is_chunked))
        sent = 0
        try:
            async for piece in pieces:
                sent += len(piece)
                if piece:
                    await self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        finally:
            if (close := getattr(pieces, "aclose", None)) is not None:
                await close()
        if response.size is not None and sent != response.size:
            raise ValueError(f"a body of {sent} bytes instead of {response.size}")
        if is_chunked:
            await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        if self._transport is None:
            raise ConnectionResetError
        self._transport.write(data)
        if self._marks & PAUSED:
            self._drained = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(STALL_SECONDS):
                await self._drained
            self._drained = None
