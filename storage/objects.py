"""One log object: a commit's bytes, sealed.

    clear header   format, who may have made it, key epoch, hash of the writer's object before it, change of usage
    sealed body    [time, [record, …]] under the account's log key, or to its public key (deliveries)

The header is part of the name under which the body is sealed, so it cannot be altered apart.  A body sealed to the
public key may hold only arriving items: knowing a public key forges nothing but mail.
"""

import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from storage import seal
from storage.clock import STAMP_MAX
from storage.epochs import EpochKeys
from storage.records import Added, Record, UnknownRecord, pack, unpack
from storage.state import Commit

_HEADER = struct.Struct(">2sBBH16sq")
_MAGIC = b"PB"
_FORMAT = 1
HEADER_BYTES = _HEADER.size
FIRST = bytes(16)
"""What the first object of a writer names as the one before it."""
COMMIT_BYTES_MAX = 16 << 20
"""Of a commit's plain bytes: a quarter of what any object may open to."""
DELIVERED_DATE_MS_MAX = 253_402_300_799_999
"""The end of the year 9999: nothing shows a later date."""
_ITEM = re.compile("[0-9a-z]{1,64}")
_FOLDER = re.compile("[0-9a-z]{1,64}")


class CommitTooLarge(ValueError):
    """A commit has more than `COMMIT_BYTES_MAX`: divide it."""


class BrokenObject(Exception):
    """A log object is not what its writer made, or not for its place.  Its writer's log ends before it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is readable without keys."""

    delivered: bool
    epoch: int
    before: bytes
    usage_bytes: int
    """How many bytes of content the commit adds (less what it removes)."""

    def pack(self) -> bytes:
        """Return the header's bytes."""
        return _HEADER.pack(_MAGIC, _FORMAT, int(self.delivered), self.epoch, self.before, self.usage_bytes)


def read_header(data: bytes) -> Header:
    """Return the header of a log object.  Raises `BrokenObject`."""
    try:
        magic, version, delivered, epoch, before, usage = _HEADER.unpack_from(data)
    except struct.error as error:
        raise BrokenObject("cut short") from error
    if magic != _MAGIC or version != _FORMAT or delivered > 1:
        raise BrokenObject(f"format {magic!r} {version}")
    return Header(bool(delivered), epoch, before, usage)


def digest(data: bytes) -> bytes:
    """Return the hash by which a writer's next object names this one."""
    return hashlib.blake2b(data, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class LogKeys:
    """What opens an account's log: the keys of its own commits, and private keys for what was delivered to it."""

    log: EpochKeys
    private: EpochKeys

    def epoch(self) -> int:
        """Return the epoch under which commits are written now."""
        return self.log.epoch

    def make(self, name: str, header: Header, time: int, records: Sequence[Record]) -> bytes:
        """Return the log object *name* of a commit by whoever holds these keys."""
        return make_own(name, self.log, header, time, records)


def _sealed_name(name: str, header: bytes) -> str:
    return f"{name}#{header.hex()}"


def make_own(name: str, keys: EpochKeys, header: Header, time: int, records: Sequence[Record]) -> bytes:
    """Return the log object *name* of a commit by whoever holds the account's keys."""
    head = header.pack()
    return head + seal.seal(keys.of(header.epoch, name), _sealed_name(name, head), _plain(time, records), compress=True)


def make_delivered(name: str, public_key: bytes, header: Header, time: int, records: Sequence[Added]) -> bytes:
    """Return the log object *name* of a delivery: made with the public key alone."""
    head = header.pack()
    return head + seal.seal_to(public_key, _sealed_name(name, head), _plain(time, records), compress=True)


def _plain(time: int, records: Sequence[Record]) -> bytes:
    packed = [pack(record) for record in records]
    for each in packed:
        unpack(each)  # or a slip of ours would end this writer's log for all readers, and for ever
    plain = bytes(msgpack.packb([time, packed]))
    if len(plain) > COMMIT_BYTES_MAX:
        raise CommitTooLarge(f"{len(plain)} bytes in {len(records)} records")
    return plain


def open_commit(name: str, writer: str, n: int, keys: LogKeys, before: bytes, data: bytes) -> Commit:
    """Return the commit in log object *name*, which follows the object whose hash is *before*.

    Raises `BrokenObject` for whatever is not exactly what its writer made for this place, `UnknownEpoch`.
    """
    header = read_header(data)
    if header.before != before:
        raise BrokenObject("not the successor of the object before it")
    head, body = data[:HEADER_BYTES], data[HEADER_BYTES:]
    try:
        if header.delivered:
            private = keys.private.of(header.epoch, name)
            plain = seal.open_sealed((private,), _sealed_name(name, head), body, size_max=COMMIT_BYTES_MAX)
        else:
            plain = seal.open_(
                keys.log.of(header.epoch, name), _sealed_name(name, head), body, size_max=COMMIT_BYTES_MAX
            )
        time, packed = msgpack.unpackb(plain, strict_map_key=False)
        records = [unpack(record) for record in packed]
    except (seal.SealError, UnknownRecord, ValueError, TypeError, msgpack.UnpackException) as error:
        raise BrokenObject(str(error)) from error
    if type(time) is not int or not 0 <= time <= STAMP_MAX:
        raise BrokenObject("its time is no stamp")
    if header.delivered and not all(map(_may_be_delivered, records)):
        raise BrokenObject("sealed to the public key, but says more than that mail came")
    return Commit(writer, n, time, records, len(data))


def _may_be_delivered(record: Record) -> bool:
    # Whoever knows the public key may have made it: what is let in here must not trouble the fold, nor any answer.
    return (
        isinstance(record, Added)
        and not (record.device or record.stamp or record.values)
        and record.kind == "Email"
        and _ITEM.fullmatch(record.item) is not None
        and _FOLDER.fullmatch(record.folder) is not None
        and 0 <= record.date_ms <= DELIVERED_DATE_MS_MAX
    )
