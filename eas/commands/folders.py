"""What FolderSync, FolderCreate, FolderUpdate and FolderDelete share: their Status values, and the key they go by.

A folder command presents the key of a view of the folder list and, if it succeeds, is given the next one.  Record and
view are one commit, and the view differs from what the device knew by this change alone: the next FolderSync does not
echo it, and still tells what others did.  A request that comes again (its answer was lost) finds its work done and is
given another view that follows the same key.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from eas import device
from eas.context import CommandFailed, Context
from eas.sync import hierarchy, synckey
from eas.sync.collection import UnknownKey, living_view
from eas.sync.hierarchy import HIERARCHY
from eas.wbxml import pages
from eas.wbxml.element import Element
from storage.folders import Folder
from storage.records import FolderSet, Record, ViewMade
from storage.state import State
from storage.views import View, ViewId

TAG = pages.FolderHierarchy

RECIPIENT_CACHE = "RI"
"""Id of the recipient cache, a folder that strict clients look for from 14.0 on: empty and read-only."""
ROOT = "0"
"""[MS-ASCMD] ParentId: the top of the tree."""
FOLDERS_MAX = 2000
"""How many folders an account may have: every view of the list names them all."""
DEPTH_MAX = 50
"""How deep folders may lie in each other."""
_NAME_CHARS_MAX = 256


class FolderStatus(IntEnum):
    """[MS-ASCMD] Status (FolderCreate, FolderDelete, FolderSync, FolderUpdate)."""

    SUCCESS = 1
    EXISTS = 2
    SPECIAL = 3
    NOT_FOUND = 4
    PARENT_NOT_FOUND = 5
    SERVER_ERROR = 6
    INVALID_SYNC_KEY = 9
    MALFORMED = 10
    UNKNOWN_ERROR = 11


def parse_name(root: Element) -> str:
    """Return the DisplayName: 1 to 256 characters, not all blank, none a control.

    Raises `MissingElement`, and `CommandFailed` with Status 10.
    """
    name = root.text(TAG.DisplayName)
    if not name.strip() or len(name) > _NAME_CHARS_MAX or any(character < " " for character in name):
        raise CommandFailed(FolderStatus.MALFORMED)
    return name


def parse_parent(root: Element) -> str | None:
    """Return the ParentId, None for the top.  Raises `MissingElement`."""
    parent = root.text(TAG.ParentId)
    return None if parent in ("", ROOT) else parent


def presented(context: Context, state: State, sync_key: str) -> tuple[ViewId, View]:
    """Return the view of the key that the device presents.  Raises `CommandFailed` with Status 9, `LostView`."""
    key = synckey.decode(context.account.keys.tokens, context.device, HIERARCHY, sync_key)
    try:
        if key is not None:
            return key, living_view(state, key, context.device, HIERARCHY)
    except UnknownKey:
        pass
    raise CommandFailed(FolderStatus.INVALID_SYNC_KEY)


async def commit_view(context: Context, state: State, view: View, records: Sequence[Record] = ()) -> str:
    """Make *records* and *view* durable in one commit, and return the view's key."""
    seen = device.sighting(context, state)
    commit = await context.account.commit([*records, ViewMade(view), *seen])
    place = len(records) + 1
    return synckey.encode(
        context.account.keys.tokens, context.device, HIERARCHY, ViewId(commit.writer, commit.n, place)
    )


async def commit_change(
    context: Context, state: State, key: ViewId, view: View, records: Sequence[FolderSet], folder: Folder
) -> str:
    """Make *records* durable, with the view in which the device has *folder* as it wished."""
    known = hierarchy.knowledge(view, state.views.children(key))
    known[folder.id] = folder.digest
    return await commit_view(context, state, hierarchy.next_view(view, key, known), records)


def is_taken(state: State, name: str, parent: str | None, *, but: str = "") -> bool:
    """Tell whether a folder below *parent*, other than *but*, has that name in any letter case."""
    wanted = name.casefold()
    return any(
        folder.parent == parent and folder.name.casefold() == wanted and folder.id != but
        for folder in state.folders.tree().values()
    )


def ancestors(tree: Mapping[str, Folder], folder: str | None) -> list[str]:
    """Return *folder* and what it lies in, upwards."""
    found: list[str] = []
    while folder is not None:
        found.append(folder)
        folder = tree[folder].parent
    return found


def below(tree: Mapping[str, Folder], folder: str) -> list[str]:
    """Return the folders that lie in *folder*, at any depth, parents first."""
    found, next_ones = [], [folder]
    while next_ones:
        next_ones = [child.id for child in tree.values() if child.parent in next_ones]
        found += next_ones
    return found
