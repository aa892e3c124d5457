"""A store: engine, directory, keys, feed and clock of one process, and the accounts that are open in it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from storage import log, paths
from storage.account import Account
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.delivery import Delivery
from storage.directories.directory import Directory, Mailbox
from storage.engine import Compacting, Engine, EngineError
from storage.errors import UnknownAddress
from storage.feeds.feed import Feed, News
from storage.identity import Identity
from storage.keyring import keys
from storage.keyring.app_passwords import find_app_slot
from storage.keyring.creation import NewKeys, create_account_keys
from storage.keyring.objects import UnknownAccount, Vault, newest_epoch
from storage.keyring.passwords import spend_as_unlock
from storage.keyring.rotation import retirable, retire
from storage.keyring.slots import SlotKind
from storage.seal import SealError
from storage.verified import VerifyingDirectory, unlock_verified

RETIRE_EVERY_MS = 24 * 3600 * 1000
"""How often it is looked whether keys of old epochs can go, of an account that has some."""

_log = structlog.get_logger(__name__)


def wall_ms() -> int:
    """Return the wall clock's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Greeted:
    """Who asks, without naming a device."""

    account_id: str
    identity: Identity
    slot_id: str
    slot_name: str
    opened: tuple[Account, int] | None
    """The account and the epoch of its keys; None for an app password, which opens nothing without its device."""


