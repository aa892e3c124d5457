"""Who is asking: from an Authorization header to an open account.

Phones send their password with every request, and opening an account with it costs an Argon2 run.  So what was opened
is kept, under a keyed hash of credentials and device (the key is this process's own), until it was not used for a
while.  An account whose last session ended is closed and its keys forgotten (`housekeeping.py`), unless a phone waits
for its news: then its sessions stay.  Once a minute of use, and at once when the feed tells of new passwords, it is
looked whether the password still opens the account: a listing, no Argon2.

Passwords that are not known to be right go through `admission.py`, which slows guessing.
"""

import asyncio
import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from eas.login.admission import DELAY_SECONDS_MAX, Admission, Attempt, LoginRefused, too_early, unknown
from eas.login.credentials import Credentials, parse_basic
from storage.account import Account
from storage.engine import EngineError
from storage.epochs import EPOCH_MAX
from storage.errors import DirectoryUnavailable
from storage.feeds.feed import News
from storage.identity import Identity
from storage.keyring.keys import WrongPassword
from storage.keyring.objects import load
from storage.store import Store

__all__ = ["LoginRefused", "Sessions", "unknown"]

SESSIONS_MAX = 50_000
"""Sessions of one process; the one that was unused for longest makes room."""
VERIFY_SECONDS = 900.0
"""How old the knowledge may be that a directory of passwords (LDAP) takes a session's."""
CHECK_SECONDS = 60.0
"""How old the knowledge may be that a session's password still opens the account."""
UNLOCKS_MAX = 2000
"""Credentials that are being looked at, or wait for it, at a time; further ones are asked to come back."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Session:
    account_id: str
    identity: Identity
    account: Account | None
    """None where an app password came without its device: it says who asks, and opens nothing."""
    login: str
    slot_id: str
    slot_name: str
    """The version of the slot that the password opened: a new password makes a new version."""
    epoch: int
    """Of the newest keys that it opened."""
    used: float
    checked: float
    verified: float
    """When the directory, if it is one that knows passwords, last took this one."""


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
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._admission = Admission(self._digest, clock, sleep)
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()  # what was used last stands last
        self._unlocking: dict[bytes, asyncio.Task[_Session]] = {}
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
        digest = self._digest(credentials.user, credentials.password, device_id.lower())
        session = await self._session(digest, credentials, device_id, remote)
        assert session.account is not None  # noqa: S101  # only greetings have none, and their digests are others
        return session.account

    async def greet(self, authorization: str, remote: str) -> Identity:
        """Return who asks in a request that names no device, such as OPTIONS; also for an app password.

        Raises as `account` does.
        """
        credentials = parse_basic(authorization)
        if credentials is None:
            raise unknown()
        digest = self._digest(credentials.user, credentials.password, "", "greeting")
        session = await self._session(digest, credentials, None, remote)
        return session.account.identity if session.account is not None else session.identity

    async def _session(self, digest: bytes, credentials: Credentials, device_id: str | None, remote: str) -> _Session:
        session = self._sessions.get(digest)
        if session is not None and await self._stands(digest, session, credentials.password):
            session.used = self._clock()
            if digest in self._sessions:
                self._sessions.move_to_end(digest)
            return session
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
            if self._is_waited_for(session.account_id):
                session.used = self._clock()
                self._sessions.move_to_end(digest)
            else:
                del self._sessions[digest]

    def used(self) -> dict[str, float]:
        """Return when each account that has a session was used last, by the clock."""
        return {one.account_id: one.used for one in self._sessions.values() if one.account is not None}

    async def close(self) -> None:
        """Let nobody in any more."""
        self._unsubscribe()
        for task in list(self._unlocking.values()):
            task.cancel()
        self._sessions.clear()

    def _digest(self, *texts: str) -> bytes:
        digest = hashlib.blake2b(key=self._key, digest_size=16)
        for text in texts:
            raw = text.encode("utf-8", "surrogatepass")
            digest.update(len(raw).to_bytes(4, "big") + raw)
        return digest.digest()

    async def _stands(self, digest: bytes, session: _Session, password: str) -> bool:
        """Tell whether a session still holds; looks into the store when that was not done for a while."""
        now = self._clock()
        if session.used <= now - self._session_seconds and not self._is_waited_for(session.account_id):
            return False
        is_stale = session.account is not None and session.account.has_stale_keys
        if now - session.checked < CHECK_SECONDS and not is_stale:
            return True
        session.checked = now
        try:
            if await self._still_opens(session, password):
                return True
        except (EngineError, DirectoryUnavailable) as error:
            _log.warning("session.unchecked", error=repr(error))
            return True
        self._sessions.pop(digest, None)
        self._admission.forget(digest)
        _log.info("session.ended", account=session.account_id, cause="password changed or account removed")
        return False

    async def _still_opens(self, session: _Session, password: str) -> bool:
        mailboxes = {self._store.account_id(one): one for one in await self._store.directory.login(session.login)}
        if (mailbox := mailboxes.get(session.account_id)) is None:
            return False
        stored = await load(self._store.vault, session.account_id)
        slot = stored.slots.get(session.slot_id)
        if slot is None or slot.slot.revoked or slot.name != session.slot_name or stored.epoch > session.epoch:
            return False
        now = self._clock()
        if now - session.verified < VERIFY_SECONDS:
            return True
        is_taken = await self._store.still_takes(mailbox, password, slot.slot.kind)
        session.verified = now
        return is_taken

    def _news(self, news: News) -> None:
        """Hear that passwords changed: such news is of no writer."""
        if news.account_id is None or not news.writer:
            self._admission.passwords_changed()
            for session in self._sessions.values():
                if news.account_id in (None, session.account_id):
                    session.checked = -math.inf

    def _unlocked(self, digest: bytes, task: "asyncio.Task[_Session]") -> None:
        del self._unlocking[digest]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    async def _unlock(self, digest: bytes, credentials: Credentials, device_id: str | None, remote: str) -> _Session:
        mailboxes = await self._store.directory.login(credentials.user)
        accounts = [self._store.account_id(mailbox) for mailbox in mailboxes]
        attempt = Attempt(digest, credentials.user, accounts, (device_id or "").lower(), remote)
        try:
            async with self._admission.attempt(attempt):
                session = await self._opened(credentials, device_id)
        except WrongPassword:
            _log.info("login.wrong", user=credentials.user, remote=remote)
            raise unknown() from None
        self._admission.was_right(attempt, session.account_id)
        self._sessions[digest] = session
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session

    async def _opened(self, credentials: Credentials, device_id: str | None) -> _Session:
        user, password = credentials.user, credentials.password
        if device_id is None:
            greeted = await self._store.greet(user, password)
            account, epoch = greeted.opened or (None, EPOCH_MAX)
            id_, identity, slot_id, name = greeted.account_id, greeted.identity, greeted.slot_id, greeted.slot_name
        else:
            account, unlocked = await self._store.unlock(user, password, device_id)
            id_, identity, epoch = account.id, account.identity, unlocked.epoch
            slot_id, name = unlocked.slot_id, unlocked.slot_name
        now = self._clock()
        return _Session(id_, identity, account, user, slot_id, name, epoch, now, now, now)
