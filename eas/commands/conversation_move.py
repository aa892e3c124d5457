"""Move of ItemOperations: all mails of a conversation to one folder, from 14.0 on ([MS-ASCMD] Move (ItemOperations)).

Mails in Sent Items stay, as the specification says; so do drafts and what waits to be sent, which anywhere else would
be neither.  MoveAlways is taken for what it means now: mails that come later are not moved.
"""

from dataclasses import dataclass

from eas.commands.operation_status import OperationFailed, OperationStatus
from eas.context import Context
from eas.finding.mailsearch import Hit, MailQuery, folders_of, search
from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf
from storage.folders import DRAFTS, OUTBOX, SENT
from storage.records import Record, Set
from storage.state import State

TAG = pages.ItemOperations
MOVED_MAX = 5000
"""Mails of one conversation that are moved at once; the newest."""
RECORDS_MAX = 500
"""Of one commit."""
RECIPIENT_CACHE = "RI"
_STAYING = frozenset({SENT.id, DRAFTS.id, OUTBOX.id})


@dataclass(frozen=True, slots=True)
class ConversationMove:
    """One Move."""

    conversation_id: bytes
    destination: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The answer to it."""

    request: ConversationMove
    status: OperationStatus


def parse(operation: Element) -> ConversationMove:
    """Read a Move.  Raises `MissingElement`, `InvalidValue`."""
    return ConversationMove(operation.opaque(TAG.ConversationId), operation.text(TAG.DstFldId))


async def run(context: Context, request: ConversationMove) -> Moved:
    """Move the mails.  Raises `Unavailable`: part of it may have been done, and is not done twice."""
    try:
        await _move(context, request)
    except OperationFailed as failed:
        return Moved(request, failed.status)
    return Moved(request, OperationStatus.SUCCESS)


async def _move(context: Context, request: ConversationMove) -> None:
    async with context.account.turn() as state:
        _check(state, request.destination)
        snapshot = state.snapshot()
    folders = folders_of(snapshot.folders, (), deep=True) - _STAYING
    found = await search(snapshot, MailQuery(folders, conversation_id=request.conversation_id), MOVED_MAX)
    if not found.total:
        raise OperationFailed(OperationStatus.NOT_FOUND)
    hits = [hit for hit in found.newest if hit.folder != request.destination]
    for start in range(0, len(hits), RECORDS_MAX):
        await _move_some(context, request.destination, hits[start : start + RECORDS_MAX])


def _check(state: State, destination: str) -> None:
    """Raise `OperationFailed` when mail cannot be moved to *destination*."""
    if destination == RECIPIENT_CACHE:
        raise OperationFailed(OperationStatus.RECIPIENT_CACHE)
    folder = state.folders.tree().get(destination)
    if folder is None:
        raise OperationFailed(OperationStatus.NOT_FOUND)
    if folder.holds != "Email":
        raise OperationFailed(OperationStatus.NO_MAIL_FOLDER)


async def _move_some(context: Context, destination: str, hits: list[Hit]) -> None:
    async with context.account.turn(fresh=False) as state:
        _check(state, destination)
        items = await state.items(hit.floor.item for hit in hits)
        records: list[Record] = [
            Set(hit.floor.item, "folder", destination, context.device)
            for hit in hits
            if hit.floor.item in items and state.folders.resting_place(items[hit.floor.item]).folder == hit.folder
        ]
        if records:
            await context.account.commit(records)


def render(moved: Moved) -> Element:
    """Return the Move of the response."""
    return element(TAG.Move, leaf(TAG.Status, moved.status), leaf(TAG.ConversationId, moved.request.conversation_id))
