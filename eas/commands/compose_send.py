"""What SendMail, SmartReply and SmartForward have in common: the source, the outbox, and what it all comes to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from eas.commands.compose_request import ComposeRequest, Source
from eas.context import CommandFailed, Context
from eas.mail.compose import NoRecipient, TooManyRecipients, UnreadableMime
from eas.protocol.status import Common
from eas.sending import outbox
from eas.sending.outcomes import Letter, Outcome
from eas.sending.retries import ALIKE_MS, Name
from storage.items import Item
from storage.message.addresses import parse_addresses
from storage.message.conversation import message_ids
from storage.message.headers import read_headers
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.records import Record, Set
from storage.seal import keyed_hash

Compose = Callable[[bytes, bytes, datetime], bytes]
"""The phone's message, the original, the time → the message with the original in it."""

_STATUS = {
    Outcome.BEFORE: Common.MESSAGE_PREVIOUSLY_SENT,
    Outcome.LATER: Common.SERVER_ERROR_RETRY_LATER,
    Outcome.REFUSED: Common.MAIL_SUBMISSION_FAILED,
    Outcome.BAD_RECIPIENT: Common.MESSAGE_RECIPIENT_UNRESOLVED,
}


class Verb(IntEnum):
    """[MS-ASEMAIL] LastVerbExecuted."""

    REPLY = 1
    REPLY_ALL = 2
    FORWARD = 3


@dataclass(frozen=True, slots=True)
class Original:
    """The source of a reply or forward."""

    item: Item
    data: bytes
    summary: Summary


def name_of(context: Context, request: ComposeRequest) -> Name:
    """Return by what the message is known when it comes again."""
    key, scope = context.account.keys.ids, f"{context.device}/"
    about = repr((request.command, request.source and request.source.item, request.forwardees)).encode()
    digest = keyed_hash(key, b"send", about, request.mime, size=16)
    if request.client_id:
        return Name(f"{scope}id/{request.client_id}", scope, digest)
    # Below 14.0 the Message-ID that the phone gave stands for the ClientId, else the bytes do.
    ids = message_ids(read_headers(request.mime)[0].first(b"message-id"))
    own_id = f"mid/{keyed_hash(key, b'message-id', ids[0]).hex()}" if ids else f"bytes/{digest.hex()}"
    return Name(f"{scope}{own_id}", scope, digest, ALIKE_MS)


async def check_known(context: Context, name: Name) -> bool:
    """Tell whether the message was sent under another name.  Raises `CommandFailed` if it was under this one.

    Asked before the source is looked for, which may be gone by the time of a retry.
    """
    outcome = await outbox.known(context, name)
    if outcome in _STATUS:
        raise CommandFailed(_STATUS[outcome])
    return outcome is not None


async def original_of(context: Context, source: Source) -> Original:
    """Return the source.  Raises `CommandFailed`: not found, not a mail, or one occurrence of what does not recur.

    A mail that was moved since the phone last synchronised is found all the same: answering changes nothing of where
    it is, and a phone that is refused can do nothing about it.
    """
    async with context.account.turn(fresh=False) as state:
        item = await state.item(source.item)
        if item is None:
            await context.account.make_fresh()
            item = await state.item(source.item)
        content = (await state.contents([source.item])).get(source.item)
        if item is None or content is None or state.folders.resting_place(item).folder is None:
            raise CommandFailed(Common.ITEM_NOT_FOUND)
    if item.kind != "Email":
        raise CommandFailed(Common.UNEXPECTED_ITEM_CLASS)
    summary = Summary.unpack(content.summary)
    if source.is_occurrence and summary.calendar is None:
        raise CommandFailed(Common.NO_RECURRENCE_IN_CALENDAR)
    return Original(item, await context.account.read(content), summary)


async def composed(context: Context, request: ComposeRequest, original: Original, compose: Compose) -> bytes:
    """Return the whole message.  Raises `CommandFailed`."""
    if request.replaces_mime:
        return request.mime
    try:
        return await asyncio.to_thread(compose, request.mime, original.data, context.services.now())
    except UnreadableMime as error:
        raise CommandFailed(Common.INVALID_MIME) from error


def verb_record(context: Context, original: Original, verb: Verb) -> Record:
    """Return the mark that the source gets once the message was sent."""
    now_ms = int(context.services.now().timestamp() * 1000)
    return Set(original.item.id, "verb", [int(verb), now_ms], context.device)


def reply_verb(context: Context, mime: bytes, original: Original) -> Verb:
    """Return whether a reply went to anybody besides those who wrote the original."""
    own = {address.lower() for address in context.account.identity.addresses}
    summary = original.summary
    writers = _addresses(summary.from_, summary.sender, summary.reply_to)
    others = _addresses(summary.to, summary.cc) - writers - own
    new = index_message(mime)
    return Verb.REPLY_ALL if others & _addresses(new.to, new.cc) else Verb.REPLY


def _addresses(*lists: str) -> set[str]:
    return {each.address.lower() for text in lists for each in parse_addresses(text.encode(), len(text) * 4)}


async def deliver(
    context: Context, request: ComposeRequest, name: Name, mime: bytes, records: tuple[Record, ...] = ()
) -> None:
    """Send the message.  Raises `CommandFailed` unless it is sent, or was before under another ClientId."""
    try:
        outcome = await outbox.send(context, Letter(name, mime, request.is_saved, records))
    except UnreadableMime as error:
        raise CommandFailed(Common.INVALID_MIME) from error
    except NoRecipient as error:
        status = Common.MESSAGE_RECIPIENT_UNRESOLVED if error.entries else Common.MESSAGE_HAS_NO_RECIPIENT
        raise CommandFailed(status) from error
    except TooManyRecipients as error:
        raise CommandFailed(Common.MAIL_SUBMISSION_FAILED) from error
    if outcome in _STATUS:
        raise CommandFailed(_STATUS[outcome])
