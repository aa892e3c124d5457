"""What the subcommands do with an account's keys, as functions; they print nothing and ask nobody."""

from collections.abc import Sequence
from contextlib import suppress

from eas.cli.admin import NEWS_OF_KEYS
from eas.run.explained import Mistake
from storage.directories.directory import Mailbox
from storage.engine import EngineError
from storage.keyring import app_passwords, keys, recovering, rotation
from storage.keyring.creation import NewKeys
from storage.keyring.exported import ExportedKeys
from storage.keyring.slots import SlotKind
from storage.seal import SealError
from storage.store import Store


class NoAppPassword(Mistake):
    """There is none such to revoke."""


async def unlock(store: Store, mailbox: Mailbox, password: str) -> keys.Unlocked:
    """Return the account's keys; *password* may be the recovery key.  Raises `WrongPassword`, `EngineError`."""
    return await keys.unlock(store.vault, store.account_id(mailbox), password, await _secrets(store, mailbox))


async def renew_recovery_key(store: Store, mailbox: Mailbox, current: str) -> str:
    """Return a new recovery key; the one before it opens nothing any more.  Raises `WrongPassword`, `EngineError`."""
    recovery_key = await keys.renew_recovery_key(store.vault, await unlock(store, mailbox, current))
    tell(store, mailbox)
    return recovery_key


async def add_app_password(store: Store, mailbox: Mailbox, current: str, device_id: str, label: str) -> str:
    """Return a new password that opens the account on this device alone.

    Raises `WrongPassword`, `TooManySlots`, `EngineError`.
    """
    secrets = await _secrets(store, mailbox)
    unlocked = await unlock(store, mailbox, current)
    return await app_passwords.add_app_password(store.vault, unlocked, secrets[0] if secrets else b"", device_id, label)


async def list_app_passwords(store: Store, mailbox: Mailbox, current: str) -> list[keys.SlotInfo]:
    """Return those that open, the newest first.  Raises `WrongPassword`, `EngineError`."""
    slots = await keys.list_slots(store.vault, await unlock(store, mailbox, current))
    return [slot for slot in slots if slot.kind is SlotKind.APP]


async def revoke_app_passwords(store: Store, mailbox: Mailbox, device_id: str) -> int:
    """Revoke all of a device; return how many.  Needs no password.  Sessions end, everywhere as soon as it is heard.

    Raises `NoAppPassword`, `EngineError`.
    """
    account_id = store.account_id(mailbox)
    found = await app_passwords.app_slots_of(store.vault, account_id, device_id)
    if not found:
        raise NoAppPassword(f"{mailbox.address} has no app password for the device {device_id!r}")
    for slot_id in found:
        await keys.revoke(store.vault, account_id, slot_id)
    tell(store, mailbox)
    return len(found)


async def rotate(store: Store, mailbox: Mailbox, current: str) -> rotation.Rotated:
    """Give the account a new master key and key pair; epochs of before that nothing needs end.

    Raises `WrongPassword`, `KeysChanged`, `Claimed`, `TooManyEpochs`, `EngineError`.
    """
    unlocked = await unlock(store, mailbox, current)
    with suppress(keys.KeysChanged, SealError, EngineError):  # another time, then
        await rotation.retire(store.vault, unlocked)
    rotated = await rotation.rotate(store.vault, unlocked)
    tell(store, mailbox)
    return rotated


async def exported(store: Store, mailbox: Mailbox, current: str) -> ExportedKeys:
    """Return all keys of the account.  Raises `WrongPassword`, `EngineError`."""
    unlocked = await unlock(store, mailbox, current)
    return ExportedKeys(unlocked.account, mailbox.address, unlocked.ring)


async def recover(store: Store, mailbox: Mailbox, given: ExportedKeys, password: str) -> NewKeys:
    """Give the account a new main password and recovery key by its exported keys.  Raises as `recovering.recover`."""
    secrets = await _secrets(store, mailbox)
    account_id = store.account_id(mailbox)
    made = await recovering.recover(store.vault, account_id, given, password, secrets[0] if secrets else b"")
    tell(store, mailbox)
    return made


def tell(store: Store, mailbox: Mailbox) -> None:
    """Tell all processes that passwords or keys of the account changed: their sessions look again."""
    store.feed.publish(store.account_id(mailbox), NEWS_OF_KEYS, 0)


async def _secrets(store: Store, mailbox: Mailbox) -> Sequence[bytes]:
    return await store.directory.user_secrets(mailbox)
