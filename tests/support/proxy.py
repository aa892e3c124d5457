"""A TCP proxy between phone and server that loses answers: it cuts the connection after a number of their bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

from yarl import URL

READ_BYTES = 64 * 1024


class Proxy:
    """`async with Proxy(world.url) as proxy:`; a phone is given `proxy.url` instead of the server's.

    Requests always reach the server whole.  `lose_after(n)` lets *n* bytes of what the server says from then on through
    and then cuts: nothing more reaches the phone until `heal`.  `passed` counts the bytes that came since the last of
    the two calls, those that were lost among them.
    """

    def __init__(self, url: str) -> None:
        parsed = URL(url)
        assert parsed.host is not None
        assert parsed.port is not None
        self._upstream = (parsed.host, parsed.port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: int | None = None
        self.passed = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lose_after(self, size_bytes: int) -> None:
        """Cut the connection once *size_bytes* more have passed towards the phone."""
        self._left, self.passed = size_bytes, 0

    def heal(self) -> None:
        """Let everything through again, on new connections."""
        self._left, self.passed = None, 0

    async def _connected(self, phone: asyncio.StreamReader, to_phone: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(ConnectionError, asyncio.CancelledError):  # a phone that left, or the end of the test
            async with closing(to_phone):
                server, to_server = await asyncio.open_connection(*self._upstream)
                async with closing(to_server):
                    up = asyncio.create_task(_pump(phone, to_server))
                    try:
                        await self._down(server, to_phone)
                    finally:
                        up.cancel()
                        await asyncio.gather(up, return_exceptions=True)

    async def _down(self, server: asyncio.StreamReader, to_phone: asyncio.StreamWriter) -> None:
        while data := await server.read(READ_BYTES):
            self.passed += len(data)
            if self._left is not None:
                data, is_cut = data[: self._left], len(data) > self._left or self._left == 0
                self._left -= len(data)
                to_phone.write(data)
                if is_cut:
                    await to_phone.drain()
                    return
            else:
                to_phone.write(data)
            await to_phone.drain()


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a stream at the end, and wait until it is."""
    try:
        yield
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
