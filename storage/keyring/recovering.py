"""Giving an account new passwords by its exported keys, when no password of it opens any more.

Order: claim, main slot, recovery slot, ring, public key.  What opened before goes on opening; a crash in between leaves
what is needed to do it again.
"""

from storage import paths
from storage.keyring.claims import claim
from storage.keyring.creation import NewKeys
from storage.keyring.exported import ExportedKeys
from storage.keyring.keys import Unlocked
from storage.keyring.mending import proven_heirs, publish, write_ring
from storage.keyring.objects import PublicKey, Stored, UnknownAccount, Vault, load
from storage.keyring.passwords import fit_password, make_slot
from storage.keyring.recovery import new_recovery_key
from storage.keyring.rings import Ring, open_ring
from storage.keyring.slots import SlotKind
from storage.seal import SealError


class OtherAccount(Exception):
    """The keys are of another account, or of one made with another deployment key."""


class OldKeys(Exception):
    """The account's master key was changed after these keys were exported: they do not open what came since."""


async def recover(vault: Vault, account: str, exported: ExportedKeys, password: str, user_secret: bytes) -> NewKeys:
    """Make a new main password and a new recovery key; a ring and a public key where they are lost.

    Raises `OtherAccount`, `OldKeys`, `UnfitPassword`, `Claimed`, `EngineError`; after the last, do it again.
    """
    typed = fit_password(password)
    if exported.account != account:
        raise OtherAccount(exported.address)
    own = await claim(vault, account)
    try:
        stored = await load(vault, account)
        ring = _newest(vault, stored, exported.ring)
        mains = [slot.slot.id for slot in stored.living if slot.slot.kind is SlotKind.MAIN]
        main_id = mains[0] if mains else paths.new_id()
        recovery_key = new_recovery_key()
        name = paths.slot(account, main_id, stored.next_version(main_id))
        await vault.engine.put(name, await make_slot(vault, name, SlotKind.MAIN, typed, user_secret, ring.newest))
        other = paths.slot(account, paths.new_id(), paths.NO_VERSION.next())
        slot = await make_slot(vault, other, SlotKind.RECOVERY, recovery_key.encode(), b"", ring.newest)
        await vault.engine.put(other, slot)
        if not _is_whole(stored, ring):
            await write_ring(vault, stored, ring, [one.slot.public for one in proven_heirs(stored, ring)])
        if _public(vault, stored) != (ring.public, ring.newest.number):
            await vault.engine.delete(stored.publics)
            await publish(vault, account, ring)
        await vault.engine.delete([*stored.older(name), *(error.name for error in stored.damaged)])
    finally:
        await own.give_up(vault)
    return NewKeys(Unlocked(account, ring, main_id, SlotKind.MAIN, name), recovery_key)


def _newest(vault: Vault, stored: Stored, exported: Ring) -> Ring:
    """Return the ring in the store if these keys open it, else the exported one."""
    known = [stored.epoch, *(slot.slot.epoch for slot in stored.slots.values())]
    if max(known) > exported.newest.number:
        raise OldKeys(stored.account)
    try:
        return open_ring(stored.ring(), exported.newest.master)
    except SealError:
        return exported


def _is_whole(stored: Stored, ring: Ring) -> bool:
    try:
        return open_ring(stored.ring(), ring.newest.master) == ring
    except SealError:
        return False


def _public(vault: Vault, stored: Stored) -> PublicKey | None:
    try:
        return stored.public(vault.deployment_key)
    except (SealError, UnknownAccount):
        return None
