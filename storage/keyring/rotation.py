"""A new master key, and a new key pair for mail: after somebody may have seen the old ones.

Nobody's password is needed but one.  The new master is sealed to the public key of every living slot whose proof an
owner of the old master made; each slot inherits it at its next use (`rings.py`).

Order: claim, ring, public key, removal of the old ones.  The ring is the decisive write: from then on every unlock
finds the new epoch.  Mail is sealed to the old public key until the new one is written, and opens with the ring.
Whatever a crash leaves undone, the next unlock does (`mending.py`).

What is sealed under old masters stays so until it is rewritten: commits when they are folded into a checkpoint and
collected, pages by checkpoints.  Once nothing of an epoch is left, its keys leave the ring (`retire`), though not
before `RETIRE_MS`: a process that slept may still write under them, and a delivering one seal to them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace

from storage import paths
from storage.engine import Engine, EngineError, NotFound
from storage.epochs import EPOCH_MAX
from storage.keyring.claims import Claimed, claim
from storage.keyring.keys import KeysChanged, Unlocked
from storage.keyring.mending import proven_heirs, publish, seal_to_latecomers, superseded, write_ring
from storage.keyring.objects import Stored, StoredSlot, Vault, load
from storage.keyring.rings import Epoch, Ring, open_ring
from storage.paths import Kind
from storage.seal import SealError, epoch_of, new_key, new_key_pair

RETIRE_MS = 31 * 24 * 3600 * 1000
"""How long an epoch's keys stay at least, after the next one has begun."""
HEADERS_AT_ONCE = 16
"""Headers that are read at a time."""


class TooManyEpochs(Exception):
    """The account's master key was changed `EPOCH_MAX` times."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of a change of the master key."""

    unlocked: Unlocked
    """With the new keys."""
    left_out: list[str]
    """Slots that get nothing: no owner of the master key made them, or they were put back.  Revoke them."""


async def rotate(vault: Vault, unlocked: Unlocked) -> Rotated:
    """Give the account a new master key and key pair.  About a dozen requests, no Argon2 run.

    Sessions of before go on until they are told; their keys write what the new ones read.  Raises `KeysChanged` for
    keys that are no longer the newest, `Claimed` while somebody else does the same, `TooManyEpochs`, `SealError`,
    `EngineError`; after the last the keys may be changed or not, and the account opens in either case.
    """
    own = await claim(vault, unlocked.account)
    try:
        stored = await load(vault, unlocked.account)
        ring = _next(vault, _current(stored, unlocked))
        heirs = [slot for slot in proven_heirs(stored, ring) if _is_known(stored, slot)]
        left_out = sorted({slot.slot.id for slot in stored.living} - {slot.slot.id for slot in heirs})
        own.must_hold(vault)
    except (KeysChanged, TooManyEpochs, Claimed, SealError, EngineError):
        await own.give_up(vault)
        raise
    # From here on the claim stays if the outcome is unknown.
    name = await write_ring(vault, stored, ring, [slot.slot.public for slot in heirs])
    # Slots that came between our look and our write; who comes later sees our ring.
    seen, stored = {slot.slot.public for slot in stored.living}, await load(vault, unlocked.account)
    if stored.ring().name != name:
        raise KeysChanged(unlocked.account)
    await seal_to_latecomers(vault, stored, ring, lambda slot: slot.public not in seen)
    await publish(vault, unlocked.account, ring)
    await vault.engine.delete(superseded(await load(vault, unlocked.account), ring))
    await own.give_up(vault)
    return Rotated(replace(unlocked, ring=ring), left_out)


def _current(stored: Stored, unlocked: Unlocked) -> Ring:
    """Return the ring as it is now: since the unlock old epochs may have gone.  Raises `KeysChanged`."""
    found = stored.ring()
    if found.epoch != unlocked.epoch:
        raise KeysChanged(unlocked.account)
    return open_ring(found, unlocked.master)


def _is_known(stored: Stored, slot: StoredSlot) -> bool:
    """Say whether a slot is of the current epoch or an heir of it; another one was put back by somebody."""
    found = stored.ring()
    return slot.slot.epoch == found.epoch or slot.slot.public in found.heirs


def _next(vault: Vault, ring: Ring) -> Ring:
    number = ring.newest.number + 1
    if number > EPOCH_MAX:
        raise TooManyEpochs(number)
    ended = replace(ring.newest, until_ms=vault.now_ms())
    return replace(ring, epochs=(Epoch(number, new_key(), new_key_pair()[0]), ended, *ring.epochs[1:]))


# -- the end of an epoch


def retirable(ring: Ring, now_ms: int) -> list[Epoch]:
    """Return the epochs that are old enough to end, if nothing is left of them."""
    return [one for one in ring.epochs if one.until_ms is not None and one.until_ms < now_ms - RETIRE_MS]


async def retire(vault: Vault, unlocked: Unlocked) -> list[int]:
    """Let the ring forget the keys of epochs of which nothing is left; return their numbers.

    Reads the first bytes of the account's log objects, checkpoints and pages.  Raises `KeysChanged`, `SealError`,
    `EngineError`.
    """
    old = retirable(unlocked.ring, vault.now_ms())
    if not old:
        return []
    last = max(one.number for one in old)
    in_use = {epoch async for epoch in _epochs_of_objects(vault.engine, unlocked.account) if epoch <= last}
    stored = await load(vault, unlocked.account)  # afterwards: a slot may have come
    ring = _current(stored, unlocked)
    in_use |= {slot.slot.epoch for slot in stored.living}
    gone = [one.number for one in retirable(ring, vault.now_ms()) if one.number not in in_use]
    if gone:
        left = replace(ring, epochs=tuple(one for one in ring.epochs if one.number not in gone))
        heirs = [slot.slot.public for slot in proven_heirs(stored, left) if _is_known(stored, slot)]
        await write_ring(vault, stored, left, heirs)
        await vault.engine.delete([one.name for one in stored.rings])  # all of before
    return gone


async def epochs_in_use(vault: Vault, account: str) -> set[int]:
    """Return the epochs under whose keys anything of the account is sealed; needs no keys.  Raises `EngineError`."""
    slots = {slot.slot.epoch for slot in (await load(vault, account)).living}
    return slots | {epoch async for epoch in _epochs_of_objects(vault.engine, account)}


async def _epochs_of_objects(engine: Engine, account: str) -> AsyncIterator[int]:
    for kind in (Kind.LOG, Kind.OLD_CHECKPOINT, Kind.PAGE):  # new checkpoints are listed behind the log
        names = [entry.key for entry in await engine.list(paths.prefix(kind, account))]
        for start in range(0, len(names), HEADERS_AT_ONCE):
            for epoch in await _epochs(engine, names[start : start + HEADERS_AT_ONCE]):
                yield epoch


async def _epochs(engine: Engine, names: Iterable[str]) -> list[int]:
    async def read(name: str) -> int | None:
        try:
            return _epoch_in(await engine.get(name, 0, 6))
        except NotFound:  # collected meanwhile
            return None

    return [epoch for epoch in await asyncio.gather(*map(read, names)) if epoch is not None]


def _epoch_in(data: bytes) -> int:
    """Return the epoch that the first six bytes of a commit, a checkpoint or a page name."""
    match data[:2]:
        case b"PB":
            return int.from_bytes(data[4:6], "big")
        case b"PK":
            return data[3] if len(data) > 3 else 0
    return epoch_of(data)
