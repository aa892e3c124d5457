"""FolderSync: bring the device's folder list up to date ([MS-ASCMD] FolderSync)."""

from dataclasses import dataclass
from enum import IntEnum

from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.sync import hierarchy, synckey
from eas.sync.hierarchy import HIERARCHY, Changes
from eas.wbxml import pages
from eas.wbxml.element import Element, MissingElement, element, leaf
from storage.cursor import Rid
from storage.folders import Folder
from storage.records import ViewMade
from storage.state import State
from storage.views import View, ViewId

TAG = pages.FolderHierarchy

RECIPIENT_CACHE = ("RI", 19)
"""Id and type of the recipient cache, a folder that strict clients look for from 14.0 on: empty and read-only."""


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


@dataclass(frozen=True, slots=True)
class Listed:
    """The new key and what changed."""

    sync_key: str
    changes: Changes
    is_first: bool


def parse(root: Element | None, request: EasRequest) -> str:
    """Return the SyncKey."""
    if root is None:
        raise MissingElement(TAG.SyncKey)
    return root.text(TAG.SyncKey)


async def handle(context: Context, sync_key: str) -> Listed:
    """Tell what the device lacks.  Key 0 is "send me the list": other keys of the device stay valid."""
    async with context.account.turn() as state:
        if sync_key == synckey.START:
            return await _begin(context, state)
        key, view = presented(context, state, sync_key)
        changes = hierarchy.changes(state.folders, view, state.views.children(key))
        if not changes.count:
            return Listed(sync_key, changes, is_first=False)
        known = hierarchy.digests(state.folders)
        new_key = await commit_view(context, hierarchy.next_view(view, key, known))
        return Listed(new_key, changes, is_first=False)


async def _begin(context: Context, state: State) -> Listed:
    writer, n = context.account.next_place
    view = hierarchy.first_view(context.device, Rid(context.account.tick(), writer, n, 1), state)
    return Listed(await commit_view(context, view), hierarchy.changes(state.folders, None), is_first=True)


def presented(context: Context, state: State, sync_key: str) -> tuple[ViewId, View]:
    """Return the view of the key that the device presents.  Raises `CommandFailed` with Status 9."""
    key = synckey.decode(context.account.keys.tokens, context.device, HIERARCHY, sync_key)
    view = None if key is None else state.views.get(key)
    if key is None or view is None:
        raise CommandFailed(FolderStatus.INVALID_SYNC_KEY)
    return key, view


async def commit_view(context: Context, view: View) -> str:
    """Make *view* durable and return its key."""
    commit = await context.account.commit([ViewMade(view)])
    return synckey.encode(
        context.account.keys.tokens, context.device, HIERARCHY, ViewId(commit.writer, commit.n, len(commit.records))
    )


def render(listed: Listed, version: Version) -> Element:
    """Write the answer; the order of the elements is fixed."""
    changes = listed.changes
    cached = listed.is_first and version >= Version.V14_0
    return element(
        TAG.FolderSync,
        leaf(TAG.Status, FolderStatus.SUCCESS),
        leaf(TAG.SyncKey, listed.sync_key),
        element(
            TAG.Changes,
            leaf(TAG.Count, changes.count + cached),
            *(_folder(TAG.Update, folder) for folder in changes.updated),
            *(element(TAG.Delete, leaf(TAG.ServerId, folder)) for folder in changes.deleted),
            *(_folder(TAG.Add, folder) for folder in changes.added),
            _recipient_cache() if cached else None,
        ),
    )


def _folder(tag: pages.Tag, folder: Folder) -> Element:
    return element(
        tag,
        leaf(TAG.ServerId, folder.id),
        leaf(TAG.ParentId, folder.parent or "0"),
        leaf(TAG.DisplayName, folder.name),
        leaf(TAG.Type, folder.type),
    )


def _recipient_cache() -> Element:
    server_id, kind = RECIPIENT_CACHE
    return element(
        TAG.Add,
        leaf(TAG.ServerId, server_id),
        leaf(TAG.ParentId, "0"),
        leaf(TAG.DisplayName, "Recipient Cache"),
        leaf(TAG.Type, kind),
    )
