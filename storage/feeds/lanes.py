"""The feed across machines, with nothing in between but the bucket: each process writes a lane, and reads the others'.

    feed/<node>/<n>         n = 1, 2, 3 … without gaps; what the node changed since n - 1 (`feed_message.py`)

*Writing.*  The first news leave at once; then at most one object every `SEND_SECONDS` names all accounts that changed
meanwhile.  An unknown outcome is repeated: the same bytes under the same name, so the lane has no gap and a reader
never sees two versions.  A lane without news gets an empty object every `BEAT_ROUNDS`: whoever does not hear it knows.

*Reading.*  Each lane is asked for its next number once a second.  "Not found" is "nothing yet"; a failure loses
nothing, for the number stays due.  Every round (`ROUND_SECONDS`) a listing finds lanes that are new and numbers that
are gone before they were read (`News.rescan` stands for them).  A lane that was silent for `DEAD_ROUNDS` is one
more rescan, as its node may have died between a commit and telling of it; from then on it is asked once a round.

*Bounds.*  A commit wakes the others' phones within about a second; within a round and a second if its node is that new;
within `DEAD_ROUNDS` if its node dies at that moment.  A node removes its objects after `KEPT_ROUNDS`, or when they are
more than `KEPT_OBJECTS`; anybody removes a lane that was silent for `ABANDONED_ROUNDS`, or for `KEPT_ROUNDS` after its
node left in order.  Rounds are counted, and only those in which the store answered: no clock is compared with another
machine's, and a node that was stopped judges nobody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress

import structlog

from storage import paths
from storage.engine import Engine, EngineError
from storage.feeds.feed import CALL, Listener, News, Subscribers, Unsubscribe
from storage.feeds.lane_reader import LaneReader
from storage.feeds.lane_writer import KEPT_ROUNDS, LaneWriter, Sleep
from storage.feeds.message import feed_key

POLL_SECONDS = 1.0
ROUND_SECONDS = 10.0
LEAVE_SECONDS = 5.0
"""How long a process that ends waits for its last news to be stored."""
BEAT_ROUNDS = 3
DEAD_ROUNDS = 9
ABANDONED_ROUNDS = 360
LANES_MAX = 1024
"""Lanes that are followed; whoever can write into the bucket can make names."""

_log = structlog.get_logger(__name__)


class LanesFeed:
    """A `Feed` among all processes of one bucket.  Made after the fork, in the loop that uses it."""

    def __init__(self, engine: Engine, deployment_key: bytes, sleep: Sleep = asyncio.sleep) -> None:
        self.process_id = paths.new_writer()
        self._engine, self._key, self._sleep = engine, feed_key(deployment_key), sleep
        self._subscribers = Subscribers()
        self._own = LaneWriter(engine, self._key, self.process_id, sleep)
        self._own.wake()  # the first object tells that we are here
        self._lanes: dict[str, LaneReader] = {}
        self._rounds = 0
        self._is_first_look = True
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._sender = self._start(self._own.run())
        self._start(self._look_forever())

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """See `Feed.publish`; others hear of it within about a second."""
        self._subscribers.tell(News(account_id, writer, n))
        if not self._is_closed:
            self._own.add(account_id, writer, n)

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`."""
        return self._subscribers.add(callback)

    def call(self, account_id: str, name: str, n: int) -> None:
        """See `Feed.call`; it costs no object of its own, and leaves with the next one."""
        if not self._is_closed:
            self._own.add_call(account_id, CALL + name, n)

    def listen(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return self._subscribers.add_listener(listener)

    def is_alive(self, process_id: str) -> bool | None:
        """See `Feed.is_alive`: of processes elsewhere nothing is certain."""
        return not self._is_closed if process_id == self.process_id else None

    async def leave(self) -> None:
        """See `Feed.leave`."""
        if not self._is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._own.sent()
                    self._sender.cancel()
                    await self._own.end()
        tasks = tuple(self._tasks)
        self.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """See `Feed.close`; what was published in the last moment goes unsaid: `leave` waits for it."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()

    async def _look_forever(self) -> None:
        while True:
            try:
                await self._look()
            except EngineError as error:
                _log.warning("feed.not_listed", error=str(error))
            await self._sleep(_jittered(ROUND_SECONDS))

    async def _look(self) -> None:
        """Do what is due each round."""
        first_numbers = await self._listed()
        self._rounds += 1
        if self._rounds % BEAT_ROUNDS == 0:
            self._own.wake()
        for node, first in first_numbers.items():
            await self._found(node, first)
        if self._is_first_look:  # what was opened before we knew whom to listen to
            self._is_first_look = False
            self._subscribers.tell(News.rescan)
        for lane in list(self._lanes.values()):
            await self._judge(lane)
        await self._own.end_round()

    async def _listed(self) -> dict[str, int]:
        """Return the first number of each other lane that has objects.  One request, and one for each full page."""
        start = paths.prefix(paths.Kind.FEED)
        found: dict[str, int] = {}
        after = ""
        while True:
            page = await self._engine.list(start, after, self._engine.list_page)
            for entry in page:
                with suppress(paths.MalformedName):
                    name = paths.parse(entry.key)
                    found.setdefault(name.id, name.n)
            if len(page) < self._engine.list_page or len(found) > LANES_MAX:
                found.pop(self.process_id, None)
                return found
            after = page[-1].key
            with suppress(paths.MalformedName):  # the rest of that lane is skipped: its digits end at `f`
                after = f"{start}{paths.parse(after).id}/g"

    async def _found(self, node: str, first: int) -> None:
        if lane := self._lanes.get(node):
            lane.skip_to(first)
        elif len(self._lanes) < LANES_MAX:
            lane = LaneReader(self._engine, self._key, node, self._subscribers.tell)
            await lane.begin(is_late=self._is_first_look)
            self._lanes[node] = lane
            self._start(self._follow(lane))

    async def _judge(self, lane: LaneReader) -> None:
        lane.end_round()
        if lane.silent_rounds == DEAD_ROUNDS and not lane.has_left:
            _log.info("feed.silent", node=lane.node)
            self._subscribers.tell(News.rescan)
        if lane.silent_rounds >= (KEPT_ROUNDS if lane.has_left else ABANDONED_ROUNDS):
            prefix = paths.prefix(paths.Kind.FEED, id_=lane.node)
            await self._engine.delete([entry.key for entry in await self._engine.list(prefix)])
            del self._lanes[lane.node]

    async def _follow(self, lane: LaneReader) -> None:
        while self._lanes.get(lane.node) is lane:
            try:
                await lane.poll()
            except EngineError as error:
                _log.warning("feed.not_read", node=lane.node, error=str(error))
            is_quiet = lane.has_left or lane.silent_rounds >= DEAD_ROUNDS
            await self._sleep(_jittered(ROUND_SECONDS if is_quiet else POLL_SECONDS))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("feed.task_failed", error=repr(error))


def _jittered(seconds: float) -> float:
    return seconds * (0.9 + 0.2 * random.random())  # noqa: S311  # no secret: nodes shall not ask in step
