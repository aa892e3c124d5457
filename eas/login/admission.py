"""Who may try a password now: wrong ones are slowed, and nobody is locked out by others.

- Credentials that were right once are never delayed.
- A device that was let in before is delayed by its own wrong guesses alone, whatever others guess at its account.
- From one address, guesses at one account go one after the other, so that many at once do not slip through.
- No delay is longer than a minute.  A guess that comes a little early waits; one that comes much too early is not
  looked at and gets 503 with Retry-After: 401 would tell the owner of the right password that it is wrong.
- The same wrong credentials again, as from a phone with an old password, tell nobody anything: they count once an hour.

All of it is this process's own memory, bounded; passwords are in it as keyed hashes only.
"""

import asyncio
import ipaddress
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from eas.login.guesses import Guesses, Kind, Name
from eas.protocol.exchange import EasResponse
from storage.keyring.keys import WrongPassword

PROVEN_MAX = 100_000
"""Credentials, and devices, that are remembered as having been right; and so many that were wrong."""
WRONG_SECONDS = 5.0
"""Wrong credentials that come again so soon are not even looked at."""
WRONG_KNOWN_SECONDS = 3600.0
"""The same wrong credentials count as one guess for so long."""
DELAY_SECONDS_MAX = 4.0
"""A guess that is early by so much waits; by more, it is refused."""
DELAYED_MAX = 200
"""Guesses that wait at a time; further ones are refused."""
_NAME_CHARS_MAX = 200

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who brings a password.  *digest* stands for credentials and device."""

    digest: bytes
    user: str
    accounts: Sequence[str]
    """Whose password it may be; nobody's if empty."""
    device: str
    """In small letters; "" for none."""
    remote: str


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Admission:
    """Admits attempts.  *digest* makes a keyed hash of texts; *clock* counts seconds."""

    def __init__(
        self,
        digest: Callable[..., bytes],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._digest, self._clock, self._sleep = digest, clock, sleep
        self._guesses = Guesses()
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, float] = OrderedDict()
        self._turns: dict[Name, _Turn] = {}
        self._delayed = 0

    @asynccontextmanager
    async def attempt(self, attempt: Attempt) -> AsyncIterator[None]:
        """Let *attempt* go on, perhaps after a while; a `WrongPassword` that is raised within it counts.

        Raises `LoginRefused`.
        """
        names = self._names(attempt)
        async with self._turn(attempt, names):
            is_guess = await self._admit(attempt.digest, names)
            try:
                yield
            except WrongPassword:
                if is_guess:
                    self._guesses.count(names, self._clock())
                self._proven.pop(attempt.digest, None)
                _remember(self._wrong, attempt.digest, self._clock())
                raise

    def was_right(self, attempt: Attempt, account: str) -> None:
        """Remember that these credentials, and this device, got into *account*."""
        self._wrong.pop(attempt.digest, None)
        _remember(self._proven, attempt.digest, None)
        if attempt.device:
            _remember(self._proven, self._digest(account, attempt.device), None)
            self._guesses.forget([Name(Kind.OWN, f"{account} {attempt.device}")])

    def forget(self, digest: bytes) -> None:
        """Forget that these credentials were right: the password was changed."""
        self._proven.pop(digest, None)

    def passwords_changed(self) -> None:
        """Note that what was wrong a moment ago may be right now: it is looked at again, but counts no sooner."""
        ago = self._clock() - WRONG_SECONDS
        for digest, tried in self._wrong.items():
            self._wrong[digest] = min(tried, ago)

    @asynccontextmanager
    async def _turn(self, attempt: Attempt, names: list[Name]) -> AsyncIterator[None]:
        if attempt.digest in self._proven:
            yield
            return
        turn = self._turns.setdefault(names[0], _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if turn.users == 0:
                self._turns.pop(names[0], None)

    async def _admit(self, digest: bytes, names: list[Name]) -> bool:
        """Wait if need be; return whether it counts if it is wrong.  Raises `LoginRefused`."""
        if digest in self._proven:
            return False
        now = self._clock()
        if (tried := self._wrong.get(digest)) is not None:
            if now - tried < WRONG_SECONDS:
                raise unknown()
            if now - tried < WRONG_KNOWN_SECONDS:
                return False
        seconds = self._guesses.wait_seconds(names, now)
        if seconds > DELAY_SECONDS_MAX or (seconds and self._delayed >= DELAYED_MAX):
            _log.info("login.too_early", seconds=round(seconds, 1))
            raise too_early(seconds)
        if seconds:
            self._delayed += 1
            try:
                await self._sleep(seconds)
            finally:
                self._delayed -= 1
        return True

    def _names(self, attempt: Attempt) -> list[Name]:
        """Return whom a wrong guess counts for; the first one names the turn."""
        device, address = attempt.device, network(attempt.remote)
        own = [one for one in attempt.accounts if device and self._digest(one, device) in self._proven]
        if own:
            return [Name(Kind.OWN, f"{account} {device}") for account in own]
        accounts = attempt.accounts or [f"nobody {attempt.user.lower()[:_NAME_CHARS_MAX]}"]
        names = [Name(Kind.PLACE, f"{account} {address}") for account in accounts]
        names += [Name(Kind.ACCOUNT, account) for account in accounts]
        names.append(Name(Kind.ADDRESS, address))
        return [*names, Name(Kind.DEVICE, device)] if device else names


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
