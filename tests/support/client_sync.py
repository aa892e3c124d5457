"""The client's Sync, and the drafts that go through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from eas.wbxml.element import Element
from eas.wbxml.pages import AirSync
from tests.support.commanding import Commanding, Refused
from tests.support.drafts import Draft
from tests.support.mailbox import FIRST_KEY, ConfusedPhone, Folder, ItemResponse, SyncResult, read_collection
from tests.support.sync_requests import AS_ANDROID, CollectionRequest, Options, sync_request
from tests.support.transport import TIMEOUT_SECONDS

ROUNDS_MAX = 10_000
IDLE_ROUNDS_MAX = 3  # answers that promise more and bring nothing
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """An answer to Sync: a Status of its own (1 if it has none), or results by collection; `is_empty` is no change."""

    status: int
    limit: int | None
    results: Mapping[str, SyncResult]
    is_empty: bool


NOTHING: Final = SyncResult(status=1)


class SyncCommands(Commanding):
    """Sync for one collection, for several, and until all has come."""

    async def sync(
        self,
        collection_id: str,
        commands: Sequence[Element] = (),
        *,
        options: Options | None = AS_ANDROID,
        window_size: int | None = None,
        get_changes: bool | None = True,
        deletes_as_moves: bool | None = None,
        sync_key: str | None = None,
        wait: int | None = None,
        heartbeat: int | None = None,
        loses_answer: bool = False,
        timeout: float | None = None,
    ) -> SyncResult:
        """Synchronise one collection by the phone's key (or another *sync_key*) and take the answer.

        With the key 0 nothing but the key is asked for, as AOSP does.  *loses_answer*: the answer is read and returned,
        but the phone never saw it; its next Sync comes with the old key.  Raises `Refused` for a Status of the root.
        """
        key = self.mailbox.folder(collection_id).sync_key if sync_key is None else sync_key
        first = key == FIRST_KEY
        request = CollectionRequest(
            collection_id,
            key,
            options=None if first else options,
            commands=tuple(commands),
            window_size=None if first else window_size,
            get_changes=None if first else get_changes,
            deletes_as_moves=None if first else deletes_as_moves,
        )
        answer = await self.sync_collections(
            [request], wait=wait, heartbeat=heartbeat, loses_answer=loses_answer, timeout=timeout
        )
        if answer.status != 1:
            raise Refused(self.answered(), answer.status)
        return answer.results.get(collection_id, NOTHING)

    async def sync_collections(
        self,
        collections: Sequence[CollectionRequest],
        *,
        wait: int | None = None,
        heartbeat: int | None = None,
        window_size: int | None = None,
        partial: bool = False,
        loses_answer: bool = False,
        timeout: float | None = None,
    ) -> SyncAnswer:
        """Synchronise several collections; none at all, and nothing else, is the empty request."""
        root = sync_request(collections, wait=wait, heartbeat=heartbeat, window_size=window_size, partial=partial)
        held = max(heartbeat or 0, 60 * (wait or 0)) + GRACE_SECONDS
        answer = await self.post(
            "Sync", root if root.children else None, timeout=max(TIMEOUT_SECONDS, held) if timeout is None else timeout
        )
        if answer.status != 200:
            raise Refused(answer, None)
        if answer.root is None:
            return SyncAnswer(1, None, {}, True)
        holder = answer.root.first(AirSync.Collections) or Element(AirSync.Collections)
        results = {one.text(AirSync.CollectionId): read_collection(one) for one in holder.children}
        if not loses_answer:
            sent = {one.collection_id: one.commands for one in collections}
            for collection_id, result in results.items():
                self.mailbox.folder(collection_id).apply(result, sent.get(collection_id, ()))
        status, limit = answer.root.number_or(AirSync.Status, 1), answer.root.number_or(AirSync.Limit, None)
        return SyncAnswer(status, limit, results, False)

    async def sync_all(
        self, collection_id: str, *, options: Options | None = AS_ANDROID, window_size: int | None = None
    ) -> Folder:
        """Synchronise a collection until there is no more, from the key 0 if need be, and return what the phone has.

        Raises `Refused` for a Status other than 1, `ConfusedPhone` for answers that bring nothing and promise more.
        """
        folder = self.mailbox.folder(collection_id)
        idle = 0
        for _ in range(ROUNDS_MAX):
            was_first = folder.sync_key == FIRST_KEY
            result = await self.sync(collection_id, options=options, window_size=window_size)
            if result.status != 1:
                raise Refused(self.answered(), result.status)
            if not (was_first or result.more_available):
                return folder
            idle = 0 if was_first or result.changes else idle + 1
            if idle == IDLE_ROUNDS_MAX:
                raise ConfusedPhone(f"folder {collection_id}: {idle} answers promise more and bring nothing")
        raise ConfusedPhone(f"folder {collection_id}: no end after {ROUNDS_MAX} answers")

    async def draft_add(
        self, collection_id: str, draft: Draft, *, send: bool = False, client_id: str | None = None
    ) -> ItemResponse:
        """Store a draft (16.0), or send it at once; return the server's response to it."""
        client_id = client_id or uuid4().hex
        command = draft.add(client_id, send=send)
        result = await self.sync(collection_id, [command], get_changes=False)
        if not result.responses:
            raise Refused(self.answered(), result.status)
        return result.response(client_id)

    async def draft_change(self, collection_id: str, server_id: str, draft: Draft) -> SyncResult:
        """Change a draft (16.0)."""
        return await self.sync(collection_id, [draft.change(server_id)], get_changes=False)

    async def draft_send(self, collection_id: str, server_id: str, draft: Draft | None = None) -> SyncResult:
        """Send a draft (16.0), with its last changes."""
        return await self.sync(collection_id, [(draft or Draft()).change(server_id, send=True)], get_changes=False)
