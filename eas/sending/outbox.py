"""Mail that goes out once, whatever is lost, repeated or killed on the way (`ARCHITECTURE.md`, "Sending").

The order of writes: the intent; a fresh listing; the copy for Sent Items; submission; then one commit with the outcome,
the copy's item and whatever belongs to it.  What a crash leaves behind:

- before submission: an intent without outcome, and perhaps an orphan blob.  Nothing was sent.
- after it: the same, and the message was sent: the one window in which a retry sends it once more, under the same
  Message-ID.  It never loses, since the phone has no answer yet and keeps the message.  (A store that takes no note of
  the outcome for a minute is like a crash.)

Two attempts at once, on whatever nodes, each see the other's intent in the listing after their own, for at least one
of the intents was durable before the other listing began: at most one submits, both may give up, and the phone tries
again.  An intent stays in the way until its process is known to be dead, or until no attempt can be under way any more.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from eas.context import Context
from eas.mail.compose import NoRecipient, Outgoing, outgoing
from eas.mail.submission import SUBMIT_SECONDS_MAX, SubmissionFailed
from eas.sending.outcomes import Attempt, Letter, Outcome, give_up, note_failure, note_sent, withdraw, withdraw_later
from eas.sending.retries import Name, current_id, open_intents, was_sent, was_sent_alike
from storage.clock import stamp_ms
from storage.engine import EngineError
from storage.message.index import index_message
from storage.records import Content, Sending
from storage.seal import keyed_hash
from storage.sends import Intent, Key, Sends

ABANDONED_MS = 600_000
"""An intent without outcome is so old when it no longer counts, if this process has known it as long,"""
FORSAKEN_MS = 86_400_000
"""or so old, whoever has known it."""
COPY_SECONDS_MAX = 60.0
"""For storing the copy."""
READY_SECONDS_MAX = 90.0
"""From the request to submission: an attempt must be over before its intent counts as abandoned, and long before the
message's name is forgotten.  A process that stood still meanwhile (a machine that slept, a store that hung) leaves the
message to whoever comes next."""
DOMAIN_MISSING = "localhost"

assert (SUBMIT_SECONDS_MAX + READY_SECONDS_MAX) * 1000 < ABANDONED_MS  # noqa: S101

_log = structlog.get_logger(__name__)


async def known(context: Context, name: Name) -> Outcome | None:
    """Return what a message that was sent before is answered with, None for one that was not."""
    async with context.account.turn() as state:
        now_ms = stamp_ms(context.account.tick())
        return _before(state.sends, name, current_id(state.sends, name, now_ms), "", now_ms)


async def send(context: Context, letter: Letter, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Outcome:
    """Send *letter*, unless it was sent before or may be about to be.

    Raises `UnreadableMime`, `NoRecipient`, `TooManyRecipients`, and `EngineError` when nothing was sent for its sake.
    """
    attempt = await _begin(context, letter)
    if isinstance(attempt, Outcome):
        return attempt
    try:
        async with asyncio.timeout(COPY_SECONDS_MAX):
            content = await _copy(context, attempt.outgoing) if letter.is_saved else None
    except Exception as error:
        await give_up(context, attempt)
        if isinstance(error, TimeoutError):
            return Outcome.LATER
        raise
    if _now() - attempt.begun > READY_SECONDS_MAX:
        await give_up(context, attempt)
        return Outcome.LATER
    out = attempt.outgoing
    try:
        await context.services.submit(out.envelope_from, list(out.recipients), out.message)
    except SubmissionFailed as failed:
        return await note_failure(context, attempt, failed)
    await note_sent(context, attempt, content, letter, sleep)
    _log.info("mail.sent", device=context.device, recipients=len(out.recipients), size_bytes=len(out.message))
    return Outcome.SENT


# -- before submission


async def _begin(context: Context, letter: Letter) -> Attempt | Outcome:
    """Write the intent, and look whether anybody else has one."""
    account, name, begun = context.account, letter.name, _now()
    async with account.turn() as state:
        now_ms = stamp_ms(account.tick())
        send_id = current_id(state.sends, name, now_ms)
        # A big message takes a while to look through; the state stays as it is meanwhile, for the turn is ours.
        out = await asyncio.to_thread(_built, context, letter.mime, state.sends, name, send_id)
        if (verdict := _verdict(context, state.sends, name, send_id, out, now_ms, None)) is not None:
            return verdict
        process = context.services.feed.process_id
        attempt = Attempt(send_id, account.next_place, out, begun)
        try:
            await account.commit([Sending(send_id, out.message_id, name.digest, process)])
        except EngineError:
            withdraw_later(context, attempt)
            raise
        try:
            await account.refresh()
        except EngineError:
            await withdraw(context, attempt)
            raise
        verdict = _verdict(context, state.sends, name, send_id, out, now_ms, attempt.key)
        if verdict is not None:
            await withdraw(context, attempt)
            return verdict
    return attempt


def _now() -> float:
    return asyncio.get_running_loop().time()


def _verdict(
    context: Context, sends: Sends, name: Name, send_id: str, out: Outgoing, now_ms: int, own: Key | None
) -> Outcome | None:
    """Return why the message is not to be submitted, or None.  *own* is this attempt's intent."""
    before = _before(sends, name, send_id, out.message_id, now_ms)
    if before is not None:
        return before
    for key, intent in open_intents(sends, name, send_id, out.message_id):
        is_over = _is_abandoned(context, key, intent, now_ms)  # asked of our own, too: it is known from now on
        if key != own and not is_over:
            _log.info("mail.send_under_way", device=context.device)
            return Outcome.LATER
    return None


def _before(sends: Sends, name: Name, send_id: str, message_id: str, now_ms: int) -> Outcome | None:
    if was_sent(sends, send_id):
        return Outcome.BEFORE
    return Outcome.ALIKE if was_sent_alike(sends, name, message_id, now_ms) else None


def _is_abandoned(context: Context, key: Key, intent: Intent, now_ms: int) -> bool:
    known_seconds = context.services.met.seconds(context.account.id, key)
    if context.services.feed.is_alive(intent.process) is False:
        return True
    age_ms = now_ms - stamp_ms(intent.time)
    # Clocks may be wrong by hours: ours has to have counted the time, too, or it has to be a day.
    return age_ms > ABANDONED_MS and (known_seconds * 1000 > ABANDONED_MS or age_ms > FORSAKEN_MS)


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
    earlier = next((intent.message_id for _, intent in open_intents(sends, name, send_id, "")), None)
    wanted = earlier or f"<{mark}@{_domain(out.envelope_from)}>"
    return out if wanted == candidate else outgoing(mime, addresses, now, wanted)


def _domain(address: str) -> str:
    domain = address.rpartition("@")[2]
    return domain if domain.isascii() and domain else DOMAIN_MISSING


async def _copy(context: Context, out: Outgoing) -> Content:
    """Store the copy for Sent Items.  Before submission: afterwards as little as possible may go wrong."""
    summary = await asyncio.to_thread(index_message, out.copy)
    return await context.account.store(out.copy, summary.pack())
