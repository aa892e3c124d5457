"""From a password to an account's keys, and back to new passwords.

An account has a random *master key*, from which all purpose keys are derived, and an X25519 pair to which mail is
sealed.  A *slot* per password holds the master key in a box that this password opens (`passwords.py`); the *ring*
holds the rest (`rings.py`).  Both may be replaced by new ones (`rotation.py`), which slots then inherit.

Crash and race: a slot changes by one put of a version of its own, and older versions are removed after it.  Whatever
dies in between leaves the old password or the new one in force, never none.  Two changes at once: the greater version
wins and the other is told so (`SlotChanged`), or was simply earlier.  Who finds that the master key was changed while
he made a slot for the old one takes the slot back (`KeysChanged`).  Revoking is for good (`slots.py`).  What this
module changes unasked (raising an old slot's cost) loses against whatever somebody asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from storage import paths
from storage.engine import EngineError
from storage.keyring.mending import mend
from storage.keyring.objects import Stored, StoredSlot, Vault, load
from storage.keyring.passwords import (
    OpenSlot,
    UnfitPassword,
    device_tag,
    fit_password,
    make_slot,
    open_note,
    open_slot,
    spend_as_unlock,
)
from storage.keyring.recovery import new_recovery_key
from storage.keyring.rings import Ring, inherit, open_ring
from storage.keyring.slots import SlotKind, pack_slot
from storage.paths import Kind, Version
from storage.seal import SealError

DEVICE_ID_CHARS_MAX = 128
LABEL_CHARS_MAX = 200
SLOTS_MAX = 64
"""Living slots of an account."""
TRIED_SLOTS_MAX = 3
"""App passwords of one device; of each kind, no more are tried."""
SECRETS_MAX = 4
"""Current and alternate user secrets that are tried."""
_UNASKED_TAG = "00000000"  # the least of a version's tags


class WrongPassword(Exception):
    """No slot opens with this password on this device."""


class SlotChanged(Exception):
    """Somebody else changed the slot at the same moment, and that change stands."""


class KeysChanged(SlotChanged):
    """Somebody else changed the account's master key at the same moment: unlock it again."""


class UnknownSlot(Exception):
    """The account has no such slot, or it is revoked."""


class MainSlot(Exception):
    """The main password is changed, never revoked: the account would not open again."""


class TooManySlots(Exception):
    """The account has `SLOTS_MAX` passwords, or this device `TRIED_SLOTS_MAX`: revoke one first."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """An account's keys.  Nothing secret is in its repr."""

    account: str
    ring: Ring = field(repr=False)
    slot_id: str
    """Through which slot it was opened: once that is revoked, these keys should be forgotten."""
    kind: SlotKind
    slot_name: str = ""
    """The version of that slot: a new password makes a new one."""

    @property
    def master(self) -> bytes:
        """The newest master key."""
        return self.ring.newest.master

    @property
    def private_keys(self) -> tuple[bytes, ...]:
        """X25519, that of `public` first, then older ones that may still open mail."""
        return tuple(one.private for one in self.ring.epochs)

    @property
    def public(self) -> bytes:
        """What mail is to be sealed to."""
        return self.ring.public

    @property
    def epoch(self) -> int:
        """The newest epoch."""
        return self.ring.newest.number


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """What an account's owner is shown of a slot."""

    id: str
    kind: SlotKind
    device_id: str
    label: str
    created_ms: int


async def unlock(
    vault: Vault, account: str, password: str, user_secrets: Sequence[bytes], device_id: str = ""
) -> Unlocked:
    """Open an account: a listing, a read, and an Argon2 run for each slot and secret that may fit.

    *user_secrets*: the current one first, then alternates; what opened with an alternate, or with a lower cost than is
    configured, is sealed anew.  An app password opens only on its device.  Raises `UnknownAccount`, `WrongPassword`,
    `SealError` (the keys are damaged), `EngineError`.
    """
    stored = await load(vault, account)
    stored.public(vault.deployment_key)
    tries = _tries(vault, stored, password, user_secrets, device_id)
    found = await _first_that_opens(vault, stored, tries)
    current = user_secrets[0] if user_secrets else b""
    slot, ring = found.candidate.slot, ring_of(vault, stored, found.candidate, found.opened)
    await mend(vault, stored, ring)
    name = found.candidate.name
    is_by_alternate = slot.kind is not SlotKind.RECOVERY and found.secret != current
    if is_by_alternate or slot.cost.is_less_than(vault.cost) or slot.epoch != ring.newest.number:
        with suppress(EngineError, SealError):  # the next unlock tries again
            name = await _seal_anew(vault, stored, found, current, ring)
    return Unlocked(account, ring, slot.id, slot.kind, name)


