"""Packs: old small blobs, moved together into large objects, so that a first synchronisation takes few requests.

    a/<account>/pack/<id>      sealed blobs, one after the other, each as it was: under its own key, name and shape

A pack has no index: the content pages of checkpoints say of each content where it lies (`Content.location`).  That is
no fact of the user's, so no record of the log says it, and whoever does not know it reads the original blob.

*Order of writes.*  The pack, then the checkpoint that names it; the originals go last and later, as whatever nobody
names any more, once no checkpoint that is kept asks for them and a day has passed (`collector.py`).  A crash leaves a
pack that nobody names.  So does a checkpoint that another node wrote meanwhile without knowing of the pack: its places
are forgotten, the originals are still there, and the next pass packs them again.

*What goes together.*  Blobs of one folder, newest first, as a phone asks for them.  Packs whose blobs are half gone are
written anew: what is still named moves into other packs.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from storage import chunks, paths, seal
from storage.account import Account
from storage.base import Base
from storage.engine import Damaged, Engine, NotFound
from storage.pages import NOWHERE, Moved
from storage.records import Content, Location
from storage.runs import Run, Wanted, runs
from storage.views import Floor

PACK_BYTES = 8 << 20
BLOB_BYTES_MAX = 256 << 10
"""Sealed; whatever is longer is worth a request of its own."""
BLOBS_MIN = 32
"""Fewer of a folder wait for others."""
AGE_MS = 24 * 3_600_000
"""Younger mail is often read, moved and removed: it lies by itself."""
READ_AT_ONCE = 64
PACKS_AT_ONCE = 8
"""After so many a checkpoint names them: what was moved is kept in memory until then."""
LATE_SECONDS = 3600.0
"""Packs that were begun longer ago are left to the collector."""


class Candidate(NamedTuple):
    """A content that is to be moved; without its summary, as thousands of them are in memory."""

    floor: Floor
    content: Content
    size: int
    """Sealed."""


@dataclass(slots=True)
class Planner:
    """Decides what goes together, given contents page by page, the newest page first."""

    before_ms: int
    """Of mail that came later nothing is chosen."""
    dead: Collection[str] = ()
    """Packs that are to be emptied."""
    _waiting: dict[str, list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    _sizes: Counter[str] = field(default_factory=Counter)

    def offer(self, folder: str, floor: Floor, content: Content) -> list[Candidate]:
        """Consider a content of *folder*; return what makes a full pack, or nothing yet."""
        if content.location is None:
            if folder == NOWHERE or floor.date_ms > self.before_ms:
                return []
        elif content.location.pack not in self.dead:
            return []
        try:
            size = chunks.Shape.unpack(content.shape).sealed_bytes
        except ValueError:  # of a delivery, which is anybody's word
            return []
        if size > BLOB_BYTES_MAX:
            return []
        full: list[Candidate] = []
        if self._sizes[folder] + size > PACK_BYTES:
            full = self._waiting.pop(folder)
            self._sizes[folder] = 0
        self._waiting[folder].append(Candidate(floor, replace(content, summary=None), size))
        self._sizes[folder] += size
        return _in_order(full)

    def rest(self) -> Iterator[list[Candidate]]:
        """Yield what makes packs that are not full.  What is left of packs to be emptied does not wait for others."""
        moving: list[Candidate] = []
        for waiting in self._waiting.values():
            if len(waiting) >= BLOBS_MIN:
                yield _in_order(waiting)
            else:
                moving += [candidate for candidate in waiting if candidate.content.location is not None]
        if moving:
            yield _in_order(moving)


def _in_order(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: candidate.floor, reverse=True)


async def plan(
    base: Base, skip: Collection[str], before_ms: int, dead: Collection[str]
) -> AsyncIterator[list[Candidate]]:
    """Yield what is to be moved, a pack at a time; nothing of the items in *skip*.  Reads every page of *base*."""
    planner = Planner(before_ms, dead)
    for ref in reversed(base.refs):
        page, contents = await base.whole_page(ref)
        for item_id, date_ms, folder in zip(page.ids[::-1], page.dates[::-1], page.folders[::-1], strict=True):
            content = None if item_id in skip else contents.find(item_id)
            if content is not None and (full := planner.offer(folder, Floor(date_ms, item_id), content)):
                yield full
        await asyncio.sleep(0)
    for candidates in planner.rest():
        yield candidates


def half_dead(sizes: Mapping[str, int], live_bytes: Mapping[str, int]) -> set[str]:
    """Return the packs, given by id with their sizes, of which no more than half is named by anybody still.

    Those of which nothing is named are not among them: nothing is to be moved out of them.
    """
    return {pack for pack, size in sizes.items() if 0 < live_bytes.get(pack, 0) <= size // 2}


async def pack(engine: Engine, account: Account, before_ms: int, dead: Collection[str] = ()) -> int:
    """Put into packs what is small and came before that time, and what is left in the packs *dead*; say how many.

    Cost: every page, twice every blob that moves, and a checkpoint for `PACKS_AT_ONCE` packs.  Takes the turn for
    those alone.  Raises `EngineError`, `SealError`; what was moved by then is moved.
    """
    async with account.turn() as state:
        base, skip = state.base, set(state.touched)
    count, packs, moved, began = 0, 0, dict[str, Moved](), _seconds()
    async for candidates in plan(base, skip, before_ms, dead):
        moved |= await write(engine, account.id, candidates)
        packs += 1
        if packs % PACKS_AT_ONCE == 0:
            count += await _name(account, moved, began)
            moved, began = {}, _seconds()
    return count + await _name(account, moved, began)


async def _name(account: Account, moved: Mapping[str, Moved], began: float) -> int:
    """Let a checkpoint say where *moved* contents lie, unless their packs may have been taken for orphans by now."""
    if not moved:
        return 0
    async with account.turn():
        if _seconds() - began > LATE_SECONDS:
            return 0
        await account.write_checkpoint(moved)
    return len(moved)


def _seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # which goes on while the machine is suspended


async def write(engine: Engine, account: str, candidates: Sequence[Candidate]) -> dict[str, Moved]:
    """Write a pack of *candidates*; return where each item's content lies then.  Durable on return.

    What is not there, or does not open, stays where it is.  Cost: a read for each blob, or for each stretch of a pack
    that is emptied, and a put.  Holds the pack in memory.  Raises `Unavailable`.
    """
    pack, pieces, start = paths.new_id(), list[bytes](), 0
    moved: dict[str, Moved] = {}
    found = await _sealed(engine, account, candidates)
    for (floor, content, _), sealed in zip(candidates, found, strict=True):
        if sealed is not None and _is_sound(account, content, sealed):
            moved[floor.item] = Moved(content.blob, Location(pack, start))
            pieces.append(sealed)
            start += len(sealed)
        await asyncio.sleep(0)
    if moved:
        await engine.put(paths.pack(account, pack), b"".join(pieces))
    return moved


def _is_sound(account: str, content: Content, sealed: bytes) -> bool:
    """Tell whether *sealed* is the content: what is moved is all that will be left of it."""
    name = paths.blob(account, content.blob)
    try:
        shape = chunks.Shape.unpack(content.shape)
        span = chunks.Span(0, shape.sealed_bytes, 0, shape.chunks - 1)
        for _ in chunks.open_span(content.key, name, shape, span, sealed):
            pass
    except (seal.SealError, ValueError):
        return False
    return True


async def _sealed(engine: Engine, account: str, candidates: Sequence[Candidate]) -> list[bytes | None]:
    """Return the sealed bytes of each of *candidates*, None for what is not to be had."""
    found: list[bytes | None] = [None] * len(candidates)
    alone: list[int] = []
    packed: list[Wanted] = []
    for place, (_, content, size) in enumerate(candidates):
        if content.location is None:
            alone.append(place)
        else:
            packed.append(Wanted(content.location.pack, content.location.start, size, place))
    for start in range(0, len(alone), READ_AT_ONCE):
        part = alone[start : start + READ_AT_ONCE]
        names = [paths.blob(account, candidates[place].content.blob) for place in part]
        for place, data in zip(part, await _objects(engine, names), strict=True):
            found[place] = data
    for run in runs(packed):
        data = await _stretch(engine, account, run)
        for _, start, size, place in run.parts:
            found[place] = data[start - run.start :][:size]
    return found


async def _objects(engine: Engine, names: Sequence[str]) -> list[bytes | None]:
    try:
        return await engine.get_many(names)
    except Damaged:  # one of them
        return [await _object(engine, name) for name in names]


async def _object(engine: Engine, name: str) -> bytes | None:
    try:
        return await engine.get(name)
    except (Damaged, NotFound):
        return None


async def _stretch(engine: Engine, account: str, run: Run) -> bytes:
    try:
        return await engine.get(paths.pack(account, run.pack), run.start, run.size)
    except (Damaged, NotFound):
        return b""
