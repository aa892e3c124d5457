"""What the log says: facts, each a small positional list inside a commit (`FORMAT.md`, "Records").

A record never changes its meaning.  New facts get new kinds; a reader that meets a kind it does not know refuses the
commit (`UnknownRecord`) rather than guess, so that an old node stops instead of spoiling what a newer one wrote.

Every fact about an item is either `Added` (it came to be, with its first values) or `Set` (one property has a new
value).  Who wins among several is decided by `Stamp`, never by arrival: see `state.py`.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from storage.chunks import CONTENT_BYTES_MAX
from storage.cursor import Cursor, Rid
from storage.marked import mark_id, pack_cursor, unpack_cursor
from storage.seal import KEY_BYTES
from storage.views import View, pack_view, unpack_view

Value: TypeAlias = Any
"""What msgpack carries: None, bool, int, str, bytes, list, dict of these."""

_BLOB = re.compile("[0-9a-z]{16,64}")


class UnknownRecord(Exception):
    """A commit holds a record of a kind or shape that this version does not know."""


class Stamp(NamedTuple):
    """When a value was set, as its writer's hybrid clock had it; greater wins.  Ties go by *by*, then *place*."""

    time: int
    by: str
    place: tuple[int, int]


INITIAL = Stamp(-1, "", (0, 0))
"""The rank of the values that an item came with: below every later write, whatever its clock said."""


def own_stamp(rid: Rid) -> Stamp:
    """Return the stamp of a record that does not carry one: its place in the log."""
    return Stamp(rid.time, rid.writer, (rid.n, rid.place))


class Location(NamedTuple):
    """Where in a pack a sealed blob lies: the pack's id, and the place of the blob's first byte."""

    pack: str
    start: int


@dataclass(frozen=True, slots=True)
class Content:
    """An item's content: where the sealed blob lies, and the summary that lists show without opening it."""

    blob: str
    key: bytes
    size_bytes: int
    shape: Value
    """What `blobs.py` needs to find a range in the sealed blob."""
    summary: Value
    """A packed `storage.message.Summary`; None for items that are no messages."""
    location: Location | None = field(default=None, compare=False)
    """Where the blob lies since it was packed; None: it is an object of its own.  No fact, so no record says it: only
    the content pages of checkpoints do."""
    begun_ms: int | None = field(default=None, compare=False)
    """When the process that stores it began to; None: it was named before.  No record says it either."""


@dataclass(frozen=True, slots=True)
class Added:
    """An item came: delivered, uploaded, copied or imported.  Among several of one item the lowest stamp counts."""

    item: str
    folder: str
    kind: str
    date_ms: int
    content: Content | None
    values: dict[str, Value] = field(default_factory=dict)
    device: str = ""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """A property of an item has a new value.  `folder` None: it was removed."""

    item: str
    name: str
    value: Value
    device: str = ""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class FolderSet:
    """A property of a folder has a new value: `name`, `parent` (None: top), `type`, or `gone` (True, for ever)."""

    folder: str
    name: str
    value: Value
    device: str = ""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class DeviceSet:
    """Something is remembered of a device.  None forgets it; name `""` with None forgets the device."""

    device: str
    name: str
    value: Value
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class ViewMade:
    """A device was given a new view of a folder."""

    view: View


@dataclass(frozen=True, slots=True)
class Sending:
    """A message is about to be handed to submission (rule: intent first, then submit, then the outcome)."""

    send: str
    message_id: str
    digest: bytes
    process: str


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of the `Sending` in commit *n* of *writer*: True, it was taken; False, withdrawn or refused."""

    send: str
    writer: str
    n: int
    taken: bool


@dataclass(frozen=True, slots=True)
class MarkMade:
    """A cursor was written down as a mark, for views to name."""

    cursor: Cursor


Record: TypeAlias = Added | Set | FolderSet | DeviceSet | ViewMade | MarkMade | Sending | Sent


def _stamp(stamp: Stamp | None) -> Value:
    return None if stamp is None else [stamp.time, stamp.by, *stamp.place]


def _last(stamp: Stamp | None) -> list[Value]:
    """Return a last position, for records that came to have a stamp after the first version."""
    return [] if stamp is None else [_stamp(stamp)]


def _unstamp(packed: Value = None) -> Stamp | None:
    match packed:
        case None:
            return None
        case [int(time), str(by), int(n), int(place)]:
            return Stamp(time, by, (n, place))
    raise UnknownRecord(f"stamp {packed!r}"[:80])


def pack_content(content: Content | None) -> Value:
    """Return *content* as a positional list, or None."""
    if content is None:
        return None
    return [content.blob, content.key, content.size_bytes, content.shape, content.summary]


def unpack_content(packed: Value) -> Content | None:
    """Undo `pack_content`.  Raises `UnknownRecord` for what no blob could be read by: a delivery is anybody's word."""
    return None if packed is None else _content(packed, None)


