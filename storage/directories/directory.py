"""The directory: which addresses there are, whose they are, and who may log in as whom.

A directory holds no keys and no passwords: a password is right if it opens a slot (`keys.py`).  It does hold the *user
secrets* that passwords are mixed with, which is why it must not lie in the store.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from storage.errors import UnknownAddress
from storage.paths import ADDRESS_CHARS_MAX

LOGIN_CHARS_MAX = 512
SEARCH_CHARS_MAX = 256
SEARCH_RESULTS_MAX = 1000
_ADDRESS = re.compile(r'[^\s@\x00-\x1f\x7f"<>\\,;:()\[\]]+@[^\s@\x00-\x1f\x7f"<>\\,;:()\[\]/]+')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One user, as the directory describes him."""

    address: str
    """The canonical address: what mail is sent from."""
    aliases: tuple[str, ...] = ()
    """Other addresses of the same user, canonical in form."""
    display_name: str = ""
    quota_bytes: int | None = None
    """None: as much as fits."""
    identity: str = ""
    """What the account's name in the store is made from (`paths.account_of`); stays when the address changes."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, the canonical one first."""
        return (self.address, *self.aliases)


@dataclass(frozen=True, slots=True)
class Entry:
    """One result of a search in the address book."""

    display_name: str
    address: str


class Directory(Protocol):
    """Whom mail is for and who logs in.  Every call raises `DirectoryUnavailable` when it cannot be answered now."""

    async def resolve(self, address: str) -> Mailbox:
        """Return whose address this is, in any letter case, aliases included.  Raises `UnknownAddress`."""
        ...

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        """Return who may be meant by what somebody typed as his name (`LoginName`): nobody, or one, at most a few."""
        ...

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        """Return what passwords are mixed with: the current secret, then alternates.  Raises `UnknownAddress`."""
        ...

    async def search(self, text: str, limit: int) -> list[Entry]:
        """Return at most *limit* users of whose name or address each word of *text* begins a word, by name."""
        ...


@dataclass(frozen=True, slots=True)
class LoginName:
    r"""What somebody typed as his name: `user`, `user@domain` or `DOMAIN\user`, in any letter case.

    Whoever has one of `exact` is meant; else, if `is_domain_open`, the one whose user part this is, if there is
    exactly one.
    """

    exact: tuple[str, ...]
    """Addresses, the likeliest first."""
    user: str
    is_domain_open: bool
    """No domain was given, or one that is not ours: phones ask for a "domain" and people write anything there."""


def canonical(address: str) -> str:
    """Return the one form of an address: small letters, form C, the domain in ASCII.  Raises `UnknownAddress`."""
    text = _folded(address)
    if len(text) <= ADDRESS_CHARS_MAX and _ADDRESS.fullmatch(text):
        user, _, domain = text.rpartition("@")
        whole = f"{user}@{canonical_domain(domain)}"
        if len(whole) <= ADDRESS_CHARS_MAX:
            return whole
    raise UnknownAddress(address[:ADDRESS_CHARS_MAX])


def canonical_domain(domain: str) -> str:
    """Return the one form of a domain: small letters, ASCII (A-labels).  Raises `UnknownAddress`."""
    text = _folded(domain)
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode()
    except UnicodeError as error:
        raise UnknownAddress(domain[:ADDRESS_CHARS_MAX]) from error


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip().lower())


@dataclass(frozen=True, slots=True)
class Domains:
    """The mail domains that are ours, and their short names.  Make it with `of`."""

    mail: frozenset[str] = frozenset()
    short: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, mail: Iterable[str], short: Mapping[str, str]) -> "Domains":
        """Take domains as they were written: *short* has `EXAMPLE` for example.org.  Raises `UnknownAddress`."""
        shorts = {_folded(name): canonical_domain(domain) for name, domain in short.items()}
        return cls(frozenset(map(canonical_domain, mail)) | frozenset(shorts.values()), shorts)

    def login_name(self, name: str) -> LoginName:
        """Read what was typed.  Nonsense and what is too long become a name that nobody has."""
        if len(name) > LOGIN_CHARS_MAX:
            return LoginName((), "", False)
        domain, _, user = _folded(name).rpartition("\\")
        local, at, host = user.rpartition("@")
        if not at:
            local, host = user, ""
        exact: dict[str, None] = {}
        is_ours = False
        for given in (host, domain):
            for wanted in (given, self.short.get(given, "")):
                with suppress(UnknownAddress):
                    exact[canonical(f"{local}@{wanted}")] = None
                    is_ours = is_ours or canonical_domain(wanted) in self.mail
        return LoginName(tuple(exact), local, not is_ours)


def search_words(text: str) -> tuple[str, ...]:
    """Return the words of a name or query, as they are compared: without case and accents."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text[:SEARCH_CHARS_MAX]) if not unicodedata.combining(c))
    return tuple(re.findall(r"\w+", bare.casefold()))
