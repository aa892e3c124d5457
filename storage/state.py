"""An account's state: the fold of its log, the same in whatever order the records came.

    state = base (rows of a checkpoint, on demand) + overlay (rows that later records touched) + small things, resident

A record about an item needs the item's row, which may lie in the base: so folding takes two steps, `missing` rows are
brought into the overlay first, then `fold` is plain code.  Everything that can be asked is answered from base and
overlay together; the overlay wins.

The fold does not depend on order because every part of it is a join: registers keep the greater stamp, sets of records
only grow, views retire by rules that only move forward.  `tests/properties/test_fold.py` states it as a law.
"""

import heapq
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from storage.base import Base
from storage.clock import stamp_ms
from storage.cursor import Cursor, Rid, covers, dominates, join, whole
from storage.folders import TRASH, Folders
from storage.items import Item, Register
from storage.journal import Journal
from storage.marked import known
from storage.records import (
    Added,
    Content,
    DeviceSet,
    FolderSet,
    MarkMade,
    Record,
    Sending,
    Sent,
    Set,
    Stamp,
    Value,
    ViewMade,
    own_stamp,
)
from storage.sends import Sends
from storage.views import Floor, Views, began_before


@dataclass(frozen=True, slots=True)
class Commit:
    """What one log object says: *n*th of *writer*, made at *time* (hybrid clock), all or nothing."""

    writer: str
    n: int
    time: int
    records: Sequence[Record]
    size_bytes: int = field(default=0, compare=False)
    """Of its log object."""

    def rids(self) -> list[Rid]:
        """Return each record's id, in order."""
        return [Rid(self.time, self.writer, self.n, place) for place in range(1, len(self.records) + 1)]


@dataclass(slots=True)
class Devices:
    """What is remembered of each device, as registers; a device forgotten at a time keeps nothing from before it."""

    registers: dict[str, dict[str, Register]] = field(default_factory=dict)

    def offer(self, rid: Rid, record: DeviceSet) -> None:
        """Take a record: any order, any number of times."""
        registers = self.registers.setdefault(record.device, {})
        register = Register(record.stamp or own_stamp(rid), rid, record.value)
        known = registers.get(record.name)
        if known is None or known[:2] < register[:2]:
            registers[record.name] = register

    def join(self, other: "Devices") -> None:
        """Take whatever *other* has folded."""
        for device, registers in other.registers.items():
            mine = self.registers.setdefault(device, {})
            for name, register in registers.items():
                known = mine.get(name)
                if known is None or known[:2] < register[:2]:
                    mine[name] = register

    def active_ms(self, device: str) -> int:
        """Return when anything was remembered of *device* last, in milliseconds since 1970."""
        registers = self.registers.get(device, {})
        return stamp_ms(max((register.rid.time for register in registers.values()), default=0))

    def forgotten(self, device: str) -> int:
        """Return the time at which *device* was last forgotten, or 0."""
        register = self.registers.get(device, {}).get("")
        return register.stamp.time if register else 0

    def latest(self, device: str, name: str) -> int:
        """Return the time that a new value has to exceed to be seen; of the name "", to forget all that there is."""
        registers = self.registers.get(device, {})
        others = registers.values() if not name else [registers[each] for each in (name, "") if each in registers]
        return max((register.stamp.time for register in others), default=-1)

    def get(self, device: str, name: str, default: Value = None) -> Value:
        """Return what is remembered under *name*."""
        register = self.registers.get(device, {}).get(name)
        if register is None or register.stamp.time < self.forgotten(device):
            return default
        return register.value

    def names(self) -> list[str]:
        """Return the devices of which anything is remembered."""
        return [
            device
            for device, registers in self.registers.items()
            if any(name and register.stamp.time >= self.forgotten(device) for name, register in registers.items())
        ]


