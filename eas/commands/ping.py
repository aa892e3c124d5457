"""Ping: tell me when something changes ([MS-ASCMD] Ping).

What was asked last is remembered for each device, so that later Pings may leave out either part, or all.
"""

from dataclasses import dataclass
from enum import IntEnum

from eas.context import CommandFailed, Context, Wait
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.sync import news
from eas.sync.hub import End, Outcome
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.folders import OUTBOX
from storage.records import DeviceSet
from storage.state import State

TAG = pages.Ping
CACHE = "ping"
RECIPIENT_CACHE = "RI"
ID_CHARS_MAX = 64
"""Of a folder's Id, which is remembered; longer ones are Status 4."""


class PingStatus(IntEnum):
    """[MS-ASCMD] Status (Ping)."""

    TIME_OUT = 1
    CHANGES = 2
    MISSING = 3
    SYNTAX = 4
    HEARTBEAT_RANGE = 5
    TOO_MANY_FOLDERS = 6
    HIERARCHY_CHANGED = 7
    SERVER_ERROR = 8


@dataclass(frozen=True, slots=True)
class PingRequest:
    """What is asked; None where it is left out and what was asked last counts."""

    heartbeat_seconds: int | None = None
    folders: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PingAnswer:
    """Why the wait is over."""

    status: PingStatus
    folders: tuple[str, ...] = ()
    heartbeat_seconds: int | None = None
    folders_max: int | None = None


def parse(root: Element | None, request: EasRequest) -> PingRequest:
    """Read the request.  Raises `CommandFailed` with Status 4."""
    if root is None:
        return PingRequest()
    if not root.children:
        raise CommandFailed(PingStatus.SYNTAX)
    try:
        heartbeat = root.number_or(TAG.HeartbeatInterval, None)
        container = root.first(TAG.Folders)
        folders = tuple(found.text(TAG.Id) for found in container.all(TAG.Folder)) if container is not None else ()
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(PingStatus.SYNTAX) from error
    if len(set(folders)) < len(folders) or any(len(folder) > ID_CHARS_MAX for folder in folders):
        raise CommandFailed(PingStatus.SYNTAX)
    return PingRequest(heartbeat, folders or None)  # an empty list changes nothing: some clients send one


async def handle(context: Context, request: PingRequest) -> PingAnswer | Wait[PingAnswer]:
    """Answer at once if there is news or something is wrong, else wait."""
    settings = context.services.settings
    low, high = settings.heartbeat_seconds_min, settings.heartbeat_seconds_max
    if request.heartbeat_seconds is not None and not low <= request.heartbeat_seconds <= high:
        nearest = low if request.heartbeat_seconds < low else high
        return PingAnswer(PingStatus.HEARTBEAT_RANGE, heartbeat_seconds=nearest)
    if request.folders is not None and len(request.folders) > settings.collections_max:
        return PingAnswer(PingStatus.TOO_MANY_FOLDERS, folders_max=settings.collections_max)
    context.services.hub.end(context.account.id, context.device)  # the phone waits for this one now
    async with context.account.turn(fresh=False) as state:
        asked = await _completed(context, state, request)
        if asked is None:
            return PingAnswer(PingStatus.MISSING)
        seconds, folders = asked
        if _is_hierarchy_old(context, state, folders):
            await context.account.make_fresh()  # only a fresh listing may send a device back to FolderSync
            if _is_hierarchy_old(context, state, folders):
                return PingAnswer(PingStatus.HIERARCHY_CHANGED)
        watched = tuple(folder for folder in folders if folder not in (OUTBOX.id, RECIPIENT_CACHE))
        if await news.changed_folders(state, context.device, watched):
            await context.account.make_fresh()
            changed = await news.changed_folders(state, context.device, watched)
            if changed:
                return PingAnswer(PingStatus.CHANGES, tuple(changed))
    return Wait(seconds, watched, hierarchy=True, resume=_resume)


async def _resume(context: Context, outcome: Outcome) -> PingAnswer:
    if outcome.end is End.NEWS and outcome.hierarchy:
        return PingAnswer(PingStatus.HIERARCHY_CHANGED)
    if outcome.end is End.NEWS:
        return PingAnswer(PingStatus.CHANGES, outcome.folders)
    return PingAnswer(PingStatus.TIME_OUT)


async def _completed(context: Context, state: State, request: PingRequest) -> tuple[int, tuple[str, ...]] | None:
    """Return heartbeat and folders, what is left out taken from last time; remember them."""
    cached = state.devices.get(context.device, CACHE)
    if cached is None and (request.heartbeat_seconds is None or request.folders is None):
        await context.account.make_fresh()
        cached = state.devices.get(context.device, CACHE)
    seconds = request.heartbeat_seconds if request.heartbeat_seconds is not None else (cached or [None])[0]
    folders = request.folders if request.folders is not None else tuple((cached or [None, ()])[1])
    if seconds is None or not folders:
        return None
    if [seconds, list(folders)] != cached:
        await context.account.commit([DeviceSet(context.device, CACHE, [seconds, list(folders)])])
    return seconds, folders


def _is_hierarchy_old(context: Context, state: State, folders: tuple[str, ...]) -> bool:
    tree = state.folders.tree()
    if any(folder not in tree and folder != RECIPIENT_CACHE for folder in folders):
        return True
    return news.hierarchy_changed(state, context.device)


def render(answer: PingAnswer, version: Version) -> Element:
    """Write the answer; the order of the elements is fixed, and an empty Folders is an error to clients."""
    return element(
        TAG.Ping,
        leaf(TAG.Status, answer.status),
        element(TAG.Folders, *(leaf(TAG.Folder, folder) for folder in answer.folders)) if answer.folders else None,
        leaf(TAG.MaxFolders, answer.folders_max),
        leaf(TAG.HeartbeatInterval, answer.heartbeat_seconds),
    )
