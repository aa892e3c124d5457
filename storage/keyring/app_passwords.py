"""App passwords: each opens the account on one device alone, and is revoked by itself.

They are drawn here, never chosen: 80 random bits.  Some requests name no device (OPTIONS, Autodiscover); phones send
them with the same password.  Such a request is shown who it is that asks and nothing else, so an app password is enough
for it, whatever its device: `find_app_slot` finds the slot by a byte of a keyed hash, which spares an Argon2 run for
each slot of the account, and hands out no keys.
"""

from collections.abc import Iterator, Sequence

from storage.keyring.keys import SECRETS_MAX, TRIED_SLOTS_MAX, TooManySlots, Unlocked, add_slot
from storage.keyring.objects import Stored, StoredSlot, Vault, load
from storage.keyring.passwords import UnfitPassword, app_hint, device_tag, fit_password, open_slot
from storage.keyring.recovery import new_app_password
from storage.keyring.slots import SlotKind

DRAWN_MAX = 20
"""How often a password is drawn until its hint is not that of too many others."""


async def add_app_password(vault: Vault, unlocked: Unlocked, user_secret: bytes, device_id: str, label: str) -> str:
    """Make one for a device and return it, to be shown once.  Raises as `keys.add_slot`."""
    living = (await load(vault, unlocked.account)).living
    for _ in range(DRAWN_MAX):
        password = new_app_password()
        if len(_hinted(vault, unlocked.account, living, fit_password(password, SlotKind.APP))) < TRIED_SLOTS_MAX:
            break
    else:
        raise TooManySlots(unlocked.account)
    await add_slot(vault, unlocked, SlotKind.APP, password, user_secret, device_id=device_id, label=label)
    return password


async def app_slots_of(vault: Vault, account: str, device_id: str) -> list[str]:
    """Return the ids of the slots that open on a device alone.  Needs no password.  Raises `EngineError`."""
    tag = device_tag(vault, account, device_id)
    living = (await load(vault, account)).living
    return [one.slot.id for one in living if one.slot.kind is SlotKind.APP and one.slot.device_tag == tag]


async def find_app_slot(vault: Vault, account: str, password: str, user_secrets: Sequence[bytes]) -> StoredSlot | None:
    """Return the slot of an app password, of whatever device; None if it is none.

    Costs an Argon2 run for each slot that the hint names: mostly one for an app password, and none for others.  Raises
    `UnknownAccount`, `SealError`, `EngineError`.
    """
    stored = await load(vault, account)
    stored.public(vault.deployment_key)
    for candidate, typed, secret in _tries(vault, stored, password, user_secrets):
        if await open_slot(vault, candidate, typed, secret) is not None:
            return candidate
    return None


def _tries(
    vault: Vault, stored: Stored, password: str, user_secrets: Sequence[bytes]
) -> Iterator[tuple[StoredSlot, bytes, bytes]]:
    try:
        typed = fit_password(password, SlotKind.APP)
    except UnfitPassword:
        return
    hinted = _hinted(vault, stored.account, stored.living, typed)[:TRIED_SLOTS_MAX]
    for secret in (user_secrets or (b"",))[:SECRETS_MAX]:
        yield from ((candidate, typed, secret) for candidate in hinted)


def _hinted(vault: Vault, account: str, living: Sequence[StoredSlot], typed: bytes) -> list[StoredSlot]:
    hint = app_hint(vault, account, typed)
    return [one for one in living if one.slot.kind is SlotKind.APP and one.slot.hint == hint]
