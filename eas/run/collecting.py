"""When a process collects (`storage/collecting`): the accounts that it has the keys of, one after the other.

The log alone every `collect_seconds`, everything once in `DEEP_EVERY` of those; a process that has just started begins
with the log, and not all at the same moment.  Several nodes may do the same account: it costs requests, no more.  Then,
every `collect_seconds`, one process of the machine gives back the space of packs.
"""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from storage.account import Account
from storage.collecting.collector import collect
from storage.collecting.leftovers import Leftovers
from storage.store import Store

LOOK_SECONDS = 10.0
DEEP_EVERY = 24

_log = structlog.get_logger(__name__)


class Collecting:
    """One process's; *clock* counts seconds."""

    def __init__(self, store: Store, every_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._every, self._clock = store, every_seconds, clock
        self._due: dict[str, float] = {}
        self._passes: dict[str, int] = {}
        self._leftovers = Leftovers(store.engine)
        self._leftovers_due = clock() + self._later()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for what is due, now and then."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, in the midst of a pass if need be: what is left goes in a later one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """Do what is due."""
        accounts = dict(self._store.accounts)
        for known in (self._due, self._passes):
            for account_id in known.keys() - accounts.keys():
                del known[account_id]
        for account in accounts.values():
            if self._clock() >= self._due.setdefault(account.id, self._clock() + self._later()):
                self._due[account.id] = self._clock() + self._later()
                await self._pass(account)
        if self._clock() >= self._leftovers_due:
            self._leftovers_due = self._clock() + self._later()
            await self._leftovers.sweep(self._store.now_ms())
            await self._compact()

    async def _compact(self) -> None:
        began = self._clock()
        if freed := await self._store.compact():
            _log.info("store.compacted", bytes=freed, seconds=round(self._clock() - began, 3))

    def _later(self) -> float:
        return self._every * (0.75 + 0.5 * random.random())  # noqa: S311  # no secret: nodes shall not do it in step

    async def _pass(self, account: Account) -> None:
        number = self._passes[account.id] = self._passes.get(account.id, 0) + 1
        is_deep = number % DEEP_EVERY == 2
        was_open, began = account.is_open, self._clock()
        try:
            done = await collect(self._store.engine, account, self._store.now_ms(), is_deep=is_deep)
        except Exception as error:  # the next pass tries again
            _log.warning("collector.failed", account=account.id, error=repr(error))
            return
        finally:
            if not was_open:
                account.shed()
        if done.objects or done.purged_rows or done.packed:
            seconds, removed = round(self._clock() - began, 3), dict(done.objects)
            size, packed = done.size_bytes, done.packed
            _log.info("collector.done", account=account.id, removed=removed, bytes=size, packed=packed, seconds=seconds)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.sweep()
            except Exception:  # the next one tries again
                _log.exception("collecting.failed")
