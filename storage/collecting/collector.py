"""The collector: removes what no reader needs any more.  No lock, safe beside running nodes, safe to kill.

What goes, and why nobody misses it (`unneeded.py` finds it):

- a *checkpoint* that a kept one covers: readers join, so the kept one says all that it said;
- a *commit* that every kept checkpoint covers: whoever has not folded it finds it in the checkpoints that the same
  listing shows behind the log;
- a *page* that no kept checkpoint names; a *content* that no row names, or whose item was removed `removed_ms` ago, or
  that lies in a pack by now (`packing.py`); a *pack* of which the same is true.

Nobody is asked before, so time does what a lock would: a thing goes only if an earlier pass, at least a grace before,
had found it unneeded already.  Within that time every node has looked at the log (`account.LOOK_SECONDS`), and whoever
was about to name a content has done so: a record never names one that was begun over an hour before it.  Losing the
passes' notes (`notes.py`), or a race for them, only makes things stay longer.

Ages are differences between clocks of nodes that passed here.  Clocks may be wrong by hours; the graces are longer.
Where anything of an account cannot be read, nothing of it is removed.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from storage import paths
from storage.account import Account
from storage.collecting import notes, packing, purging, unneeded
from storage.collecting.unneeded import Listed, Roots
from storage.engine import Compacting, Damaged, Engine, NotFound
from storage.pages import PageRef
from storage.paths import Kind
from storage.seal import SealError
from storage.state import State

DAY_MS = purging.DAY_MS
DELETED_AT_ONCE = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a thing stays after it was first found unneeded, in milliseconds."""

    log_ms: int = 60 * 60_000
    """Of checkpoints and commits."""
    orphan_ms: int = DAY_MS
    """Of pages and contents."""
    removed_ms: int = purging.REMOVED_MS
    """Of a removed item, since its removal; its content then waits for `orphan_ms`, like any."""
    packed_ms: int = packing.AGE_MS
    """Of small contents, before they are put into packs."""
    idle_ms: int = purging.IDLE_MS
    """After so long a silence a device is no longer waited for with what it was not told."""

    def of(self, name: str) -> int:
        """Return the grace of the object *name*."""
        return self.log_ms if paths.parse(name).kind in (Kind.LOG, *paths.CHECKPOINTS) else self.orphan_ms


GRACE = Grace()


@dataclass(slots=True)
class Collected:
    """What went, or in a dry run would go, and what is unneeded but waits for its time; objects by kind."""

    objects: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    waiting_bytes: int = 0
    purged_rows: int = 0
    packed: int = 0
    """Contents that were moved into packs."""
    refused: list[str] = field(default_factory=list)
    """Accounts of which something could not be read, so that nothing was removed: `petitbleu check` says more."""

    def add(self, other: "Collected") -> None:
        """Count *other*, too."""
        self.objects += other.objects
        self.waiting += other.waiting
        self.size_bytes += other.size_bytes
        self.waiting_bytes += other.waiting_bytes
        self.purged_rows += other.purged_rows
        self.packed += other.packed
        self.refused += other.refused


