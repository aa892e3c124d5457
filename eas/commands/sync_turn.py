"""One Sync inside one turn: collections opened, commands carried out, changes planned and rendered, one commit."""

from dataclasses import dataclass, field

import structlog

from eas.commands import sync_drafts
from eas.commands.options import Options
from eas.commands.sync_acts import Acts
from eas.commands.sync_items import Renderer
from eas.commands.sync_request import CollectionRequest, SyncRequest
from eas.commands.sync_response import CollectionAnswer, SyncStatus, Told
from eas.context import CommandFailed, Context
from eas.protocol.versions import Version
from eas.sync import synckey
from eas.sync.collection import Collection, LostView, UnknownKey, first_view, living_view
from eas.sync.delta import Act, Plan, Step, own_softs
from eas.sync.plan import make_plan
from eas.wbxml import pages
from storage.cursor import WHOLE, Rid, join
from storage.folders import Folder
from storage.records import DeviceSet, Record, ViewMade
from storage.state import Commit, State
from storage.views import View, ViewId

TAG = pages.AirSync
RECIPIENT_CACHE = "RI"
FAILED = "failed"
"""Under this name the items of a device are remembered that could not be shown to it."""
FAILED_MAX = 100
"""The latest of them."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Piece:
    """One collection of the request, at work."""

    request: CollectionRequest
    answer: CollectionAnswer
    options: Options
    collection: Collection | None = None
    """None: refused, or about to begin."""
    acts: Acts | None = None
    plan: Plan | None = None
    size: int = 0
    """How many steps the windows allow, the collection's and what is left of the request's."""
    steps: list[Step] = field(default_factory=list)
    """Those that were told."""
    new_view: View | None = None
    lost: str = ""
    """The view whose commit is not there, as far as the state goes that was looked at."""

    @property
    def begins(self) -> bool:
        """Whether the device starts with this collection."""
        return self.request.sync_key == synckey.START and self.answer.status == SyncStatus.SUCCESS

    @property
    def records(self) -> list[Record]:
        """What the device's commands came to."""
        return self.collection.records if self.collection else []


