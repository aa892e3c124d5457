"""The file of users of a small site: a TOML table `[[account]]` each, written by hand or by `petitbleu account add`.

    [[account]]
    address = "anna@example.org"
    display_name = "Anna Beispiel"
    aliases = ["info@example.org"]
    user_secret = "…"

It holds secrets, so its mode is 0600.  New users are appended, and what stands there stays as it was written.
"""

import fcntl
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

from storage.directories.directory import Mailbox, canonical
from storage.errors import UnknownAddress
from storage.private_file import read_private, replace_private
from storage.toml_tables import Between, SettingError, TableReader, toml_value

TEXT_CHARS_MAX = 1000
QUOTA_BYTES_MAX = 1 << 60
_SECRET_BYTES = 24
HEADER = """# The users.  Written by `petitbleu account add`; may be edited, and is read again when it changes.
# user_secret is mixed into the password: who loses it needs the recovery key.  To replace one, move it to
# `alternates = ["…"]` until its owner has logged in again.  `identity` keeps the account when the address changes:
# set it to the first address.
"""


@dataclass(frozen=True, slots=True)
class StaticAccount:
    """One user in the file.  Raises ValueError for what cannot be an address or is too long."""

    address: str
    display_name: str = ""
    aliases: tuple[str, ...] = ()
    user_secret: str = field(default="", repr=False)
    alternates: tuple[str, ...] = field(default=(), repr=False)
    quota_bytes: Annotated[int, Between(0, QUOTA_BYTES_MAX)] | None = None
    identity: str = ""

    def __post_init__(self) -> None:
        for text in (self.display_name, self.user_secret, *self.alternates):
            if len(text) > TEXT_CHARS_MAX or not text.isprintable():
                raise ValueError(f"{self.address}: a text is over {TEXT_CHARS_MAX} characters or not printable")
        try:
            _ = self.mailbox
        except UnknownAddress as error:
            raise ValueError(f"not an address: {error.address!r}") from error

    @property
    def mailbox(self) -> Mailbox:
        """What the directory tells of this user."""
        address = canonical(self.address)
        aliases = tuple(alias for alias in dict.fromkeys(map(canonical, self.aliases)) if alias != address)
        identity = canonical(self.identity) if self.identity else address
        return Mailbox(address, aliases, self.display_name, self.quota_bytes, identity)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """User secrets, the current one first."""
        return tuple(text.encode() for text in (self.user_secret, *self.alternates))


class AddressTaken(Exception):
    """Another user has this address, or this identity, already."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class _File:
    account: tuple[StaticAccount, ...] = ()


def parse_accounts(text: str, where: str) -> tuple[StaticAccount, ...]:
    """Read the file's text.  Raises `SettingError`, also for an address that two users have."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(where, str(error)) from error
    accounts = TableReader(_File, Path()).read(table, where).account
    try:
        index_accounts(accounts)
    except AddressTaken as error:
        raise SettingError(where, f"two users have {error.address}") from error
    return accounts


def index_accounts(accounts: tuple[StaticAccount, ...]) -> dict[str, StaticAccount]:
    """Return who has each address.  Raises `AddressTaken` for one, or for an identity, that two have."""
    owners: dict[str, StaticAccount] = {}
    identities: set[str] = set()
    for account in accounts:
        mailbox = account.mailbox
        for address in mailbox.addresses:
            if address in owners:
                raise AddressTaken(address)
            owners[address] = account
        if mailbox.identity in identities:  # two users in one store: each would see the other's mail
            raise AddressTaken(mailbox.identity)
        identities.add(mailbox.identity)
    return owners


def load_accounts(path: Path) -> tuple[StaticAccount, ...]:
    """Read the file.  Raises `SettingError`, `private_file.UnsafeFile`, OSError."""
    return parse_accounts(read_text(path), str(path))


def add_account(path: Path, account: StaticAccount) -> StaticAccount:
    """Append a user, with a fresh user secret if he has none; return him as written.  Durable on return.

    The file is made if it is not there.  Raises `AddressTaken`, `SettingError` for a file that does not make sense,
    `UnsafeFile`, OSError.
    """
    return add_accounts(path, [account])[0]


def add_accounts(path: Path, accounts: Sequence[StaticAccount]) -> list[StaticAccount]:
    """Append several users at once, all or none; as `add_account`."""
    added = [
        account if account.user_secret else replace(account, user_secret=token_urlsafe(_SECRET_BYTES))
        for account in accounts
    ]
    with locked(path):
        text = read_text(path) if path.exists() else HEADER
        index_accounts((*parse_accounts(text, str(path)), *added))
        text = "\n\n".join([text.rstrip(), *(render_account(account).rstrip() for account in added)]) + "\n"
        if list(parse_accounts(text, str(path))[-len(added) :]) != added:
            raise SettingError(str(path), "a new user at the end is not read as one: the file ends within a table?")
        replace_private(path, text.encode())
    return added


def render_account(account: StaticAccount) -> str:
    """Write one user as TOML, without what is as by default."""
    values = {
        "address": account.address,
        "display_name": account.display_name,
        "aliases": account.aliases,
        "user_secret": account.user_secret,
        "alternates": account.alternates,
        "quota_bytes": account.quota_bytes,
        "identity": account.identity,
    }
    lines = [f"{key} = {toml_value(value)}\n" for key, value in values.items() if value or value == 0]
    return "[[account]]\n" + "".join(lines)


def read_text(path: Path) -> str:
    """Return the file's text.  Raises `SettingError`, `UnsafeFile`, OSError."""
    try:
        return read_private(path).decode()
    except UnicodeDecodeError as error:
        raise SettingError(str(path), "is not UTF-8") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one at a time change the file.  The lock is a file beside it: the file itself is replaced."""
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
