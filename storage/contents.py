"""The contents of one account, for readers who may be behind its collector.

A reader asks for a content where its state says that it lies.  Collectors on other nodes move blobs into packs and
rewrite packs; what was moved away from stays a day, so only a state that is older still leads astray.  Then the newest
checkpoint is asked where the blob lies now, and the read is tried once more; `is_behind` says that the state should be
opened anew.  This takes no turn: Sync reads bodies inside its own.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import structlog

from storage import blobs, checkpoint
from storage.engine import Engine, NotFound, Unavailable
from storage.epochs import EpochKeys, UnknownEpoch
from storage.pages import PageRef, unpack_contents
from storage.records import Content, Location, Value
from storage.seal import SealError

PLACES_KEPT = 4096
"""So many places are remembered from the pages that were looked at: neighbours are asked for next."""
TRIES = 3
"""Where the state says; where a checkpoint said that was looked at before; where the newest one says."""

_log = structlog.get_logger(__name__)


class Contents:
    """Stores and reads the contents of one account."""

    def __init__(self, engine: Engine, account: str, checkpoint_key: EpochKeys, page_key: EpochKeys) -> None:
        self._engine, self._account, self._key = engine, account, checkpoint_key
        self._pages = checkpoint.SealedPages(engine, account, page_key)
        self._places: dict[str, Location | None] = {}
        self._absent: set[str] = set()
        """Blobs of which the checkpoint that was looked at says nothing."""
        self._root, self._refs = "", list[PageRef]()
        self.is_behind = False
        """Whether something was not where the state says."""

    async def store(self, plain: blobs.Buffer, summary: Value) -> Content:
        """Store a content, durable on return, for a record to name within the hour."""
        return await blobs.store(self._engine, self._account, plain, summary)

    async def read(self, content: Content, start: int = 0, size: int | None = None) -> bytes:
        """Return a range of a content.  Raises `NotFound`, `SealError`."""
        for _ in range(TRIES - 1):
            try:
                return await blobs.read(self._engine, self._account, content, start, size)
            except NotFound as error:
                content = await self._moved(content, error)
        return await blobs.read(self._engine, self._account, content, start, size)

    async def read_many(self, ranges: Sequence[blobs.Range]) -> list[bytes | None]:
        """Return ranges of several contents, None for one that is to be read by itself.  Raises `Unavailable`."""
        return await blobs.read_many(self._engine, self._account, ranges)

    async def stream(self, content: Content, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Yield a range of a content in pieces of at most 1 MiB.  Raises `NotFound`, `SealError`."""
        end = content.size_bytes if size is None else min(start + size, content.size_bytes)
        for left in reversed(range(TRIES)):
            try:
                async for piece in blobs.stream(self._engine, self._account, content, start, end - start):
                    start += len(piece)
                    yield piece
                return
            except NotFound as error:
                if not left:
                    raise
                content = await self._moved(content, error)

    async def _moved(self, content: Content, error: NotFound) -> Content:
        """Return *content* as the newest checkpoint has it.

        Raises *error* if that says nothing else, `Unavailable` if it is not to be read now.
        """
        is_sure = True
        if self._places.get(content.blob, content.location) == content.location:
            is_sure = await self._look(content.blob)
        if self._places.get(content.blob, content.location) == content.location:
            if not is_sure:
                raise Unavailable(f"{error.key}: moved, and nobody could be asked whereto") from error
            raise error
        _log.info("content.moved", account=self._account, blob=content.blob)
        self.is_behind = True
        return replace(content, location=self._places[content.blob])

    async def _look(self, blob: str) -> bool:
        """Find the place of *blob*.  Return False where a newer checkpoint may know better than the one asked.

        Cost: a listing, the root if it is new, and pages from the newest one on.
        """
        is_sure = True
        for root in reversed(await checkpoint.names(self._engine, self._account)):
            try:
                if root != self._root:
                    state = await checkpoint.load(self._engine, self._account, self._key, self._pages, root)
                    self._root, self._refs, self._places, self._absent = root, state.base.refs, {}, set()
                if blob not in self._places and blob not in self._absent:
                    await self._walk(blob)
            except SealError:  # damaged: another may serve
                continue
            except (NotFound, UnknownEpoch):  # collected meanwhile, or sealed under a key that we shall be given
                is_sure = False
                continue
            break
        return is_sure

    async def _walk(self, blob: str) -> None:
        for ref in reversed(self._refs):
            plain = await self._pages.read(ref.contents)
            if blob.encode() in plain:  # an id is long enough to be met nowhere else
                if len(self._places) > PLACES_KEPT:
                    self._places.clear()
                page = unpack_contents(plain)
                contents = (page.find(item_id) for item_id in page.packed)
                self._places.update((content.blob, content.location) for content in contents if content is not None)
                return
        self._absent.add(blob)
