"""The key objects of an account in the store: what is there, and which version of each counts.

    slot     a password's way to the master key (`slots.py`)
    ring     private keys and masters, sealed under the newest master (`rings.py`)
    public   0x01, the public key, and a MAC of both with the deployment key: whoever holds only the bucket cannot
             put his own key there and have the mail sealed to himself.  Its version's number is the epoch

The account exists as soon as a public key is there, and its keys are complete by then (`creation.py`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import NamedTuple

from storage import paths
from storage.engine import Engine, Unavailable
from storage.epochs import FIRST_EPOCH
from storage.keyring.rings import StoredRing, read_ring
from storage.keyring.slots import Cost, Slot, unpack_slot
from storage.paths import Kind, Version
from storage.seal import KEY_BYTES, SealError, derive, keyed_hash

_LOADS_MAX = 5
_FORMAT = b"\x01"


class PublicKey(NamedTuple):
    """What mail is sealed to."""

    key: bytes
    epoch: int


class UnknownAccount(Exception):
    """The account has no keys yet."""


@dataclass(frozen=True, slots=True)
class Vault:
    """What all work on keys is given."""

    engine: Engine
    deployment_key: bytes = field(repr=False)
    cost: Cost
    """Of new slots; older, cheaper ones are raised to it at the next unlock."""
    runs: asyncio.Semaphore
    """How many Argon2 runs may go on at once, each with a thread and the memory that its cost names."""
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class StoredSlot:
    """The version of a slot that counts."""

    name: str
    data: bytes = field(repr=False)
    slot: Slot = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stored:
    """All key objects of an account, as one listing saw them."""

    account: str
    publics: dict[str, bytes]
    """By name, the greatest version last."""
    rings: list[StoredRing] = field(repr=False)
    """Those that are genuine, the one that counts last."""
    damaged_rings: list[SealError]
    published: "PublicKey | None"
    """None if there is none yet, or none that is genuine."""
    ring_names: list[str]
    """All versions, in order."""
    slots: dict[str, StoredSlot]
    """By slot id, revoked ones, too."""
    damaged: list[SealError]
    slot_names: list[str]
    """All versions, in order."""

    @property
    def living(self) -> list[StoredSlot]:
        """The slots that are not revoked, newest first."""
        living = [stored for stored in self.slots.values() if not stored.slot.revoked]
        return sorted(living, key=lambda stored: (stored.slot.created_ms, stored.name), reverse=True)

    def public(self, deployment_key: bytes) -> PublicKey:
        """Return the account's public key.  Raises `UnknownAccount`, and `SealError` for one that is not genuine."""
        if not self.publics:
            raise UnknownAccount(self.account)
        name, data = list(self.publics.items())[-1]
        return unpack_public(deployment_key, name, data)

    @property
    def epoch(self) -> int:
        """The newest epoch that a genuine key object speaks of; slots and rings are."""
        return max((ring.epoch for ring in self.rings), default=FIRST_EPOCH)

    def ring(self) -> StoredRing:
        """Return the ring that counts.

        Raises `SealError` where none is genuine, and where there must have been one of a newer epoch.
        """
        if not self.rings:
            raise self.damaged_rings[-1] if self.damaged_rings else self._lacks_ring("no ring")
        found = self.rings[-1]
        if self.published is not None and self.published.epoch >= found.epoch and found.public:
            fitting = [ring for ring in self.rings if (ring.public, ring.epoch) == self.published]
            if not fitting:
                raise self._lacks_ring("no ring has the private key of the public one")
            found = fitting[-1]
        if any(stored.slot.epoch > found.epoch for stored in self.slots.values()):
            raise self._lacks_ring(f"only of epoch {found.epoch}, but slots are newer: damaged or rolled back")
        return found

    def _lacks_ring(self, reason: str) -> SealError:
        return SealError(paths.prefix(Kind.RING, self.account), reason)

    def next_version(self, slot_id: str) -> Version:
        """Return a version for a change of this slot, after all that are there."""
        versions = [name.version for name in map(paths.parse, self.slot_names) if name.id == slot_id]
        return max(versions, default=paths.NO_VERSION).next()

    def older(self, name: str) -> list[str]:
        """Return the other versions of a slot that come before *name*."""
        return [other for other in self.slot_names if other < name and other.split("/")[:4] == name.split("/")[:4]]


async def load(vault: Vault, account: str) -> Stored:
    """Read all key objects: one listing, one read of all that it names.  Raises `EngineError`."""
    for _ in range(_LOADS_MAX):
        # `public`, `ring` and `slot` follow each other in key order, with the collector's notes among them.
        after = paths.prefix(Kind.PUBLIC, account)
        listed = [entry.key for entry in await vault.engine.list(paths.account_prefix(account), start_after=after)]
        names = [name for name in listed if _is_ours(name)]
        found = dict(zip(names, await vault.engine.get_many(names), strict=True))
        objects = {name: data for name, data in found.items() if data is not None}
        if len(objects) == len(names):
            return _fold(vault.deployment_key, account, objects)
        # A newer version took a listed one's place in between: what has come is in the next listing.
    raise Unavailable(f"the keys of {account} change faster than they are read")


