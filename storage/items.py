"""One item's row: who put it where, which values it has, and which record said so.

A row keeps three things (`ARCHITECTURE.md`, "Membership"):

- `adds`: every `Added` record of the item; the one with the lowest stamp supplies date, kind and first values, the
  lowest of those that brought a content supplies that;
- `registers`: for each property the winning value with its stamp and its record; an item that was never moved has no
  `folder` register, it lies where its lowest add put it;
- `entries`: for each folder ever entered, **all** records that put the item there.  A device that has seen one of them
  may hold the item, so that is who must be told when it leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from storage.cursor import Cursor, Rid, covers
from storage.records import Added, Set, Stamp, Value, own_stamp
from storage.views import Floor


class Register(NamedTuple):
    """The winning value of a property.  Greater (stamp, rid) wins, whatever arrived first."""

    stamp: Stamp
    rid: Rid
    value: Value
    device: str = ""
    """Whose doing it was, if a device's."""


class Add(NamedTuple):
    """One `Added` record of an item.  The least of an item's adds is the one that counts."""

    stamp: Stamp
    rid: Rid
    folder: str
    kind: str
    date_ms: int
    size_bytes: int | None
    """Of its content; None when it brought none."""
    device: str
    values: dict[str, Value]


class Membership(NamedTuple):
    """Where an item is (None: nowhere, removed) and the records that must all be seen to know it."""

    folder: str | None
    rids: tuple[Rid, ...]


