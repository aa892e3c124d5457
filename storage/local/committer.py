"""The committer: one thread a process that commits what all callers want in groups, each with one wait for the disk.

While one group is on its way to the disk, the next gathers in the queue; nobody waits longer for company.  The thread
passes the gate for each group, so that other processes have their turn.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from threading import Thread

import structlog

from storage.engine import EngineError, Unavailable
from storage.local.folder import Gate, connect, known_errors

_log = structlog.get_logger(__name__)

GROUP_CHANGES_MAX = 1024
GROUP_BYTES_MAX = 8 << 20  # bounds how long another process waits at the gate

Row = tuple[str | int | bytes | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One statement with its rows, all or none of which take effect; `after` is called by the thread once they have."""

    statement: str
    rows: Sequence[Row]
    size_bytes: int
    after: Callable[[], None] | None
    future: Future[None]


class Committer:
    """Takes changes from the event loop's thread; one for each process and folder."""

    def __init__(self, folder: Path, loop: AbstractEventLoop) -> None:
        self._folder = folder
        self._loop = loop
        self._gate = Gate(folder)
        self._connection: Connection | None = None
        self._queue: SimpleQueue[Change | None] = SimpleQueue()
        self._is_closed = False
        self._thread = Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(
        self, statement: str, rows: Sequence[Row], size_bytes: int = 0, after: Callable[[], None] | None = None
    ) -> Future[None]:
        """Queue one change.  The future is done when it is durable, or `Unavailable`.  Cancelling it stops nothing.

        Raises `Unavailable` itself if nothing was queued.
        """
        if self._is_closed:
            raise Unavailable("the engine is closed")
        future: Future[None] = self._loop.create_future()
        self._queue.put(Change(statement, rows, size_bytes, after, future))
        return future

    async def close(self) -> None:
        """Commit what is queued, then end."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (change := self._queue.get()) is not None:
            group, is_last = self._gather(change)
            outcome = self._attempt(group)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_resolve, group, outcome)
            if is_last:
                break
        if self._connection is not None:
            self._connection.close()
        self._gate.close()

    def _gather(self, first: Change) -> tuple[list[Change], bool]:
        """Return *first* with what else waits, and whether the end waits behind."""
        group, size = [first], first.size_bytes
        while len(group) < GROUP_CHANGES_MAX and size < GROUP_BYTES_MAX:
            try:
                change = self._queue.get_nowait()
            except Empty:
                break
            if change is None:
                return group, True
            group.append(change)
            size += change.size_bytes
        return group, False

    def _attempt(self, group: list[Change]) -> EngineError | None:
        """Commit, and return why that failed.  Nothing may end the thread: all callers would wait for ever."""
        try:
            self._commit(group)
            for change in group:
                if change.after is not None:
                    change.after()
        except EngineError as error:
            return error
        except Exception as error:
            _log.exception("committer.failed")
            return Unavailable(repr(error))
        return None

    def _commit(self, group: list[Change]) -> None:
        with known_errors(), self._gate:
            if self._connection is None:
                self._connection = connect(self._folder)
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for statement, changes in groupby(group, key=lambda change: change.statement):
                    self._connection.executemany(statement, chain.from_iterable(change.rows for change in changes))
                self._connection.execute("COMMIT")
            except BaseException:
                # Closing rolls back; the next group finds a fresh connection, whatever state this one was left in.
                self._connection.close()
                self._connection = None
                raise


def _resolve(group: list[Change], outcome: EngineError | None) -> None:
    for change in group:
        if change.future.done():  # its caller was cancelled
            continue
        if outcome is None:
            change.future.set_result(None)
        else:
            change.future.set_exception(type(outcome)(*outcome.args).with_traceback(None))
