"""The folder tree: registers for each folder, and the one tree that every node makes of them.

Concurrent changes may leave names that clash, parents that are gone, or a ring of parents.  `tree` mends all of it the
same way on every node, from the registers alone:

- a folder whose parent is gone hangs at the top; of a ring of parents, the link that was set last goes to the top;
- of siblings with one name, those that came later get " (2)", " (3)" …;
- members of a removed folder count as members of the Trash (`resting_place`): seen there once both the item's record
  and the folder's removal have been.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from storage.cursor import Rid
from storage.items import Item, Membership, Register, pack_register, unpack_register
from storage.records import INITIAL, FolderSet, Stamp, own_stamp


class FolderType(IntEnum):
    """What a folder is for.  The values are those of [MS-ASCMD] FolderSync/Type, for want of better ones."""

    USER = 1
    INBOX = 2
    DRAFTS = 3
    TRASH = 4
    SENT = 5
    OUTBOX = 6
    TASKS = 7
    CALENDAR = 8
    CONTACTS = 9
    NOTES = 10
    USER_MAIL = 12
    USER_CALENDAR = 13
    USER_CONTACTS = 14
    USER_TASKS = 15
    USER_JOURNAL = 16
    USER_NOTES = 17


@dataclass(frozen=True, slots=True)
class Default:
    """A folder that every account has: no record makes it, none removes, renames or moves it."""

    id: str
    name: str
    type: FolderType


# Ids are short and fixed: the same on every node and in every account, so that no record is needed to agree on them.
INBOX = Default("inbox", "Inbox", FolderType.INBOX)
DRAFTS = Default("drafts", "Drafts", FolderType.DRAFTS)
TRASH = Default("trash", "Deleted Items", FolderType.TRASH)
SENT = Default("sent", "Sent Items", FolderType.SENT)
OUTBOX = Default("outbox", "Outbox", FolderType.OUTBOX)
JUNK = Default("junk", "Junk Email", FolderType.USER_MAIL)
ARCHIVE = Default("archive", "Archive", FolderType.USER_MAIL)
DEFAULTS: tuple[Default, ...] = (
    INBOX,
    DRAFTS,
    TRASH,
    SENT,
    OUTBOX,
    JUNK,
    ARCHIVE,
    Default("tasks", "Tasks", FolderType.TASKS),
    Default("calendar", "Calendar", FolderType.CALENDAR),
    Default("contacts", "Contacts", FolderType.CONTACTS),
    Default("notes", "Notes", FolderType.NOTES),
)
_DEFAULT_IDS = {default.id for default in DEFAULTS}
_TYPES = frozenset(map(int, FolderType))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as the tree has it.  `parent` None: at the top."""

    id: str
    name: str
    parent: str | None
    type: FolderType

    @property
    def is_default(self) -> bool:
        """Whether every account has it."""
        return self.id in _DEFAULT_IDS

    @property
    def holds(self) -> str:
        """What kind of item it holds: `Email`, `Calendar`, `Contacts`, `Tasks`, `Notes`, `Journal`."""
        return _HOLDS.get(self.type, "Email")

    @property
    def digest(self) -> bytes:
        """Return eight bytes that change whenever name, parent or type do."""
        told = f"{self.name}\0{self.parent or ''}\0{int(self.type)}"
        return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest()


_HOLDS = {
    FolderType.TASKS: "Tasks",
    FolderType.USER_TASKS: "Tasks",
    FolderType.CALENDAR: "Calendar",
    FolderType.USER_CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.USER_CONTACTS: "Contacts",
    FolderType.NOTES: "Notes",
    FolderType.USER_NOTES: "Notes",
    FolderType.USER_JOURNAL: "Journal",
}


