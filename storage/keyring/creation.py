"""Making the keys of a new account, so that neither a crash nor a second creator spoils them.

Two complete sets of keys would be a disaster: mail sealed to the one cannot be read with the other.  So whoever creates
claims the account first (`claims.py`).  The public key is listed after the claims: he who does not see a claim because
its owner has finished sees the public key that was written before the claim went.

Order: slots, ring, public key.  The public key makes the account exist and comes last, so a crash at any point
leaves no account, or a whole one.  Left-overs are removed by the next creation.
"""

from dataclasses import dataclass, field

from storage import paths
from storage.engine import EngineError
from storage.keyring.claims import Claimed, claim
from storage.keyring.keys import Unlocked
from storage.keyring.objects import Stored, Vault, load, pack_public
from storage.keyring.passwords import fit_password, make_slot
from storage.keyring.recovery import new_recovery_key
from storage.keyring.rings import new_ring, pack_ring
from storage.keyring.slots import SlotKind


class AccountExists(Exception):
    """The account has keys already."""


class BeingCreated(Exception):
    """Somebody else is creating the account, or died doing so a few minutes ago: try again later."""


@dataclass(frozen=True, slots=True)
class NewKeys:
    """A new account's keys, and what is printed once."""

    unlocked: Unlocked
    recovery_key: str = field(repr=False)


async def create_account_keys(vault: Vault, account: str, password: str, user_secret: bytes) -> NewKeys:
    """Make and store the keys of a new account.  Two Argon2 runs, about ten requests.

    Raises `UnfitPassword`, `AccountExists`, `BeingCreated`, `EngineError`; after the last the account may exist.
    """
    typed = fit_password(password)
    try:
        own = await claim(vault, account)
    except Claimed as error:
        raise BeingCreated(account) from error
    try:
        stored = await load(vault, account)
        if stored.publics:
            raise AccountExists(account)
        await vault.engine.delete([*stored.slot_names, *stored.ring_names, *own.stale])
        keys = await _write_slots_and_ring(vault, stored, typed, user_secret)
        own.must_hold(vault)
    except (AccountExists, EngineError):
        await own.give_up(vault)
        raise
    except Claimed as error:
        await own.give_up(vault)
        raise BeingCreated(account) from error
    # From here on the account may exist, whatever is raised: the claim stays until the outcome is known.
    name = paths.public(account, paths.NO_VERSION.next())
    await vault.engine.put(name, pack_public(vault.deployment_key, name, keys.unlocked.public))
    await own.give_up(vault)
    return keys


async def _write_slots_and_ring(vault: Vault, stored: Stored, typed: bytes, user_secret: bytes) -> NewKeys:
    account, ring = stored.account, new_ring()
    recovery_key = new_recovery_key()
    main_id = paths.new_id()
    first = paths.NO_VERSION.next()
    for kind, slot_id, password in (
        (SlotKind.MAIN, main_id, typed),
        (SlotKind.RECOVERY, paths.new_id(), recovery_key.encode()),
    ):
        name = paths.slot(account, slot_id, first)
        await vault.engine.put(name, await make_slot(vault, name, kind, password, user_secret, ring.newest))
    name = paths.ring(account, first)
    await vault.engine.put(name, pack_ring(vault.deployment_key, name, ring))
    return NewKeys(Unlocked(account, ring, main_id, SlotKind.MAIN, paths.slot(account, main_id, first)), recovery_key)
