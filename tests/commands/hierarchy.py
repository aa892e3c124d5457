"""A phone's folder list: the requests about it, and what it holds after their answers."""

from dataclasses import dataclass, field

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import FolderHierarchy
from tests.commands.office import Phone


def create(key: str, name: str | None, parent: str | None = "0", kind: int | None = 12) -> Element:
    return element(
        FolderHierarchy.FolderCreate,
        leaf(FolderHierarchy.SyncKey, key),
        leaf(FolderHierarchy.ParentId, parent),
        leaf(FolderHierarchy.DisplayName, name),
        leaf(FolderHierarchy.Type, kind),
    )


def update(key: str, server_id: str | None, name: str | None, parent: str | None = "0") -> Element:
    return element(
        FolderHierarchy.FolderUpdate,
        leaf(FolderHierarchy.SyncKey, key),
        leaf(FolderHierarchy.ServerId, server_id),
        leaf(FolderHierarchy.ParentId, parent),
        leaf(FolderHierarchy.DisplayName, name),
    )


def delete(key: str, server_id: str | None) -> Element:
    return element(
        FolderHierarchy.FolderDelete, leaf(FolderHierarchy.SyncKey, key), leaf(FolderHierarchy.ServerId, server_id)
    )


def sync(key: str) -> Element:
    return element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, key))


@dataclass
class FolderList:
    """What a phone has: `{id: (parent, name, type)}`."""

    phone: Phone
    key: str = "0"
    has: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    async def sync(self, most: int | None = None) -> list[tuple[str, str]]:
        """Apply what FolderSync tells, and return it as (what, id), leaving out the recipient cache.

        With *most* only so many changes are applied, and the key is not kept: the line broke.
        """
        root = await self.phone.ask(sync(self.key))
        assert root.text(FolderHierarchy.Status) == "1"
        changes = root.first(FolderHierarchy.Changes)
        assert changes is not None
        told = []
        for change in changes.children[1:][:most]:
            server_id = change.text(FolderHierarchy.ServerId)
            if server_id == "RI":
                continue
            told.append((change.tag.name, server_id))
            if change.tag is FolderHierarchy.Delete:
                self.drop(server_id)
            else:
                assert change.tag is FolderHierarchy.Add or server_id in self.has
                self.has[server_id] = (
                    change.text(FolderHierarchy.ParentId),
                    change.text(FolderHierarchy.DisplayName),
                    change.text(FolderHierarchy.Type),
                )
        if most is None:
            self.key = root.text(FolderHierarchy.SyncKey)
        return told

    async def create(self, name: str, parent: str = "0", kind: int = 12) -> str:
        root = await self.phone.ask(create(self.key, name, parent, kind))
        assert root.text(FolderHierarchy.Status) == "1"
        server_id, self.key = root.text(FolderHierarchy.ServerId), root.text(FolderHierarchy.SyncKey)
        self.has[server_id] = (parent, name, str(kind))
        return server_id

    async def update(self, server_id: str, name: str, parent: str = "0") -> None:
        root = await self.phone.ask(update(self.key, server_id, name, parent))
        assert root.text(FolderHierarchy.Status) == "1"
        self.key = root.text(FolderHierarchy.SyncKey)
        self.has[server_id] = (parent, name, self.has[server_id][2])

    async def delete(self, server_id: str) -> None:
        root = await self.phone.ask(delete(self.key, server_id))
        assert root.text(FolderHierarchy.Status) == "1"
        self.key = root.text(FolderHierarchy.SyncKey)
        self.drop(server_id)

    def drop(self, server_id: str) -> None:
        self.has.pop(server_id, None)
        for child in [child for child, (parent, _, _) in self.has.items() if parent == server_id]:
            self.drop(child)

    async def refused(self, request: Element) -> str:
        """Return the Status of a request that must not succeed, nor use up the key."""
        root = await self.phone.ask(request)
        assert len(root.children) == 1
        return root.children[0].as_text()

    async def truth(self) -> dict[str, tuple[str, str, str]]:
        """Return what the server has."""
        tree = (await self.phone.state()).folders.tree()
        return {folder.id: (folder.parent or "0", folder.name, str(int(folder.type))) for folder in tree.values()}
