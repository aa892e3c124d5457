"""What in an account no reader needs, found in one listing of its objects; `collector.py` says when it goes."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from storage import checkpoint, paths, purging
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


async def unnamed_blobs(state: State, found: Listed, removed_before_ms: int) -> set[str]:
    """Return the contents that no row of *state* names; those of items removed before that time count as unnamed.

    Reads every page of the account, one at a time.
    """
    left = {name.id: text for text, name in found.of(Kind.BLOB).items()}
    async for contents in _contents(state, removed_before_ms):
        for content in contents:
            left.pop(content.blob, None)
    return set(left.values())


async def _contents(state: State, removed_before_ms: int) -> AsyncIterator[Sequence[Content]]:
    """Yield all contents that are needed, some hundreds at a time."""
    for ref in state.base.refs:
        page, packed = await state.base.whole_page(ref)
        rows = [item for item in page.items() if item.id not in state.touched] if ref.folders.get(NOWHERE) else []
        rows += [state.touched[item_id] for item_id in packed.packed if item_id in state.touched]
        hidden = {item.id for item in rows if purging.is_over(item, removed_before_ms)} | state.fresh.keys()
        yield [found for item_id in packed.packed if item_id not in hidden and (found := packed.find(item_id))]
    fresh = list(state.fresh)
    for start in range(0, len(fresh), ITEMS_AT_ONCE):
        part = fresh[start : start + ITEMS_AT_ONCE]
        yield [state.fresh[i] for i in part if not purging.is_over(state.touched[i], removed_before_ms)]
