"""`petitbleu collect`: what it tells, and that it removes only when told to."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from eas.run.sections import load
from storage import paths
from storage.engine_local import LocalEngine
from storage.opening import open_store
from storage.records import Set
from storage.store import Store, wall_ms
from storage.views import BOTTOM, TOP
from tests.eas.test_cli import ANNA, Run, _logging_as_before, config, deliver, run, site

__all__ = ["_logging_as_before", "config", "run", "site"]
WORD = "geheim\n"
COLLECT = ("collect", "--account", ANNA, "--password-stdin")


def leave_behind(config: Path) -> None:
    """Write two checkpoints, of which the newer covers the other; and a content that nobody names."""

    async def write() -> None:
        store = await open_store(load(config).storage)
        account, _ = await store.unlock(ANNA, "geheim")
        for number in range(2):
            async with account.turn() as state:
                await account.commit([Set((await state.floors("inbox", BOTTOM, TOP))[0].item, "read", bool(number))])
                await account.write_checkpoint()
        await store.engine.put(paths.blob(account.id, "0" * 32), b"left behind")
        await store.close()

    asyncio.run(write())


def count(config: Path) -> int:
    async def counted() -> int:
        store = await open_store(load(config).storage)
        try:
            return len(await store.engine.list("a/"))
        finally:
            await store.close()

    return asyncio.run(counted())


def test_what_is_unneeded_is_told_noted_and_removed_in_time(
    site: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(config, 3)
    leave_behind(config)
    before = count(config)
    code, out, error = site(*COLLECT, "--dry-run", stdin=WORD)
    assert (code, error) == (0, "")
    assert "0 objects (0.0 KB) would be removed" in out
    assert "blob" in out
    assert count(config) == before
    assert "0 objects (0.0 KB) removed" in site(*COLLECT, stdin=WORD)[1]
    monkeypatch.setattr("storage.opening.Store", partial(Store, now_ms=lambda: wall_ms() + 2 * 86_400_000))
    code, out, _ = site(*COLLECT, stdin=WORD)
    assert code == 0
    assert "0 (0.0 KB) wait for their time" in out
    assert count(config) < before
    code, out, error = site("check", "--account", ANNA, "--deep", "--password-stdin", stdin=WORD)
    assert (code, error) == (0, "")
    assert "3 items; nothing names 0 blobs" in out


def test_without_accounts_only_leftovers_go(site: Run, config: Path) -> None:
    deliver(config, 3)
    before = count(config)
    code, out, _ = site("collect")
    assert (code, out.startswith("0 objects (0.0 KB) removed, 0 (0.0 KB) wait")) == (0, True)
    assert count(config) == before


def test_an_account_that_is_not_whole_is_left_alone(site: Run, config: Path) -> None:
    deliver(config, 3)
    leave_behind(config)

    async def spoil() -> None:
        store = await open_store(load(config).storage)
        account = store.account_id(await store.directory.resolve(ANNA))
        log = [entry.key for entry in await store.engine.list(paths.prefix(paths.Kind.CHECKPOINT, account))]
        await store.engine.put(log[-1], b"damaged")
        await store.close()

    asyncio.run(spoil())
    code, _, error = site(*COLLECT, stdin=WORD)
    assert code == 1
    assert "not whole, so nothing was removed" in error


def test_the_space_of_packs_is_given_back(site: Run, config: Path) -> None:
    async def put_and_delete() -> None:
        engine = await LocalEngine.open(load(config).storage.path)
        await engine.put("large", b"x" * 1_000_000)
        await engine.delete(["large"])
        await engine.close()

    asyncio.run(put_and_delete())
    assert "given back" not in site("collect", "--dry-run")[1]
    assert "1.0 MB of packs given back" in site("collect")[1]
    assert "given back" not in site("collect")[1]
