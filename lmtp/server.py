"""The listeners: connections come in, are bounded, timed and at last shut down."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Generic, cast

from lmtp import reply
from lmtp.connection import Connection
from lmtp.delivery import Addressee, Postman, R
from lmtp.session import Session
from lmtp.settings import Settings
from lmtp.spool import Spool

SWEEP_SECONDS = 10.0  # how late a deadline may be noticed: one timer for all, and none to set for each packet
GRACE_SECONDS = 30.0


class Server(Generic[R]):
    """Serves LMTP on listening sockets (`lmtp.listen`).  *clock* counts seconds."""

    def __init__(self, settings: Settings, postman: Postman[R], clock: Callable[[], float] = monotonic) -> None:
        self._settings = settings
        self._postman = postman
        self._clock = clock
        self._name = settings.name
        self._connections: set[Connection[R]] = set()
        self._listeners: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._emptied = asyncio.Event()

    async def start(self, sockets: Iterable[socket.socket]) -> None:
        """Take connections from *sockets*, which become the server's to close."""
        loop = asyncio.get_running_loop()
        for sock in sockets:
            is_unix = sock.family == socket.AF_UNIX
            listen = loop.create_unix_server if is_unix else loop.create_server
            self._listeners.append(await listen(self._connect, sock=sock))
        self._sweeper = loop.create_task(self._sweep_for_ever())

    def sweep(self) -> None:
        """Hang up on peers past their deadline."""
        for connection in tuple(self._connections):
            connection.hang_up_if_late()

    async def close(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take no more connections, send idle peers away, and let running deposits finish; then cut what is left."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for listener in self._listeners:
            listener.close()
        for connection in tuple(self._connections):
            connection.shut_down()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._until_empty()
        for connection in tuple(self._connections):
            await connection.cut()
        await self._until_empty()
        for listener in self._listeners:
            await listener.wait_closed()

    @property
    def sessions(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def _connect(self) -> asyncio.Protocol:
        if len(self._connections) >= self._settings.sessions_max:
            return _Full()
        settings = self._settings
        session: Session[Addressee[R]] = Session(
            self._name, settings.size_bytes_max, settings.recipients_max, self._new_spool
        )
        connection = Connection(session, self._postman, self._clock, self._forget)
        self._connections.add(connection)
        return connection

    def _new_spool(self) -> Spool:
        return Spool(self._settings.size_bytes_max, self._settings.spool_directory or None)

    def _forget(self, connection: Connection[R]) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._emptied.set()

    async def _until_empty(self) -> None:
        while self._connections:
            self._emptied.clear()
            await self._emptied.wait()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()


class _Full(asyncio.Protocol):
    """Sends a peer away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so instead of the greeting."""
        cast(asyncio.Transport, transport).write(reply.TOO_MANY_SESSIONS.encode())
        transport.close()
