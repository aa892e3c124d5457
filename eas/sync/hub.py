"""Who waits for what: Pings and waiting Syncs, from the moment they have nothing to tell until there is news.

Nothing polls.  The feed says which account changed; the accounts that somebody waits for are looked at once for all
their waiters, with the test that Sync itself uses.  A waiter is a few words: account, device, folder ids, a deadline.
When passwords or keys of an account change, its phones are sent away to ask again: who was revoked is refused then.

Time-outs: one bucket a second, one timer for all of them; a heartbeat may end a second late.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import structlog

from eas.sync import news
from storage.account import Account
from storage.epochs import StaleKeys
from storage.feeds.feed import Feed, News, Unsubscribe

RETRY_SECONDS = 2.0
"""Pause before an account that could not be read is looked at again."""

_log = structlog.get_logger(__name__)


class End(Enum):
    """Why a wait is over."""

    NEWS = "news"
    TIME = "time"
    REPLACED = "replaced"
    """A newer request of the same device waits now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wait ended; of news, in which folders, and whether the folder list itself changed."""

    end: End
    folders: tuple[str, ...] = ()
    hierarchy: bool = False


@dataclass(slots=True, eq=False)
class Waiter:
    """One held request."""

    account: Account
    device: str
    folders: tuple[str, ...]
    hierarchy: bool
    """Whether a change of the folder list ends the wait, too."""
    finish: Callable[[Outcome], None]
    due: int = 0
    since_ms: int = 0


@dataclass(slots=True)
class _Room:
    """All waiters of one account."""

    waiters: dict[str, Waiter] = field(default_factory=dict)
    checking: "asyncio.Task[None] | None" = None
    again: bool = False


class Hub:
    """The waiters of one process."""

    def __init__(self, feed: Feed) -> None:
        self._rooms: dict[str, _Room] = {}
        self._due: dict[int, set[Waiter]] = defaultdict(set)
        self._timer: asyncio.TimerHandle | None = None
        self._feed = feed
        self._unsubscribe: tuple[Unsubscribe, ...] = (feed.subscribe(self._news), feed.listen(self._waits_elsewhere))

    def __len__(self) -> int:
        return sum(len(room.waiters) for room in self._rooms.values())

    def wait(self, waiter: Waiter, seconds: int) -> None:
        """Let *waiter* wait: it is called back once, unless `leave` comes first.

        An older wait of its device ends, in whatever process it is.
        """
        self.end(waiter.account.id, waiter.device)
        waiter.since_ms = time.time_ns() // 1_000_000
        self._feed.call(waiter.account.id, waiter.device, waiter.since_ms)
        room = self._rooms.setdefault(waiter.account.id, _Room())
        room.waiters[waiter.device] = waiter
        waiter.due = int(asyncio.get_running_loop().time()) + seconds
        self._due[waiter.due].add(waiter)
        self._arm()
        self._look(waiter.account.id)

    def end(self, account_id: str, device: str) -> None:
        """End the wait of *device*, if there is one: a newer request of it is there."""
        room = self._rooms.get(account_id)
        if room is not None and (older := room.waiters.get(device)) is not None:
            self._end(older, Outcome(End.REPLACED))

    def leave(self, waiter: Waiter) -> None:
        """Forget *waiter*: its phone is gone, or its wait is over."""
        room = self._rooms.get(waiter.account.id)
        if room is not None and room.waiters.get(waiter.device) is waiter:
            del room.waiters[waiter.device]
            if not room.waiters:
                del self._rooms[waiter.account.id]
        bucket = self._due.get(waiter.due)
        if bucket is not None:
            bucket.discard(waiter)
            if not bucket:
                del self._due[waiter.due]

    def is_waited_for(self, account_id: str) -> bool:
        """Tell whether a phone waits for news of that account."""
        return account_id in self._rooms

    def close(self) -> None:
        """Hear no more news; those who wait are left to their connections."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        for room in self._rooms.values():
            if room.checking is not None:
                room.checking.cancel()
        self._rooms.clear()
        self._due.clear()

    # -- news

    def _news(self, told: News) -> None:
        for account_id in [told.account_id] if told.account_id else list(self._rooms):
            room = self._rooms.get(account_id)
            if room is not None and told.account_id and not told.writer:  # of keys and passwords
                self._send_away(room)
            elif room is not None:
                for waiter in room.waiters.values():
                    waiter.account.told_of_news(told.writer, told.n)
                self._look(account_id)

    def _send_away(self, room: _Room) -> None:
        """End all waits of an account as if by time: the phones ask again, and are let in again or not."""
        for waiter in list(room.waiters.values()):
            self._end(waiter, Outcome(End.TIME))

    def _waits_elsewhere(self, account_id: str, device: str, since_ms: int) -> None:
        """Hear of a wait in another process.  One that began earlier than ours came late: ours is the newer one."""
        room = self._rooms.get(account_id)
        if room is not None and (ours := room.waiters.get(device)) is not None and ours.since_ms < since_ms:
            self._end(ours, Outcome(End.REPLACED))

    def _look(self, account_id: str) -> None:
        room = self._rooms[account_id]
        room.again = True
        if room.checking is None:
            room.checking = asyncio.create_task(self._check(account_id, room))

    async def _check(self, account_id: str, room: _Room) -> None:
        try:
            while room.again:
                room.again = False
                try:
                    await self._test(room)
                except StaleKeys:  # the keys were changed, and only the phones can open the new ones
                    self._send_away(room)
                except Exception as error:  # the engine may be back soon; the phones still wait
                    _log.warning("hub.check_failed", account=account_id, error=repr(error))
                    room.again = True
                    await asyncio.sleep(RETRY_SECONDS)
                if not room.waiters:
                    return
        finally:
            room.checking = None

    async def _test(self, room: _Room) -> None:
        for waiter in list(room.waiters.values()):
            async with waiter.account.turn(fresh=False) as state:
                if room.waiters.get(waiter.device) is not waiter:
                    continue
                hierarchy = waiter.hierarchy and news.hierarchy_changed(state, waiter.device)
                folders = await news.changed_folders(state, waiter.device, waiter.folders)
            if (folders or hierarchy) and room.waiters.get(waiter.device) is waiter:
                self._end(waiter, Outcome(End.NEWS, tuple(folders), hierarchy))

    # -- time

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for due in [due for due in self._due if due <= now]:
            for waiter in list(self._due.get(due, ())):
                self._end(waiter, Outcome(End.TIME))
        if self._due:
            self._arm()

    def _end(self, waiter: Waiter, outcome: Outcome) -> None:
        self.leave(waiter)
        waiter.finish(outcome)
