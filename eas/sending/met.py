"""Since when a process has known of an intent, by its own count of seconds.

Whether an intent is old is not for wall clocks alone to say: one that is ahead by more than `ABANDONED_MS` would take
what another node is submitting this moment for abandoned, and send it twice.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from storage.sends import Key

MET_MAX = 1024
"""Intents that are remembered, those met last."""


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()


class Met:
    """One process's; *clock* counts seconds."""

    def __init__(self, clock: Callable[[], float] = _loop_seconds) -> None:
        self._clock = clock
        self._since: OrderedDict[tuple[str, Key], float] = OrderedDict()

    def seconds(self, account: str, key: Key) -> float:
        """Return for how long the intent *key* of *account* has been known; the first question begins it."""
        now = self._clock()
        since = self._since.setdefault((account, key), now)
        self._since.move_to_end((account, key))
        if len(self._since) > MET_MAX:
            self._since.popitem(last=False)
        return now - since
