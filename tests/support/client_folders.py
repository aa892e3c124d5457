"""The client's commands about folders: FolderSync and its siblings, GetItemEstimate, MoveItems, Ping."""

from collections.abc import Sequence
from dataclasses import dataclass

from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, FolderHierarchy, GetItemEstimate, Move, Ping
from tests.support.commanding import Commanding, Refused
from tests.support.mailbox import FIRST_KEY, FolderInfo

PING_GRACE_SECONDS = 5.0  # AOSP waits that much longer than the heartbeat
PING_TIMEOUT_SECONDS = 60.0
PING_STATUSES = (2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class PingResult:
    """The answer to a Ping: `folders` with Status 2, `heartbeat` in seconds with 5, `max_folders` with 6."""

    status: int
    folders: tuple[str, ...]
    heartbeat: int | None
    max_folders: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one item of MoveItems; `status` 3 is success, and only then is there a `dst_msg_id`."""

    src_msg_id: str
    status: int
    dst_msg_id: str | None


class FolderCommands(Commanding):
    """Commands about folders, and about where items are."""

    async def folder_sync(self, key: str | None = None) -> dict[str, FolderInfo]:
        """Bring the hierarchy up to date and return it; *key* "0" asks for the whole list again."""
        key = self.mailbox.hierarchy_key if key is None else key
        page = FolderHierarchy
        root = await self.command(element(page.FolderSync, leaf(page.SyncKey, key)), page.Status)
        if key == FIRST_KEY:
            self.mailbox.hierarchy.clear()
        changes = root.first(page.Changes)
        for change in () if changes is None else changes.children:
            if change.tag is page.Delete:
                self._forget(change.text(page.ServerId))
            elif change.tag is not page.Count:
                self._learn(change)
        self.mailbox.hierarchy_key = root.text(page.SyncKey)
        return self.mailbox.hierarchy

    async def folder_create(self, name: str, parent_id: str = "0", folder_type: int = 12) -> str:
        """Make a folder (12: of mail) and return its id."""
        page = FolderHierarchy
        root = await self._change_hierarchy(
            element(
                page.FolderCreate,
                leaf(page.SyncKey, self.mailbox.hierarchy_key),
                leaf(page.ParentId, parent_id),
                leaf(page.DisplayName, name),
                leaf(page.Type, folder_type),
            )
        )
        server_id = root.text(page.ServerId)
        self.mailbox.hierarchy[server_id] = FolderInfo(server_id, parent_id, name, folder_type)
        return server_id

    async def folder_update(self, server_id: str, name: str, parent_id: str = "0") -> None:
        """Rename a folder, or move it below another."""
        page = FolderHierarchy
        await self._change_hierarchy(
            element(
                page.FolderUpdate,
                leaf(page.SyncKey, self.mailbox.hierarchy_key),
                leaf(page.ServerId, server_id),
                leaf(page.ParentId, parent_id),
                leaf(page.DisplayName, name),
            )
        )
        folder = self.mailbox.hierarchy[server_id]
        folder.name, folder.parent_id = name, parent_id

    async def folder_delete(self, server_id: str) -> None:
        """Delete a folder."""
        page = FolderHierarchy
        await self._change_hierarchy(
            element(page.FolderDelete, leaf(page.SyncKey, self.mailbox.hierarchy_key), leaf(page.ServerId, server_id))
        )
        self._forget(server_id)

    async def estimate(self, collection_id: str, filter_type: int = 0) -> int:
        """Ask how many changes wait.  Up to 12.1 the options stand in the Collection itself.  Raises `Refused`."""
        key = leaf(AirSync.SyncKey, self.mailbox.folder(collection_id).sync_key)
        page, filtered = GetItemEstimate, leaf(AirSync.FilterType, filter_type)
        if self.version <= Version.V12_1:
            fields = (leaf(page.Class, "Email"), leaf(page.CollectionId, collection_id), filtered, key)
        else:
            fields = (key, leaf(page.CollectionId, collection_id), element(AirSync.Options, filtered), None)
        request = element(page.GetItemEstimate, element(page.Collections, element(page.Collection, *fields)))
        root = await self.command(request, page.Status)
        response = root.all(page.Response)[0]
        if response.number(page.Status) != 1:
            raise Refused(self.answered(), response.number(page.Status))
        return response.all(page.Collection)[0].number(page.Estimate)

    async def move(self, moves: Sequence[tuple[str, str, str]]) -> list[Moved]:
        """Move items: (item, folder it is in, folder it shall be in).  The phone learns of it by its next Sync."""
        page = Move
        request = element(
            page.MoveItems,
            *(
                element(page.Move, leaf(page.SrcMsgId, item), leaf(page.SrcFldId, source), leaf(page.DstFldId, target))
                for item, source, target in moves
            ),
        )
        root = await self.command(request, page.Status)
        return [
            Moved(one.text(page.SrcMsgId), one.number(page.Status), one.text_or(page.DstMsgId, None))
            for one in root.all(page.Response)
        ]

    async def ping(
        self, folders: Sequence[str] | None = None, heartbeat: int | None = None, *, timeout: float | None = None
    ) -> PingResult:
        """Wait for news of *folders* for *heartbeat* seconds; what is None the server has to remember.

        Without both the body is empty.  Raises `Refused` for a Status that is not of Ping's own.
        """
        page = Ping
        listed = None if folders is None else element(page.Folders, *map(_ping_folder, folders))
        request = element(page.Ping, leaf(page.HeartbeatInterval, heartbeat), listed)
        wait = PING_TIMEOUT_SECONDS if heartbeat is None else heartbeat + PING_GRACE_SECONDS
        answer = await self.post("Ping", request if request.children else None, timeout=timeout or wait)
        root = answer.root
        if root is None or (root.number(page.Status) != 1 and root.number(page.Status) not in PING_STATUSES):
            raise Refused(answer, None if root is None else root.number(page.Status))
        changed = root.first(page.Folders)
        return PingResult(
            root.number(page.Status),
            () if changed is None else tuple(one.as_text() for one in changed.children),
            root.number_or(page.HeartbeatInterval, None),
            root.number_or(page.MaxFolders, None),
        )

    async def _change_hierarchy(self, request: Element) -> Element:
        root = await self.command(request, FolderHierarchy.Status)
        self.mailbox.hierarchy_key = root.text(FolderHierarchy.SyncKey)
        return root

    def _learn(self, change: Element) -> None:
        page = FolderHierarchy
        server_id = change.text(page.ServerId)
        self.mailbox.hierarchy[server_id] = FolderInfo(
            server_id, change.text(page.ParentId), change.text(page.DisplayName), change.number(page.Type)
        )

    def _forget(self, server_id: str) -> None:
        """Drop a folder with all below it: Exchange does not tell of those."""
        self.mailbox.hierarchy.pop(server_id, None)
        self.mailbox.folders.pop(server_id, None)
        for child in [one.server_id for one in self.mailbox.hierarchy.values() if one.parent_id == server_id]:
            self._forget(child)


def _ping_folder(collection_id: str) -> Element:
    return element(Ping.Folder, leaf(Ping.Id, collection_id), leaf(Ping.Class, "Email"))
