"""All connections of a server: who has them, how many there may be, and how long each may wait.

No connection has a timer of its own: equal time-outs end in the order in which they began, so a sweep now and then
looks at the oldest only.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import structlog
from aiohttp import web

from eas.protocol.exchange import Held
from eas.wire.dormant import KEEPS_ALIVE, PAUSED, Dormant
from eas.wire.handler import Handler, check_aiohttp

log = structlog.get_logger(__name__)

HEAD_LINE_BYTES_MAX = 8190  # the request line, and each header; past it: 431
HEADERS_MAX = 100
REST_SECONDS = 3.0
"""A connection that rests for so long leaves aiohttp.  Phones ask several times in a row, then not for minutes."""
FRESH_SECONDS = 30.0
"""A connection that never sends a byte is closed after this."""
SWEEP_SECONDS = 5.0
WAKES_A_TURN = 32
"""So many connections go to aiohttp in one turn of the loop.

When all phones are answered at once, thousands ask again within one turn; all of them with aiohttp at the same time
would take 13 KB each, and the process would keep that memory for ever.
"""
_LINGER_SECONDS = 2.0  # how long what is left of a refused body is read, so that the peer sees the refusal


class _Queue:
    """Dormant connections in the order of their time-outs, which are all equally long: the oldest is always first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Dormant, float] = {}

    def add(self, dormant: Dormant, now: float) -> None:
        self._due[dormant] = now + self._seconds

    def discard(self, dormant: Dormant) -> None:
        self._due.pop(dormant, None)

    def oldest(self) -> Dormant | None:
        return next(iter(self._due), None)

    def overdue(self, now: float) -> Iterator[Dormant]:
        """Yield, and forget, those whose time is over."""
        while (oldest := self.oldest()) is not None and self._due[oldest] <= now:
            del self._due[oldest]
            yield oldest

    def __iter__(self) -> Iterator[Dormant]:
        return iter(list(self._due))


class Lobby:
    """All connections of a server: how many there are, which wait, and for how long they may."""

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        connections_max: int,
        keepalive_seconds: float,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Must be made while the loop runs.  *answer* is called for each request.  Raises `AiohttpChanged`."""
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._manager = web.Server(answer)
        self._connections_max = connections_max
        self._fresh = _Queue(FRESH_SECONDS)
        self._idle = _Queue(keepalive_seconds)
        self._held: set[Dormant] = set()
        self._handlers: set[Handler] = set()
        self._waking: deque[Dormant] = deque()
        self._woken = 0  # in this turn of the loop
        self._left = asyncio.Event()
        self.connections = 0
        self.is_stopping = False
        self._was_full = False
        check_aiohttp(self._new_handler)
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    @property
    def held(self) -> int:
        """How many requests are held."""
        return len(self._held)

    def __call__(self) -> Dormant:
        """Return the protocol of a connection that has just been accepted."""
        return Dormant(self)

    def enter(self, dormant: Dormant) -> None:
        """Count a new connection.  When there are too many, the one that has been idle for longest makes room."""
        self.connections += 1
        if self.is_stopping:
            dormant.abort()
            return
        if self.connections > self._connections_max:
            victim = self._idle.oldest() or self._fresh.oldest() or dormant
            if not self._was_full:  # once a sweep: there may be thousands
                log.warning("http.full", connections=self.connections, is_refused=victim is dormant)
            self._was_full = True
            self._forget(victim)
            victim.abort()
            if victim is dormant:
                return
        self._fresh.add(dormant, self._clock())

    def leave(self, protocol: "Dormant | Handler") -> None:
        """Count a connection out, whoever has it."""
        self.connections -= 1
        if isinstance(protocol, Dormant):
            self._forget(protocol)
        else:
            self._handlers.discard(protocol)
        if self.connections == 0:
            self._left.set()

    def wake(self, dormant: Dormant) -> bool:
        """Give the connection of *dormant* to aiohttp.  False: when it is its turn."""
        self._forget(dormant)
        if self._woken >= WAKES_A_TURN:
            self._waking.append(dormant)
            return False
        if self._woken == 0:
            self._loop.call_soon(self._next_turn)
        self._woken += 1
        self._hand_over(dormant)
        return True

    def _next_turn(self) -> None:
        self._woken = min(len(self._waking), WAKES_A_TURN)
        if self._woken:
            self._loop.call_soon(self._next_turn)
        for _ in range(self._woken):
            self._hand_over(self._waking.popleft())

    def _hand_over(self, dormant: Dormant) -> None:
        if dormant.is_connected:
            handler = self._new_handler()
            self._handlers.add(handler)
            dormant.hand_over(handler)

    def park(self, handler: Handler, held: Held | None, marks: int = KEEPS_ALIVE) -> bool:
        """Take the connection of *handler*, to hold *held* or to rest.  False: nothing was taken, it is to be closed.

        When bytes of a further request have come with this one, they are lost with the parser; then the answer says
        `Connection: close`, by which the peer knows that nothing but this request was processed (RFC 9112 9.6).
        """
        if handler.transport is None or handler.transport.is_closing() or self.is_stopping:
            return False
        is_at_rest, is_paused = handler.is_at_rest(), handler.writing_paused
        if held is None and not is_at_rest:
            return False
        transport = handler.detach()
        self._handlers.discard(handler)
        if transport is None:
            return False
        if not is_at_rest:
            marks &= ~KEEPS_ALIVE
        dormant = Dormant(self, marks | (PAUSED if is_paused else 0))
        transport.set_protocol(dormant)
        transport.resume_reading()
        if held is None:
            dormant.rest(transport)
            self.rest(dormant)
        else:
            self._held.add(dormant)
            dormant.hold(transport, held)
        return True

    def rest(self, dormant: Dormant) -> None:
        """Let an answered connection wait for its next request."""
        self._idle.add(dormant, self._clock())

    def unhold(self, dormant: Dormant) -> None:
        """Count a held request as answered, to its last byte."""
        self._held.discard(dormant)

    def sweep(self, now: float) -> None:
        """Close what has waited for too long."""
        self._was_full = False
        for queue in (self._fresh, self._idle):
            for dormant in queue.overdue(now):
                dormant.close()

    async def stop(self, grace_seconds: float) -> None:
        """Abandon what is held, let what runs finish, and close every connection, within *grace_seconds*."""
        self.is_stopping = True
        self._sweeper.cancel()
        for dormant in (*self._fresh, *self._idle, *self._held, *self._waking):
            dormant.close()
        end = self._loop.time() + grace_seconds
        while self.connections and (left := end - self._loop.time()) > 0:
            for handler in list(self._handlers):
                if handler.is_idle:
                    handler.force_close()
            self._left.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), min(left, 0.1))
        for dormant in (*self._fresh, *self._idle, *self._held):
            dormant.abort()
        await self._manager.shutdown(0.1)
        if self.connections:  # aborted, but the loop has not yet told
            self._left.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), 0.5)

    def _sweep(self) -> None:
        self.sweep(self._clock())
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _forget(self, dormant: Dormant) -> None:
        self._fresh.discard(dormant)
        self._idle.discard(dormant)
        self._held.discard(dormant)

    def _new_handler(self) -> Handler:
        return Handler(
            self,
            self._manager,
            loop=self._loop,
            keepalive_timeout=REST_SECONDS,
            lingering_time=_LINGER_SECONDS,
            tcp_keepalive=False,  # accepted sockets have it from the listener
            access_log=None,
            auto_decompress=False,  # inflated with a bound of ours
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=HEAD_LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
