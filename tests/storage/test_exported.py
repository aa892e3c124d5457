"""Keys as text, and an account that is opened with them when nothing else opens it."""

from contextlib import suppress
from dataclasses import replace

import pytest

from storage import paths
from storage.keyring.claims import CLAIM_MS
from storage.keyring.exported import TEXT_CHARS_MAX, BadKeys, ExportedKeys, export_keys, import_keys
from storage.keyring.keys import Unlocked, WrongPassword, add_slot, unlock
from storage.keyring.objects import load, read_public
from storage.keyring.passwords import UnfitPassword
from storage.keyring.recovering import OldKeys, OtherAccount, recover
from storage.keyring.rotation import rotate
from storage.keyring.slots import SlotKind
from storage.paths import Kind
from tests.storage.vaults import ACCOUNT, DEPLOYMENT_KEY, PASSWORD, SECRET, World
from tests.support.engines import Crash, CrashingEngine

ADDRESS = "anna@example.org"


@pytest.fixture
async def world() -> World:
    made = World()
    await made.create()
    return made


async def exported(world: World, epochs: int = 1) -> ExportedKeys:
    unlocked = await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])
    for _ in range(epochs - 1):
        unlocked = (await rotate(world.vault, unlocked)).unlocked
    return ExportedKeys(ACCOUNT, ADDRESS, unlocked.ring)


async def opened(world: World, password: str) -> Unlocked:
    return await unlock(world.node(), ACCOUNT, password, [SECRET])


# Wrong input


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("account =", "count =", "account is missing"),
        ('account = "', 'account = "x', "not the keys"),
        ("number = 1", "number = 0", "number"),
        ("number = 1", "number = 256", "number"),
        ("number = 1", 'number = "1"', "number"),
        ("number = 1", "number = 2", "order"),
        ("[[epoch]]", "[epoch]", "TOML|keys|missing"),
        ("[[epoch]]", "[[epochs]]", "epoch is missing"),
        ("until_ms = 1700000000000", 'until_ms = "x"', "until_ms"),
        ('master = "', 'master = "!', "master is not base64"),
        ('private = "', 'private = "AAAA', "private is not"),
        ('ids = "', "ids = 1 #", "ids is not base64"),
        ("tokens =", "broken = = ", "TOML"),
    ],
)
async def test_what_is_no_export_is_said_to_be_none_and_not_shown(
    world: World, old: str, new: str, reason: str
) -> None:
    text = export_keys(await exported(world, 2))
    assert old in text
    with pytest.raises(BadKeys, match=reason) as caught:
        import_keys(text.replace(old, new))
    for line in text.splitlines():
        secret = line.partition(" = ")[2].strip('"')
        assert len(secret) < 40 or secret == ACCOUNT or secret not in str(caught.value)


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(BadKeys, match="too long"):
        import_keys("#" * (TEXT_CHARS_MAX + 1))


async def test_keys_of_another_account_are_refused(world: World) -> None:
    other = replace(await exported(world), account="0" * 32)
    with pytest.raises(OtherAccount):
        await recover(world.vault, ACCOUNT, other, "new", SECRET)


async def test_keys_of_before_the_last_change_are_refused_and_nothing_is_changed(world: World) -> None:
    old = await exported(world)
    await exported(world, 2)
    before = dict(world.objects.contents)
    with pytest.raises(OldKeys):
        await recover(world.vault, ACCOUNT, old, "new", SECRET)
    assert world.objects.contents == before


async def test_an_unfit_password_is_refused(world: World) -> None:
    with pytest.raises(UnfitPassword):
        await recover(world.vault, ACCOUNT, await exported(world), "", SECRET)


# What holds


@pytest.mark.parametrize("epochs", [1, 3])
async def test_import_undoes_export_and_nothing_secret_is_in_a_repr(world: World, epochs: int) -> None:
    keys = await exported(world, epochs)
    text = "# a comment\n" + export_keys(keys)
    assert import_keys(text) == keys
    assert repr(keys.ring.newest.master) not in repr(keys)
    assert repr(keys.ring.tokens) not in repr(keys)


@pytest.mark.parametrize(
    "lost", [(), (Kind.SLOT,), (Kind.SLOT, Kind.RING), (Kind.SLOT, Kind.RING, Kind.PUBLIC)], ids=str
)
@pytest.mark.parametrize("is_damaged", [True, False])
@pytest.mark.parametrize("epochs", [1, 2])
async def test_an_account_that_lost_its_keys_opens_again(
    world: World, lost: tuple[Kind, ...], is_damaged: bool, epochs: int
) -> None:
    keys = await exported(world, epochs)
    await opened(world, PASSWORD)
    for kind in lost:
        for name in world.names(kind):
            if is_damaged:
                world.objects.put(name, b"damaged")
            else:
                await world.engine().delete([name])
    made = await recover(world.vault, ACCOUNT, keys, "a new one", SECRET)
    for unlocked in (await opened(world, "a new one"), await unlock(world.vault, ACCOUNT, made.recovery_key, [])):
        assert unlocked.ring == keys.ring
    assert await read_public(world.engine(), DEPLOYMENT_KEY, ACCOUNT) == (keys.ring.public, epochs)
    with pytest.raises(WrongPassword):
        await opened(world, PASSWORD)
    assert not world.names(Kind.CLAIM)


async def test_passwords_that_still_open_stay(world: World) -> None:
    keys = await exported(world)
    unlocked = await opened(world, PASSWORD)
    await add_slot(world.vault, unlocked, SlotKind.APP, "abcd", SECRET, device_id="phone")
    await recover(world.vault, ACCOUNT, keys, "a new one", SECRET)
    assert (await unlock(world.vault, ACCOUNT, "abcd", [SECRET], "phone")).ring == keys.ring


async def test_the_rings_newer_knowledge_is_kept(world: World) -> None:
    """Old epochs may have ended since the export."""
    keys = await exported(world, 2)
    longer = replace(keys, ring=replace(keys.ring, epochs=(*keys.ring.epochs, keys.ring.epochs[-1])))
    await recover(world.vault, ACCOUNT, longer, "a new one", SECRET)
    assert (await opened(world, "a new one")).ring == keys.ring


@pytest.mark.parametrize("is_last_kept", [True, False])
@pytest.mark.parametrize("writes", range(8))
async def test_what_died_can_be_done_again(world: World, writes: int, is_last_kept: bool) -> None:
    keys = await exported(world, 2)
    for kind in (Kind.SLOT, Kind.RING, Kind.PUBLIC):
        await world.engine().delete(world.names(kind))
    engine = CrashingEngine(world.engine(), writes, is_last_kept=is_last_kept)
    with suppress(Crash):
        await recover(world.node(engine), ACCOUNT, keys, "a new one", SECRET)
    world.wall.ms += CLAIM_MS
    await recover(world.vault, ACCOUNT, keys, "another", SECRET)
    assert (await opened(world, "another")).ring == keys.ring
    assert len((await load(world.vault, ACCOUNT)).rings) == 1
    assert all(paths.parse(name).account == ACCOUNT for name in world.objects.keys)
