"""Reader threads: a few, each with its own connection, that share one queue of queries.

A slow query holds up one thread; the others go on with what comes after it.  Made by hand because a hop to
`ThreadPoolExecutor` and back costs about twice as much, and small reads are what a server does most.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from sqlite3 import Connection
from threading import Thread
from typing import TypeVar

from storage.engine import Unavailable
from storage.local.folder import connect, known_errors

T = TypeVar("T")

READER_THREADS = 4


class Readers:
    """Runs queries for the event loop's thread."""

    def __init__(self, folder: Path, loop: AbstractEventLoop, threads: int = READER_THREADS) -> None:
        self._loop = loop
        self._queue: SimpleQueue[Callable[[Connection], None] | None] = SimpleQueue()
        self._is_closed = False
        connections = [connect(folder) for _ in range(threads)]  # here, where failing is heard of
        self._threads = [Thread(target=self._run, args=[one], name="reader", daemon=True) for one in connections]
        for thread in self._threads:
            thread.start()

    def run(self, query: Callable[[Connection], T]) -> Future[T]:
        """Let a thread call *query*; the future has what it returns or raises, as an `EngineError` where possible."""
        if self._is_closed:
            raise Unavailable("the engine is closed")
        future: Future[T] = self._loop.create_future()

        def work(connection: Connection) -> None:
            try:
                with known_errors():
                    result = query(connection)
            except Exception as error:  # whatever it is belongs to the caller
                self._resolve(_fail, future, error)
            else:
                self._resolve(_succeed, future, result)

        self._queue.put(work)
        return future

    async def close(self) -> None:
        """Answer what is queued, then end."""
        if not self._is_closed:
            self._is_closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _run(self, connection: Connection) -> None:
        while (work := self._queue.get()) is not None:
            work(connection)
        connection.close()

    def _resolve(self, settle: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle, *arguments)


def _succeed(future: Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
