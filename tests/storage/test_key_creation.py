"""A new account has one whole set of keys, or none."""

from contextlib import suppress
from random import Random

import pytest

from storage import paths
from storage.engine import EngineError
from storage.keyring.claims import CLAIM_MS
from storage.keyring.creation import AccountExists, BeingCreated, create_account_keys
from storage.keyring.keys import WrongPassword, change_password, unlock
from storage.keyring.objects import UnknownAccount, read_public
from storage.keyring.passwords import UnfitPassword
from storage.keyring.slots import SlotKind
from storage.paths import Kind
from tests.storage.vaults import ACCOUNT, DEPLOYMENT_KEY, NOW_MS, PASSWORD, SECRET, StepEngine, World
from tests.support.engines import Crash, CrashingEngine, FailingEngine

pytestmark = pytest.mark.usefixtures("every_engine")

WRITES = 6  # claim, two slots, ring, public key, claim gone


async def exists(world: World) -> bool:
    try:
        await read_public(world.engine(), DEPLOYMENT_KEY, ACCOUNT)
    except UnknownAccount:
        return False
    return True


@pytest.mark.parametrize("password", ["", "x" * 1025, "\udc80"])
async def test_an_unfit_password_makes_no_account(password: str) -> None:
    world = World()
    with pytest.raises(UnfitPassword):
        await create_account_keys(world.vault, ACCOUNT, password, SECRET)
    assert not world.objects.keys


async def test_an_account_is_not_created_twice() -> None:
    world = World()
    created = await world.create()
    before = dict(world.objects.contents)
    with pytest.raises(AccountExists):
        await create_account_keys(world.vault, ACCOUNT, "another", SECRET)
    assert world.objects.contents == before
    assert (await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])).master == created.unlocked.master


async def test_a_created_account_opens_and_leaves_no_claim() -> None:
    world = World()
    created = await world.create()
    unlocked = await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])
    assert unlocked == created.unlocked
    assert (await unlock(world.vault, ACCOUNT, created.recovery_key, [])).kind is SlotKind.RECOVERY
    assert not world.names(Kind.CLAIM)
    assert created.recovery_key not in repr(created)


async def test_what_one_node_made_another_opens() -> None:
    world = World()
    one, other = world.node(), world.node()
    created = await create_account_keys(one, ACCOUNT, PASSWORD, SECRET)
    await change_password(one, created.unlocked, "a new one", SECRET)
    assert (await unlock(other, ACCOUNT, "a new one", [SECRET])).master == created.unlocked.master
    with pytest.raises(WrongPassword):
        await unlock(other, ACCOUNT, PASSWORD, [SECRET])
    assert await read_public(other.engine, DEPLOYMENT_KEY, ACCOUNT) == (created.unlocked.public, 1)


@pytest.mark.parametrize("is_last_kept", [True, False])
@pytest.mark.parametrize("writes", range(WRITES + 1))
async def test_a_crash_at_every_write_leaves_a_whole_account_or_none(writes: int, is_last_kept: bool) -> None:
    world = World()
    with suppress(Crash):
        engine = CrashingEngine(world.engine(), writes, is_last_kept=is_last_kept)
        await create_account_keys(world.node(engine), ACCOUNT, PASSWORD, SECRET)
        assert writes == WRITES
    if not await exists(world):
        world.wall.ms += CLAIM_MS
        await create_account_keys(world.vault, ACCOUNT, PASSWORD, SECRET)
        assert [len(world.names(kind)) for kind in (Kind.SLOT, Kind.RING, Kind.PUBLIC, Kind.CLAIM)] == [2, 1, 1, 0]
    await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_the_claim_of_one_who_died_counts_for_its_time() -> None:
    world = World()
    world.objects.put(paths.claim(ACCOUNT, paths.new_id()), str(NOW_MS).encode())
    world.wall.ms += CLAIM_MS - 1
    with pytest.raises(BeingCreated):
        await world.create()
    assert len(world.names(Kind.CLAIM)) == 1
    world.wall.ms += 1
    await world.create()


async def test_a_claim_that_nobody_of_ours_wrote_holds_nobody_up() -> None:
    world = World()
    world.objects.put(paths.claim(ACCOUNT, paths.new_id()), b"for ever")
    await world.create()


async def test_a_creator_who_takes_too_long_gives_up_before_the_account_exists() -> None:
    world = World()

    async def sleep() -> None:
        world.wall.ms += CLAIM_MS

    with pytest.raises(BeingCreated):
        await create_account_keys(world.node(StepEngine(world, 9, sleep)), ACCOUNT, PASSWORD, SECRET)
    assert not await exists(world)


@pytest.mark.parametrize("step", range(18))
async def test_of_two_creators_at_once_at_most_one_succeeds(step: int) -> None:
    world = World()
    made: list[str] = []

    async def create(engine: StepEngine | None, password: str) -> None:
        with suppress(AccountExists, BeingCreated):
            await create_account_keys(world.node(engine), ACCOUNT, password, SECRET)
            made.append(password)

    await create(StepEngine(world, step, lambda: create(None, "inner")), "outer")
    assert len(made) <= 1
    if not made:
        await create(None, "inner")
    [password] = made
    await unlock(world.vault, ACCOUNT, password, [SECRET])
    assert len(world.names(Kind.PUBLIC)) == 1
    with pytest.raises(WrongPassword):
        await unlock(world.vault, ACCOUNT, "neither", [SECRET])


@pytest.mark.parametrize("seed", range(40))
async def test_an_engine_that_fails_and_is_late_never_makes_two_accounts(seed: int) -> None:
    world = World()
    engine = FailingEngine(world.engine(), Random(seed), 0.15)
    password = ""
    for attempt in range(30):
        try:
            await create_account_keys(world.node(engine), ACCOUNT, f"{attempt}", SECRET)
            password = f"{attempt}"
            break
        except AccountExists:  # an earlier attempt whose outcome was unknown
            break
        except (EngineError, BeingCreated):
            await engine.settle()
            world.wall.ms += CLAIM_MS
    await engine.settle()
    assert len(world.names(Kind.PUBLIC)) == 1
    opened = 0
    for candidate in [password] if password else [f"{attempt}" for attempt in range(30)]:
        with suppress(WrongPassword):
            await unlock(world.vault, ACCOUNT, candidate, [SECRET])
            opened += 1
    assert opened == 1
