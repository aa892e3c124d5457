"""Passwords open accounts: the right one, on the right device, after every crash, and nobody's forgery."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from storage import paths
from storage.engine import EngineError
from storage.keyring import passwords
from storage.keyring.creation import create_account_keys
from storage.keyring.keys import (
    DEVICE_ID_CHARS_MAX,
    LABEL_CHARS_MAX,
    SECRETS_MAX,
    SLOTS_MAX,
    TRIED_SLOTS_MAX,
    MainSlot,
    SlotChanged,
    TooManySlots,
    UnknownSlot,
    Unlocked,
    WrongPassword,
    add_slot,
    change_password,
    list_slots,
    renew_recovery_key,
    revoke,
    unlock,
)
from storage.keyring.objects import UnknownAccount, load, pack_public, read_public
from storage.keyring.passwords import PASSWORD_BYTES_MAX, UnfitPassword
from storage.keyring.recovery import new_app_password
from storage.keyring.rings import Epoch, Ring
from storage.keyring.slots import SlotKind, pack_slot
from storage.paths import Kind
from storage.seal import SealError, new_key_pair, open_sealed, seal_to
from tests.storage.vaults import ACCOUNT, DEPLOYMENT_KEY, PASSWORD, SECRET, StepEngine, World, with_cost
from tests.support.engines import CountingEngine, Crash, CrashingEngine, SlowEngine

pytestmark = pytest.mark.usefixtures("every_engine")

BAD_PASSWORDS = ["", "x" * (PASSWORD_BYTES_MAX + 1), "\udc80"]


@pytest.fixture
async def world() -> World:
    made = World()
    await made.create()
    return made


async def opens(world: World, password: str = PASSWORD, secret: bytes = SECRET, device_id: str = "") -> bool:
    """Say whether the password opens the account, and check that the keys then fit each other."""
    try:
        unlocked = await unlock(world.node(), ACCOUNT, password, [secret], device_id)
    except WrongPassword:
        return False
    public = await read_public(world.engine(), DEPLOYMENT_KEY, ACCOUNT)
    assert open_sealed(unlocked.private_keys, "mail", seal_to(public.key, "mail", b"plain", compress=False)) == b"plain"
    return True


async def unlocked_of(world: World) -> Unlocked:
    return await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])


# Wrong input


@pytest.mark.parametrize("password", ["correct horsf", PASSWORD.upper(), PASSWORD + " ", *BAD_PASSWORDS])
async def test_a_wrong_password_does_not_open(world: World, password: str) -> None:
    assert not await opens(world, password)


async def test_a_wrong_user_secret_does_not_open(world: World) -> None:
    assert not await opens(world, secret=b"")
    assert not await opens(world, PASSWORD + SECRET.decode(), b"")
    assert not await opens(world, PASSWORD[:-1], PASSWORD[-1:].encode() + SECRET)


async def test_an_account_without_keys_is_unknown(world: World) -> None:
    other = paths.account_of(DEPLOYMENT_KEY, "bert@example.org")
    with pytest.raises(UnknownAccount):
        await unlock(world.vault, other, PASSWORD, [SECRET])
    with pytest.raises(UnknownAccount):
        await read_public(world.engine(), DEPLOYMENT_KEY, other)


@pytest.mark.parametrize("password", BAD_PASSWORDS)
async def test_an_unfit_password_is_never_set(world: World, password: str) -> None:
    unlocked = await unlocked_of(world)
    with pytest.raises(UnfitPassword):
        await change_password(world.vault, unlocked, password, SECRET)
    with pytest.raises(UnfitPassword):
        await add_slot(world.vault, unlocked, SlotKind.APP, password, SECRET, device_id="phone")
    with pytest.raises(UnfitPassword):
        await add_slot(world.vault, unlocked, SlotKind.RECOVERY, password, SECRET)
    assert await opens(world)


async def test_the_longest_password_opens(world: World) -> None:
    longest = "x" * PASSWORD_BYTES_MAX
    await change_password(world.vault, await unlocked_of(world), longest, SECRET)
    assert await opens(world, longest)


@pytest.mark.parametrize(
    ("kind", "device_id", "label"),
    [
        (SlotKind.MAIN, "", ""),
        (SlotKind.APP, "", ""),
        (SlotKind.RECOVERY, "phone", ""),
        (SlotKind.APP, "x" * (DEVICE_ID_CHARS_MAX + 1), ""),
        (SlotKind.APP, "phone", "x" * (LABEL_CHARS_MAX + 1)),
    ],
)
async def test_a_slot_that_cannot_be_is_refused(world: World, kind: SlotKind, device_id: str, label: str) -> None:
    with pytest.raises(ValueError, match="device"):
        await add_slot(
            world.vault, await unlocked_of(world), kind, "password", SECRET, device_id=device_id, label=label
        )


async def test_a_device_has_few_app_passwords_and_an_account_many(world: World) -> None:
    unlocked = await unlocked_of(world)

    async def add(device_id: str) -> str:
        return await add_slot(world.vault, unlocked, SlotKind.APP, new_app_password(), SECRET, device_id=device_id)

    ids = [await add("phone") for _ in range(TRIED_SLOTS_MAX)]
    with pytest.raises(TooManySlots):
        await add("phone")
    await revoke(world.vault, ACCOUNT, ids[0])
    await add("phone")
    for number in range(SLOTS_MAX - TRIED_SLOTS_MAX - 2):  # a main slot and a recovery key are there
        await add(f"phone {number}")
    with pytest.raises(TooManySlots):
        await add("one more")


async def test_what_cannot_be_revoked_is_said(world: World) -> None:
    with pytest.raises(UnknownSlot):
        await revoke(world.vault, ACCOUNT, paths.new_id())
    with pytest.raises(MainSlot):
        await revoke(world.vault, ACCOUNT, (await unlocked_of(world)).slot_id)
    assert await opens(world)


# What opens


async def test_composed_and_decomposed_letters_are_one_password(world: World) -> None:
    await change_password(world.vault, await unlocked_of(world), "caf\u00e9", SECRET)
    assert await opens(world, "cafe\u0301")


async def test_an_app_password_opens_on_its_device_alone(world: World) -> None:
    password = new_app_password()
    slot_id = await add_slot(
        world.vault, await unlocked_of(world), SlotKind.APP, password, SECRET, device_id="phone", label="Anna's"
    )
    unlocked = await unlock(world.vault, ACCOUNT, password, [SECRET], "phone")
    assert (unlocked.kind, unlocked.slot_id) == (SlotKind.APP, slot_id)
    assert await opens(world, password.upper().replace("-", " "), device_id="phone")
    assert await opens(world, password, device_id="PHONE")
    assert not await opens(world, password, device_id="phone2")
    assert not await opens(world, password)
    assert not await opens(world, password, b"another", "phone")
    assert await opens(world, device_id="phone")


async def test_a_recovery_key_opens_without_the_user_secret_and_sets_a_new_password() -> None:
    world = World()
    created = await world.create()
    unlocked = await unlock(world.vault, ACCOUNT, created.recovery_key.lower().replace("-", " "), [])
    assert unlocked.kind is SlotKind.RECOVERY
    assert unlocked.master == created.unlocked.master
    await change_password(world.vault, unlocked, "a new one", b"a new secret")
    assert await opens(world, "a new one", b"a new secret")
    assert not await opens(world)


async def test_a_password_of_dashes_is_one(world: World) -> None:
    await change_password(world.vault, await unlocked_of(world), "---", SECRET)  # as an app password it is empty
    assert await opens(world, "---", device_id="phone")


async def test_slots_are_listed_to_their_owner(world: World) -> None:
    unlocked = await unlocked_of(world)
    world.wall.ms += 1
    await add_slot(world.vault, unlocked, SlotKind.APP, "password", SECRET, device_id="phone", label="Anna's")
    infos = await list_slots(world.vault, unlocked)
    assert (infos[0].kind, infos[0].device_id, infos[0].label) == (SlotKind.APP, "phone", "Anna's")
    assert {info.kind for info in infos[1:]} == {SlotKind.MAIN, SlotKind.RECOVERY}


async def test_the_store_shows_neither_device_nor_label(world: World) -> None:
    await add_slot(
        world.vault, await unlocked_of(world), SlotKind.APP, "password", SECRET, device_id="the phone", label="Anna's"
    )
    stored = b"".join(world.objects.contents.values()) + "".join(world.objects.keys).encode()
    for secret in (b"the phone", b"Anna", b"anna", PASSWORD.encode(), SECRET):
        assert secret not in stored


def test_nothing_secret_is_in_a_repr() -> None:
    unlocked = Unlocked(
        "account", Ring((Epoch(1, b"MASTER", b"PRIVATE"),), b"SECRETS", b"SECRETS"), "slot", SlotKind.MAIN
    )
    assert "MASTER" not in repr(unlocked)
    assert "PRIVATE" not in repr(unlocked)
    assert "SECRETS" not in repr(unlocked.ring)
    assert repr(DEPLOYMENT_KEY) not in repr(World().vault)


# Changing


async def test_a_changed_password_opens_and_the_old_one_is_gone_from_the_store(world: World) -> None:
    before = await unlocked_of(world)
    await change_password(world.vault, before, "a new one", SECRET)
    after = await unlock(world.vault, ACCOUNT, "a new one", [SECRET])
    assert (after.master, after.slot_id) == (before.master, before.slot_id)
    assert not await opens(world)
    assert len(world.names(Kind.SLOT)) == 2


async def test_a_revoked_slot_opens_nothing_and_stays_revoked(world: World) -> None:
    unlocked = await unlocked_of(world)
    slot_id = await add_slot(world.vault, unlocked, SlotKind.APP, "password", SECRET, device_id="phone")
    [version] = [name for name in world.names(Kind.SLOT) if slot_id in name]
    data = world.objects.contents[version]
    await revoke(world.vault, ACCOUNT, slot_id)
    await revoke(world.vault, ACCOUNT, slot_id)
    assert not await opens(world, "password", device_id="phone")
    assert len([name for name in world.names(Kind.SLOT) if slot_id in name]) == 1
    world.objects.put(version, data)  # a delayed put of the older version arrives
    assert not await opens(world, "password", device_id="phone")
    assert slot_id not in [info.id for info in await list_slots(world.vault, unlocked)]


async def test_a_change_made_beside_a_revocation_does_not_undo_it(world: World) -> None:
    unlocked = await unlocked_of(world)
    slot_id = await add_slot(world.vault, unlocked, SlotKind.APP, "password", SECRET, device_id="phone")
    await revoke(world.vault, ACCOUNT, slot_id)
    name = paths.slot(ACCOUNT, slot_id, paths.Version(9, "ffffffff"))
    slot = await passwords.make_slot(
        world.vault, name, SlotKind.APP, b"password", SECRET, unlocked.ring.newest, note=("phone", "")
    )
    world.objects.put(name, slot)
    assert not await opens(world, "password", device_id="phone")


async def test_a_new_recovery_key_ends_the_old_one() -> None:
    world = World()
    created = await world.create()
    key = await renew_recovery_key(world.vault, created.unlocked)
    assert await opens(world, key)
    assert not await opens(world, created.recovery_key)


async def test_an_alternate_secret_opens_and_the_slot_moves_to_the_current_one(world: World) -> None:
    assert (await unlock(world.vault, ACCOUNT, PASSWORD, [b"new", b"newer", SECRET])).kind is SlotKind.MAIN
    assert await opens(world, secret=b"new")
    assert not await opens(world)
    assert len(world.names(Kind.SLOT)) == 2


async def test_one_secret_past_the_bound_is_not_tried(world: World) -> None:
    secrets = [b"%d" % number for number in range(SECRETS_MAX)]
    with pytest.raises(WrongPassword):
        await unlock(world.vault, ACCOUNT, PASSWORD, [*secrets, SECRET])
    await unlock(world.vault, ACCOUNT, PASSWORD, [*secrets[1:], SECRET])


async def test_a_raised_cost_is_taken_over_at_the_next_unlock_and_a_lowered_one_is_not(world: World) -> None:
    unlocked = await unlocked_of(world)
    await add_slot(world.vault, unlocked, SlotKind.APP, "password", SECRET, device_id="phone", label="Anna's")
    dear = with_cost(world.vault, 64)
    await unlock(dear, ACCOUNT, PASSWORD, [SECRET])
    await unlock(dear, ACCOUNT, "password", [SECRET], "phone")
    for vault in (dear, world.vault):
        await unlock(vault, ACCOUNT, "password", [SECRET], "phone")
        stored = await load(vault, ACCOUNT)
        costs = {slot.slot.kind: slot.slot.cost.memory_kib for slot in stored.living}
        assert costs == {SlotKind.MAIN: 64, SlotKind.APP: 64, SlotKind.RECOVERY: 8}
    assert "Anna's" in [info.label for info in await list_slots(dear, unlocked)]


async def test_raising_the_cost_unasked_loses_against_a_change_of_the_password(world: World) -> None:
    unlocked = await unlocked_of(world)
    changed = False

    async def change_meanwhile() -> None:
        nonlocal changed
        if not changed:
            changed = True
            await change_password(world.vault, unlocked, "a new one", SECRET)

    class ChangesBeforePut(SlowEngine):
        async def _read(self, _verb: str) -> None: ...

    await unlock(
        with_cost(world.node(ChangesBeforePut(world.engine(), change_meanwhile)), 64), ACCOUNT, PASSWORD, [SECRET]
    )
    assert changed
    assert await opens(world, "a new one")
    assert not await opens(world)


# Crashes and races

Change = Callable[[World, Unlocked, CrashingEngine], Awaitable[object]]

CHANGES: dict[str, Change] = {
    "change": lambda world, unlocked, engine: change_password(world.node(engine), unlocked, "a new one", SECRET),
    "alternate": lambda world, _, engine: unlock(world.node(engine), ACCOUNT, PASSWORD, [b"new", SECRET]),
    "add": lambda world, unlocked, engine: add_slot(
        world.node(engine), unlocked, SlotKind.APP, "password", SECRET, device_id="phone"
    ),
    "renew": lambda world, unlocked, engine: renew_recovery_key(world.node(engine), unlocked),
}


@pytest.mark.parametrize("is_last_kept", [True, False])
@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_an_account_opens_after_a_crash_at_every_write(
    world: World, change: Change, writes: int, is_last_kept: bool
) -> None:
    engine = CrashingEngine(world.engine(), writes, is_last_kept=is_last_kept)
    with suppress(Crash):
        await change(world, await unlocked_of(world), engine)
    tried = [await opens(world), await opens(world, "a new one"), await opens(world, secret=b"new")]
    assert tried.count(True) == 1
    await change_password(world.vault, await unlock_any(world), "the last", SECRET)
    assert await opens(world, "the last")


async def unlock_any(world: World) -> Unlocked:
    for password, secret in ((PASSWORD, SECRET), ("a new one", SECRET), (PASSWORD, b"new")):
        with suppress(WrongPassword):
            return await unlock(world.node(), ACCOUNT, password, [secret])
    raise AssertionError("the account does not open")


@pytest.mark.parametrize("is_last_kept", [True, False])
@pytest.mark.parametrize("writes", range(3))
async def test_a_revocation_that_died_is_done_or_to_be_repeated(world: World, writes: int, is_last_kept: bool) -> None:
    unlocked = await unlocked_of(world)
    slot_id = await add_slot(world.vault, unlocked, SlotKind.APP, "password", SECRET, device_id="phone")
    with suppress(Crash):
        await revoke(world.node(CrashingEngine(world.engine(), writes, is_last_kept=is_last_kept)), ACCOUNT, slot_id)
    assert await opens(world, "password", device_id="phone") is (writes == 0 and not is_last_kept)
    await revoke(world.vault, ACCOUNT, slot_id)
    assert not await opens(world, "password", device_id="phone")


@pytest.mark.parametrize("step", range(8))
async def test_of_two_changes_at_once_one_is_in_force_and_no_loser_is_told_that_he_won(world: World, step: int) -> None:
    unlocked = await unlocked_of(world)
    told: list[str] = []

    async def change(engine: StepEngine | None, password: str) -> None:
        try:
            await change_password(world.node(engine), unlocked, password, SECRET)
        except SlotChanged:
            return
        told.append(password)

    await change(StepEngine(world, step, lambda: change(None, "inner")), "outer")
    in_force = [password for password in (PASSWORD, "inner", "outer") if await opens(world, password)]
    assert len(in_force) == 1
    assert in_force[0] in told


@pytest.mark.parametrize("step", range(8))
async def test_an_unlock_beside_a_change_opens_or_says_wrong_password(world: World, step: int) -> None:
    unlocked = await unlocked_of(world)
    engine = StepEngine(world, step, lambda: change_password(world.vault, unlocked, "a new one", SECRET))
    with suppress(WrongPassword):
        assert (await unlock(world.node(engine), ACCOUNT, PASSWORD, [SECRET])).master == unlocked.master


async def test_keys_that_vanish_at_every_look_are_reported_as_unavailable(world: World) -> None:
    class Vanishing(CountingEngine):
        async def get_many(self, keys: object) -> list[bytes | None]:
            return [None] * len(list(keys))  # type: ignore[call-overload]

    with pytest.raises(EngineError):
        await unlock(world.node(Vanishing(world.engine())), ACCOUNT, PASSWORD, [SECRET])


# Forgeries and damage


async def test_every_flipped_byte_of_every_key_object_is_noticed(world: World) -> None:
    for name in world.names(Kind.PUBLIC) + world.names(Kind.RING) + world.names(Kind.SLOT):
        data = world.objects.contents[name]
        is_recovery = paths.parse(name).kind is Kind.SLOT and (await unlocked_of(world)).slot_id not in name
        for place in range(len(data)):
            world.objects.put(name, data[:place] + bytes((data[place] ^ (1 << place % 8),)) + data[place + 1 :])
            if is_recovery:  # another slot's damage does not lock the user out
                assert await opens(world)
                continue
            with pytest.raises(SealError):
                await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])
        world.objects.put(name, data)
    assert await opens(world)


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(200)])
async def test_key_objects_cut_short_are_refused(world: World, data: bytes) -> None:
    for kind in (Kind.PUBLIC, Kind.RING, Kind.SLOT):
        broken = world.copy()
        for name in broken.names(kind):
            broken.objects.put(name, data)
        with pytest.raises(SealError):
            await unlock(broken.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_a_damaged_slot_is_refused_rather_than_its_older_version_taken(world: World) -> None:
    [main] = [name for name in world.names(Kind.SLOT) if (await unlocked_of(world)).slot_id in name]
    parsed = paths.parse(main)
    world.objects.put(paths.slot(ACCOUNT, parsed.id, parsed.version.next()), b"damaged")
    with pytest.raises(SealError):
        await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])
    with pytest.raises(SealError):
        await revoke(world.vault, ACCOUNT, parsed.id)


async def test_a_damaged_main_slot_is_replaced_with_the_recovery_key() -> None:
    world = World()
    created = await world.create()
    [main] = [name for name in world.names(Kind.SLOT) if created.unlocked.slot_id in name]
    world.objects.put(main, b"damaged")
    unlocked = await unlock(world.vault, ACCOUNT, created.recovery_key, [])
    await change_password(world.vault, unlocked, "a new one", SECRET)
    assert await opens(world, "a new one")


async def test_key_objects_of_another_account_do_not_open_here(world: World) -> None:
    other = paths.account_of(DEPLOYMENT_KEY, "bert@example.org")
    await create_account_keys(world.vault, other, PASSWORD, SECRET)
    for kind in (Kind.PUBLIC, Kind.RING, Kind.SLOT):
        swapped = world.copy()
        theirs = [name for name in swapped.names(kind) if other in name]
        for name, their_name in zip([name for name in swapped.names(kind) if ACCOUNT in name], theirs, strict=True):
            swapped.objects.put(name, swapped.objects.contents[their_name])
        with pytest.raises(SealError):
            await unlock(swapped.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_slots_swapped_within_an_account_do_not_open(world: World) -> None:
    one, other = world.names(Kind.SLOT)
    contents = world.objects.contents
    contents[one], contents[other] = contents[other], contents[one]
    with pytest.raises(SealError):
        await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_a_public_key_put_there_without_the_deployment_key_is_refused(world: World) -> None:
    name = paths.public(ACCOUNT, paths.Version(2, "ffffffff"))
    world.objects.put(name, pack_public(bytes(32), name, new_key_pair()[1]))
    with pytest.raises(SealError):
        await read_public(world.engine(), DEPLOYMENT_KEY, ACCOUNT)


async def test_a_public_key_whose_private_half_nobody_has_is_reported(world: World) -> None:
    name = paths.public(ACCOUNT, paths.Version(2, "ffffffff"))  # by somebody with the deployment key: a delivery node
    world.objects.put(name, pack_public(DEPLOYMENT_KEY, name, new_key_pair()[1]))
    with pytest.raises(SealError, match="no ring"):
        await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_a_slot_with_another_public_key_needs_the_masters_proof(world: World) -> None:
    """Else a delivery node, which has the deployment key, could have the next master key sealed to itself."""
    unlocked = await unlocked_of(world)
    stored = (await load(world.vault, ACCOUNT)).slots[unlocked.slot_id]
    forged = replace(stored.slot, public=new_key_pair()[1])
    world.objects.put(stored.name, pack_slot(DEPLOYMENT_KEY, stored.name, forged, bytes(32)))
    with pytest.raises(SealError, match="no owner"):
        await unlock(world.vault, ACCOUNT, PASSWORD, [SECRET])


async def test_foreign_objects_among_the_keys_lock_nobody_out(world: World) -> None:
    world.objects.put(f"a/{ACCOUNT}/slot/README", b"what is this?")
    world.objects.put(f"a/{ACCOUNT}/ring/README", b"")
    world.objects.put(f"a/{ACCOUNT}/public/zzz", b"")
    assert await opens(world)
    assert await read_public(world.engine(), DEPLOYMENT_KEY, ACCOUNT)


# Cost


async def test_an_unlock_costs_one_listing_and_one_read(world: World) -> None:
    engine = CountingEngine(world.engine())
    await unlock(world.node(engine), ACCOUNT, PASSWORD, [SECRET])
    assert engine.calls == {"list": 1, "get_many": 1}


async def test_a_caller_who_gives_up_leaves_his_run_its_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    finish = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asyncio.run_coroutine_threadsafe(finish.wait(), loop).result()
        running -= 1
        return bytes(32)

    monkeypatch.setattr(passwords, "stretch", slow)
    tasks = [asyncio.create_task(passwords.spend_as_unlock(world.vault)) for _ in range(6)]
    for task in tasks[:4]:
        while running < 2:
            await asyncio.sleep(0)
        task.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    finish.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 2


async def test_an_unknown_login_takes_a_run_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0

    def count(*_: object) -> bytes:
        nonlocal runs
        runs += 1
        return bytes(32)

    monkeypatch.setattr(passwords, "stretch", count)
    await passwords.spend_as_unlock(world.vault)
    with pytest.raises(WrongPassword):
        await unlock(world.vault, ACCOUNT, "\udc80", [SECRET])
    assert runs == 2
