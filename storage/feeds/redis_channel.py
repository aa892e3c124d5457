"""A channel of Redis or Valkey on which the processes of a deployment tell each other news at once.

    message on petitbleu:<name>    node (16 digits) ‖ n (8 bytes) ‖ news, sealed as a lane's object redis/<node>/<n>

The channel's name comes of the deployment key, and so does the key that seals: whoever else is on the server reads
nothing, forges nothing, and can at most repeat what only wakes.

*Nothing waits for it.*  What is to be told is merged while a message is under way; when it becomes too much, it turns
into "anything may have changed".  What is lost here comes by the lanes a second later.

*Outages.*  A beat goes out every `BEAT_SECONDS` and must come back to us: a connection on which nothing is heard for
`SILENCE_SECONDS` is given up, whatever it says of itself.  Then it is connected anew, after growing pauses; that the
channel is gone is logged once, that it is back, too.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from storage import seal
from storage.feeds.feed import News
from storage.feeds.message import BYTES_MAX, NEWS_MAX, pack, unpack
from storage.feeds.peer import Batch, merge

BEAT_SECONDS = 10.0
SILENCE_SECONDS = 25.0
CONNECT_SECONDS = 5.0
CANCEL_SECONDS = 0.2
PAUSE_SECONDS_MIN = 0.5
PAUSE_SECONDS_MAX = 30.0
_NODE_BYTES = 16
_HEAD_BYTES = _NODE_BYTES + 8
_NODE = re.compile(rb"[0-9a-f]{16}")
_log = structlog.get_logger(__name__)


class RedisChannel:
    """The connection of process *node*; *tell* hears what others say.  Made in the loop that uses it."""

    def __init__(self, url: str, password: str, key: bytes, node: str, tell: Callable[[News], None]) -> None:
        """Raise ValueError for a URL that cannot be read; password "": that of the URL, or none."""
        redis.asyncio.ConnectionPool.from_url(url)  # or it would be found out at every attempt, and never told
        self.node = node
        self._url, self._password, self._key, self._tell = url, password, key, tell
        self._channel = f"petitbleu:{seal.derive(key, 'redis').hex()[:32]}"
        self._outbox: Batch | None = {}  # None: everything
        self._due, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._n = 0
        self.is_connected = False
        self._has_told_of_outage = False
        self._is_closed = False
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_ended)

    def add(self, account_id: str, writer: str, n: int) -> None:
        """Add news to the next message, which leaves at once unless one is under way."""
        if self._outbox is not None:
            merge(self._outbox, {(account_id, writer): n})
            if len(self._outbox) > NEWS_MAX:
                self._outbox = None
        self._due.set()
        self._idle.clear()

    async def sent(self) -> None:
        """Wait until everything has left; for ever during an outage."""
        await self._idle.wait()

    async def close(self) -> None:
        """Let go of the connections."""
        self._is_closed = True
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CANCEL_SECONDS)

    async def _run(self) -> None:
        pause = PAUSE_SECONDS_MIN
        while not self._is_closed:
            try:
                await self._while_connected()
            except* (RedisError, OSError, TimeoutError) as errors:
                self._note_outage(errors)
            if self.is_connected:
                self.is_connected, pause = False, PAUSE_SECONDS_MIN
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311  # no secret: not all at once
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _while_connected(self) -> None:
        client = redis.asyncio.Redis.from_url(
            self._url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=SILENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),  # pauses are ours
            password=self._password or None,  # one in the URL goes before it
        )
        async with client, client.pubsub() as pubsub:
            async with asyncio.timeout(CONNECT_SECONDS):
                await pubsub.subscribe(self._channel)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(pubsub))
                tasks.create_task(self._beat())
                tasks.create_task(self._send(client))

    async def _listen(self, pubsub: PubSub) -> None:
        while not _is_cancelled():
            message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise TimeoutError("nothing is heard, not even ourselves")
            if message["type"] == "message":
                self._hear(message["data"])

    def _hear(self, data: bytes) -> None:
        node, n = data[:_NODE_BYTES], int.from_bytes(data[_NODE_BYTES:_HEAD_BYTES], "big")
        if not _NODE.fullmatch(node) or not _HEAD_BYTES < len(data) <= BYTES_MAX:  # whoever else may publish here
            _log.warning("redis.refused", error="not a message")
            return
        if node.decode() == self.node:
            self._note_connected()
            return
        try:
            message = unpack(self._key, _sealed_name(node.decode(), n), data[_HEAD_BYTES:])
        except seal.SealError as error:
            _log.warning("redis.refused", error=str(error))
            return
        for news in message.news:
            self._tell(news)

    async def _beat(self) -> None:
        while True:
            self._due.set()
            await asyncio.sleep(BEAT_SECONDS)

    async def _send(self, client: redis.asyncio.Redis) -> None:
        while not _is_cancelled():
            await self._due.wait()
            self._due.clear()
            batch, self._outbox = self._outbox, {}
            self._n += 1
            sealed = pack(self._key, _sealed_name(self.node, self._n), batch)
            await client.publish(self._channel, self.node.encode() + self._n.to_bytes(8, "big") + sealed)
            if not self._due.is_set():
                self._idle.set()

    def _note_connected(self) -> None:
        if not self.is_connected:
            self.is_connected = True
            _log.info("redis.connected")
        self._has_told_of_outage = False

    def _note_outage(self, errors: BaseExceptionGroup[BaseException]) -> None:
        if not self._has_told_of_outage:
            first = errors.exceptions[0]
            _log.warning(
                "redis.lost", error=repr(first.exceptions[0] if isinstance(first, BaseExceptionGroup) else first)
            )
            self._has_told_of_outage = True


def _is_cancelled() -> bool:
    """Tell whether this task was asked to end: the library sometimes keeps that to itself (seen with redis-py 7.4)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("feed.task_failed", error=repr(error))


def _sealed_name(node: str, n: int) -> str:
    return f"redis/{node}/{n}"
