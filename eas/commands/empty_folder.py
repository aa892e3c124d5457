"""EmptyFolderContents: remove all of a folder for good ([MS-ASCMD] EmptyFolderContents).

Meant for Deleted Items, and as good for any other mail folder.  What arrives meanwhile stays.  Said again, it does the
rest: nothing is worse for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eas.commands.operation_status import OperationFailed, OperationStatus
from eas.context import Context
from eas.finding.mailsearch import below
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, element, leaf
from storage.account import Account
from storage.items import Item
from storage.records import FolderSet, Record, Set
from storage.state import State
from storage.views import BOTTOM, TOP, Floor

TAG = pages.ItemOperations
RECORDS_MAX = 500
"""Of one commit; between two commits other requests have their turn."""


@dataclass(frozen=True, slots=True)
class EmptyFolder:
    """One EmptyFolderContents."""

    collection_id: str
    with_subfolders: bool = False
    fault: OperationStatus | None = None


@dataclass(frozen=True, slots=True)
class Emptied:
    """The answer to it."""

    request: EmptyFolder
    status: OperationStatus


def parse(operation: Element) -> EmptyFolder:
    """Read an EmptyFolderContents; what is wrong with it becomes its *fault*.  Raises `MissingElement`."""
    collection_id = operation.text(pages.AirSync.CollectionId)
    options = operation.first(TAG.Options)
    try:
        with_subfolders = options is not None and options.flag_or(TAG.DeleteSubFolders, default=False)
    except InvalidValue:
        return EmptyFolder(collection_id, fault=OperationStatus.PROTOCOL_ERROR)
    return EmptyFolder(collection_id, with_subfolders)


async def run(context: Context, request: EmptyFolder) -> Emptied:
    """Empty the folder.  Raises `Unavailable`: part of it may have been done."""
    try:
        if request.fault is not None:
            raise OperationFailed(request.fault)
        await _empty(context, request)
    except OperationFailed as failed:
        return Emptied(request, failed.status)
    return Emptied(request, OperationStatus.SUCCESS)


async def _empty(context: Context, request: EmptyFolder) -> None:
    account, folder = context.account, request.collection_id
    async with account.turn() as state:
        tree = state.folders.tree()
        if folder not in tree or tree[folder].holds != "Email":
            raise OperationFailed(OperationStatus.NOT_FOUND)
        lower = below(tree, {folder}) if request.with_subfolders else set()
        floors = {name: await state.floors(name, BOTTOM, TOP) for name in sorted({folder} | lower)}
    for name, members in floors.items():
        for start in range(0, len(members), RECORDS_MAX):
            await remove(account, context.device, name, members[start : start + RECORDS_MAX])
    if lower:
        await _remove_folders(account, context.device, lower)


async def remove(account: Account, device: str, folder: str, floors: Sequence[Floor]) -> None:
    """Remove those of the items at *floors* that are still in *folder*, in one commit."""
    async with account.turn(fresh=False) as state:
        items = list((await state.items(floor.item for floor in floors)).values())
        present = [item for item in items if state.folders.resting_place(item).folder == folder]
        if present:
            await account.commit(*removal(present, device))


def removal(items: Sequence[Item], device: str) -> tuple[list[Record], int]:
    """Return the records that remove *items*, and by how many bytes usage changes."""
    return [Set(item.id, "folder", None, device) for item in items], -sum(item.size_bytes for item in items)


async def _remove_folders(account: Account, device: str, folders: set[str]) -> None:
    """Remove the folders, and first what came into them meanwhile: members of a removed folder go to the Trash."""
    async with account.turn() as state:
        late = [item for folder in sorted(folders) for item in await _members(state, folder)]
        records, usage_bytes = removal(late, device)
        gone: list[Record] = [FolderSet(folder, "gone", True, device) for folder in sorted(folders)]
        await account.commit([*records, *gone], usage_bytes)


async def _members(state: State, folder: str) -> list[Item]:
    return await state.members(folder, BOTTOM, TOP)


def render(emptied: Emptied) -> Element:
    """Return the EmptyFolderContents of the response."""
    return element(
        TAG.EmptyFolderContents,
        leaf(TAG.Status, emptied.status),
        leaf(pages.AirSync.CollectionId, emptied.request.collection_id),
    )
