"""Following an account's log: a state opened from checkpoints, and kept up with whatever any node wrote.

A look is one listing, which shows commits and then checkpoints (`log.listing`).  Checkpoints that cover more than was
folded are joined; then the commits are folded that follow.  A collector may be at work all the while:

- a commit that is gone is in a checkpoint of the same listing, since it went long after that was written;
- what was listed and is not found any more was collected meanwhile: the look begins anew;
- a checkpoint that covers the one that our base is of takes its place as soon as it is seen: the other's pages will go.
"""

import asyncio
from collections.abc import Sequence

import structlog

from storage import checkpoint, log, objects, paths, seal
from storage.base import Base
from storage.clock import Clock
from storage.cursor import dominates, whole
from storage.engine import Damaged, Engine, NotFound, Unavailable
from storage.epochs import EpochKeys
from storage.joining import join
from storage.state import Commit, State

FOLD_COMMITS = 256
"""How many log objects are read and folded at a time."""
LOOKS_MAX = 5
"""How often a look begins anew when what it was to read is gone."""

_log = structlog.get_logger(__name__)


class Follower:
    """Of one account in one process; used inside its turn only."""

    def __init__(
        self,
        engine: Engine,
        account: str,
        keys: objects.LogKeys,
        root_key: EpochKeys,
        page_key: EpochKeys,
        clock: Clock,
    ) -> None:
        self._engine, self._account, self._keys, self._clock = engine, account, keys, clock
        self._root_key = root_key
        self._pages = checkpoint.SealedPages(engine, account, page_key)
        self._broken: set[str] = set()
        """Writers whose log ends at an object that is not theirs."""
        self._gaps: dict[str, tuple[int, int]] = {}
        """Where commits are missing, as far as that was said."""
        self._lost: dict[str, int] = {}
        """Commits at the ends of logs that devices have seen, and that are nowhere."""
        self._covered: dict[str, dict[str, int] | None] = {}
        """What each listed checkpoint covers; None: it is damaged."""

    @property
    def is_sound(self) -> bool:
        """Whether everything that was met could be read: else nothing may be taken for unneeded."""
        return not (self._broken or self._gaps or self._lost) and None not in self._covered.values()

    def wrote(self, name: str, state: State) -> None:
        """Note that *name* is a checkpoint of *state*."""
        self._covered[name] = dict(state.commits)

    async def load(self, name: str) -> State:
        """Return the state that checkpoint *name* holds.  Raises `NotFound`, `SealError`."""
        return await checkpoint.load(self._engine, self._account, self._root_key, self._pages, name)

    async def caught_up(self, state: State | None) -> State:
        """Return the state with everything durable by now: *state* itself, or a fresh one.

        Raises `SealError` when no checkpoint opens, `Damaged` when the newest one's pages are missing, `Unavailable`.
        """
        missing, is_known = list[str](), state is not None
        for _ in range(LOOKS_MAX):
            try:
                if state is None:
                    state = await self._opened()
                if await self._look(state) and (is_known or await self._is_all_there(state)):
                    return state
            except NotFound as error:
                _log.info("log.collected_meanwhile", account=self._account, name=error.key)
                if missing:  # not even a new listing led on from here: pages of our base are gone
                    state, is_known = None, False
                missing.append(error.key)
        if len(missing) == LOOKS_MAX and len(set(missing)) == 1 and paths.parse(missing[0]).kind is paths.Kind.PAGE:
            raise Damaged(f"{missing[0]} is missing")
        raise Unavailable(f"the log of {self._account} changes faster than it is read")

    async def _opened(self) -> State:
        """Load the newest checkpoint that is sound; the look that follows joins whatever another one knows."""
        self._broken, self._gaps, self._covered = set(), {}, {}
        damage: seal.SealError | None = None
        for name in reversed(await checkpoint.names(self._engine, self._account)):
            try:
                state = await self.load(name)
            except seal.SealError as error:
                damage = damage or self._damaged(name, error)
                continue
            self.wrote(name, state)
            self._clock.read(state.time)
            return state
        if damage is not None:
            raise damage
        return State(Base(self._pages))

    def _damaged(self, name: str, error: seal.SealError) -> seal.SealError:
        _log.error("checkpoint.damaged", account=self._account, name=name, error=str(error))
        self._covered[name] = None
        return error

    async def _look(self, state: State) -> bool:
        """List, join and fold.  Return False where something listed was gone."""
        listing = await log.listing(self._engine, self._account, state.commits)
        self._covered = {name: self._covered[name] for name in listing.checkpoints if name in self._covered}
        for name in reversed(listing.checkpoints):
            if name not in self._covered:
                await self._meet(state, name)
        following = listing.following(state.commits)
        if not all([await self._fold_all(state, writer, numbers) for writer, numbers in following.items()]):
            return False
        self._report_gaps(state, listing)
        return True

    def _report_gaps(self, state: State, listing: log.Listing) -> None:
        """Say what is missing: neither in the log nor in a checkpoint behind it.  Raises `Damaged` if that is all."""
        for writer, numbers in listing.numbers.items():
            known = state.commits.get(writer, 0)
            first = next((n for n in numbers if n > known), 0)
            if not first or writer in self._broken:
                continue
            if not state.root and not known:
                raise Damaged(f"the beginning of the log of {self._account} is missing, and so is every checkpoint")
            if self._gaps.get(writer) != (known, first):
                self._gaps[writer] = known, first
                _log.error("log.commits_missing", account=self._account, writer=writer, after=known, before=first)

    async def _is_all_there(self, state: State) -> bool:
        """Look for commits that a device has seen and we have not: the store lost the end of a log, or was rolled back.

        A listing is no snapshot, so what is missing is looked for once more.  Return False where that met a gap.
        """
        if state.lacks() and not await self._look(state):
            return False
        self._lost = {writer: n for writer, n in state.lacks().items() if writer not in self._broken}
        for writer, n in self._lost.items():
            known = state.commits.get(writer, 0)
            _log.error("log.commits_lost", account=self._account, writer=writer, ends_at=known, seen=n)
        return True

    async def _meet(self, state: State, name: str) -> None:
        """Join a checkpoint that knows more than we do, or that our base can better rest on."""
        try:
            clear = await checkpoint.fetch_clear(self._engine, name)
            covered, rooted = whole(clear.commits), whole(state.rooted)
            # Of two that cover the same the later one stays, and says better where contents lie.
            is_better_base = dominates(covered, rooted) and (covered != rooted or name > state.root)
            if is_better_base or not dominates(whole(state.commits), covered):
                await self._join_whole(state, name)
            self._covered[name] = clear.commits
        except seal.SealError as error:
            self._damaged(name, error)

    async def _join_whole(self, state: State, name: str) -> None:
        other = await self.load(name)
        await join(state, other)
        self._clock.read(other.time)
        # Another node could read what we could not, or this writer's log goes on behind what was damaged.
        self._broken -= {writer for writer, n in other.commits.items() if n == state.commits.get(writer)}

    async def _fold_all(self, state: State, writer: str, numbers: Sequence[int]) -> bool:
        """Fold commits *numbers* of *writer*.  Return False where one of them was gone."""
        if writer in self._broken:
            return True
        for start in range(0, len(numbers), FOLD_COMMITS):
            part = numbers[start : start + FOLD_COMMITS]
            before, time = state.chain.get(writer, objects.FIRST), state.times.get(writer, -1)
            read = await log.read(self._engine, self._account, self._keys, writer, part, before, time)
            commits, last, broken = read
            await self.fold(state, commits)
            state.chain[writer] = last
            if broken:
                self._broken.add(writer)
                return True
            if len(commits) < len(part):
                return False
            await asyncio.sleep(0)
        return True

    async def fold(self, state: State, commits: Sequence[Commit]) -> None:
        """Fold commits that are durable."""
        await state.bring(commits)
        for commit in commits:
            state.fold(commit)
            self._clock.read(commit.time)
