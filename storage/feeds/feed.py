"""Who has news: tells every process that an account changed, so that nobody has to poll.

The feed only wakes; what is new, the log says.  News may come twice, in any order, or joined to "anything may have
changed", but are not lost between living processes of one machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import structlog

_log = structlog.get_logger(__name__)

Unsubscribe = Callable[[], None]
Listener = Callable[[str, str, int], None]
"""Hears a call: account, name, number."""

CALL = "~"
"""No writer's name begins so: such news are a call, and nothing was written."""


@dataclass(frozen=True, slots=True)
class News:
    """Commit *n* of *writer* in *account_id* is durable.  `News.rescan` (account None): anything may have changed."""

    account_id: str | None
    writer: str
    n: int

    rescan: ClassVar[News]


News.rescan = News(None, "", 0)


class Feed(Protocol):
    """The connection of one process to the others; used from the thread of its event loop."""

    process_id: str
    """Names this process among all that ever were; a new one each start."""

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """Tell all processes, this one too.  Never blocks, never raises."""
        ...

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """Let *callback* be called with all news from now on; it must be quick.  Returns what ends that."""
        ...

    def call(self, account_id: str, name: str, n: int) -> None:
        """Tell all other processes something that is no commit.  It may get lost.  Never blocks, never raises."""
        ...

    def listen(self, listener: Listener) -> Unsubscribe:
        """Let *listener* hear the calls of other processes; otherwise like `subscribe`."""
        ...

    def is_alive(self, process_id: str) -> bool | None:
        """Whether that process still runs; None if that cannot be known from here."""
        ...

    async def leave(self) -> None:
        """Close, once what was published is on its way; waits a few seconds at most."""
        ...

    def close(self) -> None:
        """Leave at once: others see this process as ended.  A second call does nothing."""
        ...


class Subscribers:
    """The callbacks of one process."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[News], None]] = {}
        self._listeners: dict[object, Callable[[News], None]] = {}

    def add(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`; one callback given twice is called twice."""
        return _add(self._callbacks, callback)

    def add_listener(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return _add(self._listeners, lambda call: listener(call.account_id or "", call.writer[len(CALL) :], call.n))

    def tell(self, news: News) -> None:
        """Call all whom it concerns; what one raises is logged and keeps nothing from the others."""
        for callback in tuple((self._listeners if news.writer.startswith(CALL) else self._callbacks).values()):
            try:
                callback(news)
            except Exception:  # whoever publishes cannot help it
                _log.exception("feed.callback_failed")


def _add(callbacks: dict[object, Callable[[News], None]], callback: Callable[[News], None]) -> Unsubscribe:
    token = object()
    callbacks[token] = callback

    def forget() -> None:
        callbacks.pop(token, None)

    return forget


class Hub:
    """What the `LocalFeed`s of several nodes of one test have in common."""

    def __init__(self) -> None:
        self.feeds: dict[str, LocalFeed] = {}


class LocalFeed:
    """A `Feed` within one process; those that share a *hub* are like processes of one machine."""

    def __init__(self, hub: Hub | None = None, process_id: str | None = None) -> None:
        self.process_id = process_id or secrets.token_hex(8)
        self._hub = hub or Hub()
        self._hub.feeds[self.process_id] = self
        self._subscribers = Subscribers()

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """See `Feed.publish`."""
        is_here = self.process_id in self._hub.feeds
        for feed in tuple(self._hub.feeds.values()) if is_here else (self,):
            feed._subscribers.tell(News(account_id, writer, n))

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`."""
        return self._subscribers.add(callback)

    def call(self, account_id: str, name: str, n: int) -> None:
        """See `Feed.call`."""
        for feed in tuple(self._hub.feeds.values()) if self.process_id in self._hub.feeds else ():
            if feed is not self:
                feed._subscribers.tell(News(account_id, CALL + name, n))

    def listen(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return self._subscribers.add_listener(listener)

    def is_alive(self, process_id: str) -> bool | None:
        """See `Feed.is_alive`; here it is always known."""
        return process_id in self._hub.feeds

    async def leave(self) -> None:
        """See `Feed.leave`."""
        self.close()

    def close(self) -> None:
        """See `Feed.close`."""
        self._hub.feeds.pop(self.process_id, None)
