"""What in an account no reader needs, found in one listing of its objects; `collector.py` says when it goes."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from storage import blobs, checkpoint, chunks, paths
from storage.collecting import purging
from storage.cursor import dominates, whole
from storage.engine import Engine, NotFound
from storage.pages import NOWHERE, PageRef
from storage.paths import Kind, MalformedName, Name
from storage.records import Content
from storage.state import State

LISTED_AT_ONCE = 1000
ITEMS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Listed:
    """An account's objects, as one listing showed them."""

    sizes: dict[str, int] = field(default_factory=dict)
    names: dict[Kind, dict[str, Name]] = field(default_factory=dict)

    def of(self, *kinds: Kind) -> dict[str, Name]:
        """Return the names of these kinds, each with its parts."""
        return {text: name for kind in kinds for text, name in self.names.get(kind, {}).items()}


async def listed(engine: Engine, prefix: str) -> Listed:
    """List everything under *prefix* that has a name of ours."""
    found = Listed()
    after = prefix
    while page := await engine.list(prefix, after, LISTED_AT_ONCE):
        for entry in page:
            try:
                name = paths.parse(entry.key)
            except MalformedName:
                continue
            found.sizes[entry.key] = entry.size
            found.names.setdefault(name.kind, {})[entry.key] = name
        if len(page) < LISTED_AT_ONCE:
            break
        after = page[-1].key
    return found


class Roots:
    """The listed checkpoints, with what each covers."""

    def __init__(self, covers: Mapping[str, Mapping[str, int]]) -> None:
        self.covers = covers

    @classmethod
    async def read(cls, engine: Engine, found: Listed) -> "Roots":
        """Read the clear headers; a checkpoint that is gone since the listing is none.  Raises `SealError`."""
        covers: dict[str, dict[str, int]] = {}
        for name in found.of(*paths.CHECKPOINTS):
            try:
                covers[name] = (await checkpoint.fetch_clear(engine, name)).commits
            except NotFound:
                continue
        return cls(covers)

    @property
    def superseded(self) -> set[str]:
        """The checkpoints that another one covers, which stays."""
        return {name for name in self.covers if any(self._stands_for(other, name) for other in self.covers)}

    def _stands_for(self, other: str, name: str) -> bool:
        mine, theirs = whole(self.covers[name]), whole(self.covers[other])
        return other != name and dominates(theirs, mine) and (not dominates(mine, theirs) or other > name)

    @property
    def kept(self) -> set[str]:
        """The checkpoints that say all that any of them says."""
        return self.covers.keys() - self.superseded

    def covered(self, found: Listed) -> set[str]:
        """Return the commits that every kept checkpoint covers."""
        kept = [self.covers[name] for name in self.kept]
        return {
            text
            for text, name in found.of(Kind.LOG).items()
            if kept and all(name.n <= commits.get(name.id, 0) for commits in kept)
        }


def unnamed_pages(account: str, found: Listed, refs: Iterable[PageRef]) -> set[str]:
    """Return the pages that are not among *refs*.  Raises `NotFound` for one of those that is not there at all."""
    named = {paths.page(account, page) for ref in refs for page in (ref.rows, ref.contents)}
    if missing := named - found.of(Kind.PAGE).keys():
        raise NotFound(min(missing))
    return found.of(Kind.PAGE).keys() - named


@dataclass(slots=True)
class Contents:
    """Where contents lie that somebody may ask for."""

    unnamed: set[str]
    """Blobs and packs of which nobody does."""
    live_bytes: Counter[str] = field(default_factory=Counter)
    """How much of each pack is asked for, by id."""


async def contents(
    account: str, state: State, refs: Iterable[PageRef], found: Listed, removed_before_ms: int
) -> Contents:
    """Return what rows of *state*, and the pages *refs* of whatever checkpoint, say of contents.

    Rows of items that were removed before that time do not count.  Reads every page, one at a time.
    """
    seen = Contents({*found.of(Kind.BLOB, Kind.PACK)})
    async for named in _contents(state, removed_before_ms):
        for content in named:
            seen.unnamed.discard(blobs.object_of(account, content)[0])
            if content.location is not None:
                seen.live_bytes[content.location.pack] += chunks.Shape.unpack(content.shape).sealed_bytes
    # Another node's checkpoint may say that they lie elsewhere, and whoever reads by it is not to be led astray.
    for name in {ref.contents for ref in refs} - {ref.contents for ref in state.base.refs}:
        page = await state.base.contents_of(name)
        for item_id in page.packed:
            if (told := page.find(item_id)) is not None:
                seen.unnamed.discard(blobs.object_of(account, told)[0])
    return seen


async def named(account: str, state: State, refs: Iterable[PageRef], found: Listed, removed_before_ms: int) -> set[str]:
    """Return the pages *refs*, and the objects in which by them contents lie that are needed.

    Of contents only what pages tell that are none of the state's own.
    """
    pages = {page: paths.page(account, page) for ref in refs for page in (ref.rows, ref.contents)}
    names = set(pages.values())
    for page in {ref.contents for ref in refs} - {ref.contents for ref in state.base.refs}:
        if pages[page] in found.sizes:
            told = await state.base.contents_of(page)
            items, present = await state.items(told.packed), await state.contents(told.packed)
            needed = [item.id for item in items.values() if not purging.is_over(item, removed_before_ms)]
            contents = ((told.find(item_id), present.get(item_id)) for item_id in needed)
            names |= {blobs.object_of(account, one)[0] for one, now in contents if one and now and one.blob == now.blob}
    return names


async def _contents(state: State, removed_before_ms: int) -> AsyncIterator[Sequence[Content]]:
    """Yield all contents that are needed, some hundreds at a time."""
    for ref in state.base.refs:
        page, packed = await state.base.whole_page(ref)
        rows = [item for item in page.items() if item.id not in state.touched] if ref.folders.get(NOWHERE) else []
        rows += [state.touched[item_id] for item_id in packed.packed if item_id in state.touched]
        hidden = {item.id for item in rows if purging.is_over(item, removed_before_ms)} | state.fresh.keys()
        hidden |= packed.packed.keys() - set(page.ids)  # of purged rows: their page of contents is not written anew
        yield [found for item_id in packed.packed if item_id not in hidden and (found := packed.find(item_id))]
    fresh = list(state.fresh)
    for start in range(0, len(fresh), ITEMS_AT_ONCE):
        part = fresh[start : start + ITEMS_AT_ONCE]
        yield [state.fresh[i] for i in part if not purging.is_over(state.touched[i], removed_before_ms)]
