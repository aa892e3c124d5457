"""What is left behind outside the accounts' data, and needs no keys to be known for it.

- `probe/…`: of a process that died in its first seconds;
- claims of creators that died (`keyring/claims.py`), in accounts that exist: nobody will look at them again.
"""

from storage import paths
from storage.engine import Engine, NotFound, after_prefix
from storage.keyring.claims import CLAIM_MS, claimed_ms
from storage.paths import Kind, MalformedName

AGE_MS = 60 * 60_000
LISTED_AT_ONCE = 1000


class Leftovers:
    """One process's view of them: a probe has no date, so it goes when it was met twice, an hour apart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._met: dict[str, int] = {}

    async def sweep(self, now_ms: int, *, is_dry: bool = False) -> list[str]:
        """Remove what is surely left behind; return the names.  One listing for each account."""
        probes = [entry.key for entry in await self._engine.list(paths.prefix(Kind.PROBE))]
        self._met = {name: self._met.get(name, now_ms) for name in probes}
        due = [name for name, met in self._met.items() if now_ms - met >= AGE_MS]
        for account in await self._accounts():
            due += await self._stale_claims(account, now_ms)
        if due and not is_dry:
            await self._engine.delete(due)
        return due

    async def _accounts(self) -> list[str]:
        found: list[str] = []
        after = paths.ACCOUNTS
        while entries := await self._engine.list(paths.ACCOUNTS, after, 1):
            account = entries[0].key.split("/")[1]
            try:
                after = after_prefix(paths.account_prefix(account))
                found.append(account)
            except MalformedName:
                after = entries[0].key
        return found

    async def _stale_claims(self, account: str, now_ms: int) -> list[str]:
        stale: list[str] = []
        for entry in await self._engine.list(paths.prefix(Kind.CLAIM, account)):
            try:
                since_ms = claimed_ms(await self._engine.get(entry.key))
            except NotFound:
                continue
            if since_ms is not None and now_ms - since_ms > CLAIM_MS + AGE_MS:
                stale.append(entry.key)
        # Without a public key somebody may be creating the account this moment; he removes what the dead left.
        return stale if stale and await self._engine.list(paths.prefix(Kind.PUBLIC, account), limit=1) else []