class State:
    """Everything known of an account, up to `commits`."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.root = ""
        """The checkpoint that the base is of; none at first."""
        self.rooted: dict[str, int] = {}
        """How many commits of each writer the base has folded."""
        self.records_since = self.bytes_since = 0
        """How many records, in how many bytes of the log, were folded since then."""
        self.commits: dict[str, int] = {}
        """How many commits of each writer are folded."""
        self.chain: dict[str, bytes] = {}
        """The hash of each writer's last folded object, which its next one must name."""
        self.times: dict[str, int] = {}
        """The time of each writer's last folded commit, which its next one must exceed."""
        self.time = 0
        """The latest commit time folded."""
        self.touched: dict[str, Item] = {}
        self.fresh: dict[str, Content] = {}
        self.journal = Journal()
        self.folders = Folders()
        self.views = Views()
        self.devices = Devices()
        self.sends = Sends()
        self.purged: dict[str, dict[str, tuple[int, int]]] = {}
        """For each folder, up to where removals of its former members were purged: no row tells of them any more."""

    @property
    def head(self) -> dict[str, tuple[int, int]]:
        """The cursor of everything folded."""
        return whole(self.commits)

    # -- folding

    async def bring(self, commits: Iterable[Commit]) -> None:
        """Bring the rows that *commits* speak of into the overlay."""
        wanted = {
            record.item: None
            for commit in commits
            for record in commit.records
            if isinstance(record, Added | Set) and record.item not in self.touched
        }
        if wanted:
            # Another task may have folded while this one read: its rows are newer.
            for item_id, item in (await self.base.rows(wanted)).items():
                self.touched.setdefault(item_id, item)

    def fold(self, commit: Commit) -> None:
        """Fold *commit*, whose rows have been brought.  Folding it again changes nothing."""
        for rid, record in zip(commit.rids(), commit.records, strict=True):
            self._offer(rid, record)
        self.commits[commit.writer] = max(self.commits.get(commit.writer, 0), commit.n)
        self.times[commit.writer] = max(self.times.get(commit.writer, 0), commit.time)
        self.time = max(self.time, commit.time)
        self.records_since += len(commit.records)
        self.bytes_since += commit.size_bytes

    def snapshot(self) -> "State":
        """Return what can be read on after the turn is over: rows and contents stay those of now.

        Of a row that changes meanwhile the newer values may show.  Nothing is to be folded into it.
        """
        snapshot = State(self.base)
        snapshot.__dict__.update(self.__dict__)
        snapshot.touched, snapshot.fresh = dict(self.touched), dict(self.fresh)
        return snapshot

    async def supposing(self, commit: Commit) -> "State":
        """Return what this state would be with *commit*, which speaks of items only; this one stays as it is."""
        supposed = self.snapshot()
        supposed.commits, supposed.times = dict(self.commits), dict(self.times)
        supposed.journal = self.journal.copy()
        await supposed.bring([commit])
        for record in commit.records:
            if isinstance(record, Added | Set) and record.item in supposed.touched:
                supposed.touched[record.item] = supposed.touched[record.item].copy()
        supposed.fold(commit)
        return supposed

    def outranking(self, records: Sequence[Record], now: int, writer: str, n: int) -> list[Record]:
        """Return *records* so that each new value wins against the one that is folded, which its author may have seen.

        By the time of a commit made after *now* it does so by itself, unless the other was set by a clock hours ahead,
        which ours does not follow.  The rows have been brought.
        """
        outranking: list[Record] = []
        for place, record in enumerate(records, 1):
            if isinstance(record, Set | FolderSet | DeviceSet) and not record.stamp:
                time = self._set(record)
                if time >= now:
                    record = replace(record, stamp=Stamp(time + 1, writer, (n, place)))
            outranking.append(record)
        return outranking

    def _set(self, record: Set | FolderSet | DeviceSet) -> int:
        """Return the time of the value that *record* is to replace; -1 where there is none."""
        match record:
            case DeviceSet(device, ""):  # forgets whatever there is, its views as well
                begun = (self.views.youngest(device, folder) for folder in self.views.of_device(device))
                return max(self.devices.latest(device, ""), *begun, -1)
            case DeviceSet(device, name):
                return self.devices.latest(device, name)
            case FolderSet(folder, name):
                register = self.folders.registers.get(folder, {}).get(name)
            case Set(item_id, name):
                register = self.touched[item_id].registers.get(name) if item_id in self.touched else None
        return register.stamp.time if register else -1

    def _offer(self, rid: Rid, record: Record) -> None:
        match record:
            case Added():
                item = self.touched.setdefault(record.item, Item(record.item))
                if record.folder not in item.entries:
                    self.journal.entered([record.folder], item.rids())
                if item.offer_added(rid, record) and record.content and "content" not in item.registers:
                    self.fresh[record.item] = record.content
                self.journal.add(rid, record.item)
            case Set():
                item = self.touched.setdefault(record.item, Item(record.item))
                if record.name == "folder" and record.value is not None and record.value not in item.entries:
                    self.journal.entered([record.value], item.rids())
                if item.offer_set(rid, record) and record.name == "content":
                    self.fresh[record.item] = record.value
                self.journal.add(rid, record.item)
            case FolderSet():
                self.folders.offer(rid, record)
            case DeviceSet():
                self.devices.offer(rid, record)
                if record.name == "":
                    self.views.forget(record.device, self.devices.forgotten(record.device))
            case ViewMade():
                if not began_before(record.view.lineage, self.devices.forgotten(record.view.device)):
                    self.views.add(rid, record.view)
            case MarkMade():
                self.views.marks.offer(record.cursor, rid.time)
            case Sending() | Sent():
                self.sends.offer(rid, record)

    def rest_on(self, base: Base, root: str, rooted: dict[str, int]) -> None:
        """Take another *base*, of checkpoint *root*, which has folded *rooted*."""
        self.base, self.root, self.rooted = base, root, dict(rooted)
        self.records_since = self.bytes_since = 0

    def as_written(self, records: Iterable[Record]) -> list[Record]:
        """Return *records* as they are best written and held: views near a mark."""
        return [ViewMade(self.views.held(each.view)) if isinstance(each, ViewMade) else each for each in records]

    # -- asking

    def lacks(self) -> dict[str, int]:
        """Return, by writer, the latest commit that a living view has seen, if it is not folded here."""
        seen = join(*(known(view.cursor) for _, view in self.views.all()))
        return {writer: n for writer, (n, place) in seen.items() if place and n > self.commits.get(writer, 0)}

    def tells_all(self, folder: str, seen: Cursor) -> bool:
        """Tell whether every removal from *folder* outside *seen* is still known: else its device must begin anew."""
        return dominates(seen, self.purged.get(folder, {}))

    async def items(self, item_ids: Iterable[str]) -> dict[str, Item]:
        """Return the rows of those of *item_ids* that exist."""
        wanted = dict.fromkeys(item_ids)  # in the order asked for, which a set would not keep
        found = {item_id: self.touched[item_id] for item_id in wanted if item_id in self.touched}
        found.update(await self.base.rows(item_id for item_id in wanted if item_id not in found))
        return {item_id: item for item_id, item in found.items() if item.exists}

    async def item(self, item_id: str) -> Item | None:
        """Return the row of that id, or None."""
        return (await self.items([item_id])).get(item_id)

    async def contents(self, item_ids: Iterable[str]) -> dict[str, Content]:
        """Return the contents of those of *item_ids* that have one."""
        wanted = dict.fromkeys(item_ids)
        found = {item_id: self.fresh[item_id] for item_id in wanted if item_id in self.fresh}
        found.update(await self.base.contents(item_id for item_id in wanted if item_id not in found))
        return found

    async def changed(self, folder: str, seen: Cursor) -> list[Item]:
        """Return every existing item of which a record outside *seen* counts, or whose folder's removal is outside.

        Those that never were in *folder* may be among them.  Cost: in proportion to what is new, as long as the
        journal reaches back to *seen* where *folder* is concerned; a walk over all rows else.
        """
        ids = self.journal.after(seen, {folder} | self.folders.sources(folder))
        items = list((await self.items(ids)).values()) if ids is not None else [item async for item in self._all()]
        removed = {gone for gone, rid in self.folders.gone.items() if not covers(seen, rid)}
        if removed and folder == TRASH.id and ids is not None:
            known = {item.id for item in items}
            items += [item async for item in self._all() if item.id not in known and removed & item.entries.keys()]
        return items

    async def _all(self) -> AsyncIterator[Item]:
        touched = dict(self.touched)
        async for item in self.base.items():
            if item.id not in touched and item.exists:
                yield item
        for item in touched.values():
            if item.exists:
                yield item

    async def floors(
        self, folder: str, low: Floor, high: Floor, *, limit: int | None = None, newest_first: bool = True
    ) -> list[Floor]:
        """Return the positions in `[low, high)` of *folder*'s members, at most *limit*, in the order asked for."""
        mine = [
            item.floor
            for item in self.touched.values()
            if item.exists and low <= item.floor < high and self.folders.resting_place(item).folder == folder
        ]
        sources = self.folders.sources(folder)
        others = await self.base.floors(
            sources, low, high, limit=limit, newest_first=newest_first, skip=self.touched.keys()
        )
        pick = heapq.nlargest if newest_first else heapq.nsmallest
        every = mine + others
        return sorted(every, reverse=newest_first) if limit is None else pick(limit, every)

    async def members(
        self, folder: str, low: Floor, high: Floor, *, limit: int | None = None, newest_first: bool = True
    ) -> list[Item]:
        """Return *folder*'s members in `[low, high)`, at most *limit*, in the order asked for."""
        floors = await self.floors(folder, low, high, limit=limit, newest_first=newest_first)
        items = await self.items(floor.item for floor in floors)
        return [items[floor.item] for floor in floors]
