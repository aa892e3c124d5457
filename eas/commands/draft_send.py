"""Drafts that a Sync says to send ([MS-ASEMAIL] Send): before its turn, for submission may take long.

What is sent leaves Drafts in the commit that notes the outcome; the Sync's own turn then tells what became of it.
Asked again after a lost answer it is found under the same name, even when the draft is gone.
"""

import asyncio
from dataclasses import dataclass, field

from eas.commands.sync_acts import BadItem, parse_changes
from eas.commands.sync_request import CollectionRequest, Command, SyncRequest
from eas.commands.sync_response import SyncStatus
from eas.context import Context
from eas.items.draft import BadDraft, light_of, parse_draft
from eas.mail.compose import NoRecipient, TooManyRecipients, UnreadableMime
from eas.mail.draft_edit import Author, edited, new_draft, undated
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.sending import outbox
from eas.sending.outcomes import Letter, Outcome
from eas.sending.retries import Name
from eas.sync import synckey
from eas.sync.collection import LostView, UnknownKey, living_view
from eas.wbxml import pages
from eas.wbxml.element import element
from eas.wbxml.encoder import encode
from storage.folders import DRAFTS
from storage.items import Item
from storage.message.addresses import Address
from storage.message.summary import Summary
from storage.records import Content, Set
from storage.seal import keyed_hash

TAG = pages.AirSync

_STATUS: dict[Outcome, int] = {
    Outcome.LATER: Common.SERVER_ERROR_RETRY_LATER,
    Outcome.REFUSED: Common.MAIL_SUBMISSION_FAILED,
    Outcome.BAD_RECIPIENT: Common.INVALID_RECIPIENTS,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the drafts that the request said to send, by ClientId or ServerId."""

    statuses: dict[str, int] = field(default_factory=dict)


def author_of(context: Context, name: str) -> Author:
    """Return whose draft it is; *name* is what stays the same of it."""
    identity = context.account.identity
    mark = keyed_hash(context.account.keys.ids, b"draft", name.encode(), size=15).hex()
    domain = identity.address.rpartition("@")[2]
    return Author(Address(identity.display_name, identity.address), f"<{mark}@{domain}>")


async def send(context: Context, request: SyncRequest) -> Sent:
    """Send the drafts that *request* says to send.  Raises `EngineError`."""
    statuses: dict[str, int] = {}
    if context.version >= Version.V16_0:
        for collection in request.collections or ():
            wanted = [command for command in collection.commands if command.send]
            if wanted and collection.collection_id == DRAFTS.id and await _is_key_alive(context, collection):
                for command in wanted:
                    statuses[command.client_id or command.server_id] = await _send(context, command)
    return Sent(statuses)


async def _is_key_alive(context: Context, collection: CollectionRequest) -> bool:
    """Tell whether the turn will accept the request: what it refuses must not be sent, the phone starts anew."""
    key = synckey.decode(context.account.keys.tokens, context.device, collection.collection_id, collection.sync_key)
    async with context.account.turn() as state:
        try:
            return key is not None and bool(living_view(state, key, context.device, DRAFTS.id))
        except (UnknownKey, LostView):
            return False


async def _send(context: Context, command: Command) -> int:
    try:
        parse_changes(light_of(command.data), None)  # of no use to what is gone, but it must be right
        if command.tag is TAG.Add:
            return await _send_new(context, command)
        if command.tag is TAG.Change:
            return await _send_stored(context, command)
    except (BadDraft, BadItem, UnreadableMime):
        return SyncStatus.CONVERSION
    except (NoRecipient, TooManyRecipients):
        return Common.INVALID_RECIPIENTS
    return SyncStatus.PROTOCOL_ERROR


async def _send_new(context: Context, command: Command) -> int:
    changes = parse_draft(command.data)
    name = _name(context, "new", f"{context.device} {command.client_id}", command)
    author = author_of(context, name.id)
    mime = await asyncio.to_thread(new_draft, changes, author, context.services.now())
    return await _submitted(context, Letter(name, undated(mime)))


async def _send_stored(context: Context, command: Command) -> int:
    """Send a draft with its last changes, which are stored nowhere but in Sent Items."""
    changes = parse_draft(command.data)
    item, content, is_draft = await _find(context, command.server_id)
    if item is None or content is None:
        return SyncStatus.NOT_FOUND
    name = _name(context, "stored", f"{item.id} {content.blob}", command)
    if not is_draft:  # sent by an earlier try of this request, or moved away by somebody
        return SyncStatus.NOT_FOUND if await outbox.known(context, name) is None else SyncStatus.SUCCESS
    mime = await context.account.read(content)
    if not changes.is_empty:
        summary, author = Summary.unpack(content.summary), author_of(context, item.id)
        removed = changes.removed_paths(command.server_id)
        mime = await asyncio.to_thread(edited, changes, author, context.services.now(), mime, summary, removed)
    leaves = Set(item.id, "folder", None, context.device)
    return await _submitted(context, Letter(name, undated(mime), True, (leaves,), -content.size_bytes))


async def _find(context: Context, server_id: str) -> tuple[Item | None, Content | None, bool]:
    """Return the item of that ServerId, its content, and whether it lies in Drafts."""
    folder, _, item_id = server_id.partition(":")
    async with context.account.turn() as state:
        item = await state.item(item_id) if folder == DRAFTS.id else None
        if item is None:
            return None, None, False
        content = (await state.contents([item_id])).get(item_id)
        return item, content, state.folders.resting_place(item).folder == DRAFTS.id


def _name(context: Context, kind: str, what: str, command: Command) -> Name:
    """Return by what the request is known when it comes again.

    ClientIds of Sync are short and come again for other items: what is to be sent counts, too.  The same text under
    another ClientId is another message, unlike with SendMail, and so it is from another device, whose ClientIds are its
    own.  A stored draft is the same one on any device, and so is a Message-ID.
    """
    data = encode(command.data if command.data is not None else element(TAG.ApplicationData))
    digest = keyed_hash(context.account.keys.ids, b"draft", kind.encode(), what.encode(), data)
    return Name(f"{context.device}/draft/{digest.hex()}", "", digest)


async def _submitted(context: Context, letter: Letter) -> int:
    return _STATUS.get(await outbox.send(context, letter), SyncStatus.SUCCESS)
