"""Our own lane: what this process has to tell, and the objects it still holds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice

import structlog

from storage import paths
from storage.engine import Engine, EngineError
from storage.feeds.message import NEWS_MAX, pack, pack_last
from storage.feeds.peer import Batch, merge

SEND_SECONDS = 0.2
RETRY_SECONDS = 1.0
"""Before an object is put again; the engine has tried several times by then."""
KEPT_ROUNDS = 60
KEPT_OBJECTS = 1000
CALLS_MAX = 1024
"""News in an object above which no call is added: it shall not turn into "anything may have changed" for them."""

Sleep = Callable[[float], Awaitable[None]]
_log = structlog.get_logger(__name__)


class LaneWriter:
    """Writes the lane of *node*; `run` is its task."""

    def __init__(self, engine: Engine, key: bytes, node: str, sleep: Sleep) -> None:
        self.node = node
        self._engine, self._key, self._sleep = engine, key, sleep
        self._outbox: Batch | None = {}  # None: everything
        self._due, self._sent = asyncio.Event(), asyncio.Event()
        self._n = 0
        self._round = 0
        self._kept: deque[tuple[int, int]] = deque()  # (round, n), oldest first

    def add(self, account_id: str, writer: str, n: int) -> None:
        """Add news to the next object."""
        if self._outbox is not None:
            merge(self._outbox, {(account_id, writer): n})
            if len(self._outbox) > NEWS_MAX:
                self._outbox = None
        self.wake()

    def add_call(self, account_id: str, name: str, n: int) -> None:
        """Add a call to the next object, whenever that leaves, if there is room."""
        if self._outbox is not None and len(self._outbox) < CALLS_MAX:
            merge(self._outbox, {(account_id, name): n})

    def wake(self) -> None:
        """Let an object leave, even if it has no news: it tells that we live."""
        self._due.set()
        self._sent.clear()

    async def run(self) -> None:
        """Write what there is to tell, one object at a time and at most one each `SEND_SECONDS`."""
        while True:
            await self._due.wait()
            self._due.clear()
            batch, self._outbox = self._outbox, {}
            name = paths.feed(self.node, self._n + 1)
            await self._put(name, pack(self._key, name, batch))
            if not self._due.is_set():
                self._sent.set()
            await self._sleep(SEND_SECONDS)

    async def sent(self) -> None:
        """Wait until everything is told."""
        await self._sent.wait()

    async def end(self) -> None:
        """Write the last object; `run` has ended."""
        name = paths.feed(self.node, self._n + 1)
        await self._put(name, pack_last(self._key, name))

    async def end_round(self) -> None:
        """Count a round, and remove our objects that are old or too many.  Raises `Unavailable`: done the next time."""
        self._round += 1
        old = sum(self._round - at >= KEPT_ROUNDS for at, _ in self._kept)
        count = max(old, len(self._kept) - KEPT_OBJECTS)
        if count > 0:
            await self._engine.delete([paths.feed(self.node, n) for _, n in islice(self._kept, count)])
            for _ in range(count):
                self._kept.popleft()

    async def _put(self, name: str, data: bytes) -> None:
        """Put the same bytes until it is known that they are there: the next number must not come before them."""
        while True:
            try:
                await self._engine.put(name, data)
            except EngineError as error:
                _log.warning("feed.put_again", error=str(error))
                await self._sleep(RETRY_SECONDS)
                continue
            self._n += 1
            self._kept.append((self._round, self._n))
            return
