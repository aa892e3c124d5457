"""What the subcommands do with what an account holds; all of it needs the account's keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from eas import device as remembered
from eas.protocol.versions import Version
from eas.run.explained import Mistake
from storage.account import Account
from storage.directories.directory import Mailbox
from storage.folders import Folder
from storage.keyring import keys
from storage.records import DeviceSet, Set
from storage.state import State
from storage.store import Store
from storage.views import BOTTOM, TOP

REMOVED_AT_ONCE = 500
"""Items of one commit."""


class UnknownFolder(Mistake):
    """The account has no folder of that name; the message names those it has."""


class UnknownDevice(Mistake):
    """Nothing is remembered of such a device."""


@dataclass(frozen=True, slots=True)
class FolderSize:
    """How much lies in a folder."""

    folder: Folder
    items: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Device:
    """What is remembered of a device.  Times are milliseconds since 1970, or None."""

    id: str
    type: str
    version: str
    first_seen_ms: int | None
    last_seen_ms: int | None
    information: dict[str, str]


async def unlock(store: Store, mailbox: Mailbox, password: str) -> tuple[Account, keys.Unlocked]:
    """Open the account; *password* may be the recovery key.  Raises `WrongPassword`, `EngineError`."""
    return await store.unlock(mailbox.address, password)


async def folder_sizes(account: Account) -> list[FolderSize]:
    """Return every folder with what lies in it, in the order of the tree."""
    async with account.turn() as state:
        sizes = []
        for folder in state.folders.tree().values():
            items = await state.members(folder.id, BOTTOM, TOP)
            sizes.append(FolderSize(folder, len(items), sum(item.size_bytes for item in items)))
        return sizes


async def devices(account: Account) -> list[Device]:
    """Return all devices that are remembered, the one seen last first."""
    async with account.turn() as state:
        found = [_device(state, name) for name in state.devices.names()]
    return sorted(found, key=lambda device: (-(device.last_seen_ms or 0), device.id))


def _device(state: State, name: str) -> Device:
    known = state.devices
    version = known.get(name, remembered.VERSION)
    return Device(
        name,
        str(known.get(name, remembered.TYPE, "")),
        Version(version).text if version in Version.__members__.values() else "",
        known.get(name, remembered.FIRST_SEEN),
        known.get(name, remembered.LAST_SEEN),
        known.get(name, remembered.INFORMATION, {}),
    )


async def forget_device(account: Account, device_id: str, *, even_unknown: bool = False) -> None:
    """Forget everything about a device: it begins anew with its next request.

    Raises `UnknownDevice`, unless *even_unknown*: in a store restored from before it came it still has its keys.
    """
    async with account.turn() as state:
        names = {name.lower(): name for name in state.devices.names()}
        name = names.get(device_id.lower())
        if name is None and even_unknown:
            name = device_id.lower()
        if name is None:
            raise UnknownDevice(f"no device {device_id!r}; there are: {', '.join(sorted(names)) or 'none'}")
        await account.commit([DeviceSet(name, "", None)])


async def chosen_folders(account: Account, name: str | None) -> list[Folder]:
    """Return the folders that *name* means (an id, or a name in any case; None: all).  Raises `UnknownFolder`."""
    async with account.turn() as state:
        tree = list(state.folders.tree().values())
    if name is None:
        return tree
    found = [folder for folder in tree if folder.id == name]
    found = found or [folder for folder in tree if folder.name.casefold() == name.casefold()]
    if not found:
        raise UnknownFolder(f"no folder {name!r}; there are: {', '.join(folder.name for folder in tree)}")
    return found


async def empty(account: Account, folders: Sequence[Folder]) -> int:
    """Remove all items of *folders*, which stay; devices are told.  Return how many items went."""
    removed = 0
    async with account.turn() as state:
        for folder in folders:
            items = await state.members(folder.id, BOTTOM, TOP)
            for start in range(0, len(items), REMOVED_AT_ONCE):
                part = items[start : start + REMOVED_AT_ONCE]
                records = [Set(item.id, "folder", None) for item in part]
                await account.commit(records, -sum(item.size_bytes for item in part))
            removed += len(items)
    return removed
