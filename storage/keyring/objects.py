"""The key objects of an account in the store: what is there, and which version of each counts.

    slot     a password's way to the master key (`slots.py`)
    ring     32 bytes a private key, newest first, sealed under the master key
    public   0x01, the public key, and a MAC of both with the deployment key: whoever holds only the bucket cannot
             put his own key there and have the mail sealed to himself

The account exists as soon as a public key is there, and its keys are complete by then (`key_creation.py`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest

from storage import paths
from storage.engine import Engine, Unavailable
from storage.keyring.slots import Cost, Slot, unpack_slot
from storage.paths import Kind, Version
from storage.seal import KEY_BYTES, SealError, derive, keyed_hash, open_, public_key_of, seal

RING_KEYS_MAX = 64
_LOADS_MAX = 5
_FORMAT = b"\x01"


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
    rings: dict[str, bytes] = field(repr=False)
    """By name, the greatest version last."""
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

    def public(self, deployment_key: bytes) -> bytes:
        """Return the account's public key.  Raises `UnknownAccount`, and `SealError` for one that is not genuine."""
        if not self.publics:
            raise UnknownAccount(self.account)
        name, data = list(self.publics.items())[-1]
        return _unpack_public(deployment_key, name, data)

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
    return Stored(account, by_kind[Kind.PUBLIC], by_kind[Kind.RING], slots, damaged, list(by_kind[Kind.SLOT]))


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


async def read_public(engine: Engine, deployment_key: bytes, account: str) -> bytes:
    """Return the account's public key, all that a delivery needs.  Costs a listing and a read.

    Raises `UnknownAccount`, `SealError` if it is not genuine, `EngineError`.
    """
    listed = [entry.key for entry in await engine.list(paths.prefix(Kind.PUBLIC, account))]
    names = [name for name in listed if _is_ours(name)]
    if not names:
        raise UnknownAccount(account)
    return _unpack_public(deployment_key, names[-1], await engine.get(names[-1]))


def pack_public(deployment_key: bytes, name: str, public: bytes) -> bytes:
    """Return the object *name* that holds the public key."""
    return _FORMAT + public + _public_mac(deployment_key, name, public)


def _unpack_public(deployment_key: bytes, name: str, data: bytes) -> bytes:
    public = data[1 : 1 + KEY_BYTES]
    if data[:1] != _FORMAT or not compare_digest(data[1 + KEY_BYTES :], _public_mac(deployment_key, name, public)):
        raise SealError(name, "not a public key made with the deployment key")
    return public


def _public_mac(deployment_key: bytes, name: str, public: bytes) -> bytes:
    return keyed_hash(derive(deployment_key, "public"), name.encode(), public, size=32)


def pack_ring(master: bytes, name: str, private_keys: Iterable[bytes]) -> bytes:
    """Return the object *name* that holds the private keys."""
    return seal(derive(master, "ring"), name, b"".join(private_keys), compress=False)


def open_rings(master: bytes, stored: Stored, public: bytes) -> tuple[bytes, ...]:
    """Return the private keys of all rings, that of *public* first.  Raises `SealError` if that one is in none."""
    keys: list[bytes] = []
    failure = SealError(paths.prefix(Kind.RING, stored.account), "no ring has the private key of the public one")
    for name, data in reversed(stored.rings.items()):
        try:
            plain = open_(derive(master, "ring"), name, data, size_max=RING_KEYS_MAX * KEY_BYTES)
        except SealError as error:  # a newer one may hold what is needed
            failure = error
            continue
        keys += [plain[start : start + KEY_BYTES] for start in range(0, len(plain), KEY_BYTES)]
    fitting = [key for key in keys if public_key_of(key) == public]
    if not fitting:
        raise failure
    return tuple(dict.fromkeys(fitting + keys))
