"""What a client's commands do to a collection: Change, Delete and Fetch of mail; Add is for drafts (`sync_drafts.py`).

A command that fails gets a Reply of its own and the others go on; silence means success.
"""

from dataclasses import dataclass, field

from eas.commands.options import Options
from eas.commands.sync_request import CollectionRequest, Command
from eas.commands.sync_response import Reply, SyncStatus
from eas.context import Context
from eas.items.email import CATEGORIES_MAX, EMAIL, render_email
from eas.items.flag import BadFlag, Flag, parse_flag
from eas.mail.email_item import email_of, load_body
from eas.sync.collection import Collection
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue
from storage.cursor import covers
from storage.folders import TRASH
from storage.items import Item
from storage.message.summary import Summary
from storage.records import Value

TAG = pages.AirSync
CATEGORY_CHARS_MAX = 255
_CHANGEABLE = (EMAIL.Read, EMAIL.Flag, EMAIL.Categories)


class BadItem(Exception):
    """The client's item breaks the rules: item Status 6."""


@dataclass(slots=True)
class Acts:
    """The commands of one collection, as they are carried out."""

    context: Context
    request: CollectionRequest
    collection: Collection
    options: Options
    replies: list[Reply] = field(default_factory=list)
    freed_bytes: int = 0
    """Content bytes of items that were removed for good."""
    used_bytes: int = 0
    """Content bytes of items that were added."""

    async def run(self, command: Command) -> None:
        """Carry out a Change, Delete or Fetch."""
        item = await self.find(command.server_id)
        if item is None:
            self.reply(command, SyncStatus.NOT_FOUND)
        elif command.tag is TAG.Delete:
            self._delete(item)
        elif command.tag is TAG.Fetch:
            await self._fetch(command, item)
        else:
            await self._change(command, item)

    def reply(self, command: Command, status: int, data: list[Element] | None = None) -> None:
        """Add a Reply to *command*."""
        server_id = command.server_id or None
        self.replies.append(Reply(command.tag, status, command.client_id or None, server_id, data))

    async def find(self, server_id: str) -> Item | None:
        """Return the item of that ServerId, if it rests in this folder."""
        folder, _, item_id = server_id.partition(":")
        if folder != self.collection.view.folder or not item_id:
            return None
        item = await self.collection.state.item(item_id)
        if item is None or self.collection.state.folders.resting_place(item).folder != folder:
            return None
        return item

    def _delete(self, item: Item) -> None:
        trashes = self.request.deletes_as_moves and self.collection.view.folder != TRASH.id
        self.collection.remove(item.id, TRASH.id if trashes else None)
        if not trashes:
            self.freed_bytes += item.size_bytes

    async def _fetch(self, command: Command, item: Item) -> None:
        content = (await self.collection.state.contents([item.id])).get(item.id)
        if content is None:
            self.reply(command, SyncStatus.NOT_FOUND)
            return
        summary = Summary.unpack(content.summary)
        version = self.context.version
        body = await load_body(self.context.account, content, summary, self.options.whole, version)
        email = email_of(item, self.collection.view.folder, summary)
        self.reply(command, SyncStatus.SUCCESS, render_email(email, version, body))

    async def _change(self, command: Command, item: Item) -> None:
        try:
            changes = parse_changes(command.data, item)
        except BadItem:
            self.reply(command, SyncStatus.CONVERSION)
            return
        self.set_values(command, item, changes)

    def set_values(self, command: Command, item: Item, changes: dict[str, Value]) -> bool:
        """Give *item* new values of properties; False: of one of them the server's won, and the device was told so."""
        lost = [name for name in changes if self.is_lost(name, item)]
        for name, value in changes.items():
            if name not in lost and item.value(name) != value:
                self.collection.set(item.id, name, value)
        if lost:  # the server's value is told in this very answer
            self.reply(command, SyncStatus.CONFLICT)
        return not lost

    def is_lost(self, name: str, item: Item) -> bool:
        """Whether a change of the property loses: somebody else changed it since the device last heard of it."""
        if not self.options.server_wins:
            return False
        register = item.registers.get(name)
        if register is None or covers(self.collection.view.cursor, register.rid):
            return False
        return register.device != self.context.device


def parse_changes(data: Element | None, item: Item | None) -> dict[str, Value]:
    """Return the properties that a Change gives to a mail (None: to one that begins).  Raises `BadItem`."""
    changes: dict[str, Value] = {}
    for child in data.children if data is not None else ():
        try:
            if child.tag is EMAIL.Read:
                changes["read"] = _read(child)
            elif child.tag is EMAIL.Flag:
                flag = parse_flag(child, Flag.unpack(item.value("flag") if item else None))
                changes["flag"] = flag.pack() if flag else None
            elif child.tag is EMAIL.Categories:
                changes["categories"] = _categories(child)
            else:
                raise BadItem(child.tag.name)
        except (InvalidValue, BadFlag) as error:
            raise BadItem(str(error)) from error
    return changes


def _read(child: Element) -> bool:
    text = child.as_text()
    if text not in ("0", "1"):  # not even empty, which elsewhere means 1: [MS-ASEMAIL] Read
        raise BadItem("Read")
    return text == "1"


def _categories(child: Element) -> list[str]:
    names = [found.as_text()[:CATEGORY_CHARS_MAX] for found in child.all(EMAIL.Category)]
    if len(names) > CATEGORIES_MAX:
        raise BadItem("too many Categories")
    return [name for name in dict.fromkeys(names) if name]
