"""What a change of the master key may have left undone is done by whoever unlocks the account next.

- The ring is of a newer epoch than the public key: whoever changed it died in between.  The public key is published;
  everybody writes the same object under the same name.
- A slot came while the master key was being changed, and nothing was sealed to it: the ring is written anew.  Not so
  for a slot that is older: whoever may write to the bucket has put back one that was revoked or changed before.
- Superseded rings and public keys are removed.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import structlog

from storage import paths
from storage.engine import EngineError
from storage.keyring.objects import Stored, StoredSlot, Vault, pack_public
from storage.keyring.rings import Ring, pack_ring
from storage.keyring.slots import Slot, has_proof
from storage.paths import Version

LATE_MS = 10 * 60 * 1000
"""How much older a slot may be than the end of its epoch, if it is to have come during the change."""
PUBLISHED_TAG = "00000000"
"""Of the versions of public keys that follow the first: whoever publishes one writes the same."""

_log = structlog.get_logger(__name__)


async def mend(vault: Vault, stored: Stored, ring: Ring) -> None:
    """Do what is left to be done; nothing, mostly.  What fails is left to the next unlock."""
    with suppress(EngineError):
        if stored.public(vault.deployment_key).epoch < ring.newest.number:
            _log.warning("keys.public_key_published", account=stored.account, epoch=ring.newest.number)
            await publish(vault, stored.account, ring)
        await seal_to_latecomers(vault, stored, ring, lambda slot: _came_during_a_change(slot, ring))
        if len(stored.ring_names) > 1 or len(stored.publics) > 1:
            await vault.engine.delete(superseded(stored, ring))


def superseded(stored: Stored, ring: Ring) -> list[str]:
    """Return the rings and public keys that no unlock needs.  Those that are damaged stay, to be seen."""
    publics = [name for name in stored.publics if paths.parse(name).n < ring.newest.number]
    current = stored.ring().name
    return [*(other.name for other in stored.rings if other.name != current), *publics]


def proven_heirs(stored: Stored, ring: Ring) -> Iterator[StoredSlot]:
    """Yield the slots that hold an older master, as far as an owner of that one made them.

    Whoever has the deployment key can make a slot, and would be given the master key: the proof is what he lacks.
    """
    for candidate in stored.living:
        if candidate.slot.epoch >= ring.newest.number:
            continue
        master = ring.master(candidate.slot.epoch)
        if master is not None and has_proof(candidate.name, candidate.data, master):
            yield candidate
        else:
            _log.error("keys.slot_without_proof", account=stored.account, slot=candidate.slot.id)


def _came_during_a_change(slot: Slot, ring: Ring) -> bool:
    """Say whether a slot is about as old as the end of its epoch; an older one was put back by somebody."""
    ended_ms = next((one.until_ms for one in ring.epochs if one.number == slot.epoch), None)
    return ended_ms is not None and slot.created_ms > ended_ms - LATE_MS


async def seal_to_latecomers(vault: Vault, stored: Stored, ring: Ring, is_late: Callable[[Slot], bool]) -> None:
    """Seal the newest master to slots that came while it was made.

    What was sealed to others stays: one of them may be an older version of a slot, and count again in a moment.
    """
    known = stored.ring().heirs.keys()
    unknown = [one.slot for one in proven_heirs(stored, ring) if one.slot.public not in known]
    late = [slot.public for slot in unknown if is_late(slot)]
    if late:
        _log.warning("keys.sealed_to_a_late_password", account=stored.account, slots=len(late))
        await write_ring(vault, stored, ring, [*known, *late])


async def publish(vault: Vault, account: str, ring: Ring) -> None:
    """Write the public key of the newest epoch."""
    name = paths.public(account, Version(ring.newest.number, PUBLISHED_TAG))
    await vault.engine.put(name, pack_public(vault.deployment_key, name, ring.public))


async def write_ring(vault: Vault, stored: Stored, ring: Ring, heirs: list[bytes]) -> str:
    """Write *ring* as a version after all that are genuine; return its name."""
    versions = [paths.parse(one.name).version for one in stored.rings]
    name = paths.ring(stored.account, max(versions, default=paths.NO_VERSION).next())
    await vault.engine.put(name, pack_ring(vault.deployment_key, name, ring, heirs))
    return name