@dataclass(slots=True)
class Store:
    """Everything that storage gives to the rest."""

    engine: Engine
    directory: Directory
    vault: Vault
    feed: Feed
    now_ms: Callable[[], int] = wall_ms
    clock: Clock = field(init=False)
    delivery: Delivery = field(init=False)
    accounts: dict[str, Account] = field(default_factory=dict)
    """The accounts that are open, by id."""
    _retired: dict[str, int] = field(default_factory=dict)
    _retiring: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.clock = Clock(self.now_ms)
        self.delivery = Delivery(self.engine, self.directory, self.vault, self.clock, self.feed.publish, self.now_ms)
        self.feed.subscribe(self._heard)  # before anybody else: whoever hears of news then finds the account stale

    def _heard(self, news: News) -> None:
        if news.account_id and not news.writer:  # of keys
            self.delivery.forget(news.account_id)
        for account_id in [news.account_id] if news.account_id else list(self.accounts):
            if (account := self.accounts.get(account_id)) is not None:
                account.told_of_news(news.writer, news.n)

    def account_id(self, mailbox: Mailbox) -> str:
        """Return the name that *mailbox* has in the store."""
        return paths.account_of(self.vault.deployment_key, mailbox.identity or mailbox.address)

    async def create(self, mailbox: Mailbox, password: str) -> NewKeys:
        """Make the keys of a new account.  Raises as `create_account_keys` does."""
        return await create_account_keys(self.vault, self.account_id(mailbox), password, await self._secret(mailbox))

    async def unlock(self, login: str, password: str, device_id: str = "") -> tuple[Account, keys.Unlocked]:
        """Open the account of whoever *login* means, if *password* is right on this device.

        Raises `WrongPassword` (also for nobody: the time taken does not tell), `DirectoryUnavailable`, `EngineError`.
        """
        has_tried = False
        for mailbox in await self.directory.login(login):
            try:
                secrets = await self.directory.user_secrets(mailbox)
                unlocked = await self._unlock(mailbox, password, secrets, device_id)
            except keys.WrongPassword:
                has_tried = True
                continue
            except (UnknownAccount, UnknownAddress):  # without keys yet; or gone from the directory just now
                continue
            account = self._open(mailbox, unlocked)
            self._retire(unlocked)
            return account, unlocked
        if not has_tried:
            await spend_as_unlock(self.vault)
        raise keys.WrongPassword(login)

    async def greet(self, login: str, password: str) -> "Greeted":
        """Tell who asks without naming a device; an app password will do, but opens nothing.  Raises as `unlock`."""
        for mailbox in await self.directory.login(login):
            account_id = self.account_id(mailbox)
            with suppress(UnknownAccount, UnknownAddress):
                secrets = await self.directory.user_secrets(mailbox)
                slot = await find_app_slot(self.vault, account_id, password, secrets)
                if slot is not None:
                    return Greeted(account_id, _identity(mailbox), slot.slot.id, slot.name, None)
        account, unlocked = await self.unlock(login, password)
        return Greeted(account.id, account.identity, unlocked.slot_id, unlocked.slot_name, (account, unlocked.epoch))

    async def _unlock(self, mailbox: Mailbox, password: str, secrets: Sequence[bytes], device_id: str) -> keys.Unlocked:
        account, directory = self.account_id(mailbox), self.directory
        if not isinstance(directory, VerifyingDirectory):
            return await keys.unlock(self.vault, account, password, secrets, device_id)
        verify = partial(directory.verify, mailbox, password)
        return await unlock_verified(self.vault, account, password, secrets, device_id, verify, user=mailbox.address)

    async def still_takes(self, mailbox: Mailbox, password: str, kind: SlotKind) -> bool:
        """Tell whether the directory still lets in who opened a slot of that *kind*.  Raises `DirectoryUnavailable`."""
        directory = self.directory
        if kind is not SlotKind.MAIN or not isinstance(directory, VerifyingDirectory):
            return True
        return await directory.verify(mailbox, password)

    def _open(self, mailbox: Mailbox, unlocked: keys.Unlocked) -> Account:
        identity = _identity(mailbox)
        ring = unlocked.ring
        account_keys = AccountKeys.of(ring.masters(), ring.privates(), ring.ids, ring.tokens)
        account = self.accounts.get(unlocked.account)
        if account is None or account.keys.tokens != account_keys.tokens:  # removed, and made again, in between
            account = self._account(unlocked.account, identity, account_keys)
            self.accounts[account.id] = account
        account.take_keys(account_keys)  # the master key may be a new one
        # The directory may have new names for him; the account stays one, for whoever waits for its news.
        account.identity = identity
        return account

    def _retire(self, unlocked: keys.Unlocked) -> None:
        """Let keys of epochs go of which nothing is left, beside what whoever logged in came for; once a day."""
        now_ms = self.now_ms()
        is_due = now_ms - self._retired.get(unlocked.account, 0) >= RETIRE_EVERY_MS
        if is_due and retirable(unlocked.ring, now_ms):
            self._retired[unlocked.account] = now_ms
            task = asyncio.create_task(self._retire_now(unlocked))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire_now(self, unlocked: keys.Unlocked) -> None:
        try:
            gone = await retire(self.vault, unlocked)
        except (keys.KeysChanged, SealError, EngineError) as error:  # another day, then
            _log.warning("keys.not_retired", account=unlocked.account, error=repr(error))
        else:
            _log.info("keys.retired", account=unlocked.account, epochs=gone)

    def _account(self, account_id: str, identity: Identity, account_keys: AccountKeys) -> Account:
        writer = log.Writer(  # no closures: there may be thousands of accounts
            self.engine,
            account_id,
            self.clock,
            account_keys.log.make,
            delivers=False,
            published=self.feed.publish,
            epoch=account_keys.log.epoch,
        )
        newest = partial(newest_epoch, self.vault, account_id)
        return Account(self.engine, account_id, identity, account_keys, self.clock, writer, newest)

    async def _secret(self, mailbox: Mailbox) -> bytes:
        secrets = await self.directory.user_secrets(mailbox)
        return secrets[0] if secrets else b""

    async def compact(self) -> int:
        """Give back the space of deleted objects, where the engine does not by itself; return how many bytes."""
        return await self.engine.compact() if isinstance(self.engine, Compacting) else 0

    async def close(self) -> None:
        """Finish what is under way and close everything."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self.delivery.close()
        if isinstance(self.directory, VerifyingDirectory):
            await self.directory.close()
        for account in self.accounts.values():
            await account.close()
        await self.feed.leave()
        await self.engine.close()


def _identity(mailbox: Mailbox) -> Identity:
    return Identity(mailbox.address, mailbox.aliases, mailbox.display_name)
