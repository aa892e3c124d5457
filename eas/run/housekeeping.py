"""What a process does for its open accounts beside requests: checkpoints, memory given back, keys forgotten."""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from eas.login.sessions import Sessions
from eas.sync.hub import Hub
from storage.account import Account
from storage.feeds.feed import News
from storage.store import Store

SWEEP_SECONDS = 2.0
IDLE_SECONDS = 120.0
"""An account that had neither request nor news for so long lets go of its state; its keys stay while a phone waits."""
IDLE_RECORDS = 8
"""If so many records were folded since the last checkpoint, another one is written first: the next opening is cold."""

_log = structlog.get_logger(__name__)


class Housekeeping:
    """One process's; *clock* is that of its sessions."""

    def __init__(self, store: Store, sessions: Sessions, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._sessions, self._hub, self._clock = store, sessions, hub, clock
        self._news: dict[str, float] = {}
        self._shed: set[str] = set()
        self._unused: set[str] = set()
        self._unsubscribe = store.feed.subscribe(self._heard)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look around, now and then."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; a checkpoint that is being written is given up: nothing of it is named yet."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> None:
        """Do what is due: checkpoints one after the other, then memory, then keys."""
        for account in list(self._store.accounts.values()):
            if account.checkpoint_is_due:
                await self._checkpoint(account)
        self._sessions.sweep()
        used = self._sessions.used()
        await self._let_go_of_states(used)
        await self._forget_keys(used)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception:  # the next one tries again
                _log.exception("housekeeping.failed")

    async def _checkpoint(self, account: Account) -> None:
        started = self._clock()
        try:
            await account.checkpoint()
        except Exception as error:  # the log has everything: only the next opening is slower
            _log.warning("checkpoint.failed", account=account.id, error=repr(error))
            return
        _log.info("checkpoint.written", account=account.id, seconds=round(self._clock() - started, 3))

    async def _let_go_of_states(self, used: Mapping[str, float]) -> None:
        idle_since = self._clock() - IDLE_SECONDS
        for account in list(self._store.accounts.values()):
            last = max(used.get(account.id, 0.0), self._news.get(account.id, 0.0))
            if last > idle_since:
                self._shed.discard(account.id)
            elif account.id not in self._shed:
                if account.records_since >= IDLE_RECORDS:
                    await self._checkpoint(account)
                if account.shed():
                    self._shed.add(account.id)
        self._news = {account_id: at for account_id, at in self._news.items() if at > idle_since}

    async def _forget_keys(self, used: Mapping[str, float]) -> None:
        """Close accounts that had neither session nor waiting phone twice in a row: one is just being opened, maybe."""
        unused = {
            account_id
            for account_id in self._store.accounts
            if account_id not in used and not self._hub.is_waited_for(account_id)
        }
        for account_id in unused & self._unused:
            account = self._store.accounts.pop(account_id)
            await account.close()
            _log.info("account.closed", account=account_id)
        self._unused = unused

    def _heard(self, news: News) -> None:
        if news.account_id in self._store.accounts:
            self._news[news.account_id] = self._clock()
            self._shed.discard(news.account_id)