@dataclass(frozen=True, slots=True)
class _Found:
    candidate: StoredSlot
    opened: OpenSlot
    typed: bytes
    secret: bytes


async def _first_that_opens(vault: Vault, stored: Stored, tries: Iterable[tuple[StoredSlot, bytes, bytes]]) -> _Found:
    """Try one after the other.  Raises `WrongPassword`, `SealError` if that may be for the damage of a slot."""
    has_tried = False
    for candidate, typed, secret in tries:
        has_tried = True
        opened = await open_slot(vault, candidate, typed, secret)
        if opened is not None:
            return _Found(candidate, opened, typed, secret)
    if not has_tried:
        await spend_as_unlock(vault)
    if stored.damaged:
        raise stored.damaged[0]
    raise WrongPassword(stored.account)


def ring_of(vault: Vault, stored: Stored, candidate: StoredSlot, opened: OpenSlot) -> Ring:
    """Return the account's keys, which an open slot gives.  Raises `SealError`."""
    found = stored.ring()
    if candidate.slot.epoch == found.epoch:
        ring = open_ring(found, opened.master)
    else:
        ring = open_ring(found, inherit(found, candidate.slot.public, opened.private))
        if ring.master(candidate.slot.epoch) != opened.master:
            raise SealError(found.name, "made by somebody who does not know the master key before it")
    public = stored.public(vault.deployment_key)
    if public.epoch > found.epoch or (public.epoch == found.epoch and public.key != ring.public):
        reason = "no ring has the private key of the public one"
        raise SealError(paths.prefix(Kind.RING, stored.account), reason)
    return ring


async def change_password(vault: Vault, unlocked: Unlocked, password: str, user_secret: bytes) -> None:
    """Give the main slot a new password; the keys may have been opened by whatever slot, so a recovery key will do.

    Raises `UnfitPassword`, `SlotChanged`, `EngineError`; after the last, either password may be in force.
    """
    typed = fit_password(password)
    stored = await _load_unchanged(vault, unlocked)
    mains = [candidate.slot.id for candidate in stored.living if candidate.slot.kind is SlotKind.MAIN]
    slot_id = mains[0] if mains else paths.new_id()  # none: its only version is damaged
    name = paths.slot(unlocked.account, slot_id, stored.next_version(slot_id))
    await vault.engine.put(name, await make_slot(vault, name, SlotKind.MAIN, typed, user_secret, unlocked.ring.newest))
    await _still_unchanged(vault, unlocked, name)
    versions = [entry.key for entry in await vault.engine.list(paths.prefix(Kind.SLOT, unlocked.account, slot_id))]
    if versions[-1] > name:
        await vault.engine.delete([name])
        raise SlotChanged(slot_id)
    await vault.engine.delete(version for version in versions if version < name)


async def add_slot(
    vault: Vault,
    unlocked: Unlocked,
    kind: SlotKind,
    password: str,
    user_secret: bytes,
    *,
    device_id: str = "",
    label: str = "",
) -> str:
    """Add an app password bound to *device_id*, or a recovery key; return the slot's id.

    Raises `UnfitPassword`, ValueError for a slot that cannot be, `TooManySlots`, `EngineError`.
    """
    if kind is SlotKind.MAIN or bool(device_id) is not (kind is SlotKind.APP):
        raise ValueError("an app password needs a device, a recovery key has none, a main slot is there already")
    if len(device_id) > DEVICE_ID_CHARS_MAX or len(label) > LABEL_CHARS_MAX:
        raise ValueError("the device id or the label is too long")
    typed = fit_password(password, kind)
    living = (await _load_unchanged(vault, unlocked)).living
    tag = device_tag(vault, unlocked.account, device_id)
    if len(living) >= SLOTS_MAX or sum(other.slot.device_tag == tag for other in living) >= TRIED_SLOTS_MAX:
        raise TooManySlots(unlocked.account)
    slot_id = paths.new_id()
    name = paths.slot(unlocked.account, slot_id, paths.NO_VERSION.next())
    note = (device_id, label)
    newest = unlocked.ring.newest
    await vault.engine.put(name, await make_slot(vault, name, kind, typed, user_secret, newest, note=note))
    await _still_unchanged(vault, unlocked, name)
    return slot_id


async def _load_unchanged(vault: Vault, unlocked: Unlocked) -> Stored:
    stored = await load(vault, unlocked.account)
    if stored.epoch != unlocked.epoch:
        raise KeysChanged(unlocked.account)
    return stored


