"""ItemOperations: fetch items and files, empty folders, move conversations ([MS-ASCMD] ItemOperations).

The operations are carried out in the order of the request, each for itself: one that fails stops no other.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from eas.commands import conversation_move, empty_folder, item_fetch
from eas.commands.conversation_move import ConversationMove, Moved
from eas.commands.empty_folder import Emptied, EmptyFolder
from eas.commands.item_data import DataSink
from eas.commands.item_fetch import Fetch, Fetched
from eas.commands.operation_status import OperationFailed, OperationStatus
from eas.context import Context
from eas.protocol.exchange import EasRequest, EasResponse
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.state import State

TAG = pages.ItemOperations
OPERATIONS_MAX = 100
ROOM_BYTES = 32 << 20
"""Bodies and small files that one answer holds in memory; the last of them may go beyond."""

Operation = Fetch | EmptyFolder | ConversationMove
Outcome = Fetched | Emptied | Moved


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """What is to be done, in this order."""

    operations: tuple[Operation, ...]
    accept_multipart: bool
    fault: OperationStatus | None = None
    """Why nothing of it is done.  Not raised: to whoever takes multipart this, too, is told so."""


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What came of it, in the same order."""

    outcomes: tuple[Outcome, ...]
    accept_multipart: bool
    mark: str
    status: OperationStatus = OperationStatus.SUCCESS


def parse(root: Element | None, request: EasRequest) -> ItemRequest:
    """Read the request.  No operation, one that is none, and too many of them are faults of the whole."""
    try:
        operations = _operations(root, request.version)
    except OperationFailed as failed:
        return ItemRequest((), request.accept_multipart, failed.status)
    return ItemRequest(operations, request.accept_multipart)


def _operations(root: Element | None, version: Version) -> tuple[Operation, ...]:
    if root is None or not root.children:
        raise OperationFailed(OperationStatus.PROTOCOL_ERROR)
    if len(root.children) > OPERATIONS_MAX:
        raise OperationFailed(OperationStatus.TOO_LARGE)
    try:
        return tuple(_operation(child, version) for child in root.children)
    except (InvalidValue, MissingElement) as error:
        raise OperationFailed(OperationStatus.PROTOCOL_ERROR) from error


def _operation(operation: Element, version: Version) -> Operation:
    if operation.tag is TAG.Fetch:
        return item_fetch.parse(operation, version)
    if operation.tag is TAG.EmptyFolderContents:
        return empty_folder.parse(operation)
    if operation.tag is TAG.Move and version >= Version.V14_0:
        return conversation_move.parse(operation)
    raise OperationFailed(OperationStatus.PROTOCOL_ERROR)


async def handle(context: Context, request: ItemRequest) -> ItemAnswer:
    """Carry out the operations one by one.  Fetches between two changes read from one snapshot, outside the turn."""
    outcomes: list[Outcome] = []
    snapshot: State | None = None
    room_bytes = ROOM_BYTES
    for operation in request.operations:
        if isinstance(operation, Fetch):
            if snapshot is None:
                async with context.account.turn() as state:
                    snapshot = state.snapshot()
            fetched = await item_fetch.run(context, snapshot, operation, room_bytes)
            room_bytes -= fetched.size_bytes
            outcomes.append(fetched)
            continue
        snapshot = None
        if isinstance(operation, EmptyFolder):
            outcomes.append(await empty_folder.run(context, operation))
        else:
            outcomes.append(await conversation_move.run(context, operation))
    status = request.fault or OperationStatus.SUCCESS
    return ItemAnswer(tuple(outcomes), request.accept_multipart, secrets.token_hex(16), status)


def render(answer: ItemAnswer, version: Version) -> Element | EasResponse:
    """Return the answer; children of Response are sorted by kind, as the schema has them."""
    sink = DataSink(answer.accept_multipart, answer.mark)
    return sink.answer(
        element(
            TAG.ItemOperations,
            leaf(TAG.Status, answer.status),
            element(TAG.Response, *_responses(answer.outcomes, version, sink)) if answer.outcomes else None,
        )
    )


def _responses(outcomes: Iterable[Outcome], version: Version, sink: DataSink) -> Iterable[Element]:
    outcomes = tuple(outcomes)
    yield from (conversation_move.render(one) for one in outcomes if isinstance(one, Moved))
    yield from (empty_folder.render(one) for one in outcomes if isinstance(one, Emptied))
    yield from (item_fetch.render(one, version, sink) for one in outcomes if isinstance(one, Fetched))
