"""What can be repaired in an account that `check_account.py` found damaged: looked at first, done when asked to.

All repair is one move: a state is made of everything that can be read, and written as a fresh checkpoint, which every
node joins.  Then what does not open is set aside (`aside.py`), and the account goes on.

- *A checkpoint or a page does not open:* another checkpoint with the log after it says the same, mostly.  Where none
  does, the rows of the page are taken as an older checkpoint has them; if no one has them they are lost.
- *A writer's log breaks:* its commits behind the break are folded one by one, as far as each opens in its own place.
  The new checkpoint covers them all, and the writer, if it lives, goes on behind it.
- *Commits are missing*, in the midst of a log or at its end: the new checkpoint covers their numbers.

The last one, and whatever does not open, is a *loss*: a backup that has the object under its name is better than any
repair.  What was lost for one reader may be in the memory of a server that read it before: it should be stopped or have
written a checkpoint before a loss is accepted.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgpack

from storage import checkpoint, objects, paths
from storage.account import Account
from storage.base import Base
from storage.checking.aside import set_aside
from storage.collecting.unneeded import listed
from storage.cursor import dominates, whole
from storage.engine import Damaged, Engine, NotFound
from storage.epochs import UnknownEpoch
from storage.joining import join
from storage.pages import PageRef, pack_contents, unpack_contents, unpack_page
from storage.paths import Kind
from storage.seal import SealError
from storage.state import State

_UNREADABLE = (SealError, UnknownEpoch, Damaged, ValueError, TypeError, AttributeError, msgpack.UnpackException)
_END = "~"
"""Greater than every item's id."""


@dataclass(slots=True)
class Findings:
    """What is wrong in an account, and the state that can be made of the rest."""

    state: State | None = None
    """None where nothing is wrong: no checkpoint is needed."""
    aside: list[str] = field(default_factory=list)
    """Objects that do not open."""
    writers: set[str] = field(default_factory=set)
    """Whose log is damaged: all of it that the new checkpoint covers goes, so that nobody meets the damage."""
    losses: list[str] = field(default_factory=list)
    """What cannot be read anywhere, for people."""
    repaired: list[str] = field(default_factory=list)
    """What can be told from elsewhere, for people."""


@dataclass(slots=True)
class _Root:
    name: str
    state: State
    bad: list[PageRef]
    """Those of its pages that do not open."""


async def examine(engine: Engine, account: Account, advance: Callable[[int], None]) -> Findings:
    """Read every checkpoint, every page and all of the log that no sound checkpoint covers; change nothing.

    *advance* hears of objects read.  Raises `EngineError`.
    """
    return await _Examination(engine, account, advance).run()


async def repair(engine: Engine, account: Account, findings: Findings) -> list[str]:
    """Write what `examine` made, and set aside what does not open; return the names under which that lies now."""
    if findings.state is None:
        return []
    state = findings.state
    pages = checkpoint.SealedPages(engine, account.id, account.keys.page)
    if any(not ref.contents for ref in state.base.refs):
        nothing = await pages.write_page(pack_contents({}))
        refs = [ref if ref.contents else replace(ref, contents=nothing) for ref in state.base.refs]
        state.rest_on(Base(pages, refs), "", state.rooted)
    covered = dict(state.commits)
    root = await checkpoint.write(engine, account.id, account.keys.checkpoint, state, account.tick())
    await checkpoint.load(
        engine, account.id, account.keys.checkpoint, pages, root
    )  # raises unless it is what it should
    account.shed()
    kept = [await set_aside(engine, account.id, name) for name in dict.fromkeys(findings.aside)]
    for writer in sorted(findings.writers):
        entries = await engine.list(paths.prefix(Kind.LOG, account.id, writer))
        names = {entry.key: paths.parse(entry.key) for entry in entries}
        await engine.delete(text for text, name in names.items() if name.n <= covered[writer])
    return [name for name in kept if name is not None]


