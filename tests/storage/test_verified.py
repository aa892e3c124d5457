"""Passwords that the directory verifies, too: which of the two says what, and what the first login makes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog

from storage import paths
from storage.errors import DirectoryUnavailable
from storage.keyring.creation import NewKeys
from storage.keyring.keys import Unlocked, WrongPassword, add_slot, unlock
from storage.keyring.slots import SlotKind
from storage.paths import Kind
from storage.verified import unlock_verified
from tests.storage.vaults import ACCOUNT, PASSWORD, SECRET, World


class Bind:
    """Stands for the directory: takes one password, or cannot be asked."""

    def __init__(self, taken: str | None) -> None:
        self.taken, self.asked = taken, list[str]()

    def of(self, password: str) -> Callable[[], Awaitable[bool]]:
        async def verify() -> bool:
            self.asked.append(password)
            if self.taken is None:
                raise DirectoryUnavailable("away")
            return password == self.taken

        return verify


async def login(world: World, password: str, taken: str | None, device: str = "") -> Unlocked:
    verify = Bind(taken).of(password)
    return await unlock_verified(world.vault, ACCOUNT, password, [SECRET], device, verify)


@pytest.fixture
async def made() -> tuple[World, NewKeys]:
    world = World()
    return world, await world.create()


async def test_the_first_login_makes_the_keys_and_the_second_finds_them() -> None:
    world = World()
    first = await login(world, PASSWORD, PASSWORD)
    assert await login(world, PASSWORD, PASSWORD) == first
    assert len(world.names(Kind.PUBLIC)) == 1


@pytest.mark.parametrize(("taken", "error"), [("another", WrongPassword), (None, DirectoryUnavailable)])
async def test_a_first_login_that_the_directory_does_not_take_makes_nothing(
    taken: str | None, error: type[Exception]
) -> None:
    world = World()
    with pytest.raises(error):
        await login(world, PASSWORD, taken)
    assert world.objects.keys == []


async def test_first_logins_at_once_make_one_account() -> None:
    world = World()
    outcomes = await asyncio.gather(*(login(world, PASSWORD, PASSWORD) for _ in range(4)), return_exceptions=True)
    assert {type(one) for one in outcomes} <= {Unlocked, DirectoryUnavailable}
    assert len(world.names(Kind.PUBLIC)) <= 1


async def test_a_claim_of_somebody_else_is_a_reason_to_come_back() -> None:
    world = World()
    await world.vault.engine.put(paths.claim(ACCOUNT, paths.new_id()), str(world.wall.ms).encode())
    with pytest.raises(DirectoryUnavailable):
        await login(world, PASSWORD, PASSWORD)


async def test_the_old_password_is_wrong_though_it_opens_the_slot(made: tuple[World, NewKeys]) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(WrongPassword):
        await login(made[0], PASSWORD, "the new one")
    assert [log["event"] for log in logs] == ["login.not_the_directorys_password"]


async def test_the_new_password_is_wrong_and_the_log_says_what_to_do(made: tuple[World, NewKeys]) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(WrongPassword):
        await login(made[0], "the new one", "the new one")
    assert [log["event"] for log in logs] == ["login.password_changed_in_directory"]
    assert "the new one" not in str(logs)


async def test_a_wrong_password_is_wrong_and_nothing_is_logged(made: tuple[World, NewKeys]) -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(WrongPassword):
        await login(made[0], "wrong", PASSWORD)
    assert logs == []


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
async def test_nothing_is_said_of_a_password_while_the_directory_is_away(
    made: tuple[World, NewKeys], password: str
) -> None:
    with pytest.raises(DirectoryUnavailable):
        await login(made[0], password, None)


async def test_what_the_directory_does_not_know_opens_without_it(made: tuple[World, NewKeys]) -> None:
    world, keys = made
    assert (await login(world, keys.recovery_key, None)).kind is SlotKind.RECOVERY
    await add_slot(world.vault, keys.unlocked, SlotKind.APP, "abcd efgh", SECRET, device_id="phone")
    assert (await unlock(world.vault, ACCOUNT, "abcd efgh", [SECRET], "phone")).kind is SlotKind.APP
    assert (await login(world, "abcd efgh", None, "phone")).kind is SlotKind.APP
