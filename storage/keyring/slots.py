"""What a slot object holds: a password's way to the master key, authenticated twice.

    0x01  proof (32)  msgpack list (below)  mac (32)

The *mac* is made with the deployment key over everything before it and the object's name: whoever holds only the
bucket can neither make nor change a slot, and nothing of one is looked at before the mac fits.  The *proof* is made
with the master key over name and list: whoever seals a new master to a slot's public key first sees that an owner of
the old one vouched for it.  A revoked slot has no box and no proof: an administrator revokes without any password.

Slots are versioned (`paths.Version`) and the greatest version counts, with one exception that makes revoking safe
against every delay: *one revoked version revokes the slot for good*.  A new password then needs a new slot.
"""

from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest

import msgpack

from storage.epochs import FIRST_EPOCH
from storage.paths import Version
from storage.seal import SealError, derive, keyed_hash

MEMORY_KIB_MIN, MEMORY_KIB_MAX = 8, 1024 * 1024
PASSES_MAX = 16
LANES_MAX = 8
SALT_BYTES = 16
_FORMAT = b"\x01"
_MAC_BYTES = 32
_NO_PROOF = bytes(_MAC_BYTES)


class SlotKind(IntEnum):
    """What opens a slot.  The numbers are stored."""

    MAIN = 1
    """The user's password.  There is one such slot; it is changed and never revoked, so that the account opens."""
    APP = 2
    """A password made for one device, and good only there."""
    RECOVERY = 3
    """A printed key; good without the user secret, for the day when that is lost, too."""


@dataclass(frozen=True, slots=True)
class Cost:
    """How dear one Argon2id guess is.  Raises ValueError out of bounds: a bad one would stop a node."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1

    def __post_init__(self) -> None:
        if not (
            MEMORY_KIB_MIN * self.lanes <= self.memory_kib <= MEMORY_KIB_MAX
            and 1 <= self.passes <= PASSES_MAX
            and 1 <= self.lanes <= LANES_MAX
        ):
            raise ValueError(f"argon2 cost out of bounds: {self}")

    def is_less_than(self, other: "Cost") -> bool:
        """Say whether a guess costs less work than with *other*."""
        return self.memory_kib * self.passes < other.memory_kib * other.passes


CHEAPEST = Cost(memory_kib=MEMORY_KIB_MIN, passes=1)
"""For demonstrations and tests alone."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One version of a slot; id and version are in its name."""

    id: str
    version: Version
    kind: SlotKind
    revoked: bool
    created_ms: int
    device_tag: bytes
    """A keyed hash of the device that an app password is bound to; else empty."""
    cost: Cost
    salt: bytes
    public: bytes
    """X25519: a new master key can be sealed to this slot without its password."""
    box: bytes
    """Master key and the slot's private key (32 bytes each), sealed under what Argon2 makes of the password."""
    note: bytes
    """Device id and label, sealed under the master key."""
    epoch: int = FIRST_EPOCH
    """Of the master key in the box."""
    hint: bytes = b""
    """A byte of a keyed hash of an app password, by which it is found where no device is named; else empty."""


def pack_slot(deployment_key: bytes, name: str, slot: Slot, master: bytes | None) -> bytes:
    """Return the object *name*; without *master* it has no proof, which only a revoked slot may lack."""
    fields = _fields(slot)
    proof = _proof(master, name, fields) if master is not None else _NO_PROOF
    body = _FORMAT + proof + fields
    return body + _mac(deployment_key, name, body)


def unpack_slot(deployment_key: bytes, name: str, id_: str, version: Version, data: bytes) -> Slot:
    """Undo `pack_slot`.  Raises `SealError` for whatever the deployment key did not make under this name."""
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    if not compare_digest(mac, _mac(deployment_key, name, body)):
        raise SealError(name, "not made with the deployment key")
    if body[:1] != _FORMAT:
        raise SealError(name, f"unknown format of slots {body[:1].hex()}")
    try:
        kind, revoked, created_ms, device_tag, cost, *rest = msgpack.unpackb(body[1 + _MAC_BYTES :])
        return Slot(id_, version, SlotKind(kind), revoked, created_ms, device_tag, Cost(*cost), *rest)
    except (ValueError, TypeError) as error:
        raise SealError(name, "not a slot, though genuine: made by a newer version?") from error


def has_proof(name: str, data: bytes, master: bytes) -> bool:
    """Say whether an owner of *master* made this slot object."""
    start = 1 + _MAC_BYTES
    return compare_digest(data[1:start], _proof(master, name, data[start:-_MAC_BYTES]))


def _fields(slot: Slot) -> bytes:
    cost = [slot.cost.memory_kib, slot.cost.passes, slot.cost.lanes]
    fields = [slot.kind, slot.revoked, slot.created_ms, slot.device_tag, cost]
    packed: bytes = msgpack.packb([*fields, slot.salt, slot.public, slot.box, slot.note, slot.epoch, slot.hint])
    return packed


def _proof(master: bytes, name: str, fields: bytes) -> bytes:
    return keyed_hash(derive(master, "slot"), name.encode(), fields, size=_MAC_BYTES)


def _mac(deployment_key: bytes, name: str, body: bytes) -> bytes:
    return keyed_hash(derive(deployment_key, "slot"), name.encode(), body, size=_MAC_BYTES)
