"""The directory of a bigger site: LDAP.

Who somebody is, is searched with the rights of `bind_dn`; a password is right if it opens a slot *and* the directory
takes it (`verified.py`).  What cannot be asked, or is answered without sense, is `DirectoryUnavailable`: mail waits and
phones come back.  "Unknown" is said only by a directory that shows at least one user: one that was restored
empty, or hides everybody after a slip in its rules, must not have all mail sent back.
"""

import asyncio
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import structlog

from storage.directories.directory import SEARCH_RESULTS_MAX, Domains, Entry, Mailbox, canonical
from storage.directories.ldap_entries import (
    Found,
    Row,
    UnfitEntry,
    bind_name,
    matching_people,
    meant_by,
    owner_of,
    read_secrets,
    read_user,
)
from storage.directories.ldap_questions import (
    address_filter,
    login_filter,
    search_filter,
    secret_attributes,
    user_attributes,
)
from storage.directories.ldap_servers import LdapServers
from storage.directories.ldap_settings import LdapSettings
from storage.errors import DirectoryUnavailable, UnknownAddress
from storage.keyring.passwords import UnfitPassword, fit_password

MATCHES_MAX = 10
"""Entries that one address or login may find; more than one is the exception already."""
CACHED_MAX = 10_000
"""Answers that are kept for `cache_seconds`."""
SHOWS_USERS_SECONDS = 60.0
"""How long it is believed that the directory shows users."""

_log = structlog.get_logger(__name__)


class LdapDirectory:
    """A `Directory` in LDAP that verifies passwords, too (`VerifyingDirectory`).  Raises `SettingError`.

    *clock* counts seconds.
    """

    def __init__(
        self, settings: LdapSettings, domains: Domains, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._domains, self._clock = settings, domains, clock
        self._servers = LdapServers(settings)
        self._cached: OrderedDict[str, tuple[float, Found]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Found | None]] = {}
        self._showed_users = float("-inf")

    async def resolve(self, address: str) -> Mailbox:
        """See `Directory.resolve`."""
        return (await self._owner(canonical(address))).mailbox

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        """See `Directory.login`."""
        read = self._domains.login_name(name)
        asked = login_filter(self._settings, read)
        if asked is None:
            return ()

        async def ask() -> Found | None:
            return meant_by(read, list(self._users(await self._rows(asked))))

        found = await self._once(f"login {asked}", ask)
        return (found.mailbox,) if found else ()

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        """See `Directory.user_secrets`.  Never cached."""
        attributes = [*user_attributes(self._settings), *secret_attributes(self._settings)]
        rows = await self._rows(address_filter(self._settings, mailbox.address), attributes)
        for row in rows:
            with suppress(UnfitEntry):
                if read_user(self._settings, row).mailbox.identity != mailbox.identity:
                    continue
                try:
                    return read_secrets(self._settings, row, mailbox.identity)
                except UnfitEntry as error:
                    raise self._unfit(row, error) from error
        raise UnknownAddress(mailbox.address)

    async def verify(self, mailbox: Mailbox, password: str) -> bool:
        """Tell whether the directory takes the password as this user's.  Raises `DirectoryUnavailable`."""
        try:
            fit_password(password)
            found = await self._owner(mailbox.address)
        except (UnfitPassword, UnknownAddress):  # gone just now
            return False
        if found.mailbox.identity != mailbox.identity:
            return False
        try:
            name = bind_name(self._settings, found)
        except UnfitEntry as error:
            raise self._unfit(found, error) from error
        return await self._servers.takes(name, unicodedata.normalize("NFC", password).encode())

    async def search(self, text: str, limit: int) -> list[Entry]:
        """See `Directory.search`; of more than `SEARCH_RESULTS_MAX` candidates, or what the server allows, some."""
        asked = search_filter(self._settings, text)
        if asked is None or limit <= 0:
            return []
        rows = await self._rows(asked, size_max=SEARCH_RESULTS_MAX)
        return matching_people(self._settings, rows, text, min(limit, SEARCH_RESULTS_MAX))

    async def close(self) -> None:
        """Close the connections."""
        for task in list(self._asking.values()):
            task.cancel()
        await self._servers.close()

    async def _owner(self, address: str) -> Found:
        asked = address_filter(self._settings, address)

        async def ask() -> Found | None:
            rows = await self._rows(asked)
            try:
                return owner_of(address, [read_user(self._settings, row) for row in rows])
            except UnfitEntry as error:
                raise self._unfit(rows[0], error) from error

        found = await self._once(f"address {address}", ask)
        if found is None:
            await self._make_sure_of_users()
            raise UnknownAddress(address)
        return found

    async def _once(self, key: str, ask: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """Return what was found a moment ago, or is being asked for already; who is not found is never remembered."""
        until, found = self._cached.get(key, (0.0, None))
        if found is not None and self._clock() < until:
            return found
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)

    async def _ask(self, key: str, ask: Callable[[], Awaitable[Found | None]]) -> Found | None:
        found = await ask()
        self._cached.pop(key, None)
        if found is None:
            return None
        if found.complaint:
            _log.warning("directory.entry_odd", entry=found.dn, reason=found.complaint)
        self._cached[key] = (self._clock() + self._settings.cache_seconds, found)
        if len(self._cached) > CACHED_MAX:
            self._cached.popitem(last=False)
        return found

    def _asked(self, key: str, task: "asyncio.Task[Found | None]") -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    async def _rows(self, asked: str, attributes: list[str] | None = None, size_max: int = MATCHES_MAX) -> list[Row]:
        return await self._servers.search(asked, attributes or user_attributes(self._settings), size_max)

    def _users(self, rows: Iterable[Row]) -> Iterable[Found]:
        for row in rows:
            try:
                yield read_user(self._settings, row)
            except UnfitEntry as error:
                self._unfit(row, error)

    def _unfit(self, entry: Row | Found, error: UnfitEntry) -> DirectoryUnavailable:
        """Log, and return what to raise."""
        _log.error("directory.entry_unfit", entry=entry.dn, reason=str(error))
        return DirectoryUnavailable(f"{entry.dn}: {error}")

    async def _make_sure_of_users(self) -> None:
        """Raise `DirectoryUnavailable` if the directory shows nobody at all."""
        if self._clock() - self._showed_users < SHOWS_USERS_SECONDS:
            return
        if not await self._rows(f"(&{self._settings.users_filter}({self._settings.mail_attribute}=*))", size_max=1):
            _log.error("directory.shows_nobody", base=self._settings.base, filter=self._settings.users_filter)
            raise DirectoryUnavailable("the directory shows no user at all: base, filter, or rights are wrong")
        self._showed_users = self._clock()
