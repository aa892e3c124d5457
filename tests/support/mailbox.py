"""What a phone holds: folders, items, keys; and how it takes the answers of a server.

The laws it stands for: an Add of an item that is there replaces it; a Change of one that is not there is an error of
the server, since the phone cannot know the rest of the item; deleting what is not there does nothing (after a lost
answer the server has to tell it again); what changed comes under a new key.  Elements that a Change leaves out stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eas.wbxml.element import Element
from eas.wbxml.pages import AirSync, AirSyncBase, Email
from eas.wbxml.tag import Tag

FIRST_KEY = "0"
SUCCESS = 1
INVALID_KEY = 3


class ConfusedPhone(AssertionError):
    """A phone cannot make sense of an answer, though each part of it is well formed."""


@dataclass(slots=True)
class Item:
    """An item as the phone has it: the latest element of every tag."""

    server_id: str
    properties: dict[Tag, Element]

    def text(self, tag: Tag) -> str:
        """The text of a property, "" without one."""
        found = self.properties.get(tag)
        return "" if found is None else found.as_text()

    @property
    def subject(self) -> str:
        """The subject."""
        return self.text(Email.Subject)

    @property
    def is_read(self) -> bool:
        """Whether the item is marked as read."""
        return self.text(Email.Read) == "1"

    @property
    def is_flagged(self) -> bool:
        """Whether the item is flagged for follow-up."""
        found = self.properties.get(Email.Flag)
        return found is not None and found.text_or(Email.Status, "") == "2"

    @property
    def body(self) -> str:
        """The body as far as it came, "" without one."""
        found = self.properties.get(AirSyncBase.Body)
        return "" if found is None else found.text_or(AirSyncBase.Data, "")

    @property
    def attachments(self) -> list[Element]:
        """The Attachment elements."""
        found = self.properties.get(AirSyncBase.Attachments)
        return [] if found is None else found.all(AirSyncBase.Attachment)

    def update(self, data: Element | None) -> None:
        """Take the elements of an ApplicationData."""
        self.properties |= {child.tag: child for child in (data.children if data is not None else ())}

    def update_own(self, data: Element | None) -> None:
        """Take what the phone itself sent; of attachments it sends changes, which are no list of them."""
        if data is not None:
            self.properties |= {child.tag: child for child in data.children if child.tag is not AirSyncBase.Attachments}


@dataclass(frozen=True, slots=True)
class ItemResponse:
    """One child of Responses; `kind` is its tag: Add, Change, Delete or Fetch."""

    kind: Tag
    status: int
    server_id: str
    client_id: str
    data: Element | None


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What an answer said of one collection.  An empty answer has `status` 1, no key and nothing in it."""

    status: int
    sync_key: str | None = None
    more_available: bool = False
    added: tuple[Item, ...] = ()
    changed: tuple[Item, ...] = ()  # only what came with the Change
    deleted: tuple[str, ...] = ()
    soft_deleted: tuple[str, ...] = ()
    responses: tuple[ItemResponse, ...] = ()

    @property
    def changes(self) -> int:
        """How many commands came."""
        return len(self.added) + len(self.changed) + len(self.deleted) + len(self.soft_deleted)

    def response(self, server_or_client_id: str) -> ItemResponse:
        """The response to one command.  Raises `StopIteration` when there is none."""
        return next(one for one in self.responses if server_or_client_id in (one.server_id, one.client_id))


def read_collection(collection: Element) -> SyncResult:
    """Read the Collection of an answer."""
    told = collection.first(AirSync.Commands) or Element(AirSync.Commands)
    responses = collection.first(AirSync.Responses) or Element(AirSync.Responses)
    return SyncResult(
        status=collection.number(AirSync.Status),
        sync_key=collection.text(AirSync.SyncKey),
        more_available=collection.has(AirSync.MoreAvailable),
        added=tuple(map(_item, told.all(AirSync.Add))),
        changed=tuple(map(_item, told.all(AirSync.Change))),
        deleted=tuple(one.text(AirSync.ServerId) for one in told.all(AirSync.Delete)),
        soft_deleted=tuple(one.text(AirSync.ServerId) for one in told.all(AirSync.SoftDelete)),
        responses=tuple(
            ItemResponse(
                one.tag,
                one.number(AirSync.Status),
                one.text_or(AirSync.ServerId, ""),
                one.text_or(AirSync.ClientId, ""),
                one.first(AirSync.ApplicationData),
            )
            for one in responses.children
        ),
    )


def _item(command: Element) -> Item:
    item = Item(command.text(AirSync.ServerId), {})
    item.update(command.first(AirSync.ApplicationData))
    return item