async def _still_unchanged(vault: Vault, unlocked: Unlocked, name: str) -> None:
    """Take slot *name* back if the master key was changed meanwhile and the new one was not sealed to it."""
    stored = await load(vault, unlocked.account)
    made = stored.slots.get(paths.parse(name).id)
    if stored.epoch == unlocked.epoch or (made and made.name == name and made.slot.public in stored.ring().heirs):
        return
    await vault.engine.delete([name])
    raise KeysChanged(unlocked.account)


async def renew_recovery_key(vault: Vault, unlocked: Unlocked) -> str:
    """Return a new recovery key, to be printed; those before it are revoked once it is in the store."""
    old = [info.id for info in await list_slots(vault, unlocked) if info.kind is SlotKind.RECOVERY]
    key = new_recovery_key()
    await add_slot(vault, unlocked, SlotKind.RECOVERY, key, b"")
    for slot_id in old:
        await revoke(vault, unlocked.account, slot_id)
    return key


async def revoke(vault: Vault, account: str, slot_id: str) -> None:
    """Make a slot open nothing, for good.  Needs no password.  Revoking what is revoked does nothing.

    Whoever is unlocked already stays so: his session is to be ended, too (`Unlocked.slot_id`).  Raises `UnknownSlot`,
    `MainSlot`, `SealError` (the slot is damaged and opens nothing anyway), `EngineError`.
    """
    stored = await load(vault, account)
    candidate = stored.slots.get(slot_id)
    if candidate is None:
        raise next((error for error in stored.damaged if f"/{slot_id}/" in error.name), None) or UnknownSlot(slot_id)
    if candidate.slot.kind is SlotKind.MAIN:
        raise MainSlot(slot_id)
    if candidate.slot.revoked:
        return
    version = stored.next_version(slot_id)
    name = paths.slot(account, slot_id, version)
    slot = replace(candidate.slot, version=version, revoked=True, box=b"", note=b"")
    await vault.engine.put(name, pack_slot(vault.deployment_key, name, slot, None))
    await vault.engine.delete(stored.older(name))


async def list_slots(vault: Vault, unlocked: Unlocked) -> list[SlotInfo]:
    """Return the living slots, newest first.  Raises `SealError` for a note that does not open, `EngineError`."""
    stored = await load(vault, unlocked.account)
    infos = []
    for candidate in stored.living:
        slot = candidate.slot
        master = unlocked.ring.master(slot.epoch)
        if master is None:
            raise SealError(candidate.name, "of an epoch whose master key is gone")
        device_id, label = open_note(candidate, master)
        infos.append(SlotInfo(slot.id, slot.kind, device_id, label, slot.created_ms))
    return infos


def _tries(
    vault: Vault, stored: Stored, password: str, user_secrets: Sequence[bytes], device_id: str
) -> Iterator[tuple[StoredSlot, bytes, bytes]]:
    """Yield slot, typed bytes and user secret of each try that may open: the likeliest first."""
    tag = device_tag(vault, stored.account, device_id)
    slots = {kind: [candidate for candidate in stored.living if candidate.slot.kind is kind] for kind in SlotKind}
    slots[SlotKind.APP] = [candidate for candidate in slots[SlotKind.APP] if candidate.slot.device_tag == tag]
    typed: dict[SlotKind, bytes] = {}
    for kind in SlotKind:
        with suppress(UnfitPassword):
            typed[kind] = fit_password(password, kind)
    for index, secret in enumerate((user_secrets or (b"",))[:SECRETS_MAX]):
        for kind in (SlotKind.RECOVERY, SlotKind.APP, SlotKind.MAIN):
            if kind not in typed or (kind is SlotKind.RECOVERY and index):  # it needs no secret: one try is all
                continue
            yield from ((candidate, typed[kind], secret) for candidate in slots[kind][:TRIED_SLOTS_MAX])


async def _seal_anew(vault: Vault, stored: Stored, found: _Found, user_secret: bytes, ring: Ring) -> str:
    """Write the slot's next version; return its name."""
    slot = found.candidate.slot
    # Two nodes may do this at once, under one name: either object opens to the same password.
    name = paths.slot(stored.account, slot.id, Version(stored.next_version(slot.id).n, _UNASKED_TAG))
    data = await make_slot(
        vault,
        name,
        slot.kind,
        found.typed,
        user_secret,
        ring.newest,
        note=open_note(found.candidate, found.opened.master),
        created_ms=slot.created_ms,
        private=found.opened.private,  # what is being sealed to this slot at this moment opens to its next version, too
    )
    await vault.engine.put(name, data)
    await vault.engine.delete(stored.older(name))
    return name
