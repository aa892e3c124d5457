"""What the subcommands do with accounts and their files, as functions; they print nothing and ask nobody."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eas.run.explained import Mistake
from storage import paths
from storage.directories.accounts_file import HEADER, StaticAccount, add_account, load_accounts
from storage.directories.accounts_removal import remove_account
from storage.directories.directory import Mailbox, canonical
from storage.errors import UnknownAddress
from storage.keyring import keys
from storage.keyring.objects import load
from storage.keyring.passwords import fit_password
from storage.opening import open_store
from storage.private_file import create_private
from storage.settings import Settings as StorageSettings
from storage.startup import create_deployment_key
from storage.store import Store
from storage.toml_tables import SettingError
from storage.verified import VerifyingDirectory

DELETED_AT_ONCE = 500
NEWS_OF_KEYS = ""
"""The writer in news that say: passwords changed, look again (`eas/login/sessions.py`)."""


class NotInDirectory(Mistake):
    """What was asked for is a matter of the LDAP directory; says what to do there."""


def given_settings(config: Path, store: Path | None, default: Path) -> Mapping[str, Mapping[str, object]]:
    """Return the settings that a new configuration file must give: the files lie beside it unless it is the default."""
    if config == default:
        return {"storage": {"path": store.absolute()}} if store else {}
    files = {"directory_file": "accounts.toml", "deployment_key_file": "deployment.key"}
    return {"storage": {"path": store.absolute() if store else "store", **files}}


def create_configuration(config: Path, text: str) -> list[Path]:
    """Write the file if it is not there, with its folder; return what was made."""
    config.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), config.open("x", encoding="utf-8") as file:
        file.write(text)
        return [config]
    return []


def create_files(settings: StorageSettings) -> list[Path]:
    """Make the deployment's key and the accounts file where they are missing; return what was made.

    Raises `SettingError` for a store that has lost its key: with a new one its accounts would not be found again.
    """
    key, accounts = settings.deployment_key_file, settings.directory_file
    made = []
    if not key.exists():
        if settings.engine == "local" and (settings.path / "store.sqlite").exists():
            raise SettingError(str(key), f"is missing, but the store in {settings.path} was made with it: restore it")
        key.parent.mkdir(parents=True, exist_ok=True)
        create_deployment_key(key)
        made.append(key)
    if not accounts.exists():
        accounts.parent.mkdir(parents=True, exist_ok=True)
        create_private(accounts, HEADER.encode())
        made.append(accounts)
    return made


async def try_store(settings: StorageSettings) -> None:
    """Open the store, which makes it, and close it again.  Raises as `open_store`."""
    await (await open_store(settings)).close()


async def create_account(store: Store, settings: StorageSettings, account: StaticAccount, password: str) -> str:
    """Enter a user and make his keys; return the recovery key, which is not seen again.

    A user who is entered but has no keys yet (a crash in between) gets them.  In a directory that is not ours he
    must be already, and his password must be the one that is right there.  Raises `AddressTaken`, `AccountExists`,
    `UnfitPassword`, `SettingError`, `EngineError`; of such a directory also `UnknownAddress`, `NotInDirectory`.
    """
    fit_password(password)  # before anything is written
    if settings.directory == "file":
        known = {one.mailbox.address for one in load_accounts(settings.directory_file)}
        if account.mailbox.address not in known:
            add_account(settings.directory_file, account)
    mailbox = await store.directory.resolve(account.address)
    await _must_verify(store, mailbox, password)
    return (await store.create(mailbox, password)).recovery_key


async def _must_verify(store: Store, mailbox: Mailbox, password: str) -> None:
    directory = store.directory
    if isinstance(directory, VerifyingDirectory) and not await directory.verify(mailbox, password):
        raise NotInDirectory(f"the directory does not take this password for {mailbox.address}: change it there first")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of accounts."""

    mailbox: Mailbox
    has_keys: bool


async def list_accounts(store: Store, settings: StorageSettings) -> list[Listed]:
    """Return all users, in the order of the file.  Raises `NotInDirectory` where there is none."""
    if settings.directory != "file":
        raise NotInDirectory("the users are in LDAP: list them with its tools, or one by one with `account show`")
    return [
        Listed(account.mailbox, await has_keys(store, account.mailbox))
        for account in load_accounts(settings.directory_file)
    ]


async def has_keys(store: Store, mailbox: Mailbox) -> bool:
    """Tell whether the account of *mailbox* exists in the store."""
    return bool(await store.engine.list(paths.prefix(paths.Kind.PUBLIC, store.account_id(mailbox)), limit=1))


async def find(store: Store, name: str) -> Mailbox:
    """Return whom *name* means, as at login.  Raises `UnknownAddress`."""
    found = await store.directory.login(name)
    if not found:
        raise UnknownAddress(name)
    return found[0]


async def change_password(store: Store, mailbox: Mailbox, current: str, new: str) -> None:
    """Give the account a new main password; *current* may be the recovery key.

    Sessions end, on this machine at once.  Raises `WrongPassword`, `UnfitPassword`, `SlotChanged`, `EngineError`,
    `NotInDirectory` for one that the directory of passwords does not know.
    """
    fit_password(new)
    await _must_verify(store, mailbox, new)
    secrets = await store.directory.user_secrets(mailbox)
    unlocked = await keys.unlock(store.vault, store.account_id(mailbox), current, secrets)
    await keys.change_password(store.vault, unlocked, new, secrets[0] if secrets else b"")
    store.feed.publish(unlocked.account, NEWS_OF_KEYS, 0)


async def delete_account(store: Store, settings: StorageSettings, mailbox: Mailbox) -> int:
    """Remove a user and everything he has in the store; return how many objects that were.  There is no way back.

    The user goes first: mail is refused from then on.  In LDAP his password should have been locked before, or the
    account is made again at his next login; his entry goes afterwards, by LDAP's own tools.  Raises `SettingError`,
    `EngineError`; then do it again.
    """
    account_id = store.account_id(mailbox)
    with suppress(UnknownAddress):
        if settings.directory == "file":
            remove_account(settings.directory_file, canonical(mailbox.address))
    # Keys first: whatever stays after a crash opens to nobody.
    prefix = paths.account_prefix(account_id)
    stored = await load(store.vault, account_id)
    names = [*stored.publics, *stored.slot_names, *stored.ring_names]
    await store.engine.delete(names)
    store.feed.publish(account_id, NEWS_OF_KEYS, 0)
    deleted = len(names)
    while page := await store.engine.list(prefix, limit=DELETED_AT_ONCE):
        await store.engine.delete(entry.key for entry in page)
        deleted += len(page)
    return deleted