async def collect(
    engine: Engine,
    account: Account,
    now_ms: int,
    *,
    is_dry: bool = False,
    is_deep: bool = True,
    grace: Grace = GRACE,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Collected:
    """Pass over *account* once.  *is_deep*: purge rows, look at pages and contents, too, and pack
    what is small and old; else look at the log alone.

    *progress* hears how many of the objects to be removed are.  Raises `EngineError`; what was removed by then is none
    the worse for it.
    """
    done = Collected()
    try:
        state = await _looked_at(account, now_ms, done, grace, is_dry=is_dry, is_deep=is_deep)
        found = await unneeded.listed(engine, _prefix(account.id, is_deep=is_deep))
        roots = await Roots.read(engine, found)
        names, dead = await _unneeded(account, state, found, roots, now_ms - grace.removed_ms, is_deep=is_deep)
    except (SealError, NotFound, Damaged) as error:
        _log.warning("collector.refused", account=account.id, error=str(error))
        done.refused.append(account.id)
        return done
    noted = await notes.read(engine, account.id, account.keys.checkpoint)
    first = {name: min(noted.get(name, now_ms), now_ms) for name in names}
    # What this pass did not look at keeps its notes.
    first |= {} if is_deep else {name: at for name, at in noted.items() if not name.startswith(_prefix(account.id))}
    due = {name for name in names if now_ms - first[name] >= grace.of(name)}
    if is_deep:
        due -= await _still_named(account, state, found, roots.superseded - due, now_ms - grace.removed_ms)
    for name in names:
        _count(done, name, found.sizes[name], is_due=name in due)
    if not is_dry:
        await _remove(engine, sorted(due, key=_turn), progress)
        left = {name: at for name, at in first.items() if name not in due}
        if left != noted:
            await notes.write(engine, account.id, account.keys.checkpoint, left)
        if is_deep and not isinstance(engine, Compacting):  # which keeps small objects together by itself
            done.packed = await packing.pack(engine, account, now_ms - grace.packed_ms, dead)
    return done


def _prefix(account: str, *, is_deep: bool = False) -> str:
    return paths.account_prefix(account) if is_deep else paths.prefix(Kind.LOG, account)


async def _looked_at(
    account: Account, now_ms: int, done: Collected, grace: Grace, *, is_dry: bool, is_deep: bool
) -> State:
    """Fold everything; write a checkpoint if that lets anything go.  Return the state as it then is."""
    async with account.turn() as state:
        if not account.is_sound:
            raise SealError(paths.account_prefix(account.id), "some of it cannot be read")
        rows = []
        if is_deep:
            rows = await purging.purgeable(state, now_ms, removed_ms=grace.removed_ms, idle_ms=grace.idle_ms)
        done.purged_rows = len(rows)
        if not is_dry and (rows or account.checkpoint_is_due):
            purging.purge(state, rows)
            await account.write_checkpoint()
        return state.snapshot()


async def _unneeded(
    account: Account, state: State, found: Listed, roots: Roots, removed_before_ms: int, *, is_deep: bool
) -> tuple[set[str], set[str]]:
    """Return what nobody needs, and the packs that are half dead.

    Raises `NotFound`, `SealError` where what is kept is not whole.
    """
    refs: list[PageRef] = []
    for name in roots.kept:  # opened, each of them: what is kept stands for what goes
        refs += await account.refs_of(name)
    names = roots.superseded | roots.covered(found)
    if not is_deep:
        return names, set()
    names |= unneeded.unnamed_pages(account.id, found, refs)
    contents = await unneeded.contents(account.id, state, refs, found, removed_before_ms)
    packs = {name.id: found.sizes[text] for text, name in found.of(Kind.PACK).items()}
    return names | contents.unnamed, packing.half_dead(packs, contents.live_bytes)


async def _still_named(
    account: Account, state: State, found: Listed, superseded: set[str], removed_before_ms: int
) -> set[str]:
    """Return what checkpoints name that go another time: by the clock in its name such a one may be opened first.

    It may name what an earlier pass had noted as unneeded, when it was not there yet.
    """
    named: set[str] = set()
    for name in superseded:
        with suppress(NotFound, SealError):
            refs = await account.refs_of(name)
            named |= await unneeded.named(account.id, state, refs, found, removed_before_ms)
    return named


def _count(done: Collected, name: str, size_bytes: int, *, is_due: bool) -> None:
    kind = paths.parse(name).kind.name.lower()
    if is_due:
        done.objects[kind] += 1
        done.size_bytes += size_bytes
    else:
        done.waiting[kind] += 1
        done.waiting_bytes += size_bytes


def _turn(name: str) -> tuple[bool, str]:
    """Return when *name* goes: checkpoints before what they name, for the pass may die in between."""
    return paths.parse(name).kind not in paths.CHECKPOINTS, name


async def _remove(engine: Engine, names: list[str], progress: Callable[[int, int], None]) -> None:
    for start in range(0, len(names), DELETED_AT_ONCE):
        await engine.delete(names[start : start + DELETED_AT_ONCE])
        progress(min(start + DELETED_AT_ONCE, len(names)), len(names))