@dataclass(slots=True)
class Folder:
    """One collection as the phone has it, and as it had it before the last answer."""

    collection_id: str
    sync_key: str = FIRST_KEY
    items: dict[str, Item] = field(default_factory=dict)
    before: "tuple[str, dict[str, Item]] | None" = None

    def apply(self, result: SyncResult, sent: Sequence[Element] = ()) -> None:
        """Take an answer to a request with the commands *sent*.  Raises `ConfusedPhone`."""
        if result.status == INVALID_KEY:
            self.sync_key, self.items, self.before = FIRST_KEY, {}, None
        if result.status != SUCCESS or result.sync_key is None:
            return
        self.before = (self.sync_key, {name: Item(name, dict(item.properties)) for name, item in self.items.items()})
        if result.changes and result.sync_key == self.sync_key:
            raise ConfusedPhone(f"folder {self.collection_id}: changes under the same key {self.sync_key}")
        self.sync_key = result.sync_key
        self._apply_own(result, sent)
        self._apply_told(result)

    def roll_back(self) -> None:
        """Forget the last answer, as a phone that crashed before it was saved."""
        if self.before is None:
            raise ConfusedPhone(f"folder {self.collection_id}: there is no answer to forget")
        (self.sync_key, self.items), self.before = self.before, None

    def find(self, subject: str) -> Item:
        """The one item with that subject.  Raises `ConfusedPhone` for none or several."""
        found = [item for item in self.items.values() if item.subject == subject]
        if len(found) != 1:
            raise ConfusedPhone(f"folder {self.collection_id}: {len(found)} items with the subject {subject!r}")
        return found[0]

    def _apply_told(self, result: SyncResult) -> None:
        for server_id in result.deleted + result.soft_deleted:  # first: a phone without upserts gets Delete and Add
            self.items.pop(server_id, None)
        for item in result.added:
            self.items[item.server_id] = Item(item.server_id, dict(item.properties))
        for item in result.changed:
            if item.server_id not in self.items:
                raise ConfusedPhone(f"folder {self.collection_id}: a Change of the unknown {item.server_id}")
            self.items[item.server_id].properties |= item.properties

    def _apply_own(self, result: SyncResult, sent: Sequence[Element]) -> None:
        """Keep what the phone sent, unless the server said that it failed."""
        stored = {one.client_id: one for one in result.responses if one.client_id}
        failed = {one.server_id for one in result.responses if one.status != SUCCESS and one.kind is not AirSync.Fetch}
        for command in sent:
            server_id = command.text_or(AirSync.ServerId, "")
            data = command.first(AirSync.ApplicationData)
            if command.tag is AirSync.Add:
                response = stored[command.text(AirSync.ClientId)]
                if response.status == SUCCESS:
                    item = self.items.setdefault(response.server_id, Item(response.server_id, {}))
                    item.update_own(data)
            elif server_id in failed:
                continue
            elif command.tag is AirSync.Change and server_id in self.items:
                self.items[server_id].update_own(data)
            elif command.tag is AirSync.Delete:
                self.items.pop(server_id, None)
        for response in result.responses:
            if response.kind is AirSync.Fetch and response.server_id in self.items:
                self.items[response.server_id].update(response.data)


@dataclass(slots=True)
class FolderInfo:
    """One folder of the hierarchy."""

    server_id: str
    parent_id: str
    name: str
    type: int


@dataclass(slots=True)
class Mailbox:
    """All that a phone holds of an account."""

    hierarchy_key: str = FIRST_KEY
    hierarchy: dict[str, FolderInfo] = field(default_factory=dict)
    folders: dict[str, Folder] = field(default_factory=dict)

    def folder(self, collection_id: str) -> Folder:
        """The folder of that id, made when it is first asked for."""
        return self.folders.setdefault(collection_id, Folder(collection_id))

    def of_type(self, folder_type: int) -> str:
        """The id of the one folder of that type: 2 Inbox, 3 Drafts, 4 Deleted Items, 5 Sent Items, 6 Outbox."""
        found = [folder.server_id for folder in self.hierarchy.values() if folder.type == folder_type]
        if len(found) != 1:
            raise ConfusedPhone(f"{len(found)} folders of type {folder_type}")
        return found[0]

    def named(self, name: str) -> str:
        """The id of the one folder of that name."""
        found = [folder.server_id for folder in self.hierarchy.values() if folder.name == name]
        if len(found) != 1:
            raise ConfusedPhone(f"{len(found)} folders named {name!r}")
        return found[0]