def pack_located(content: Content) -> list[Value]:
    """Return *content* as a positional list that says where in a pack it lies: for a checkpoint, not for a record."""
    packed = [content.blob, content.key, content.size_bytes, content.shape, content.summary]
    return packed if content.location is None else [*packed, list(content.location)]


def unpack_located(packed: Value) -> Content:
    """Undo `pack_located`.  Raises `UnknownRecord`."""
    match packed:
        case [_, _, _, _, _, [str(pack), int(start)], *_] if _BLOB.fullmatch(pack) and start >= 0:
            return _content(packed, Location(pack, start))
        case [_, _, _, _, _, None, *_] | [_, _, _, _, _]:
            return _content(packed, None)
    raise UnknownRecord("not a content")


def _content(packed: Value, location: Location | None) -> Content:
    match packed:
        case [str(blob), bytes(key), int(size), [int(whole), bytes(table)], summary, *_]:
            if _BLOB.fullmatch(blob) and len(key) == KEY_BYTES and 0 <= size == whole <= CONTENT_BYTES_MAX:
                return Content(blob, key, size, [whole, table], summary, location)
    raise UnknownRecord("not a content")


def pack(record: Record) -> list[Value]:
    """Return *record* as the positional list that a commit carries."""
    match record:
        case Added():
            return [
                "A",
                record.item,
                record.folder,
                record.kind,
                record.date_ms,
                pack_content(record.content),
                record.values,
                record.device,
                _stamp(record.stamp),
            ]
        case Set():
            value = pack_content(record.value) if record.name == "content" else record.value
            return ["S", record.item, record.name, value, record.device, _stamp(record.stamp)]
        case FolderSet():
            return ["F", record.folder, record.name, record.value, record.device, *_last(record.stamp)]
        case DeviceSet():
            return ["D", record.device, record.name, record.value, *_last(record.stamp)]
        case ViewMade():
            return ["V", pack_view(record.view)]
        case MarkMade():
            return ["M", mark_id(record.cursor), pack_cursor(record.cursor)]
        case Sending():
            return ["I", record.send, record.message_id, record.digest, record.process]
        case Sent():
            return ["O", record.send, record.writer, record.n, record.taken]


def unpack(packed: Value) -> Record:
    """Undo `pack`.  Raises `UnknownRecord` for anything else: what is let in here, the fold takes as it is."""
    try:
        record = _unpack(packed)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise UnknownRecord(repr(packed)[:80]) from error
    if record is None:
        raise UnknownRecord(repr(packed)[:80])
    return record


def _unpack(packed: Value) -> Record | None:
    match packed:
        case ["A", str(item), str(folder), str(kind), int(date_ms), content, dict(values), str(device), stamp]:
            return Added(item, folder, kind, date_ms, unpack_content(content), values, device, _unstamp(stamp))
        case ["S", str(item), "content", list(value), str(device), stamp]:
            return Set(item, "content", unpack_content(value), device, _unstamp(stamp))
        case ["S", str(item), "folder", str() | None as value, str(device), stamp]:
            return Set(item, "folder", value, device, _unstamp(stamp))
        case ["S", str(item), str(name), value, str(device), stamp] if name not in ("content", "folder"):
            return Set(item, name, value, device, _unstamp(stamp))
        case ["F", str(folder), str(name), value, str(device), *last] if len(last) <= 1:
            return FolderSet(folder, name, value, device, _unstamp(*last))
        case ["D", str(device), str(name), value, *last] if len(last) <= 1:
            return DeviceSet(device, name, value, _unstamp(*last))
        case ["V", list(view)]:
            return ViewMade(unpack_view(view))
        case ["M", bytes(id_), dict(packed_cursor)]:
            cursor = unpack_cursor(packed_cursor)
            return MarkMade(cursor) if mark_id(cursor) == id_ else None
        case ["I", str(send), str(message_id), bytes(digest), str(process)]:
            return Sending(send, message_id, digest, process)
        case ["O", str(send), str(writer), int(n), bool(taken)]:
            return Sent(send, writer, n, taken)
    return None