def _is_ours(name: str) -> bool:
    try:
        return paths.parse(name).kind in (Kind.PUBLIC, Kind.RING, Kind.SLOT)
    except paths.MalformedName:  # whatever somebody put there: it must not lock the user out
        return False


def _fold(deployment_key: bytes, account: str, objects: dict[str, bytes]) -> Stored:
    by_kind: dict[Kind, dict[str, bytes]] = defaultdict(dict)
    by_slot: dict[str, list[str]] = defaultdict(list)
    for name in sorted(objects):
        parsed = paths.parse(name)
        by_kind[parsed.kind][name] = objects[name]
        if parsed.kind is Kind.SLOT:
            by_slot[parsed.id].append(name)
    slots: dict[str, StoredSlot] = {}
    damaged: list[SealError] = []
    for id_, names in by_slot.items():
        try:
            slots[id_] = _counting(deployment_key, {name: objects[name] for name in names})
        except SealError as error:  # the other slots still open the account
            damaged.append(error)
    rings, damaged_rings = _genuine_rings(deployment_key, by_kind[Kind.RING])
    return Stored(
        account,
        by_kind[Kind.PUBLIC],
        rings,
        damaged_rings,
        _published(deployment_key, by_kind[Kind.PUBLIC]),
        list(by_kind[Kind.RING]),
        slots,
        damaged,
        list(by_kind[Kind.SLOT]),
    )


def _published(deployment_key: bytes, publics: dict[str, bytes]) -> PublicKey | None:
    for name in reversed(publics):
        try:
            return unpack_public(deployment_key, name, publics[name])
        except SealError:
            return None  # `Stored.public` says so to whoever needs it
    return None


def _genuine_rings(deployment_key: bytes, objects: dict[str, bytes]) -> tuple[list[StoredRing], list[SealError]]:
    rings, damaged = [], []
    for name, data in objects.items():
        try:
            rings.append(read_ring(deployment_key, name, data))
        except SealError as error:
            damaged.append(error)
    # The first versions' have no mac: once there is one that has, they count no more.
    with_mac = [ring for ring in rings if ring.sealed_at]
    return sorted(with_mac or rings, key=lambda ring: ring.order), damaged


def _counting(deployment_key: bytes, versions: dict[str, bytes]) -> StoredSlot:
    """Return the version that counts: a revoked one, else the greatest; never an older one for a damaged one."""
    newest: StoredSlot | SealError | None = None
    for name, data in versions.items():
        parsed = paths.parse(name)
        try:
            newest = StoredSlot(name, data, unpack_slot(deployment_key, name, parsed.id, parsed.version, data))
            if newest.slot.revoked:
                return newest
        except SealError as error:
            newest = error
    if not isinstance(newest, StoredSlot):
        raise newest or SealError("", "a slot without versions")
    return newest


async def newest_epoch(vault: Vault, account: str) -> int:
    """Return the newest epoch that a genuine ring of the account is of.  Raises `EngineError`."""
    return (await load(vault, account)).epoch


async def read_public(engine: Engine, deployment_key: bytes, account: str) -> PublicKey:
    """Return the account's public key and its epoch, all that a delivery needs.  Costs a listing and a read.

    Raises `UnknownAccount`, `SealError` if it is not genuine, `EngineError`.
    """
    listed = [entry.key for entry in await engine.list(paths.prefix(Kind.PUBLIC, account))]
    names = [name for name in listed if _is_ours(name)]
    if not names:
        raise UnknownAccount(account)
    return unpack_public(deployment_key, names[-1], await engine.get(names[-1]))


def pack_public(deployment_key: bytes, name: str, public: bytes) -> bytes:
    """Return the object *name* that holds the public key."""
    return _FORMAT + public + _public_mac(deployment_key, name, public)


def unpack_public(deployment_key: bytes, name: str, data: bytes) -> PublicKey:
    """Undo `pack_public`.  Raises `SealError` for what the deployment key did not make under this name."""
    public = data[1 : 1 + KEY_BYTES]
    if data[:1] != _FORMAT or not compare_digest(data[1 + KEY_BYTES :], _public_mac(deployment_key, name, public)):
        raise SealError(name, "not a public key made with the deployment key")
    return PublicKey(public, paths.parse(name).n)


def _public_mac(deployment_key: bytes, name: str, public: bytes) -> bytes:
    return keyed_hash(derive(deployment_key, "public"), name.encode(), public, size=32)
