"""The feed across machines, immediate: news go by Redis at once, and by the lanes within a second all the same.

The lanes stay what is relied on: losing Redis, for a message or for a week, costs that second and no mail.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from storage.feeds.feed import CALL, Feed, Listener, News, Subscribers, Unsubscribe
from storage.feeds.message import feed_key
from storage.feeds.redis_channel import RedisChannel

REMEMBERED_MAX = 4096
LEAVE_SECONDS = 1.0


class RedisFeed:
    """A `Feed` that adds a channel to *net*, another one, and tells each news once."""

    def __init__(self, net: Feed, deployment_key: bytes, url: str, password: str) -> None:
        self.process_id = net.process_id
        self._net = net
        self._subscribers = Subscribers()
        self._told: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._is_closed = False
        net.subscribe(self._hear)
        net.listen(lambda account_id, name, n: self._hear(News(account_id, CALL + name, n)))
        self._channel = RedisChannel(url, password, feed_key(deployment_key), self.process_id, self._hear)
        self._closing: asyncio.Task[None] | None = None

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """See `Feed.publish`."""
        self._net.publish(account_id, writer, n)
        if not self._is_closed:
            self._channel.add(account_id, writer, n)

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`."""
        return self._subscribers.add(callback)

    def call(self, account_id: str, name: str, n: int) -> None:
        """See `Feed.call`."""
        self._net.call(account_id, name, n)
        if not self._is_closed:
            self._channel.add(account_id, CALL + name, n)

    def listen(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return self._subscribers.add_listener(listener)

    def is_alive(self, process_id: str) -> bool | None:
        """See `Feed.is_alive`."""
        return self._net.is_alive(process_id)

    async def leave(self) -> None:
        """See `Feed.leave`; what Redis did not take within a moment the lanes tell."""
        if self._channel.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._channel.sent()
        await self._net.leave()
        self.close()
        if self._closing is not None:
            await self._closing

    def close(self) -> None:
        """See `Feed.close`."""
        self._net.close()
        if not self._is_closed:
            self._is_closed = True
            self._closing = asyncio.create_task(self._channel.close())

    def _hear(self, news: News) -> None:
        """Tell what came by either way, unless it came by the other before.

        What has no number (n = 0: anything, or keys) is told always.  A later commit speaks for the earlier ones; the
        numbers of calls are times of different clocks, of which none is later.
        """
        if news.account_id is not None and news.n:
            where = (news.account_id, news.writer)
            told = self._told.get(where, 0)
            if told == news.n or (told > news.n and not news.writer.startswith(CALL)):
                return
            self._told[where] = news.n
            self._told.move_to_end(where)
            if len(self._told) > REMEMBERED_MAX:
                self._told.popitem(last=False)
        self._subscribers.tell(news)
