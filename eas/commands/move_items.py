"""MoveItems: move items from one folder to another ([MS-ASCMD] MoveItems)."""

from dataclasses import dataclass
from enum import IntEnum

from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.items import Item
from storage.records import Set
from storage.state import State

TAG = pages.Move

MOVES_MAX = 1000
"""Moves of one request; above it Status 103, as Exchange does."""
ID_CHARS_MAX = 64


class MoveStatus(IntEnum):
    """[MS-ASCMD] Status (MoveItems)."""

    INVALID_SOURCE = 1
    INVALID_DESTINATION = 2
    SUCCESS = 3
    SAME_COLLECTION = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class Move:
    """One Move element of the request.  `dst_fld_id` None: it names several."""

    src_msg_id: str
    src_fld_id: str
    dst_fld_id: str | None

    @property
    def item(self) -> str | None:
        """The item's own id; None for what is no id of an item in the source folder."""
        folder, _, item = self.src_msg_id.partition(":")
        return item if folder == self.src_fld_id and item else None


@dataclass(frozen=True, slots=True)
class Moved:
    """The Response element to a `Move`."""

    src_msg_id: str
    status: MoveStatus
    dst_msg_id: str | None = None


def parse(root: Element | None, request: EasRequest) -> list[Move]:
    """Read the request.  Raises `MissingElement`, `InvalidValue`, and `CommandFailed` for too many moves."""
    moves = root.all(TAG.Move) if root is not None else []
    if not moves:
        raise MissingElement(TAG.Move)
    if len(moves) > MOVES_MAX:
        raise CommandFailed(Common.INVALID_XML)
    return [_move(move) for move in moves]


def _move(move: Element) -> Move:
    src_msg_id = move.text(TAG.SrcMsgId)
    if not 0 < len(src_msg_id) <= ID_CHARS_MAX:  # it comes back in the answer
        raise InvalidValue(TAG.SrcMsgId, src_msg_id)
    dst_fld_id = move.text(TAG.DstFldId)
    return Move(src_msg_id, move.text(TAG.SrcFldId), dst_fld_id if len(move.all(TAG.DstFldId)) == 1 else None)


async def handle(context: Context, moves: list[Move]) -> list[Moved]:
    """Move each item by itself: one that is gone fails alone, the others still move.  All are one commit."""
    async with context.account.turn() as state:
        items = await state.items(move.item for move in moves if move.item)
        mover = _Mover(state, items)
        answers = [mover.move(move) for move in moves]
        if mover.targets:
            await context.account.commit(
                [Set(item, "folder", folder, context.device) for item, folder in mover.targets.items()]
            )
    return answers


class _Mover:
    """Decides what becomes of each move, one after another."""

    def __init__(self, state: State, items: dict[str, Item]) -> None:
        self._state, self._items = state, items
        self.targets: dict[str, str] = {}
        """Where this request puts items."""

    def move(self, move: Move) -> Moved:
        """Note where the item is to go, if it may; return what to say."""
        item = self._items.get(move.item or "")
        status = self._status(move, item)
        if status is not MoveStatus.SUCCESS or item is None or move.dst_fld_id is None:
            return Moved(move.src_msg_id, status)
        if self._state.folders.resting_place(item).folder != move.dst_fld_id:
            self.targets[item.id] = move.dst_fld_id
        return Moved(move.src_msg_id, status, f"{move.dst_fld_id}:{item.id}")

    def _status(self, move: Move, item: Item | None) -> MoveStatus:
        tree = self._state.folders.tree()
        if move.dst_fld_id is None:
            return MoveStatus.FAILED
        if move.src_fld_id not in tree and move.src_fld_id not in self._state.folders.gone:
            return MoveStatus.INVALID_SOURCE
        if move.dst_fld_id not in tree:
            return MoveStatus.INVALID_DESTINATION
        if move.src_fld_id == move.dst_fld_id:
            return MoveStatus.SAME_COLLECTION
        if item is None:
            return MoveStatus.INVALID_SOURCE
        target = self.targets.get(item.id)
        if target is not None:  # named before in this request; one item cannot go to two folders
            return MoveStatus.SUCCESS if target == move.dst_fld_id else MoveStatus.FAILED
        place = self._state.folders.resting_place(item).folder
        if place == move.dst_fld_id and move.src_fld_id in item.entries:
            return MoveStatus.SUCCESS  # an earlier try of this request, or somebody else, did it
        if place != move.src_fld_id:
            return MoveStatus.INVALID_SOURCE
        if tree[move.dst_fld_id].holds != tree[place].holds:
            return MoveStatus.FAILED
        return MoveStatus.SUCCESS


def render(answers: list[Moved], version: Version) -> Element:
    """Write the answer; the order of the elements is fixed."""
    return element(TAG.MoveItems, *map(_response, answers))


def _response(moved: Moved) -> Element:
    return element(
        TAG.Response,
        leaf(TAG.SrcMsgId, moved.src_msg_id),
        leaf(TAG.Status, moved.status),
        leaf(TAG.DstMsgId, moved.dst_msg_id),
    )
