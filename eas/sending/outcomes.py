"""What became of a message, and how it is noted: the other half of `outbox.py`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

import structlog

from eas.context import Context
from eas.mail.compose import Outgoing
from eas.mail.submission import SubmissionFailed
from eas.sending.retries import Name
from storage.clock import stamp_ms
from storage.engine import EngineError
from storage.folders import SENT
from storage.ids import own_item
from storage.records import Added, Content, Record, Sent
from storage.sends import Key
from storage.state import State

OUTCOME_PAUSES_SECONDS = (1.0, 5.0, 15.0, 30.0)
"""Pauses before the outcome of a message that was taken is noted again: the answer waits, or it might be sent twice."""
WITHDRAWAL_PAUSES_SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 240.0)
"""Before it is noted again that a message was not sent; after ten minutes its intent counts as abandoned anyhow."""

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
class Attempt:
    """A letter whose intent is written."""

    send: str
    key: Key
    """The place of the intent."""
    outgoing: Outgoing
    begun: float
    """When the request came, on the event loop's clock."""


async def note_failure(context: Context, attempt: Attempt, failed: SubmissionFailed) -> Outcome:
    """Note that submission failed; return what that means."""
    _log.warning(
        "mail.not_sent", device=context.device, reason=str(failed), permanent=failed.permanent, certain=failed.certain
    )
    if not failed.certain:
        return Outcome.LATER  # the intent stays open: perhaps it was sent
    await give_up(context, attempt)
    if not failed.permanent:
        return Outcome.LATER
    return Outcome.BAD_RECIPIENT if failed.recipients else Outcome.REFUSED


async def give_up(context: Context, attempt: Attempt) -> None:
    """Note that the message was not sent, now or later: until then the next attempt has to wait."""
    try:
        async with context.account.turn(fresh=False):
            await withdraw(context, attempt)
    except EngineError:  # no turn is to be had
        withdraw_later(context, attempt)


async def withdraw(context: Context, attempt: Attempt) -> None:
    """Note within a turn that the message was not sent; later, if the store does not take it now."""
    try:
        await _withdraw(context, attempt)
    except EngineError as error:
        _log.warning("mail.outcome_unnoted", device=context.device, error=repr(error), taken=False)
        withdraw_later(context, attempt)


def withdraw_later(context: Context, attempt: Attempt) -> None:
    """See to it that the message is noted as not sent once the store takes it.

    The intent itself may come to light later, too, when the outcome of its own commit was unknown.
    """
    task = asyncio.create_task(_withdraw_in_time(context, attempt))
    context.services.unfinished.add(task)
    task.add_done_callback(context.services.unfinished.discard)


async def _withdraw_in_time(context: Context, attempt: Attempt) -> None:
    for pause in WITHDRAWAL_PAUSES_SECONDS:
        await asyncio.sleep(pause)
        with suppress(EngineError):
            async with context.account.turn() as state:
                send = state.sends.by_id.get(attempt.send)
                if send is not None and attempt.key in send.open:
                    await _withdraw(context, attempt)
                if send is not None and attempt.key in send.intents:
                    return


async def _withdraw(context: Context, attempt: Attempt) -> None:
    await context.account.commit([Sent(attempt.send, *attempt.key, taken=False)])


async def note_sent(
    context: Context,
    attempt: Attempt,
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


async def _note_once(context: Context, attempt: Attempt, content: Content | None, letter: Letter) -> None:
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
