"""Mail that goes out once, whatever is lost, repeated or killed on the way (`ARCHITECTURE.md`, "Sending").

The order of writes: the intent; a fresh listing; the copy for Sent Items; submission; then one commit with the outcome,
the copy's item and whatever belongs to it.  What a crash leaves behind:

- before submission: an intent without outcome, and perhaps an orphan blob.  Nothing was sent.
- after it: the same, and the message was sent: the one window in which a retry sends it once more, under the same
  Message-ID.  It never loses, since the phone has no answer yet and keeps the message.

Two attempts at once, on whatever nodes, each see the other's intent in the listing after their own, for at least one
of the intents was durable before the other listing began: at most one submits, both may give up, and the phone tries
again.  An intent stays in the way until its process is known to be dead, or until no attempt can be under way any more.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import structlog

from eas.context import Context
from eas.mail.compose import NoRecipient, Outgoing, outgoing
from eas.mail.submission import SUBMIT_SECONDS_MAX, SubmissionFailed
from storage.clock import stamp_ms
from storage.engine import EngineError
from storage.folders import SENT
from storage.ids import own_item
from storage.message.index import index_message
from storage.records import Added, Content, Record, Sending, Sent
from storage.seal import keyed_hash
from storage.sends import KEPT_MS, Intent, Key, Send, Sends
from storage.state import State

ABANDONED_MS = 600_000
"""An intent without outcome is so old when it no longer counts."""
ALIKE_MS = 86_400_000
"""For how long the same Message-ID, or the same bytes, are taken for a retry under another ClientId."""
OUTCOME_PAUSES_SECONDS = (1.0, 5.0, 15.0, 30.0)
"""Pauses before the outcome of a message that was taken is noted again: the answer waits, or it might be sent twice."""
DOMAIN_MISSING = "localhost"

assert SUBMIT_SECONDS_MAX * 1000 < ABANDONED_MS - 60_000  # noqa: S101  # an attempt is over before it counts as such

_log = structlog.get_logger(__name__)


class Outcome(Enum):
    """What became of a message."""

    SENT = "sent"
    BEFORE = "before"
    """It had been sent before, under this very name."""
    ALIKE = "alike"
    """It had been sent before, under another name."""
    LATER = "later"
    """Not now: perhaps somebody is sending it, or the mail server cannot take it at the moment."""
    REFUSED = "refused"
    BAD_RECIPIENT = "bad recipient"


@dataclass(frozen=True, slots=True)
class Name:
    """By what a message is known when it comes again."""

    id: str
    """The send id: device, and what the phone calls the message."""
    scope: str
    """Sends whose id begins so may be the same message under another id."""
    digest: bytes
    """Of the request: two with one digest are one message."""
    remembered_ms: int = KEPT_MS
    """For how long the id names this message."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sent."""

    name: Name
    mime: bytes
    """As the phone, or `eas.mail.compose`, wrote it."""
    is_saved: bool = True
    """Whether a copy goes to Sent Items."""
    records: tuple[Record, ...] = ()
    """What is to be true once it was sent; committed with the outcome."""
    usage_bytes: int = 0
    """What these records change of the bytes that the account holds."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    send: str
    key: Key
    outgoing: Outgoing


async def known(context: Context, name: Name) -> Outcome | None:
    """Return what a message that was sent before is answered with, None for one that was not."""
    async with context.account.turn() as state:
        now_ms = stamp_ms(context.account.tick())
        return _sent_before(state.sends, name, _current_id(state.sends, name, now_ms), "", now_ms)


async def send(context: Context, letter: Letter, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Outcome:
    """Send *letter*, unless it was sent before or may be about to be.

    Raises `UnreadableMime`, `NoRecipient`, `TooManyRecipients`, and `EngineError` when nothing was sent for its sake.
    """
    attempt = await _begin(context, letter)
    if isinstance(attempt, Outcome):
        return attempt
    try:
        content = await _copy(context, attempt.outgoing) if letter.is_saved else None
    except EngineError:
        await _give_up(context, attempt)
        raise
    out = attempt.outgoing
    try:
        await context.services.submit(out.envelope_from, list(out.recipients), out.message)
    except SubmissionFailed as failed:
        return await _failed(context, attempt, failed)
    await _note(context, attempt, content, letter, sleep)
    _log.info("mail.sent", device=context.device, recipients=len(out.recipients), size_bytes=len(out.message))
    return Outcome.SENT


# -- before submission


async def _begin(context: Context, letter: Letter) -> _Attempt | Outcome:
    """Write the intent, and look whether anybody else has one."""
    account, name = context.account, letter.name
    async with account.turn() as state:
        now_ms = stamp_ms(account.tick())
        send_id = _current_id(state.sends, name, now_ms)
        out = _built(context, letter.mime, state.sends, name, send_id)
        if (verdict := _verdict(context, state.sends, name, send_id, out, now_ms, None)) is not None:
            return verdict
        process = context.services.feed.process_id
        commit = await account.commit([Sending(send_id, out.message_id, name.digest, process)])
        attempt = _Attempt(send_id, (commit.writer, commit.n), out)
        try:
            await account.refresh()
        except EngineError:
            with contextlib.suppress(EngineError):
                await _withdraw(context, attempt)
            raise
        verdict = _verdict(context, state.sends, name, send_id, out, now_ms, attempt.key)
        if verdict is not None:
            await _withdraw(context, attempt)
            return verdict
    return attempt


def _current_id(sends: Sends, name: Name, now_ms: int) -> str:
    """Return the send id, another one when that of *name* is that of a message sent long ago."""
    send_id = name.id
    while (send := sends.by_id.get(send_id)) and send.taken and _latest_ms(send) < now_ms - name.remembered_ms:
        send_id += "'"
    return send_id


def _latest_ms(send: Send) -> int:
    return max((stamp_ms(intent.time) for intent in send.intents.values()), default=0)


def _verdict(
    context: Context, sends: Sends, name: Name, send_id: str, out: Outgoing, now_ms: int, own: Key | None
) -> Outcome | None:
    """Return why the message is not to be submitted, or None.  *own* is this attempt's intent."""
    before = _sent_before(sends, name, send_id, out.message_id, now_ms)
    if before is not None:
        return before
    for key, intent in _open(sends, name, send_id, out.message_id):
        if key != own and not _is_abandoned(context, intent, now_ms):
            _log.info("mail.send_under_way", device=context.device)
            return Outcome.LATER
    return None


