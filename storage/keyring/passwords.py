"""What a typed password opens: the box in its slot.

`argon2id(password, user secret)` opens it.  The user secret comes from the directory and is never in the store, so
that whoever copies the store has nothing to guess on.  Only recovery keys do without: they are long and random, and
must help also when the directory is lost.
"""

import asyncio
import unicodedata
from typing import NamedTuple

import msgpack

from storage import paths
from storage.keyring.objects import StoredSlot, Vault
from storage.keyring.recovery import parse_recovery_key, plain_app_password
from storage.keyring.rings import Epoch
from storage.keyring.slots import SALT_BYTES, Cost, Slot, SlotKind, has_proof, pack_slot
from storage.seal import (
    KEY_BYTES,
    SealError,
    derive,
    keyed_hash,
    new_key,
    new_key_pair,
    open_,
    public_key_of,
    seal,
    stretch,
)

PASSWORD_BYTES_MAX = 1024
_NOTE_BYTES_MAX = 4096


class UnfitPassword(ValueError):
    """Empty, too long, or not to be encoded: cannot become a password."""


def fit_password(password: str, kind: SlotKind = SlotKind.MAIN) -> bytes:
    """Return what counts of a typed password.  Raises `UnfitPassword`."""
    # One phone composes é, the other sends e and an accent: RFC 8265 has passwords compared in form C.
    text = unicodedata.normalize("NFC", password)
    if kind is SlotKind.APP:
        text = plain_app_password(text)
    elif kind is SlotKind.RECOVERY:
        text = parse_recovery_key(text) or ""
    try:
        typed = text.encode()
    except UnicodeEncodeError as error:
        raise UnfitPassword("the password is no text") from error
    if not 0 < len(typed) <= PASSWORD_BYTES_MAX:
        raise UnfitPassword(f"a password has 1 to {PASSWORD_BYTES_MAX} bytes")
    return typed


async def make_slot(
    vault: Vault,
    name: str,
    kind: SlotKind,
    typed: bytes,
    user_secret: bytes,
    newest: Epoch,
    *,
    note: tuple[str, str] = ("", ""),
    created_ms: int | None = None,
    private: bytes | None = None,
) -> bytes:
    """Return the slot object *name*, which opens the master of *newest* to *typed*.  An Argon2 run; writes nothing.

    *note*: device id and label.  *private*: the slot's own X25519 key, if it stays; only for the same password.
    """
    parsed = paths.parse(name)
    salt = new_key()[:SALT_BYTES]
    private = private or new_key_pair()[0]
    master = newest.master
    secret = b"" if kind is SlotKind.RECOVERY else user_secret
    box_key = await _stretch(vault, typed, secret, salt, vault.cost)
    slot = Slot(
        id=parsed.id,
        version=parsed.version,
        kind=kind,
        revoked=False,
        created_ms=vault.now_ms() if created_ms is None else created_ms,
        device_tag=device_tag(vault, parsed.account, note[0]) if kind is SlotKind.APP else b"",
        cost=vault.cost,
        salt=salt,
        public=public_key_of(private),
        box=seal(box_key, name, master + private, compress=False),
        note=seal(derive(master, "slot note"), name, msgpack.packb(note), compress=False),
        epoch=newest.number,
        hint=app_hint(vault, parsed.account, typed) if kind is SlotKind.APP else b"",
    )
    return pack_slot(vault.deployment_key, name, slot, master)


class OpenSlot(NamedTuple):
    """What is in a slot's box."""

    master: bytes
    """Of the slot's epoch."""
    private: bytes


async def open_slot(vault: Vault, candidate: StoredSlot, typed: bytes, user_secret: bytes) -> OpenSlot | None:
    """Return what is in the box, or None for a wrong password.  Raises `SealError` if no owner of it made the slot."""
    slot, name = candidate.slot, candidate.name
    secret = b"" if slot.kind is SlotKind.RECOVERY else user_secret
    box_key = await _stretch(vault, typed, secret, slot.salt, slot.cost)
    try:
        plain = open_(box_key, name, slot.box, size_max=2 * KEY_BYTES)
    except SealError:
        return None
    master, private = plain[:KEY_BYTES], plain[KEY_BYTES:]
    if not has_proof(name, candidate.data, master) or public_key_of(private) != slot.public:
        raise SealError(name, "a slot that no owner of the master key made")
    return OpenSlot(master, private)


def open_note(candidate: StoredSlot, master: bytes) -> tuple[str, str]:
    """Return a slot's device id and label.  Raises `SealError`."""
    plain = open_(derive(master, "slot note"), candidate.name, candidate.slot.note, size_max=_NOTE_BYTES_MAX)
    device_id, label = msgpack.unpackb(plain)
    return device_id, label


def device_tag(vault: Vault, account: str, device_id: str) -> bytes:
    """Return what stands for a device in the clear part of a slot: who holds the bucket recognises no phone."""
    return keyed_hash(derive(vault.deployment_key, "device"), account.encode(), device_id.lower().encode())


def app_hint(vault: Vault, account: str, typed: bytes) -> bytes:
    """Return what an app password is found by where no device is named.

    A byte of a hash that takes the deployment key: enough among 64 slots, and no more than that is given away.
    """
    return keyed_hash(derive(vault.deployment_key, "app hint"), account.encode(), typed, size=1)


async def spend_as_unlock(vault: Vault) -> None:
    """Take the time of an unlock, for a login that nobody has: guessers must not learn names from our haste."""
    await _stretch(vault, b"", b"", bytes(SALT_BYTES), vault.cost)


async def _stretch(vault: Vault, typed: bytes, user_secret: bytes, salt: bytes, cost: Cost) -> bytes:
    """Run Argon2id in a thread.  A caller who gives up leaves the run its place among `Vault.runs` until it ends."""
    secret = b"".join(len(part).to_bytes(4, "big") + part for part in (typed, user_secret))
    loop = asyncio.get_running_loop()
    await vault.runs.acquire()
    try:
        run = loop.run_in_executor(None, stretch, secret, salt, cost.memory_kib, cost.passes, cost.lanes)
    except BaseException:
        vault.runs.release()
        raise
    run.add_done_callback(lambda _: vault.runs.release())
    return await asyncio.shield(run)
