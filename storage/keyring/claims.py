"""Claims: at most one at a time makes the master key of an account, without any lock of the engine.

No engine offers "only if nobody else", so whoever begins *claims*: he writes a claim of his own and then lists all of
them.  Anybody else's claim makes him withdraw.  Of two claimants at least the later one to list sees the other, so at
most one goes on (perhaps neither; then one of them asks again).  A claim whose owner died counts for `CLAIM_MS`; an
owner who takes longer than half of that gives up before his decisive write.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from storage import paths
from storage.engine import EngineError
from storage.keyring.objects import Vault
from storage.paths import Kind

CLAIM_MS = 10 * 60 * 1000
DIGITS_MAX = 20


class Claimed(Exception):
    """Somebody else makes keys of the account, or died doing so less than `CLAIM_MS` ago: try again later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Ours, and nobody else's lives."""

    name: str
    begun_ms: int
    stale: Sequence[str]
    """The claims of the dead."""

    def must_hold(self, vault: Vault) -> None:
        """Raise `Claimed` if so much time went by that somebody else may take the claim for a dead one's."""
        if vault.now_ms() - self.begun_ms > CLAIM_MS // 2:
            raise Claimed(self.name)

    async def give_up(self, vault: Vault) -> None:
        """Remove the claim; one that stays ends by itself."""
        with suppress(EngineError):
            await vault.engine.delete([self.name])


async def claim(vault: Vault, account: str) -> Claim:
    """Claim the account's keys: a put and a listing.  Raises `Claimed`, `EngineError`."""
    begun_ms, name = vault.now_ms(), paths.claim(account, paths.new_id())
    await vault.engine.put(name, str(begun_ms).encode())
    made = Claim(name, begun_ms, [])
    try:
        return Claim(name, begun_ms, await _stale(vault, account, name))
    except (Claimed, EngineError):
        await made.give_up(vault)
        raise


def claimed_ms(data: bytes) -> int | None:
    """Return since when a claim stands, in milliseconds since 1970; None for what is no claim."""
    return int(data) if data.isdigit() and len(data) <= DIGITS_MAX else None


async def _stale(vault: Vault, account: str, own: str) -> Sequence[str]:
    claims = [entry.key for entry in await vault.engine.list(paths.prefix(Kind.CLAIM, account))]
    others = [name for name in claims if name != own]
    for data in await vault.engine.get_many(others):
        since_ms = None if data is None else claimed_ms(data)
        if since_ms is not None and vault.now_ms() - since_ms < CLAIM_MS:
            raise Claimed(account)
    return others
