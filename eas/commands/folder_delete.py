"""FolderDelete: remove a folder, and all that lie in it ([MS-ASCMD] FolderDelete).

What was in them is moved to Deleted Items first, item by item, so that it can be told in parts.  What somebody else
moves into the folder meanwhile is found there, too: the state of the account sees to that (`storage/folders.py`).
"""

from dataclasses import dataclass

from eas.commands.folders import RECIPIENT_CACHE, TAG, FolderStatus, below, commit_view, presented
from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.sync import hierarchy
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.folders import TRASH
from storage.records import FolderSet, Set
from storage.state import State
from storage.views import BOTTOM, TOP

MOVES_MAX = 500
"""Items that one commit moves."""


@dataclass(frozen=True, slots=True)
class FolderDelete:
    """The request."""

    sync_key: str
    server_id: str


def parse(root: Element | None, request: EasRequest) -> FolderDelete:
    """Read the request.  Raises `CommandFailed` with Status 10 where it breaks the rules."""
    try:
        if root is None:
            raise MissingElement(TAG.FolderDelete)
        return FolderDelete(root.text(TAG.SyncKey), root.text(TAG.ServerId))
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(FolderStatus.MALFORMED) from error


async def handle(context: Context, delete: FolderDelete) -> str:
    """Remove the folder, and return the new key.

    The device is taken to drop what lies in the folder by itself: no later FolderSync tells it of those.
    """
    async with context.account.turn() as state:
        key, view = presented(context, state, delete.sync_key)
        # Of a folder that the device does have, it does not matter who removed it, or that this request did before.
        is_done = delete.server_id in state.folders.gone and delete.server_id in view.known
        removed = [] if is_done else _checked(state, delete.server_id)
        for folder in removed:
            await _empty(context, state, folder)
        records = [FolderSet(folder, "gone", True, context.device) for folder in removed]
        known = hierarchy.knowledge(view, state.views.children(key))
        known = hierarchy.known_after_delete(known, state.folders, delete.server_id)
        return await commit_view(context, state, hierarchy.next_view(view, key, known), records)


async def _empty(context: Context, state: State, folder: str) -> None:
    """Move what lies in *folder* to Deleted Items.  A crash in between leaves some moved, and the folder there."""
    while floors := await state.floors(folder, BOTTOM, TOP, limit=MOVES_MAX):
        await context.account.commit([Set(floor.item, "folder", TRASH.id, context.device) for floor in floors])


def _checked(state: State, server_id: str) -> list[str]:
    """Return the folder and those that lie in it."""
    folder = state.folders.tree().get(server_id)
    if server_id == RECIPIENT_CACHE or (folder is not None and folder.is_default):
        raise CommandFailed(FolderStatus.SPECIAL)
    if folder is None:
        raise CommandFailed(FolderStatus.NOT_FOUND)
    return [server_id, *below(state.folders.tree(), server_id)]


def render(sync_key: str, version: Version) -> Element:
    """Write the answer."""
    return element(TAG.FolderDelete, leaf(TAG.Status, FolderStatus.SUCCESS), leaf(TAG.SyncKey, sync_key))
