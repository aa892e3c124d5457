"""FolderCreate: make a folder ([MS-ASCMD] FolderCreate)."""

from dataclasses import dataclass

from eas.commands.folders import (
    DEPTH_MAX,
    FOLDERS_MAX,
    RECIPIENT_CACHE,
    ROOT,
    TAG,
    FolderStatus,
    ancestors,
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
from storage.folders import Folder, FolderType
from storage.ids import own_folder
from storage.records import FolderSet
from storage.state import State

TYPES = frozenset(kind for kind in FolderType if kind == FolderType.USER or kind >= FolderType.USER_MAIL)
"""[MS-ASCMD] FolderCreate/Type: a default folder cannot be made."""


@dataclass(frozen=True, slots=True)
class FolderCreate:
    """The request.  `parent` None: at the top."""

    sync_key: str
    parent: str | None
    name: str
    type: FolderType


@dataclass(frozen=True, slots=True)
class Created:
    """The new key, and the new folder's id."""

    sync_key: str
    server_id: str


def parse(root: Element | None, request: EasRequest) -> FolderCreate:
    """Read the request.  Raises `CommandFailed` with Status 10 where it breaks the rules."""
    try:
        if root is None:
            raise MissingElement(TAG.FolderCreate)
        kind = root.number(TAG.Type)
        if kind not in TYPES:
            raise CommandFailed(FolderStatus.MALFORMED)
        return FolderCreate(root.text(TAG.SyncKey), parse_parent(root), parse_name(root), FolderType(kind))
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(FolderStatus.MALFORMED) from error


async def handle(context: Context, create: FolderCreate) -> Created:
    """Make the folder, once however often this very request comes: its id is made of what then stays the same."""
    async with context.account.turn() as state:
        key, view = presented(context, state, create.sync_key)
        parts = (context.device, create.sync_key, create.parent or ROOT, create.name)
        folder = own_folder(context.account.keys.ids, *parts)
        is_made = folder in state.folders.tree() or folder in state.folders.gone
        if not is_made:
            _check(state, create)
        values = {"name": create.name, "parent": create.parent, "type": int(create.type)}
        records = [FolderSet(folder, name, value, context.device) for name, value in values.items()]
        # What became of the folder since it was made (renamed, removed) is told by the next FolderSync.
        wanted = Folder(folder, create.name, create.parent, create.type)
        new_key = await commit_change(context, state, key, view, [] if is_made else records, wanted)
        return Created(new_key, folder)


def _check(state: State, create: FolderCreate) -> None:
    tree = state.folders.tree()
    if create.parent == RECIPIENT_CACHE:
        raise CommandFailed(FolderStatus.SPECIAL)
    if create.parent is not None and create.parent not in tree:
        raise CommandFailed(FolderStatus.PARENT_NOT_FOUND)
    if is_taken(state, create.name, create.parent):
        raise CommandFailed(FolderStatus.EXISTS)
    if len(tree) >= FOLDERS_MAX or len(ancestors(tree, create.parent)) >= DEPTH_MAX:
        raise CommandFailed(FolderStatus.UNKNOWN_ERROR)


def render(created: Created, version: Version) -> Element:
    """Write the answer; the order of the elements is fixed."""
    return element(
        TAG.FolderCreate,
        leaf(TAG.Status, FolderStatus.SUCCESS),
        leaf(TAG.SyncKey, created.sync_key),
        leaf(TAG.ServerId, created.server_id),
    )