@dataclass(slots=True)
class Item:
    """The row of one item.  `offer_*` take records in any order, any number of times."""

    id: str
    adds: list[Add] = field(default_factory=list)
    registers: dict[str, Register] = field(default_factory=dict)
    entries: dict[str, list[Rid]] = field(default_factory=dict)

    def copy(self) -> "Item":
        """Return a row that can be changed apart."""
        entries = {folder: list(rids) for folder, rids in self.entries.items()}
        return Item(self.id, list(self.adds), dict(self.registers), entries)

    def offer_added(self, rid: Rid, record: Added) -> bool:
        """Take an `Added` record.  Return whether it brought the content that the item came with."""
        stamp = record.stamp or own_stamp(rid)
        size = record.content.size_bytes if record.content else None
        add = Add(stamp, rid, record.folder, record.kind, record.date_ms, size, record.device, record.values)
        self._enter(record.folder, rid)
        if any(known.rid == rid for known in self.adds):
            return False
        self.adds.append(add)
        self.adds.sort(key=lambda known: (known.stamp, known.rid))
        return self._first_content() is add

    def _first_content(self) -> Add | None:
        return next((add for add in self.adds if add.size_bytes is not None), None)

    def offer_set(self, rid: Rid, record: Set) -> bool:
        """Take a `Set` record.  Return whether its value is now the property's."""
        if record.name == "folder" and record.value is not None:
            self._enter(record.value, rid)
        stamp = record.stamp or own_stamp(rid)
        known = self.registers.get(record.name)
        if known is not None and (known.stamp, known.rid) >= (stamp, rid):
            return False
        # Contents lie apart from rows (`pages.py`); the row keeps the size, which quotas count.
        value = record.value.size_bytes if record.name == "content" else record.value
        self.registers[record.name] = Register(stamp, rid, value, record.device)
        return True

    def join(self, other: "Item") -> "Item":
        """Return the row that has folded what either of the two has."""
        joined = self.copy()
        known = {add.rid for add in self.adds}
        joined.adds += [add for add in other.adds if add.rid not in known]
        joined.adds.sort(key=lambda add: (add.stamp, add.rid))
        for name, register in other.registers.items():
            mine = joined.registers.get(name)
            if mine is None or (mine.stamp, mine.rid) < (register.stamp, register.rid):
                joined.registers[name] = register
        for folder, rids in other.entries.items():
            for rid in rids:
                joined._enter(folder, rid)
        return joined

    def outside(self, cursor: Cursor) -> "Item":
        """Return what the records outside *cursor* alone make of the row: of one that was purged at *cursor*."""
        entries = {folder: [rid for rid in rids if not covers(cursor, rid)] for folder, rids in self.entries.items()}
        return Item(
            self.id,
            [add for add in self.adds if not covers(cursor, add.rid)],
            {name: register for name, register in self.registers.items() if not covers(cursor, register.rid)},
            {folder: rids for folder, rids in entries.items() if rids},
        )

    def rids(self) -> Iterator[Rid]:
        """Yield every record that the row keeps, some more than once."""
        for add in self.adds:
            yield add.rid
        for register in self.registers.values():
            yield register.rid
        for rids in self.entries.values():
            yield from rids

    @property
    def content_rid(self) -> Rid | None:
        """The record whose content is the item's; None when it has none."""
        changed = self.registers.get("content")
        if changed:
            return changed.rid
        first = self._first_content()
        return first.rid if first else None

    def _enter(self, folder: str, rid: Rid) -> None:
        entered = self.entries.setdefault(folder, [])
        if rid not in entered:
            entered.append(rid)
            entered.sort()

    @property
    def is_empty(self) -> bool:
        """Whether no record is left of it: then it stands for a row that was purged."""
        return not self.adds and not self.registers

    @property
    def exists(self) -> bool:
        """Whether any `Added` record has been read: a `Set` may come before it."""
        return bool(self.adds)

    @property
    def date_ms(self) -> int:
        """When the item came, in milliseconds since 1970."""
        return self.adds[0].date_ms if self.adds else 0

    @property
    def size_bytes(self) -> int:
        """Size of the content, in bytes."""
        changed = self.registers.get("content")
        if changed:
            return int(changed.value)
        first = self._first_content()
        return (first.size_bytes or 0) if first else 0

    @property
    def kind(self) -> str:
        """What sort of item it is: `Email`, `Calendar` …"""
        return self.adds[0].kind

    @property
    def floor(self) -> Floor:
        """The item's position in any folder."""
        return Floor(self.date_ms, self.id)

    @property
    def membership(self) -> Membership:
        """Where the item is, as its own records say (a removed folder is the folder tree's business)."""
        if not self.adds:
            return Membership(None, ())
        first = self.adds[0]
        moved = self.registers.get("folder")
        if moved is None:
            return Membership(first.folder, (first.rid,))
        # The first add decides the date, and so the position: that it changed counts as an unseen membership.
        return Membership(moved.value, (moved.rid, first.rid))

    def value(self, name: str, default: Value = None) -> Value:
        """Return the value of a property: the winning register's, else the first add's, else *default*."""
        register = self.registers.get(name)
        if register is not None:
            return register.value
        return self.adds[0].values.get(name, default) if self.adds else default

    def property_rids(self) -> Iterator[tuple[str, Rid]]:
        """Yield each property but the folder with the record that won it."""
        for name, register in self.registers.items():
            if name != "folder":
                yield name, register.rid

    def device_of(self, rid: Rid) -> str:
        """Return whose doing record *rid* was: a device, or "" for anybody else."""
        for add in self.adds:
            if add.rid == rid:
                return add.device
        return next((register.device for register in self.registers.values() if register.rid == rid), "")

    def added_by(self, device: str, folder: str) -> bool:
        """Tell whether *device* itself added the item to *folder*."""
        return any(add.device == device and add.folder == folder for add in self.adds)


def pack_item(item: Item) -> list[Any]:
    """Return *item* as a positional list, for a checkpoint's page."""
    return [
        item.id,
        [[*_packed_stamp(add.stamp), *add.rid, *add[2:]] for add in item.adds],
        {name: pack_register(register) for name, register in item.registers.items()},
        item.entries,
    ]


def pack_register(register: Register) -> list[Any]:
    """Return *register* as a positional list."""
    return [*_packed_stamp(register.stamp), *register.rid, register.value, register.device]


def unpack_register(packed: list[Any]) -> Register:
    """Undo `pack_register`."""
    return Register(_stamp(packed), Rid(*packed[4:8]), *packed[8:])


def _packed_stamp(stamp: Stamp) -> list[Any]:
    return [stamp.time, stamp.by, *stamp.place]


def _stamp(packed: list[Any]) -> Stamp:
    return Stamp(packed[0], packed[1], (packed[2], packed[3]))


def unpack_item(packed: list[Any]) -> Item:
    """Undo `pack_item`."""
    item_id, adds, registers, entries = packed
    return Item(
        item_id,
        [Add(_stamp(add), Rid(*add[4:8]), *add[8:]) for add in adds],
        {name: unpack_register(register) for name, register in registers.items()},
        {folder: [Rid(*rid) for rid in rids] for folder, rids in entries.items()},
    )
