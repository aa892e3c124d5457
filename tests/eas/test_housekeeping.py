"""Housekeeping: checkpoints when they are due, states and keys let go."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eas.login.sessions import Sessions
from eas.run.housekeeping import IDLE_RECORDS, IDLE_SECONDS, Housekeeping
from eas.sync.hub import Hub, Outcome, Waiter
from storage import account as storage_account
from storage.account import Account
from storage.engine import Unavailable
from storage.records import Set
from storage.store import Store
from tests.eas.test_sessions import LIFETIME, RIGHT
from tests.eas.world import TRACE, address, open_filled_store
from tests.support.messages import mixed_message


class House:
    """A store with all that keeps it, and a clock to be set."""

    def __init__(self, store: Store) -> None:
        self.now = 1000.0
        self.store = store
        self.hub = Hub(store.feed)
        self.sessions = Sessions(store, LIFETIME, self.hub.is_waited_for, clock=lambda: self.now)
        self.housekeeping = Housekeeping(store, self.sessions, self.hub, clock=lambda: self.now)

    async def login(self) -> Account:
        return await self.sessions.account(RIGHT, "phone", "")

    async def deliver(self) -> None:
        delivery = self.store.delivery
        await delivery.deposit(await delivery.recipient(address(1)), TRACE, mixed_message(1), junk=False)

    def is_resident(self, account: Account) -> bool:
        return account._state is not None


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(await open_filled_store(tmp_path))
    yield house
    await house.housekeeping.close()
    await house.sessions.close()
    house.hub.close()
    await house.store.close()


async def checkpoints(house: House, account: Account) -> int:
    return len(await house.store.engine.list(f"a/{account.id}/log/folded/"))


async def test_a_checkpoint_is_written_when_it_is_due(house: House) -> None:
    account = await house.login()
    async with account.turn():
        await account.commit([Set(f"item{n}", "read", True) for n in range(storage_account.CHECKPOINT_RECORDS - 1)])
    await house.housekeeping.sweep()
    assert await checkpoints(house, account) == 0
    async with account.turn():
        await account.commit([Set("item", "read", True)])
    await house.housekeeping.sweep()
    assert await checkpoints(house, account) == 1
    await house.housekeeping.sweep()
    assert await checkpoints(house, account) == 1


async def test_a_checkpoint_that_fails_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await house.login()
    async with account.turn():
        await account.commit([Set(f"item{n}", "read", True) for n in range(storage_account.CHECKPOINT_RECORDS)])

    async def fail(*_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(house.store.engine, "put", fail)
        await house.housekeeping.sweep()
    await house.housekeeping.sweep()
    assert await checkpoints(house, account) == 1


async def test_an_idle_account_lets_go_of_its_state_and_keeps_its_keys(house: House) -> None:
    account = await house.login()
    async with account.turn():
        pass
    await house.housekeeping.sweep()
    assert house.is_resident(account)
    house.now += IDLE_SECONDS
    await house.housekeeping.sweep()
    assert not house.is_resident(account)
    assert await house.login() is account


async def test_much_that_is_new_is_in_a_checkpoint_before_a_state_goes(house: House) -> None:
    account = await house.login()
    for records, written in ((IDLE_RECORDS - 1, 0), (1, 1)):
        async with account.turn():
            await account.commit([Set(f"item{n}", "read", True) for n in range(records)])
        await house.login()
        await house.housekeeping.sweep()
        house.now += IDLE_SECONDS
        await house.housekeeping.sweep()
        assert not house.is_resident(account)
        assert await checkpoints(house, account) == written


async def test_news_keep_a_state_for_a_while(house: House) -> None:
    account = await house.login()
    house.now += IDLE_SECONDS - 1
    await house.deliver()
    async with account.turn():
        pass
    house.now += 2
    await house.housekeeping.sweep()
    assert house.is_resident(account)
    house.now += IDLE_SECONDS
    await house.housekeeping.sweep()
    assert not house.is_resident(account)


async def test_keys_are_forgotten_after_the_lifetime(house: House) -> None:
    account = await house.login()
    house.now += LIFETIME
    await house.housekeeping.sweep()
    await house.housekeeping.sweep()
    assert account.id not in house.store.accounts
    assert await house.login() is not account


async def test_keys_stay_while_a_phone_waits_but_the_state_goes(house: House) -> None:
    account = await house.login()
    waiter = Waiter(account, "phone", ("inbox",), False, _nothing)
    house.hub.wait(waiter, 3000)
    for _ in range(5):
        house.now += LIFETIME
        await house.housekeeping.sweep()
    assert house.store.accounts == {account.id: account}
    assert not house.is_resident(account)
    house.hub.leave(waiter)
    house.now += LIFETIME
    await house.housekeeping.sweep()
    await house.housekeeping.sweep()
    assert house.store.accounts == {}


async def test_an_account_that_is_just_being_opened_stays(house: House) -> None:
    account, _ = await house.store.unlock(address(1), "pw-u1")
    await house.housekeeping.sweep()
    assert account.id in house.store.accounts


def _nothing(_outcome: Outcome) -> None:
    """Nobody waits in earnest."""
