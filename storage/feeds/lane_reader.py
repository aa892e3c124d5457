"""Another node's lane, as one process reads it: which number is next, and how long nothing came."""

from collections.abc import Callable
from contextlib import suppress

import structlog

from storage import paths
from storage.engine import Engine, NotFound
from storage.feeds.feed import News
from storage.feeds.message import BYTES_MAX, unpack
from storage.seal import SealError

CATCH_UP_MAX = 16
"""Objects of a new lane that are read one by one; a rescan is cheaper than more."""
READ_AT_ONCE = 64
"""Objects of a lane read in one go, before others have their turn."""
LISTED_MAX = 4096

_log = structlog.get_logger(__name__)


class LaneReader:
    """The lane of *node*; *tell* hears its news."""

    def __init__(self, engine: Engine, key: bytes, node: str, tell: Callable[[News], None]) -> None:
        self.node = node
        self.has_left = False
        self.silent_rounds = 0
        self._engine, self._key, self._tell = engine, key, tell
        self._next = 1
        self._next_last_round = 1
        self._has_failed = False

    async def begin(self, *, is_late: bool) -> None:
        """Choose where to begin.  *is_late*: what the lane told so far is of no interest.  Raises `Unavailable`."""
        entries = await self._engine.list(paths.prefix(paths.Kind.FEED, id_=self.node), limit=LISTED_MAX)
        numbers: list[int] = []
        for entry in entries:
            with suppress(paths.MalformedName):
                numbers.append(paths.parse(entry.key).n)
        if not is_late and len(numbers) <= CATCH_UP_MAX and numbers[:1] == [1]:
            return
        if numbers:
            self._next = self._next_last_round = numbers[-1]  # once more: it may be the last word
        if not is_late:
            self._tell(News.rescan)

    async def poll(self) -> None:
        """Read what there is, and tell it.  Raises `Unavailable`; what was due then is due the next time."""
        for _ in range(READ_AT_ONCE):
            if (n := self._next) > paths.NUMBER_MAX:  # no node comes so far: somebody made that name
                return
            name = paths.feed(self.node, n)
            try:
                data = await self._engine.get(name, 0, BYTES_MAX + 1)
            except NotFound:
                self._has_failed = False
                return
            except Exception:
                self._has_failed = True
                raise
            self._next = max(self._next, n + 1)  # a listing may have shown that more is gone
            self._hear(name, data)

    def skip_to(self, first: int) -> None:
        """Note that *first* is the first number that a listing showed: what is before it can no longer be read."""
        if first > self._next:
            _log.info("feed.gap", node=self.node, missing=first - self._next)
            self._next = first
            self._tell(News.rescan)

    def end_round(self) -> None:
        """Count the round as silent if nothing came, unless the store did not answer."""
        if self._next != self._next_last_round:
            self.silent_rounds = 0
        elif not self._has_failed:
            self.silent_rounds += 1
        self._next_last_round = self._next

    def _hear(self, name: str, data: bytes) -> None:
        try:
            message = unpack(self._key, name, data)
        except SealError as error:
            _log.warning("feed.refused", error=str(error))
            return
        self.has_left = message.is_last
        for news in message.news:
            self._tell(news)