class _Examination:
    def __init__(self, engine: Engine, account: Account, advance: Callable[[int], None]) -> None:
        self._engine, self._account, self._advance = engine, account, advance
        self._pages = checkpoint.SealedPages(engine, account.id, account.keys.page)
        self._opens: dict[str, bool] = {}
        """Pages by name."""
        self._claimed: dict[str, int] = {}
        """Commits that checkpoints which do not open say to cover: nobody vouches for that."""
        self._found = Findings()

    async def run(self) -> Findings:
        found = await listed(self._engine, paths.account_prefix(self._account.id))
        roots = [root for name in sorted(found.of(*paths.CHECKPOINTS)) if (root := await self._root(name)) is not None]
        state = await self._joined([root for root in roots if not root.bad])
        await self._fold_log(state, found.of(Kind.LOG), is_strict=True)
        for root in sorted((root for root in roots if root.bad), key=lambda root: root.name, reverse=True):
            if dominates(whole(state.commits), whole(root.state.commits)):
                self._found.repaired.append(f"{root.name}: all that it says is known without it")
            else:
                state = await self._patched(root, state)
                await self._fold_log(state, found.of(Kind.LOG), is_strict=True)
        await self._fold_log(state, found.of(Kind.LOG), is_strict=False)
        self._look_for_lost_ends(state)
        if self._found.aside or self._found.losses or self._found.repaired:
            self._found.state = state
        return self._found

    async def _root(self, name: str) -> _Root | None:
        self._advance(1)
        try:
            state = await checkpoint.load(
                self._engine, self._account.id, self._account.keys.checkpoint, self._pages, name
            )
        except NotFound:  # collected meanwhile
            return None
        except _UNREADABLE as error:
            self._found.aside.append(name)
            self._found.repaired.append(f"{name}: does not open ({error})")
            with suppress(NotFound, SealError):
                for writer, n in (await checkpoint.fetch_clear(self._engine, name)).commits.items():
                    self._claimed[writer] = max(n, self._claimed.get(writer, 0))
            return None
        bad = [ref for ref in state.base.refs if not await self._is_whole(ref)]
        if bad:
            self._found.aside.append(name)
        return _Root(name, state, bad)

    async def _is_whole(self, ref: PageRef) -> bool:
        rows = await self._page_opens(ref.rows, unpack_page)
        return await self._page_opens(ref.contents, unpack_contents) and rows

    async def _page_opens(self, page: str, unpack: Callable[[bytes], object]) -> bool:
        if page not in self._opens:
            self._advance(1)
            try:
                unpack(await self._pages.read(page))
                self._opens[page] = True
            except NotFound:
                self._opens[page] = False
            except _UNREADABLE:
                self._opens[page] = False
                self._found.aside.append(paths.page(self._account.id, page))
        return self._opens[page]

    async def _joined(self, roots: list[_Root]) -> State:
        """Return what all sound checkpoints say together."""
        if not roots:
            return State(Base(self._pages))
        state = roots[-1].state
        for root in reversed(roots[:-1]):
            if not dominates(whole(state.commits), whole(root.state.commits)):
                await join(state, root.state)
        return state

    async def _patched(self, root: _Root, older: State) -> State:
        """Return the state of *root* with the rows of its bad pages as *older* has them."""
        state = root.state
        refs, spans = [], []
        for at, ref in enumerate(state.base.refs):
            if ref not in root.bad:
                refs.append(ref)
                continue
            if await self._page_opens(ref.rows, unpack_page):
                self._found.losses.append(f"{root.name}: the contents' keys of up to {ref.count} items")
                refs.append(replace(ref, contents=""))  # `repair` writes an empty page for it
            else:
                self._found.losses.append(f"{root.name}: {ref.count} rows, but for what an older checkpoint has")
            last = at + 1 >= len(state.base.refs)
            spans.append(("" if at == 0 else ref.first, _END if last else state.base.refs[at + 1].first))
        patched = Base(self._pages, refs)
        state.rest_on(patched, "", state.rooted)
        async for item_id in _ids(older):
            if any(low <= item_id < high for low, high in spans):
                if not await state.items([item_id]):
                    state.touched.update(await older.items([item_id]))
                state.fresh.update(await older.contents([item_id]))
        if not dominates(whole(state.commits), whole(older.commits)):
            await join(state, older)
        return state

    async def _fold_log(self, state: State, names: Mapping[str, paths.Name], *, is_strict: bool) -> None:
        """Fold what *state* lacks: each writer's commits up to where its log breaks, or those behind that, too.

        What is known of a break is known only once every checkpoint was looked at: until then *is_strict*.
        """
        numbers: dict[str, list[int]] = {}
        for name in names.values():
            if name.n > state.commits.get(name.id, 0):
                numbers.setdefault(name.id, []).append(name.n)
        for writer in sorted(numbers):
            await self._fold_writer(state, writer, sorted(numbers[writer]), is_strict=is_strict)

    async def _fold_writer(self, state: State, writer: str, numbers: list[int], *, is_strict: bool) -> None:
        keys = self._account.keys.log
        for n in numbers:
            name, known = paths.log(self._account.id, writer, n), state.commits.get(writer, 0)
            self._advance(1)
            try:
                data = await self._engine.get(name)
            except NotFound:
                continue
            before = _before(data)
            if is_strict and (n != known + 1 or before != state.chain.get(writer, objects.FIRST)):
                return
            if n != known + 1:
                self._found.writers.add(writer)
                self._found.losses.append(f"writer {writer}: commits {known + 1} to {n - 1} are missing")
            elif before not in (None, state.chain.get(writer, objects.FIRST)):
                self._found.writers.add(writer)
                self._found.repaired.append(f"{name}: does not name the commit before it")
            try:
                commit = objects.open_commit(name, writer, n, keys, before or objects.FIRST, data)
            except (objects.BrokenObject, UnknownEpoch, SealError) as error:
                if is_strict:
                    return
                self._found.losses.append(f"{name}: does not open ({error})")
                self._found.aside.append(name)
                self._found.writers.add(writer)
                state.commits[writer] = n
            else:
                await state.bring([commit])
                state.fold(commit)
            state.chain[writer] = objects.digest(data)

    def _look_for_lost_ends(self, state: State) -> None:
        for writer, n in state.lacks().items():
            known = state.commits.get(writer, 0)
            self._found.writers.add(writer)
            self._found.losses.append(f"writer {writer}: commits {known + 1} to {n}, which a device saw, are missing")
            state.commits[writer] = n
        for writer, n in self._claimed.items():
            if (known := state.commits.get(writer, 0)) < n:
                what = f"commits {known + 1} to {n}, which a damaged checkpoint says to cover, are missing"
                self._found.losses.append(f"writer {writer}: {what}")


def _before(data: bytes) -> bytes | None:
    try:
        return objects.read_header(data).before
    except objects.BrokenObject:
        return None


async def _ids(state: State) -> AsyncIterator[str]:
    async for item in state.base.items():
        yield item.id
    for item_id in list(state.touched):
        yield item_id
