"""Making the keys of a new account, so that neither a crash nor a second creator spoils them.

Two complete sets of keys would be a disaster: mail sealed to the one cannot be read with the other.  No engine offers
"only if nobody else", so whoever creates first *claims*: he writes a claim of his own and then lists all of them.
Anybody else's claim makes him withdraw.  Of two creators at least the later one to list sees the other, so at most one
goes on (perhaps neither; then one of them asks again).  The public key is listed after the claims: he who does not see
a claim because its owner has finished sees the public key that was written before the claim went.

Order: slots, ring, public key.  The public key makes the account exist and comes last, so a crash at any point
leaves no account, or a whole one.  Left-overs are removed by the next creation.  A claim whose owner died counts for
`CLAIM_MS`; a creator who takes longer than half of that gives up before the last write.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from storage import paths
from storage.engine import EngineError
from storage.keyring.keys import Unlocked
from storage.keyring.objects import Stored, Vault, load, pack_public, pack_ring
from storage.keyring.passwords import fit_password, make_slot
from storage.keyring.recovery import new_recovery_key
from storage.keyring.slots import SlotKind
from storage.paths import Kind
from storage.seal import new_key, new_key_pair

CLAIM_MS = 10 * 60 * 1000


class AccountExists(Exception):
    """The account has keys already."""


class BeingCreated(Exception):
    """Somebody else is creating the account, or died doing so less than `CLAIM_MS` ago: try again later."""


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
    begun_ms = vault.now_ms()
    claim = paths.claim(account, paths.new_id())
    await vault.engine.put(claim, str(begun_ms).encode())
    try:
        stale = await _stale_claims(vault, account, claim)
        stored = await load(vault, account)
        if stored.publics:
            raise AccountExists(account)
        await vault.engine.delete([*stored.slot_names, *stored.rings, *stale])
        keys = await _write_slots_and_ring(vault, stored, typed, user_secret)
        if vault.now_ms() - begun_ms > CLAIM_MS // 2:
            raise BeingCreated(account)
    except (AccountExists, BeingCreated, EngineError):
        with suppress(EngineError):
            await vault.engine.delete([claim])
        raise
    # From here on the account may exist, whatever is raised: the claim stays until the outcome is known.
    name = paths.public(account, paths.NO_VERSION.next())
    await vault.engine.put(name, pack_public(vault.deployment_key, name, keys.unlocked.public))
    with suppress(EngineError):  # it ends by itself
        await vault.engine.delete([claim])
    return keys


async def _stale_claims(vault: Vault, account: str, own: str) -> Iterable[str]:
    """Return the claims of the dead.  Raises `BeingCreated` if another one lives."""
    claims = [entry.key for entry in await vault.engine.list(paths.prefix(Kind.CLAIM, account))]
    others = [claim for claim in claims if claim != own]
    for data in await vault.engine.get_many(others):
        if data is not None and data.isdigit() and vault.now_ms() - int(data) < CLAIM_MS:
            raise BeingCreated(account)
    return others


async def _write_slots_and_ring(vault: Vault, stored: Stored, typed: bytes, user_secret: bytes) -> NewKeys:
    account, master, (private, public) = stored.account, new_key(), new_key_pair()
    recovery_key = new_recovery_key()
    main_id = paths.new_id()
    first = paths.NO_VERSION.next()
    for kind, slot_id, password in (
        (SlotKind.MAIN, main_id, typed),
        (SlotKind.RECOVERY, paths.new_id(), recovery_key.encode()),
    ):
        name = paths.slot(account, slot_id, first)
        await vault.engine.put(name, await make_slot(vault, name, kind, password, user_secret, master))
    name = paths.ring(account, first)
    await vault.engine.put(name, pack_ring(master, name, [private]))
    main = paths.slot(account, main_id, first)
    return NewKeys(Unlocked(account, master, (private,), public, main_id, SlotKind.MAIN, main), recovery_key)
