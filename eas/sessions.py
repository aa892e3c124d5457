"""Who is asking: from an Authorization header to an open account.

Phones send their password with every request, and opening an account with it costs an Argon2 run.  So what was opened
is kept, under a keyed hash of credentials and device (the key is this process's own), until it was not used for a
while.  An account whose last session ended is closed and its keys forgotten, unless a phone waits for its news: then
its sessions stay.  Every minute of use, and at once when the feed tells of new passwords, it is looked whether the
password still opens the account (a listing, no Argon2).

Wrong passwords are slowed (`guesses.py`), so that nobody is locked out by others: credentials that were right once are
never delayed; a device that was let in before is delayed by its own wrong guesses alone; and no delay is longer than a
minute.  A guess that comes a little early waits; one that comes much too early is not looked at and gets 503 with
Retry-After: 401 would tell the owner of the right password that it is wrong.
"""

import asyncio
import hashlib
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from eas.credentials import Credentials, parse_basic
from eas.guesses import Guesses, Kind, Name
from eas.protocol.exchange import EasResponse
from storage.account import Account
from storage.engine import EngineError
from storage.errors import DirectoryUnavailable
from storage.feed import News
from storage.key_objects import load
from storage.keys import WrongPassword
from storage.store import Store

SESSIONS_MAX = 50_000
"""Sessions of one process; the one that was unused for longest makes room."""
PROVEN_MAX = 100_000
"""Credentials, and devices, that are remembered as having been right."""
CHECK_SECONDS = 60.0
"""How old the knowledge may be that a session's password still opens the account."""
WRONG_SECONDS = 5.0
"""Wrong credentials that come again so soon, as from a phone with an old password, cost nothing."""
WRONG_KNOWN_SECONDS = 3600.0
"""The same wrong credentials count as one guess for so long: repeating them tells nobody anything."""
DELAY_SECONDS_MAX = 4.0
"""A guess that is early by so much waits; by more, it is refused."""
DELAYED_MAX = 200
"""Guesses that wait at a time; further ones are refused."""
UNLOCKS_MAX = 2000
"""Credentials that are being looked at, or wait for it, at a time; further ones are refused."""

V = TypeVar("V")
_log = structlog.get_logger(__name__)


class LoginRefused(Exception):
    """No account for this request: *response* says why in HTTP's terms."""

    def __init__(self, response: EasResponse) -> None:
        super().__init__(response.status)
        self.response = response


def unknown() -> LoginRefused:
    """Say that name or password are wrong, or missing.  The body is empty: phones choke on a page."""
    return LoginRefused(EasResponse(401, {"WWW-Authenticate": 'Basic realm="Petit Bleu"'}))


def too_early(seconds: float) -> LoginRefused:
    """Say that nothing was looked at, and when to come back."""
    return LoginRefused(EasResponse(503, {"Retry-After": str(max(1, math.ceil(seconds)))}))


@dataclass(slots=True)
class _Session:
    account: Account
    login: str
    slot_id: str
    slot_name: str
    """The version of the slot that the password opened: a new password makes a new version."""
    used: float
    checked: float


