"""Sync: bring collections up to date, both ways ([MS-ASCMD] Sync).  Orchestration; the parts are in `sync_*.py`.

One turn of the account: the client's commands become records; what is new is planned on the state with those records
in it; items are rendered until window, bytes or time are used up; one commit carries records and new views; then the
new keys leave.  Nothing to tell costs no listing while the feed brought no news, and no commit unless the request
differs from the one that is remembered for empty and partial requests.
"""

from dataclasses import replace

from eas import device
from eas.commands import sync_drafts
from eas.commands.options import SYNTAX
from eas.commands.sync_request import SyncRequest, parse
from eas.commands.sync_response import CollectionAnswer, SyncAnswer, SyncStatus, render
from eas.commands.sync_turn import SyncTurn
from eas.context import CommandFailed, Context, Wait
from eas.sync import synckey
from eas.sync.hub import End, Outcome
from storage.records import DeviceSet, Record
from storage.state import State

__all__ = ["handle", "parse", "render"]

CACHE = "sync"
"""Under this name the last full request of a device is remembered."""
MINUTES_MAX = 59


async def handle(context: Context, request: SyncRequest) -> SyncAnswer | Wait[SyncAnswer]:
    """Answer, or wait for something to answer."""
    if request.is_empty or request.is_partial:
        request = await _completed(context, request)
    refused = _limits(context, request)
    if refused is not None:
        return refused
    if request.wait_seconds is not None:
        context.services.hub.end(context.account.id, context.device)  # the phone waits for this one now
    answers = await _synchronise(context, request)
    if answers or request.wait_seconds is None:
        return SyncAnswer(tuple(answers))
    waiting = replace(request, collections=tuple(replace(c, options=None) for c in request.collections or ()))
    # A collection of which nothing is to be told gives no reason to wake: the phone would ask again, at once, for ever.
    folders = tuple(collection.collection_id for collection in waiting.collections or () if collection.get_changes)

    async def resume(context: Context, outcome: Outcome) -> SyncAnswer:
        if outcome.end is not End.NEWS:
            return SyncAnswer()
        return SyncAnswer(tuple(await _synchronise(context, waiting)))

    return Wait(request.wait_seconds, folders, hierarchy=False, resume=resume)


async def _synchronise(context: Context, request: SyncRequest) -> list[CollectionAnswer]:
    sent = await sync_drafts.send(context, request)
    fresh = any(c.has_commands or c.sync_key == synckey.START for c in request.collections or ())
    async with context.account.turn(fresh=fresh) as state:
        turn = SyncTurn(context, state, sent)
        remembered = [*_remembered(context, state, request), *device.sighting(context, state)]
        if not fresh:
            if not await turn.is_needed(request):
                remembered += turn.options_to_remember(request)
                if remembered:
                    await context.account.commit(remembered)
                return []
            await context.account.make_fresh()
        return await turn.run(request, remembered)


def _remembered(context: Context, state: State, request: SyncRequest) -> list[Record]:
    packed = request.pack()
    if state.devices.get(context.device, CACHE) == packed:
        return []
    return [DeviceSet(context.device, CACHE, packed)]


async def _completed(context: Context, request: SyncRequest) -> SyncRequest:
    """Return an empty or partial *request* with what it leaves out.  Raises `CommandFailed` with Status 13."""
    async with context.account.turn(fresh=False) as state:
        packed = state.devices.get(context.device, CACHE)
        if packed is None:
            await context.account.make_fresh()  # another node may have heard the full request
            packed = state.devices.get(context.device, CACHE)
    if packed is None:
        raise CommandFailed(SyncStatus.INCOMPLETE)
    cached = SyncRequest.unpack(packed)
    if request.is_empty:
        return cached
    given = {collection.collection_id: collection for collection in request.collections or ()}
    others = tuple(c for c in cached.collections or () if c.collection_id not in given)
    has_wait = request.wait_seconds is not None
    return replace(
        request,
        collections=(*(request.collections or ()), *others),
        wait_seconds=request.wait_seconds if has_wait else cached.wait_seconds,
        is_wait_in_minutes=request.is_wait_in_minutes if has_wait else cached.is_wait_in_minutes,
        window_size=request.window_size if request.window_size is not None else cached.window_size,
    )


def _limits(context: Context, request: SyncRequest) -> SyncAnswer | None:
    settings = context.services.settings
    if not request.collections:
        raise CommandFailed(SYNTAX)
    if len(request.collections) > settings.collections_max:
        return SyncAnswer(status=SyncStatus.TOO_MANY, limit=settings.collections_max)
    if request.wait_seconds is None:
        return None
    low, high = settings.heartbeat_seconds_min, settings.heartbeat_seconds_max
    if low <= request.wait_seconds <= high:
        return None
    nearest = low if request.wait_seconds < low else high
    if request.is_wait_in_minutes:
        nearest = max(1, min(nearest // 60, MINUTES_MAX))
    return SyncAnswer(status=SyncStatus.WAIT_RANGE, limit=nearest)
