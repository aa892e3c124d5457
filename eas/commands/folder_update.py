"""FolderUpdate: rename a folder, or move it below another ([MS-ASCMD] FolderUpdate)."""

from dataclasses import dataclass

from eas.commands.folders import (
    DEPTH_MAX,
    RECIPIENT_CACHE,
    TAG,
    FolderStatus,
    ancestors,
    below,
    commit_change,
    is_taken,
    parse_name,
    parse_parent,
    presented,
)
from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.folders import Folder
from storage.records import FolderSet
from storage.state import State


@dataclass(frozen=True, slots=True)
class FolderUpdate:
    """The request.  `parent` None: at the top."""

    sync_key: str
    server_id: str
    parent: str | None
    name: str


def parse(root: Element | None, request: EasRequest) -> FolderUpdate:
    """Read the request.  Raises `CommandFailed` with Status 10 where it breaks the rules."""
    try:
        if root is None:
            raise MissingElement(TAG.FolderUpdate)
        if root.has(TAG.Status):
            raise CommandFailed(FolderStatus.MALFORMED)
        return FolderUpdate(root.text(TAG.SyncKey), root.text(TAG.ServerId), parse_parent(root), parse_name(root))
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(FolderStatus.MALFORMED) from error


async def handle(context: Context, update: FolderUpdate) -> str:
    """Give the folder its name and parent; return the new key."""
    async with context.account.turn() as state:
        key, view = presented(context, state, update.sync_key)
        folder = _checked(state, update)
        wanted = Folder(folder.id, update.name, update.parent, folder.type)
        # An earlier try of this request did it already: what others did since must not be undone.
        is_done = any(child.known.get(folder.id) == wanted.digest for child in state.views.children(key))
        changed = {"name": update.name} if folder.name != update.name else {}
        moved = {"parent": update.parent} if folder.parent != update.parent else {}
        values = {} if is_done else {**changed, **moved}
        records = [FolderSet(folder.id, name, value, context.device) for name, value in values.items()]
        return await commit_change(context, state, key, view, records, wanted)


def _checked(state: State, update: FolderUpdate) -> Folder:
    tree = state.folders.tree()
    folder, parent = tree.get(update.server_id), update.parent
    if update.server_id == RECIPIENT_CACHE:
        raise CommandFailed(FolderStatus.SPECIAL)
    if folder is None:
        raise CommandFailed(FolderStatus.NOT_FOUND)
    if folder.is_default:
        raise CommandFailed(FolderStatus.EXISTS)
    # A folder cannot lie in itself: no client offers that, and no Status is meant for it.
    if parent is not None and (parent not in tree or folder.id in ancestors(tree, parent)):
        raise CommandFailed(FolderStatus.PARENT_NOT_FOUND)
    if is_taken(state, update.name, parent, but=folder.id):
        raise CommandFailed(FolderStatus.EXISTS)
    if len(ancestors(tree, parent)) + _height(state, folder.id) > DEPTH_MAX:
        raise CommandFailed(FolderStatus.UNKNOWN_ERROR)
    return folder


def _height(state: State, folder: str) -> int:
    tree = state.folders.tree()
    own = len(ancestors(tree, folder))
    return max((len(ancestors(tree, child)) for child in below(tree, folder)), default=own) - own + 1


def render(sync_key: str, version: Version) -> Element:
    """Write the answer."""
    return element(TAG.FolderUpdate, leaf(TAG.Status, FolderStatus.SUCCESS), leaf(TAG.SyncKey, sync_key))