def _sent_before(sends: Sends, name: Name, send_id: str, message_id: str, now_ms: int) -> Outcome | None:
    same = sends.by_id.get(send_id)
    if same is not None and same.taken:
        return Outcome.BEFORE
    for other, _, intent in sends.alike(name.scope, message_id, name.digest):
        if other.taken and stamp_ms(intent.time) >= now_ms - ALIKE_MS:
            return Outcome.ALIKE
    return None


def _open(sends: Sends, name: Name, send_id: str, message_id: str) -> Iterator[tuple[Key, Intent]]:
    """Yield the intents without outcome of this message, under whatever id."""
    same = sends.by_id.get(send_id)
    if same is not None:
        yield from same.open.items()
    for other, key, intent in sends.alike(name.scope, message_id, name.digest):
        if other is not same and key not in other.outcomes:
            yield key, intent


def _is_abandoned(context: Context, intent: Intent, now_ms: int) -> bool:
    if context.services.feed.is_alive(intent.process) is False:
        return True
    return now_ms - stamp_ms(intent.time) > ABANDONED_MS


def _built(context: Context, mime: bytes, sends: Sends, name: Name, send_id: str) -> Outgoing:
    """Return the message; every attempt gives it the same Message-ID where the phone gave none."""
    addresses, now = context.account.identity.addresses, context.services.now()
    mark = keyed_hash(context.account.keys.ids, b"message-id", send_id.encode(), size=15).hex()
    candidate = f"<{mark}@{_domain(addresses[0])}>"
    out = outgoing(mime, addresses, now, candidate)
    if out.unusable:  # not to some of those whom the user named, and nobody told
        raise NoRecipient(out.unusable)
    if out.message_id != candidate:
        return out
    earlier = next((intent.message_id for _, intent in _open(sends, name, send_id, "")), None)
    wanted = earlier or f"<{mark}@{_domain(out.envelope_from)}>"
    return out if wanted == candidate else outgoing(mime, addresses, now, wanted)


def _domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    return domain if domain.isascii() and domain else DOMAIN_MISSING


async def _copy(context: Context, out: Outgoing) -> Content:
    """Store the copy for Sent Items.  Before submission: afterwards as little as possible may go wrong."""
    summary = await asyncio.to_thread(index_message, out.copy)
    return await context.account.store(out.copy, summary.pack())


# -- after submission


async def _failed(context: Context, attempt: _Attempt, failed: SubmissionFailed) -> Outcome:
    _log.warning(
        "mail.not_sent", device=context.device, reason=str(failed), permanent=failed.permanent, certain=failed.certain
    )
    if not failed.certain:
        return Outcome.LATER  # the intent stays open: perhaps it was sent
    await _give_up(context, attempt)
    if not failed.permanent:
        return Outcome.LATER
    return Outcome.BAD_RECIPIENT if failed.recipients else Outcome.REFUSED


async def _give_up(context: Context, attempt: _Attempt) -> None:
    """Note that the message was not sent.  Where even that fails, the next attempt waits until this one is old."""
    try:
        async with context.account.turn(fresh=False):
            await _withdraw(context, attempt)
    except EngineError as error:
        _log.warning("mail.outcome_unnoted", device=context.device, error=repr(error), taken=False)


async def _withdraw(context: Context, attempt: _Attempt) -> None:
    await context.account.commit([Sent(attempt.send, *attempt.key, taken=False)])


async def _note(
    context: Context,
    attempt: _Attempt,
    content: Content | None,
    letter: Letter,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Note that the message was sent, and all that follows from it.  Raises `EngineError` after several tries."""
    for pause in OUTCOME_PAUSES_SECONDS:
        try:
            return await _note_once(context, attempt, content, letter)
        except EngineError as error:
            _log.error("mail.outcome_unnoted", device=context.device, error=repr(error), taken=True)
            await sleep(pause)
    return await _note_once(context, attempt, content, letter)


async def _note_once(context: Context, attempt: _Attempt, content: Content | None, letter: Letter) -> None:
    async with context.account.turn(fresh=False) as state:
        facts: list[Record] = [Sent(attempt.send, *attempt.key, taken=True), *letter.records]
        if content is not None:
            facts.append(_added(context, state, attempt.send, content))
        await context.account.commit(facts, letter.usage_bytes + (content.size_bytes if content else 0))


def _added(context: Context, state: State, send_id: str, content: Content) -> Added:
    """Return the record of the copy in Sent Items: the same item whichever attempt came through."""
    first_ms = min(stamp_ms(intent.time) for intent in state.sends.by_id[send_id].intents.values())
    item = own_item(context.account.keys.ids, first_ms, "sent", send_id)
    now_ms = int(context.services.now().timestamp() * 1000)
    return Added(item, SENT.id, "Email", now_ms, content, {"read": True}, context.device)
