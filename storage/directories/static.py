"""The directory of a small site: one file (`accounts_file.py`), held in memory, any question answered by a look-up.

Every question first looks whether the file has changed (one stat), and if so waits until a thread has read it: a user
who was added is known at once.  A file that does not make sense, or is gone, is reported once and leaves the users as
they were: a slip of an editor must not turn mail away.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import structlog

from storage.directories.accounts_file import StaticAccount, index_accounts, load_accounts
from storage.directories.directory import SEARCH_RESULTS_MAX, Domains, Entry, Mailbox, canonical, search_words
from storage.errors import UnknownAddress
from storage.private_file import UnsafeFile
from storage.toml_tables import SettingError

_log = structlog.get_logger()
_FileState = tuple[int, int, int]
_NO_FILE: _FileState = (0, 0, 0)


class _Users:
    """The users at one moment, indexed."""

    def __init__(self, accounts: tuple[StaticAccount, ...], domains: Domains) -> None:
        self.owners = index_accounts(accounts)
        self.by_user_part: dict[str, list[Mailbox]] = defaultdict(list)
        self._entries = sorted(
            (Entry(account.display_name or account.mailbox.address, account.mailbox.address) for account in accounts),
            key=lambda entry: (search_words(entry.display_name), entry.address),
        )
        self._words: list[tuple[str, int]] = sorted(
            (word, place) for place, entry in enumerate(self._entries) for word in set(_words_of(entry))
        )
        ours = set(domains.mail)
        for account in accounts:
            mailbox = account.mailbox
            for user in dict.fromkeys(address.rpartition("@")[0] for address in mailbox.addresses):
                self.by_user_part[user].append(mailbox)
            ours.update(address.rpartition("@")[2] for address in mailbox.addresses)
        self.domains = Domains(frozenset(ours), domains.short)

    def search(self, words: Sequence[str], limit: int) -> list[Entry]:
        """Return entries of which each of *words* begins a word, in order."""
        found: set[int] | None = None
        for word in words:
            first, end = bisect_left(self._words, (word, -1)), bisect_left(self._words, (word + "\U0010ffff", -1))
            places = {place for _, place in self._words[first:end]}
            found = places if found is None else found & places
        return [self._entries[place] for place in sorted(found or ())[:limit]]


def _words_of(entry: Entry) -> tuple[str, ...]:
    return (*search_words(entry.display_name), *search_words(entry.address), entry.address)


class StaticDirectory:
    """A `Directory` of one file.  Once made it always has an answer: it never raises `DirectoryUnavailable`.

    Raises `SettingError`, `UnsafeFile`, OSError: at the start a bad file is refused.
    """

    def __init__(self, path: Path, domains: Domains) -> None:
        self._path = path
        self._domains = domains
        self._state = _state_of(path)
        self._users = self._read()
        self._reading: asyncio.Task[None] | None = None

    async def resolve(self, address: str) -> Mailbox:
        """See `Directory.resolve`."""
        return (await self._owner(canonical(address))).mailbox

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        """See `Directory.login`."""
        users = await self._current()
        read = users.domains.login_name(name)
        for address in read.exact:
            if account := users.owners.get(address):
                return (account.mailbox,)
        same = users.by_user_part.get(read.user, []) if read.is_domain_open else []
        return (same[0],) if len(same) == 1 else ()

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        """See `Directory.user_secrets`."""
        return (await self._owner(mailbox.address)).secrets

    async def search(self, text: str, limit: int) -> list[Entry]:
        """See `Directory.search`."""
        return (await self._current()).search(search_words(text), max(0, min(limit, SEARCH_RESULTS_MAX)))

    async def _owner(self, address: str) -> StaticAccount:
        account = (await self._current()).owners.get(address)
        if account is None:
            raise UnknownAddress(address)
        return account

    async def _current(self) -> _Users:
        state = _state_of(self._path)
        if state != self._state and self._reading is None:
            self._state = state
            self._reading = asyncio.create_task(self._read_again())
        if self._reading is not None:
            await asyncio.shield(self._reading)
        return self._users

    async def _read_again(self) -> None:
        try:
            self._users = await asyncio.to_thread(self._read)
            _log.info("directory.read", path=str(self._path), users=len(self._users.owners))
        except (SettingError, UnsafeFile, OSError) as error:
            _log.error("directory.refused", path=str(self._path), error=str(error))
        finally:
            self._reading = None

    def _read(self) -> _Users:
        return _Users(load_accounts(self._path), self._domains)


def _state_of(path: Path) -> _FileState:
    try:
        found = path.stat()
    except OSError:
        return _NO_FILE
    return found.st_mtime_ns, found.st_ino, found.st_size
