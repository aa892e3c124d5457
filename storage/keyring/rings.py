"""The ring: an account's private keys and the master keys of all epochs in use, sealed under the newest master.

    "PR"  format (1)  epoch (1)  public key (32)  length (4)  msgpack {a slot's public key: the master, sealed to it}
    [ids, tokens, [[epoch, master, private, until], …]]                               sealed under the newest master
    mac (32)                                                             by the deployment key, over name and all of it

A slot holds the master of the epoch in which it was made.  After a change of the master key it reaches the new one
through what was sealed to its public key: nobody needed its password for that.  The next use of its password seals
the new master into the slot itself.  Two things make a ring genuine: the deployment key's mac, and that it contains
the very master that the slot holds, which whoever has the bucket and the deployment key does not know.

Of several rings the one of the newest epoch counts: that of the published public key, if there is one for the epoch,
else (and of several of these) the greatest version.  So a ring that arrives late, of a change that was given up long
ago, displaces none whose keys are in use.  `ids` and `tokens` are derived once,
from the first master: ids of items and the MACs of sync keys outlive every change.

The first versions wrote the private keys alone, sealed under the master: such a ring is of the first epoch.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest

import msgpack

from storage import paths
from storage.epochs import FIRST_EPOCH
from storage.seal import (
    KEY_BYTES,
    SealError,
    derive,
    keyed_hash,
    new_key,
    new_key_pair,
    open_,
    open_sealed,
    public_key_of,
    seal,
    seal_to,
)

RING_BYTES_MAX = 64 * 1024
"""Of the sealed part's plain bytes: 255 epochs take less."""
_OLD_KEYS_MAX = 64
_HEADER = struct.Struct(">2sBB32sI")
_MAGIC, _FORMAT = b"PR", 1
_OLD_FORMAT = b"\x01"
_MAC_BYTES = 32
_HEIR_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Epoch:
    """The keys of one epoch."""

    number: int
    master: bytes = field(repr=False)
    private: bytes = field(repr=False)
    """X25519; mail that came in this epoch is sealed to its public half."""
    until_ms: int | None = None
    """When the next epoch began."""


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys of an account."""

    epochs: tuple[Epoch, ...]
    """The newest first."""
    ids: bytes = field(repr=False)
    tokens: bytes = field(repr=False)

    @property
    def newest(self) -> Epoch:
        """The epoch in which everything is written now."""
        return self.epochs[0]

    @property
    def public(self) -> bytes:
        """The public key to which mail is to be sealed now."""
        return public_key_of(self.newest.private)

    def master(self, epoch: int) -> bytes | None:
        """Return the master of *epoch*; None if nothing is sealed under it any more, or nothing was yet."""
        return next((one.master for one in self.epochs if one.number == epoch), None)

    def masters(self) -> dict[int, bytes]:
        """Return all masters by epoch."""
        return {one.number: one.master for one in self.epochs}

    def privates(self) -> dict[int, bytes]:
        """Return all private keys by epoch."""
        return {one.number: one.private for one in self.epochs}


@dataclass(frozen=True, slots=True)
class StoredRing:
    """A ring in the store of which nothing is open yet but what everybody may read."""

    name: str
    data: bytes = field(repr=False)
    epoch: int
    public: bytes
    """The public key of its epoch; empty in the first versions."""
    heirs: Mapping[bytes, bytes] = field(repr=False)
    """By the public keys of slots: the master, sealed to each."""
    sealed_at: int
    """Where the sealed part begins; 0 in the first versions."""

    @property
    def order(self) -> tuple[int, paths.Version]:
        """The greatest counts."""
        return self.epoch, paths.parse(self.name).version


def new_ring() -> Ring:
    """Return the keys of a new account."""
    master = new_key()
    first = Epoch(FIRST_EPOCH, master, new_key_pair()[0])
    return Ring((first,), derive(master, "ids"), derive(master, "tokens"))


def pack_ring(deployment_key: bytes, name: str, ring: Ring, heirs: Iterable[bytes] = ()) -> bytes:
    """Return the object *name*; *heirs* are public keys of slots that get its master."""
    account, newest = paths.parse(name).account, ring.newest
    sealed = {public: _bequeath(account, newest, public) for public in heirs}
    clear = bytes(msgpack.packb(sealed))
    header = _HEADER.pack(_MAGIC, _FORMAT, newest.number, ring.public, len(clear)) + clear
    epochs = [[one.number, one.master, one.private, one.until_ms] for one in ring.epochs]
    plain = bytes(msgpack.packb([ring.ids, ring.tokens, epochs]))
    body = header + seal(derive(newest.master, "ring"), _sealed_name(name, header), plain, compress=False)
    return body + _mac(deployment_key, name, body)


def read_ring(deployment_key: bytes, name: str, data: bytes) -> StoredRing:
    """Return what a ring says without keys.  Raises `SealError` for what the deployment key did not make."""
    if data[:1] == _OLD_FORMAT:  # has no mac; the master's seal has to do
        return StoredRing(name, data, FIRST_EPOCH, b"", {}, 0)
    body, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
    if not compare_digest(mac, _mac(deployment_key, name, body)):
        raise SealError(name, "not made with the deployment key")
    try:
        magic, version, epoch, public, size = _HEADER.unpack_from(body)
        if (magic, version) != (_MAGIC, _FORMAT):
            raise ValueError
        start = _HEADER.size + size
        heirs: dict[bytes, bytes] = msgpack.unpackb(body[_HEADER.size : start], strict_map_key=False)
        return StoredRing(name, body, epoch, public, dict(heirs), start)
    except (struct.error, ValueError, TypeError) as error:
        raise SealError(name, "not a ring, though genuine: made by a newer version?") from error


def inherit(stored: StoredRing, slot_public: bytes, slot_private: bytes) -> bytes:
    """Return the master that was sealed to a slot.  Raises `SealError` if none was."""
    box = stored.heirs.get(slot_public)
    if box is None:
        raise SealError(stored.name, "the new master key was not sealed to this password: use another one, once")
    name = _heir_name(paths.parse(stored.name).account, stored.epoch)
    return open_sealed((slot_private,), name, box, size_max=_HEIR_BYTES_MAX)


def open_ring(stored: StoredRing, master: bytes) -> Ring:
    """Return the keys in a ring whose newest master this is.  Raises `SealError`."""
    if not stored.sealed_at:
        return _open_old(stored, master)
    header, sealed = stored.data[: stored.sealed_at], stored.data[stored.sealed_at :]
    plain = open_(derive(master, "ring"), _sealed_name(stored.name, header), sealed, size_max=RING_BYTES_MAX)
    ids, tokens, epochs = msgpack.unpackb(plain)
    ring = Ring(tuple(Epoch(*one) for one in epochs), ids, tokens)
    if (ring.newest.number, ring.newest.master, ring.public) != (stored.epoch, master, stored.public):
        raise SealError(stored.name, "its header is of another epoch")
    return ring


def _open_old(stored: StoredRing, master: bytes) -> Ring:
    plain = open_(derive(master, "ring"), stored.name, stored.data, size_max=_OLD_KEYS_MAX * KEY_BYTES)
    first = Epoch(FIRST_EPOCH, master, plain[:KEY_BYTES])
    return Ring((first,), derive(master, "ids"), derive(master, "tokens"))


def _bequeath(account: str, newest: Epoch, public: bytes) -> bytes:
    return seal_to(public, _heir_name(account, newest.number), newest.master, compress=False)


def _heir_name(account: str, epoch: int) -> str:
    return f"{paths.prefix(paths.Kind.RING, account)}{epoch}"


def _sealed_name(name: str, header: bytes) -> str:
    return f"{name}#{hashlib.blake2b(header, digest_size=16).hexdigest()}"


def _mac(deployment_key: bytes, name: str, body: bytes) -> bytes:
    return keyed_hash(derive(deployment_key, "ring"), name.encode(), body, size=_MAC_BYTES)
