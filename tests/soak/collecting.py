"""A collector that hurries: `python -m tests.soak.collecting CONFIG ADDRESS …`; it is given the passwords, a line each.

It passes over the accounts again and again, beside the nodes, with graces of seconds instead of hours and a checkpoint
each time, gives back the space of packs, and writes a line of JSON for what went.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

from eas.run.sections import load
from storage.account import Account
from storage.collecting.collector import Grace, collect
from storage.engine import EngineError
from storage.opening import open_store
from storage.store import Store, wall_ms
from tests.soak.kept import Kept
from tests.soak.plan import Plan, Seen, address, password

PAUSE_SECONDS: Final = 3.0
GRACE: Final = Grace(log_ms=5_000, orphan_ms=60_000, removed_ms=20_000, packed_ms=10_000)
"""Longer than a node needs from a content to the record that names it, killed engines and all; else nothing."""


async def _pass_over(store: Store, accounts: list[Account]) -> None:
    for account in accounts:
        with suppress(EngineError):  # it is away: the next pass
            await account.checkpoint()
            done = await collect(store.engine, account, wall_ms(), grace=GRACE)
            gone = {f"{kind} objects collected": count for kind, count in done.objects.items()}
            packed = {"contents packed": done.packed} if done.packed else {}
            print(json.dumps({**gone, **packed, "rows purged": done.purged_rows, "passes": 1}), flush=True)
            for refused in done.refused:
                print(json.dumps({"passes refused": 1, "where": refused}), flush=True)


async def _collect(config: Path, passwords: dict[str, str]) -> None:
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    store = await open_store(load(config).storage)
    accounts = [(await store.unlock(name, word))[0] for name, word in passwords.items()]
    while not is_over.is_set():
        await _pass_over(store, accounts)
        with suppress(EngineError):
            print(json.dumps({"bytes of packs given back": await store.compact()}), flush=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await is_over.wait()
    await store.close()


def collector(plan: Plan, config: Path, seen: Seen) -> Kept:
    """Return the process for all accounts of *plan*."""
    numbers = range(1, plan.accounts + 1)
    command = [sys.executable, "-m", "tests.soak.collecting", str(config), *map(address, numbers)]
    given = "".join(f"{password(account)}\n" for account in numbers)
    log = config.parent / "collector.log"
    return Kept("collector", command, log, Random(f"{plan.seed} collector"), seen, given)


def collected(log: Path) -> Counter[str]:
    """Return what went, all in all."""
    counts: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        with suppress(ValueError, AttributeError):
            counts.update({name: count for name, count in json.loads(line).items() if isinstance(count, int)})
    return counts


if __name__ == "__main__":
    asyncio.run(_collect(Path(sys.argv[1]), dict(zip(sys.argv[2:], sys.stdin.read().splitlines(), strict=True))))