@dataclass(slots=True)
class Folders:
    """The registers of all folders that records speak of."""

    registers: dict[str, dict[str, Register]] = field(default_factory=dict)
    gone: dict[str, Rid] = field(default_factory=dict)
    """Removed folders with the earliest record that removed each.  Removal is for ever."""
    _tree: dict[str, Folder] | None = field(default=None, compare=False)

    def offer(self, rid: Rid, record: FolderSet) -> None:
        """Take a record: any order, any number of times."""
        if record.folder in _DEFAULT_IDS:
            return
        self._tree = None
        if record.name == "gone":
            known = self.gone.get(record.folder)
            self.gone[record.folder] = rid if known is None else min(known, rid)
            return
        registers = self.registers.setdefault(record.folder, {})
        stamp = record.stamp or own_stamp(rid)
        present = registers.get(record.name)
        if present is None or (present.stamp, present.rid) < (stamp, rid):
            registers[record.name] = Register(stamp, rid, record.value, record.device)

    def join(self, other: "Folders") -> None:
        """Take whatever *other* has folded."""
        self._tree = None
        for folder, registers in other.registers.items():
            mine = self.registers.setdefault(folder, {})
            for name, register in registers.items():
                known = mine.get(name)
                if known is None or (known.stamp, known.rid) < (register.stamp, register.rid):
                    mine[name] = register
        for folder, rid in other.gone.items():
            self.gone[folder] = min(rid, self.gone.get(folder, rid))

    def tree(self) -> Mapping[str, Folder]:
        """Return every folder that is there, parents mended and names made unique."""
        if self._tree is None:
            self._tree = self._mended()
        return self._tree

    def _mended(self) -> dict[str, Folder]:
        tree = {default.id: Folder(default.id, default.name, None, default.type) for default in DEFAULTS}
        own = {
            folder: registers
            for folder, registers in self.registers.items()
            if folder not in self.gone and "name" in registers
        }
        parents = {folder: self._parent(registers, own) for folder, registers in own.items()}
        self._break_rings(parents)
        taken: set[tuple[str | None, str]] = {(None, default.name.casefold()) for default in DEFAULTS}
        for folder in sorted(own, key=lambda folder: (own[folder]["name"].rid, folder)):
            registers = own[folder]
            name = _unique(str(registers["name"].value), parents[folder], taken)
            tree[folder] = Folder(folder, name, parents[folder], _type(registers))
        return tree

    @staticmethod
    def _parent(registers: dict[str, Register], own: Mapping[str, object]) -> str | None:
        parent = registers["parent"].value if "parent" in registers else None
        return parent if parent in own or parent in _DEFAULT_IDS else None

    def _break_rings(self, parents: dict[str, str | None]) -> None:
        for start in sorted(parents):
            ring = list(_ancestors(start, parents))
            if ring and ring[-1] == start:
                latest = max(ring, key=lambda folder: self._linked(folder))
                parents[latest] = None

    def _linked(self, folder: str) -> tuple[Stamp, str]:
        register = self.registers[folder].get("parent")
        return (register.stamp if register else INITIAL), folder

    def resting_place(self, item: Item) -> Membership:
        """Return where *item* is: of a removed folder's member, in the Trash."""
        folder, rids = item.membership
        if folder in self.gone:
            return Membership(TRASH.id, (*rids, self.gone[folder]))
        return Membership(folder, rids)

    def entering(self, item: Item, folder: str) -> Iterator[tuple[Rid, ...]]:
        """Yield the ways in which *item* ever came into *folder*, each as the records that made it so."""
        for rid in item.entries.get(folder, ()):
            yield (rid,)
        if folder == TRASH.id:
            for entered, rids in item.entries.items():
                if entered in self.gone:
                    for rid in rids:
                        yield (rid, self.gone[entered])

    def sources(self, folder: str) -> set[str]:
        """Return the folders whose members appear in *folder*: itself, and in the Trash also the removed ones."""
        return {folder} | set(self.gone) if folder == TRASH.id else {folder} - self.gone.keys()

    def pack(self) -> list[Any]:
        """Return everything as positional lists, for a checkpoint."""
        registers = {
            folder: {name: pack_register(register) for name, register in kept.items()}
            for folder, kept in self.registers.items()
        }
        return [registers, self.gone]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "Folders":
        """Undo `pack`."""
        registers = {
            folder: {name: unpack_register(register) for name, register in kept.items()}
            for folder, kept in packed[0].items()
        }
        return cls(registers, {folder: Rid(*rid) for folder, rid in packed[1].items()})


def _type(registers: Mapping[str, Register]) -> FolderType:
    """Return a folder's type; one that only a newer version knows is shown as mail."""
    value = registers["type"].value if "type" in registers else FolderType.USER_MAIL
    return FolderType(value) if value in _TYPES else FolderType.USER_MAIL


def _ancestors(folder: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Yield the parents of *folder* upwards, ending at the top or at the first one met twice."""
    seen: set[str] = set()
    parent = parents.get(folder)
    while parent is not None and parent not in seen:
        seen.add(parent)
        yield parent
        parent = parents.get(parent)


def _unique(name: str, parent: str | None, taken: set[tuple[str | None, str]]) -> str:
    candidate, number = name, 1
    while (parent, candidate.casefold()) in taken:
        number += 1
        candidate = f"{name} ({number})"
    taken.add((parent, candidate.casefold()))
    return candidate
