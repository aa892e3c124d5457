"""GetItemEstimate: how much the next Syncs would bring ([MS-ASCMD] GetItemEstimate).  It uses up no key.

Up to 12.1 the filter stands in Collection itself and children come in any order, which clients use; from 14.0 on it
stands in airsync:Options.  Both forms are read whatever the version.
"""

from dataclasses import dataclass
from enum import IntEnum

from eas.commands.options import Options, parse_options
from eas.context import CommandFailed, Context
from eas.protocol.exchange import EasRequest
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.sync import synckey
from eas.sync.collection import UnknownKey, living_view
from eas.sync.plan import make_plan
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.folders import Folder
from storage.state import State

TAG, AIRSYNC = pages.GetItemEstimate, pages.AirSync

RECIPIENT_CACHE = "RI"
ID_CHARS_MAX = 64


class EstimateStatus(IntEnum):
    """[MS-ASCMD] Status (GetItemEstimate)."""

    SUCCESS = 1
    INVALID_COLLECTION = 2
    NOT_PRIMED = 3
    INVALID_SYNC_KEY = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """One Collection of the request."""

    collection_id: str
    sync_key: str
    options: Options
    has_conversation_mode: bool = False
    has_max_items: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """The Response element to an `Asked`; `class_name` only where it is known."""

    collection_id: str
    status: EstimateStatus
    count: int | None = None
    class_name: str | None = None


def parse(root: Element | None, request: EasRequest) -> list[Asked]:
    """Read the request.  Raises `MissingElement`, `InvalidValue`, and `CommandFailed` with Status 103."""
    container = root.first(TAG.Collections) if root is not None else None
    listed = container.all(TAG.Collection) if container is not None else []
    if not listed:
        raise MissingElement(TAG.Collection)
    return [_asked(collection, request.version) for collection in listed]


def _asked(collection: Element, version: Version) -> Asked:
    collection_id = collection.text(TAG.CollectionId)
    if not 0 < len(collection_id) <= ID_CHARS_MAX:  # it comes back in the answer
        raise InvalidValue(TAG.CollectionId, collection_id)
    blocks = collection.all(AIRSYNC.Options)
    if not blocks and (filter_type := collection.first(AIRSYNC.FilterType)) is not None:
        blocks = [element(AIRSYNC.Options, filter_type)]
    try:
        options = parse_options(blocks, version)
    except CommandFailed as error:  # with Sync's Status, which means something else here
        raise CommandFailed(Common.INVALID_XML) from error
    return Asked(
        collection_id,
        collection.text(AIRSYNC.SyncKey),
        options or Options(),  # [MS-ASCMD] Options: without them, no filter, whatever Sync was told
        collection.has(AIRSYNC.ConversationMode),
        any(block.has(AIRSYNC.MaxItems) for block in blocks),
    )


async def handle(context: Context, collections: list[Asked]) -> list[Estimate]:
    """Count what waits in each of *collections*."""
    if len(collections) > context.services.settings.collections_max:
        raise CommandFailed(Common.INVALID_XML)
    async with context.account.turn() as state:
        return [await _estimate(context, state, asked) for asked in collections]


async def _estimate(context: Context, state: State, asked: Asked) -> Estimate:
    folder = state.folders.tree().get(asked.collection_id)
    if (folder is None) is not (asked.collection_id == RECIPIENT_CACHE) or _is_odd(asked, folder):
        return Estimate(asked.collection_id, EstimateStatus.INVALID_COLLECTION)
    if asked.sync_key == synckey.START:
        return Estimate(asked.collection_id, EstimateStatus.NOT_PRIMED)
    key = synckey.decode(context.account.keys.tokens, context.device, asked.collection_id, asked.sync_key)
    try:
        if key is None:
            raise UnknownKey(asked.sync_key)
        view = living_view(state, key, context.device, asked.collection_id)
    except UnknownKey:
        return Estimate(asked.collection_id, EstimateStatus.INVALID_SYNC_KEY)
    goal, window = asked.options.window_start(context.services.now()), asked.options.filter_type
    plan = await make_plan(state, key, view, (), state.head, goal=goal, window=window, size=0)
    low, high = sorted((plan.goal, plan.known.high))
    moving = await state.floors(asked.collection_id, low, high)  # positions only: no item is read to be counted
    count = len(plan.pending) + len(moving) + len(plan.doubtful)
    return Estimate(asked.collection_id, EstimateStatus.SUCCESS, count, folder.holds if folder else None)


def _is_odd(asked: Asked, folder: Folder | None) -> bool:
    """Tell whether MaxItems is asked of another folder than the recipient cache.

    Raises `CommandFailed` for options that the folder's class does not have.
    """
    holds_mail = folder is not None and folder.holds == "Email"
    if asked.has_conversation_mode and not holds_mail:
        raise CommandFailed(Common.INVALID_XML)
    if holds_mail and not asked.options.suits_mail:
        raise CommandFailed(Common.SERVER_ERROR)
    return asked.has_max_items and folder is not None


def render(estimates: list[Estimate], version: Version) -> Element:
    """Write the answer; the order of the elements is fixed."""
    return element(TAG.GetItemEstimate, *(_response(estimate, version) for estimate in estimates))


def _response(estimate: Estimate, version: Version) -> Element:
    return element(
        TAG.Response,
        leaf(TAG.Status, estimate.status),
        element(
            TAG.Collection,
            leaf(TAG.Class, estimate.class_name) if version < Version.V12_1 else None,
            leaf(TAG.CollectionId, estimate.collection_id),
            leaf(TAG.Estimate, estimate.count),
        ),
    )