class SyncTurn:
    """The work of one Sync; made and used inside a turn of the account."""

    def __init__(self, context: Context, state: State, sent: sync_drafts.Sent) -> None:
        self._context, self._state, self._sent = context, state, sent
        self._account, self._device = context.account, context.device
        self._in_pairs = not context.client.upserts

    async def is_needed(self, request: SyncRequest) -> bool:
        """Tell whether there is anything to do or to tell, as far as the state goes that is at hand."""
        for collection in request.collections or ():
            piece = self._opened(collection)
            if piece.collection is None or piece.request.has_commands:
                return True
            if collection.get_changes and not (await self._planned(self._state, piece, 0, 0, set())).is_empty:
                return True
        return False

    def options_to_remember(self, request: SyncRequest) -> list[Record]:
        """Return what keeps the options that *request* brings, where they are others than before."""
        return self._remember_options([self._opened(collection) for collection in request.collections or ()])

    async def run(self, request: SyncRequest, remembered: list[Record]) -> list[CollectionAnswer]:
        """Do it all; *remembered* goes into the commit if there is one.  Return what to say of each collection."""
        pieces = [self._opened(collection) for collection in request.collections or ()]
        self._tell_of_loss(pieces)
        for piece in pieces:
            await self._act(piece)
        writer, n = self._account.next_place
        records = [record for piece in pieces for record in piece.records]
        supposed = Commit(writer, n, self._account.tick(), records)
        after = await self._state.supposing(supposed) if records else self._state
        await self._plan(pieces, after, supposed, request.window_size)
        remembered += self._remember_failed(await self._tell(pieces, after))
        await self._commit(pieces, writer, n, records, remembered)
        return [piece.answer for piece in pieces if _is_worth_saying(piece)]

    # -- opening

    def _opened(self, request: CollectionRequest) -> Piece:
        answer = CollectionAnswer(request.sync_key, request.collection_id, class_name=request.class_name)
        folder = self._folder(request.collection_id)
        stored = self._state.devices.get(self._device, f"options:{request.collection_id}")
        piece = Piece(request, answer, request.options or Options.unpack(stored))
        if folder is None and not self._is_recipient_cache(request.collection_id):
            answer.status = SyncStatus.HIERARCHY_CHANGED
            return piece
        if folder is not None and folder.holds == "Email" and not piece.options.suits_mail:
            answer.status = SyncStatus.PROTOCOL_ERROR
            return piece
        if request.sync_key != synckey.START:
            self._open(piece)
        return piece

    def _is_recipient_cache(self, folder: str) -> bool:
        return folder == RECIPIENT_CACHE and self._context.version >= Version.V14_0

    def _folder(self, folder: str) -> Folder | None:
        return self._state.folders.tree().get(folder)

    def _open(self, piece: Piece) -> None:
        folder, text = piece.request.collection_id, piece.request.sync_key
        key = synckey.decode(self._account.keys.tokens, self._device, folder, text)
        try:
            if key is None:
                raise UnknownKey(text)
            view = living_view(self._state, key, self._device, folder)
            piece.collection = Collection(self._account, self._state, key, view)
            piece.acts = Acts(self._context, piece.request, piece.collection, piece.options)
        except LostView as lost:
            piece.lost = str(lost)
            piece.answer.status = SyncStatus.SERVER_ERROR
        except UnknownKey:
            piece.answer.status = SyncStatus.INVALID_SYNC_KEY

    def _tell_of_loss(self, pieces: list[Piece]) -> None:
        """Say loudly that a key is ours and its commit is gone: the store was rolled back.

        Only after a fresh listing is that so; before, the key is mostly one that another node gave a moment ago.
        """
        for piece in pieces:
            if piece.lost:
                folder = piece.request.collection_id
                _log.error("sync.store_lost_data", device=self._device, folder=folder, error=piece.lost)

    # -- the device's commands

    async def _act(self, piece: Piece) -> None:
        if piece.acts is None:
            return
        for command in piece.request.commands:
            folder = self._folder(piece.request.collection_id)
            if folder is None and command.tag is TAG.Add:
                raise CommandFailed(SyncStatus.PROTOCOL_ERROR)
            if folder is not None and sync_drafts.is_draft_command(self._context.version, folder, command):
                await sync_drafts.run(piece.acts, command, self._sent)
            elif command.tag is TAG.Add or (
                folder is not None and folder.holds != "Email" and command.tag is TAG.Change
            ):
                piece.acts.reply(command, SyncStatus.CONVERSION)
            else:
                await piece.acts.run(command)
        piece.answer.replies = piece.acts.replies

    # -- what is new

    async def _plan(self, pieces: list[Piece], after: State, supposed: Commit, window: int | None) -> None:
        room = self._context.services.settings.window_max
        room = min(window, room) if window is not None and window > 0 else room
        place, rids = 0, supposed.rids()
        for piece in pieces:
            here = rids[place : place + len(piece.records)]
            place += len(piece.records)
            if piece.collection is None:
                continue
            own = {rid for at, rid in enumerate(here) if at not in piece.collection.echoed}
            again = (await after.items(piece.collection.again)).values()
            own |= {add.rid for item in again for add in item.adds if add.device == self._device}
            piece.size = min(piece.request.window_size, room) if piece.request.get_changes else 0
            piece.plan = await self._planned(after, piece, piece.size, supposed.n, own, supposed.writer)
            room -= min(piece.size, sum(piece.plan.commands(in_pairs=self._in_pairs)))

    async def _planned(self, state: State, piece: Piece, size: int, n: int, own: set[Rid], writer: str = "") -> Plan:
        assert piece.collection is not None  # noqa: S101  # the callers have looked
        head = join(state.head, {writer: (n, WHOLE)}) if writer else state.head
        goal = piece.options.window_start(self._context.services.now())
        view, key = piece.collection.view, piece.collection.key
        return await make_plan(state, key, view, own, head, goal=goal, window=piece.options.filter_type, size=size)

    # -- telling

    async def _tell(self, pieces: list[Piece], after: State) -> list[str]:
        """Render what is told; return the ServerIds of items that could not be."""
        renderer = Renderer(self._context, after)
        for piece in pieces:
            if piece.plan is None or piece.collection is None:
                continue
            fitting = piece.plan.fitting(piece.size, in_pairs=self._in_pairs)
            wanted = piece.plan.whole(min(max(fitting, piece.plan.forced()), len(piece.plan.steps)))
            if not piece.request.get_changes:
                wanted = 0
            told = await renderer.tell(piece.plan, wanted, piece.options, piece.answer)
            piece.steps = piece.plan.steps[:told]
            piece.answer.more = piece.request.get_changes and told < len(piece.plan.steps)
            added = piece.collection.added
            has_cut = piece.request.get_changes and not piece.plan.is_empty and not wanted
            # Whatever is said comes under a new key, a failure or a Fetch too: only silence keeps the key.
            if told or piece.records or added or piece.request.has_commands or has_cut:
                piece.new_view = piece.plan.view_after(told, added)
            await self._tell_own(piece, after)
        return renderer.failed

    async def _tell_own(self, piece: Piece, after: State) -> None:
        assert piece.collection is not None  # noqa: S101
        assert piece.plan is not None  # noqa: S101
        if not piece.collection.added:
            return
        items = (await after.items(item for item, _ in piece.collection.added.values())).values()
        told = {step.item.id for step in piece.steps}
        softs = own_softs(piece.plan.known, items, after.folders, piece.plan.floor_after(len(piece.steps)), told)
        folder = piece.request.collection_id
        piece.answer.told += [Told(Act.SOFT_DELETE, f"{folder}:{step.item.id}") for step in softs]

    # -- the commit

    async def _commit(
        self, pieces: list[Piece], writer: str, n: int, records: list[Record], remembered: list[Record]
    ) -> None:
        records = [*records, *remembered, *self._remember_options(pieces)]
        views: list[tuple[Piece, int]] = []
        for piece in pieces:
            if piece.begins:
                rid = Rid(self._account.tick(), writer, n, len(records) + 1)
                piece.new_view = first_view(self._device, piece.request.collection_id, rid, self._state)
            if piece.new_view is not None:
                records.append(ViewMade(piece.new_view))
                views.append((piece, len(records)))
        if not records:
            return
        freed = sum(piece.acts.freed_bytes for piece in pieces if piece.acts)
        used = sum(piece.acts.used_bytes for piece in pieces if piece.acts)
        await self._account.commit(records, used - freed)
        tokens = self._account.keys.tokens
        for piece, place in views:
            folder = piece.request.collection_id
            piece.answer.sync_key = synckey.encode(tokens, self._device, folder, ViewId(writer, n, place))

    def _remember_failed(self, failed: list[str]) -> list[Record]:
        known = self._state.devices.get(self._device, FAILED, [])
        new = [server_id for server_id in failed if server_id not in known]
        return [DeviceSet(self._device, FAILED, [*known, *new][-FAILED_MAX:])] if new else []

    def _remember_options(self, pieces: list[Piece]) -> list[Record]:
        return [
            DeviceSet(self._device, f"options:{piece.request.collection_id}", piece.options.pack())
            for piece in pieces
            if piece.request.options is not None
            and piece.answer.status == SyncStatus.SUCCESS
            and self._state.devices.get(self._device, f"options:{piece.request.collection_id}") != piece.options.pack()
        ]


def _is_worth_saying(piece: Piece) -> bool:
    return (
        piece.answer.status != SyncStatus.SUCCESS
        or piece.new_view is not None
        or bool(piece.answer.replies)
        or piece.request.has_commands
    )
