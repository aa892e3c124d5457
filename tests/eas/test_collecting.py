"""When a process collects: what is due, by turns, and that idle accounts stay small."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas.run.collecting import DEEP_EVERY, Collecting
from storage import paths
from storage.account import Account
from storage.engine import Unavailable
from storage.engine_local import LocalEngine
from storage.paths import Kind
from storage.records import Set
from storage.store import Store
from tests.eas.world import address, open_filled_store

EVERY = 3600.0


class House:
    """A store, its collecting, and a clock to be set."""

    def __init__(self, store: Store) -> None:
        self.store, self.seconds = store, 0.0
        start_ms = store.now_ms()
        store.now_ms = lambda: start_ms + int(self.seconds * 1000)
        self.collecting = Collecting(store, EVERY, clock=lambda: self.seconds)

    async def login(self) -> Account:
        return (await self.store.unlock(address(1), "pw-u1"))[0]

    async def hours(self, count: int) -> None:
        for _ in range(count):
            self.seconds += 1.25 * EVERY
            await self.collecting.sweep()

    async def count(self, account: Account, kind: Kind) -> int:
        return len(await self.store.engine.list(paths.prefix(kind, account.id)))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(await open_filled_store(tmp_path))
    yield house
    await house.collecting.close()
    await house.store.close()


async def test_the_log_is_collected_every_hour_and_the_rest_once_a_day(house: House) -> None:
    account = await house.login()
    await account.store(b"nobody names it", None)
    async with account.turn():
        await account.commit([Set("item", "read", True)])
    await account.checkpoint()
    blobs = await house.count(account, Kind.BLOB)
    await house.collecting.sweep()
    assert await house.count(account, Kind.LOG) > 1
    await house.hours(3)
    assert await house.count(account, Kind.LOG) == 1  # the checkpoint alone
    assert await house.count(account, Kind.BLOB) == blobs
    await house.hours(DEEP_EVERY)
    assert await house.count(account, Kind.BLOB) == blobs - 1


async def test_an_account_that_was_not_in_memory_is_not_afterwards(house: House) -> None:
    account = await house.login()
    await house.collecting.sweep()
    await house.hours(2)
    assert not account.is_open
    async with account.turn():
        pass
    await house.hours(1)
    assert account.is_open


async def test_a_pass_that_fails_comes_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await house.login()
    async with account.turn():
        await account.commit([Set("item", "read", True)])
    await account.checkpoint()

    async def fail(*_: object) -> None:
        raise Unavailable("away")

    await house.collecting.sweep()
    with monkeypatch.context() as patched:
        patched.setattr(house.store.engine, "list", fail)
        house.collecting._leftovers_due = 1e9
        await house.hours(2)
    await house.hours(3)
    assert await house.count(account, Kind.LOG) == 1


async def test_accounts_that_were_closed_are_forgotten(house: House) -> None:
    account = await house.login()
    await house.collecting.sweep()
    del house.store.accounts[account.id]
    await house.collecting.sweep()
    assert house.collecting._due == {}


async def test_what_a_start_that_died_left_goes_after_an_hour(house: House) -> None:
    account = await house.login()
    engine = house.store.engine
    await engine.put("probe/0123456789abcdef0", b"left")
    stale = paths.claim(account.id, "0" * 32)
    await engine.put(stale, b"5")
    await engine.put(paths.claim(account.id, "1" * 32), str(house.store.now_ms() + 10**8).encode())
    await engine.put(paths.claim("f" * 32, "0" * 32), b"5")  # of an account that is not there: being created, maybe
    await house.hours(3)
    assert await engine.list("probe/") == []
    assert await house.count(account, Kind.CLAIM) == 1
    assert len(await engine.list(paths.prefix(Kind.CLAIM, "f" * 32))) == 1


async def test_the_space_of_packs_is_given_back_every_hour(tmp_path: Path) -> None:
    house = House(await open_filled_store(tmp_path, "local"))
    ended = await LocalEngine.open(tmp_path / "store")
    await ended.put("large", b"x" * 1_000_000)
    await ended.delete(["large"])
    await ended.close()  # nobody appends to its pack any more
    packs = tmp_path / "store/packs"
    await house.collecting.sweep()
    assert len(list(packs.iterdir())) == 1
    await house.hours(1)
    assert not list(packs.iterdir())
    await house.collecting.close()
    await house.store.close()
