"""Drafts, which synchronise both ways from 16.0 on ([MS-ASCMD] Sync, [MS-ASEMAIL] Send).

An edit that came before leaves no trace when it comes again, after a lost answer or because a phone sends all its
drafts anew: the item remembers a digest of the last one (`edit`), and one that changes no byte is not stored.
"""

import asyncio
from datetime import datetime

from eas.commands.draft_send import Sent, author_of, send
from eas.commands.sync_acts import Acts, BadItem, parse_changes
from eas.commands.sync_request import Command
from eas.commands.sync_response import Reply, SyncStatus
from eas.items.draft import MIME, BadDraft, DraftChanges, heavy_of, light_of, parse_draft, render_stored
from eas.mail.compose import UnreadableMime
from eas.mail.draft_edit import edited, new_draft, new_parts
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode
from storage.folders import DRAFTS, Folder
from storage.items import Item
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.records import Content, Value
from storage.seal import keyed_hash

__all__ = ["Sent", "is_draft_command", "run", "send"]

TAG = pages.AirSync


class TooLarge(Exception):
    """The draft with its attachments is above the bound of a request: item Status 122."""


def is_draft_command(version: Version, folder: Folder, command: Command) -> bool:
    """Tell whether *command* adds or changes a draft."""
    return version >= Version.V16_0 and folder.id == DRAFTS.id and command.tag in (TAG.Add, TAG.Change)


async def run(acts: Acts, command: Command, sent: Sent) -> None:
    """Carry out an Add or Change of a draft; one that was to be sent, `send` has dealt with."""
    try:
        if command.send:
            _tell_sent(acts, command, sent)
        elif command.tag is TAG.Add:
            await _add(acts, command)
        else:
            await _change(acts, command)
    except (BadItem, BadDraft, UnreadableMime):
        acts.reply(command, SyncStatus.CONVERSION)
    except TooLarge:
        acts.reply(command, Common.ATTACHMENT_IS_TOO_LARGE)


def _tell_sent(acts: Acts, command: Command, sent: Sent) -> None:
    status = sent.statuses.get(command.client_id or command.server_id, Common.SERVER_ERROR_RETRY_LATER)
    if status != SyncStatus.SUCCESS or command.tag is TAG.Change:
        if status != SyncStatus.SUCCESS:
            acts.reply(command, status)
        return  # what was sent is gone from the folder, as the device will be told
    # The phone has a draft without ServerId and must lose it: it gets one, and the Delete of it.
    collection = acts.collection
    item = collection.add(command.client_id, "Email", _now_ms(acts), None, {"draft": True})
    del collection.added[command.client_id]
    collection.remove(item, None, None)
    collection.echoed.add(len(collection.records) - 1)
    acts.replies.append(Reply(TAG.Add, status, command.client_id, f"{collection.view.folder}:{item}"))


async def _add(acts: Acts, command: Command) -> None:
    collection, changes = acts.collection, parse_draft(command.data)
    values = {"read": True, **parse_changes(light_of(command.data), None), "draft": True}
    item, is_known = collection.item_of(command.client_id)
    summary = await _summary(acts, item) if is_known else None
    content: Content | None = None
    if not is_known:
        message = await _built(acts, changes, item)
        summary = await asyncio.to_thread(index_message, message)
        content = await acts.context.account.store(message, summary.pack())
        acts.used_bytes += content.size_bytes
    collection.add(command.client_id, "Email", _now_ms(acts), content, values)
    server_id = f"{collection.view.folder}:{item}"
    data = None if summary is None else _stored(server_id, summary, changes, is_new=True)
    acts.replies.append(Reply(TAG.Add, SyncStatus.SUCCESS, command.client_id, server_id, data))


async def _summary(acts: Acts, item: str) -> Summary | None:
    content = (await acts.collection.state.contents([item])).get(item)
    return None if content is None else Summary.unpack(content.summary)


async def _built(acts: Acts, changes: DraftChanges, item: str) -> bytes:
    author = author_of(acts.context, item)
    return _bounded(acts, await asyncio.to_thread(new_draft, changes, author, _now(acts)))


def _bounded(acts: Acts, message: bytes) -> bytes:
    if len(message) > acts.context.services.settings.body_bytes_max:
        raise TooLarge
    return message


async def _change(acts: Acts, command: Command) -> None:
    item = await acts.find(command.server_id)
    content = None if item is None else (await acts.collection.state.contents([item.id])).get(item.id)
    if item is None or content is None:
        acts.reply(command, SyncStatus.NOT_FOUND)
        return
    changes = parse_draft(command.data)
    light = parse_changes(light_of(command.data), item)
    removed = changes.removed_paths(command.server_id)
    if not acts.set_values(command, item, light) or changes.is_empty:
        return
    summary = Summary.unpack(content.summary)
    digest = _digest(acts, command.data)
    if item.value("edit") != digest:
        if acts.is_lost("content", item):
            acts.reply(command, SyncStatus.CONFLICT)
            return
        summary = await _edit(acts, item, content, changes, removed, digest)
    if changes.files:
        data = _stored(command.server_id, summary, changes, is_new=False)
        acts.reply(command, SyncStatus.SUCCESS, data)


async def _edit(
    acts: Acts, item: Item, content: Content, changes: DraftChanges, removed: list[str], digest: bytes
) -> Summary:
    """Store the new version, if it is one; return its index."""
    account, collection = acts.context.account, acts.collection
    before = Summary.unpack(content.summary)
    if _says_nothing_new(changes, before):
        return before
    previous = await account.read(content)
    author = author_of(acts.context, item.id)
    message = await asyncio.to_thread(edited, changes, author, _now(acts), previous, before, removed)
    if message == previous:
        return before
    after = await asyncio.to_thread(index_message, _bounded(acts, message))
    new_content = await account.store(message, after.pack())
    acts.used_bytes += new_content.size_bytes
    acts.freed_bytes += content.size_bytes
    collection.set(item.id, "content", new_content, item.registers.get("content"), wins=True)
    if _is_renumbered(changes, before, after, removed):  # the phone holds references that mean something else now
        collection.echoed.add(len(collection.records) - 1)
    collection.set(item.id, "edit", digest, item.registers.get("edit"), wins=True)
    return after


def _says_nothing_new(changes: DraftChanges, summary: Summary) -> bool:
    """Whether it can be seen without reading the draft that nothing changes."""
    if changes.body_type is not None or changes.files or changes.removed:
        return False
    texts = {name: getattr(summary, name) for name in changes.texts}
    return texts == changes.texts and changes.importance in (None, summary.importance)


def _is_renumbered(changes: DraftChanges, before: Summary, after: Summary, removed: list[str]) -> bool:
    if changes.body_type == MIME:
        return False
    new = {part.path for _, part in new_parts(after, changes.files)}
    kept = [part.path for part in before.attachments if part.path not in removed]
    return kept != [part.path for part in after.attachments if part.path not in new]


def _stored(server_id: str, summary: Summary, changes: DraftChanges, *, is_new: bool) -> list[Element]:
    references = [(file.client_id, f"{server_id}:{part.path}") for file, part in new_parts(summary, changes.files)]
    if not is_new:
        return render_stored(b"", b"", references)
    return render_stored(summary.conversation_id, summary.conversation_index, references)


def _digest(acts: Acts, data: Element | None) -> bytes:
    return keyed_hash(acts.context.account.keys.ids, b"edit", encode(heavy_of(data)), size=12)


def _now(acts: Acts) -> datetime:
    return acts.context.services.now()


def _now_ms(acts: Acts) -> Value:
    return int(_now(acts).timestamp() * 1000)