class Sessions:
    """The accounts that are unlocked.  *clock* counts seconds."""

    def __init__(
        self,
        store: Store,
        session_seconds: float,
        is_waited_for: Callable[[str], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._session_seconds, self._is_waited_for = store, session_seconds, is_waited_for
        self._clock, self._sleep = clock, sleep
        self._key = secrets.token_bytes(32)
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()  # what was used last stands last
        self._unlocking: dict[bytes, asyncio.Task[Account]] = {}
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self._guesses = Guesses()
        self._delayed = 0
        self._unsubscribe = store.feed.subscribe(self._news)

    def __len__(self) -> int:
        return len(self._sessions)

    async def account(self, authorization: str, device_id: str, remote: str) -> Account:
        """Return the account that the credentials open on that device ("": no device, as with OPTIONS).

        Raises `LoginRefused`, `DirectoryUnavailable`, `EngineError`.
        """
        credentials = parse_basic(authorization)
        if credentials is None:
            raise unknown()
        device = device_id.lower()
        digest = self._digest(credentials.user, credentials.password, device)
        session = self._sessions.get(digest)
        if session is not None and await self._stands(digest, session):
            session.used = self._clock()
            if digest in self._sessions:
                self._sessions.move_to_end(digest)
            return session.account
        task = self._unlocking.get(digest)
        if task is None:
            if len(self._unlocking) >= UNLOCKS_MAX:
                raise too_early(DELAY_SECONDS_MAX)
            task = asyncio.create_task(self._unlock(digest, credentials, device_id, remote))
            self._unlocking[digest] = task
            task.add_done_callback(lambda done: self._unlocked(digest, done))
        return await asyncio.shield(task)

    def sweep(self) -> None:
        """End the sessions that were not used for their lifetime, except of accounts whose news a phone waits for."""
        end = self._clock() - self._session_seconds
        while self._sessions:
            digest, session = next(iter(self._sessions.items()))
            if session.used > end:
                break
            if self._is_waited_for(session.account.id):
                session.used = self._clock()
                self._sessions.move_to_end(digest)
            else:
                del self._sessions[digest]

    def used(self) -> dict[str, float]:
        """Return when each account that has a session was used last, by the clock."""
        return {session.account.id: session.used for session in self._sessions.values()}

    async def close(self) -> None:
        """Let nobody in any more."""
        self._unsubscribe()
        for task in list(self._unlocking.values()):
            task.cancel()
        self._sessions.clear()

    # -- sessions

    def _digest(self, *texts: str) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        for text in texts:
            raw = text.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(4, "big") + raw)
        return digest.digest()

    async def _stands(self, digest: bytes, session: _Session) -> bool:
        """Tell whether a session still holds; looks into the store when that was not done for a while."""
        now = self._clock()
        if session.used <= now - self._session_seconds and not self._is_waited_for(session.account.id):
            return False
        if now - session.checked < CHECK_SECONDS:
            return True
        session.checked = now
        try:
            is_there = any(
                self._store.account_id(mailbox) == session.account.id
                for mailbox in await self._store.directory.login(session.login)
            )
            stored = await load(self._store.vault, session.account.id) if is_there else None
        except (EngineError, DirectoryUnavailable) as error:
            _log.warning("session.unchecked", error=repr(error))
            return True
        slot = None if stored is None else stored.slots.get(session.slot_id)
        if slot is not None and not slot.slot.revoked and slot.name == session.slot_name:
            return True
        self._sessions.pop(digest, None)
        self._proven.pop(digest, None)
        _log.info("session.ended", account=session.account.id, cause="password changed or account removed")
        return False

    def _news(self, news: News) -> None:
        """Hear that passwords changed: such news is of no writer."""
        if news.account_id is None or not news.writer:
            for session in self._sessions.values():
                if news.account_id in (None, session.account.id):
                    session.checked = -math.inf

    # -- unlocking

    def _unlocked(self, digest: bytes, task: "asyncio.Task[Account]") -> None:
        del self._unlocking[digest]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    async def _unlock(self, digest: bytes, credentials: Credentials, device_id: str, remote: str) -> Account:
        names = await self._names(credentials.user, device_id.lower(), remote)
        is_guess = await self._admit(digest, names)
        try:
            account, unlocked = await self._store.unlock(credentials.user, credentials.password, device_id)
            slot = (await load(self._store.vault, account.id)).slots.get(unlocked.slot_id)
        except WrongPassword:
            self._proven.pop(digest, None)
            _remember(self._wrong, digest, self._clock())
            _log.info("login.wrong", user=credentials.user, remote=remote)
            raise unknown() from None
        except BaseException:
            if is_guess:
                self._guesses.give_back(names)
            raise
        if is_guess:
            self._guesses.give_back(names)
        self._wrong.pop(digest, None)
        self._guesses.forget(Name(Kind.OWN, self._own(account.id, device_id.lower())))
        _remember(self._proven, digest, None)
        _remember(self._proven, self._pair(account.id, device_id.lower()), None)
        now = self._clock()
        slot_name = slot.name if slot is not None else ""
        self._sessions[digest] = _Session(account, credentials.user, unlocked.slot_id, slot_name, now, now)
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return account

    async def _admit(self, digest: bytes, names: list[Name]) -> bool:
        """Let a guess go on, perhaps after a while; return whether it was charged.  Raises `LoginRefused`."""
        now = self._clock()
        if digest in self._proven:
            return False
        if (tried := self._wrong.get(digest)) is not None:
            if now - tried < WRONG_SECONDS:
                raise unknown()
            if now - tried < WRONG_KNOWN_SECONDS:
                return False
        seconds = self._guesses.wait_seconds(names, now)
        if seconds > DELAY_SECONDS_MAX or (seconds and self._delayed >= DELAYED_MAX):
            _log.warning("login.too_early", seconds=seconds)
            raise too_early(seconds)
        self._guesses.charge(names, now + seconds)
        if seconds:
            self._delayed += 1
            try:
                await self._sleep(seconds)
            finally:
                self._delayed -= 1
        return True

    async def _names(self, user: str, device: str, remote: str) -> list[Name]:
        """Return whom a guess counts for.  Raises `DirectoryUnavailable`."""
        mailboxes = await self._store.directory.login(user)
        accounts = [self._store.account_id(mailbox) for mailbox in mailboxes]
        if device:
            own = [account for account in accounts if self._pair(account, device) in self._proven]
            if own:
                return [Name(Kind.OWN, self._own(account, device)) for account in own]
        names = [Name(Kind.ACCOUNT, account) for account in accounts or [f"nobody {user.lower()[:200]}"]]
        names.append(Name(Kind.ADDRESS, network(remote)))
        return [*names, Name(Kind.DEVICE, device)] if device else names

    def _pair(self, account: str, device: str) -> bytes:
        return self._digest(account, device)

    def _own(self, account: str, device: str) -> str:
        return f"{account} {device}"


def network(remote: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 that one host of IPv6 has for itself."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if address.version == 6:
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def _remember(table: OrderedDict[bytes, V], key: bytes, value: V) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > PROVEN_MAX:
        table.popitem(last=False)
