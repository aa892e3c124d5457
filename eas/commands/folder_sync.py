"""FolderSync: bring the device's folder list up to date ([MS-ASCMD] FolderSync)."""

from dataclasses import dataclass

from eas import device
from eas.commands.folders import RECIPIENT_CACHE, ROOT, FolderStatus, commit_view, presented
from eas.context import Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.sync import hierarchy, synckey
from eas.sync.hierarchy import Changes
from eas.wbxml import pages
from eas.wbxml.element import Element, MissingElement, element, leaf
from storage.cursor import Rid
from storage.folders import Folder
from storage.state import State

TAG = pages.FolderHierarchy

_RECIPIENT_CACHE_TYPE = 19


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
        changes = hierarchy.changes(state.folders, hierarchy.knowledge(view, state.views.children(key)))
        if not changes.count:
            if seen := device.sighting(context, state):
                await context.account.commit(seen)
            return Listed(sync_key, changes, is_first=False)
        known = hierarchy.digests(state.folders)
        new_key = await commit_view(context, state, hierarchy.next_view(view, key, known))
        return Listed(new_key, changes, is_first=False)


async def _begin(context: Context, state: State) -> Listed:
    writer, n = context.account.next_place
    view = hierarchy.first_view(context.device, Rid(context.account.tick(), writer, n, 1), state)
    return Listed(await commit_view(context, state, view), hierarchy.changes(state.folders, {}), is_first=True)


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
        leaf(TAG.ParentId, folder.parent or ROOT),
        leaf(TAG.DisplayName, folder.name),
        leaf(TAG.Type, folder.type),
    )


def _recipient_cache() -> Element:
    return element(
        TAG.Add,
        leaf(TAG.ServerId, RECIPIENT_CACHE),
        leaf(TAG.ParentId, ROOT),
        leaf(TAG.DisplayName, "Recipient Cache"),
        leaf(TAG.Type, _RECIPIENT_CACHE_TYPE),
    )
