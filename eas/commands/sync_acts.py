"""What a client's commands do to a collection: Change, Delete and Fetch of mail; Add is for drafts (`sync_drafts.py`).

A command that fails gets a Reply of its own and the others go on; silence means success.
"""

from dataclasses import dataclass, field

import structlog

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
from storage.engine import Unavailable
from storage.folders import TRASH
from storage.items import Item
from storage.message.summary import Summary
from storage.records import Set, Value

TAG = pages.AirSync
CATEGORY_CHARS_MAX = 255
_UNSET: dict[str, Value] = {"read": False, "categories": []}
"""What a property is that was never set, where that is not None."""

_log = structlog.get_logger(__name__)


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
    _given: dict[tuple[str, str], Value] = field(default_factory=dict)
    """What this request gave so far, by item and property: the last command on an item counts."""
    _disputed: set[str] = field(default_factory=set)
    """Items of which a change lost a conflict."""

    async def run(self, command: Command) -> None:
        """Carry out a Change, Delete or Fetch."""
        item = await self.find(command.server_id)
        if item is None or (item.id, "folder") in self._given:
            if command.tag is TAG.Fetch or not await self._is_done(command.server_id):
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

    async def _is_done(self, server_id: str) -> bool:
        """Whether it was this request, or an earlier try of it, that took the item out of the folder.

        Then a Delete has its effect, and a Change has lost to it: to a phone that repeats itself after a lost answer,
        "not found" would be a failure where there was none.
        """
        item = await self.collection.state.item(server_id.partition(":")[2])
        if item is None or not server_id.startswith(f"{self.collection.view.folder}:"):
            return False
        if (item.id, "folder") in self._given:
            return True
        moved = item.registers.get("folder")
        is_repeated = bool(self.collection.state.views.children(self.collection.key))
        is_own = moved is not None and self.collection.is_of_sync(moved)
        return is_repeated and is_own and moved is not None and not covers(self.collection.view.cursor, moved.rid)

    def _delete(self, item: Item) -> None:
        trashes = self.request.deletes_as_moves and self.collection.view.folder != TRASH.id
        target = TRASH.id if trashes else None
        self.collection.remove(item.id, target, item.registers.get("folder"))
        self._given[item.id, "folder"] = target
        if not trashes:
            self.freed_bytes += item.size_bytes

    async def _fetch(self, command: Command, item: Item) -> None:
        content = (await self.collection.state.contents([item.id])).get(item.id)
        if content is None:
            self.reply(command, SyncStatus.NOT_FOUND)
            return
        version = self.context.version
        try:
            summary = Summary.unpack(content.summary)
            body = await load_body(self.context.account, content, summary, self.options.whole, version)
            email = email_of(item, self.collection.view.folder, summary)
        except Unavailable:
            raise
        except Exception:  # one broken item must not fail the others, again and again
            _log.exception("sync.fetch_failed", device=self.context.device, item=command.server_id)
            self.reply(command, SyncStatus.CONVERSION)
            return
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
        lost = [
            name for name, value in changes.items() if self._is_other(name, item, value) and self.is_lost(name, item)
        ]
        for name, value in changes.items():
            if name not in lost and self._is_other(name, item, value):
                self.collection.set(item.id, name, value, item.registers.get(name), wins=True)
                self._given[item.id, name] = value
        if lost:
            self._disputed.add(item.id)
            self.reply(command, SyncStatus.CONFLICT)
        self._echo(item.id)
        return not lost

    def _echo(self, item: str) -> None:
        """Let a device that lost a conflict hear of all changes of the item: it takes the server's version."""
        if item in self._disputed:
            records = enumerate(self.collection.records)
            self.collection.echoed |= {at for at, one in records if isinstance(one, Set) and one.item == item}

    def is_lost(self, name: str, item: Item) -> bool:
        """Whether a change of the property loses: somebody else changed it since the device last heard of it."""
        return self.options.server_wins and self._was_changed(name, item)

    def _is_other(self, name: str, item: Item, value: Value) -> bool:
        """Whether the value is not the property's already."""
        default = _UNSET.get(name)
        known = self._given.get((item.id, name), item.value(name, default))
        return bool((default if known is None else known) != value)

    def _was_changed(self, name: str, item: Item) -> bool:
        """Whether somebody else changed the property since the device last heard of it."""
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
