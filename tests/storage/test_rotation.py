"""A new master key: every password goes on opening the account, and nothing that was written is lost."""

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from storage import paths
from storage.engine import EngineError
from storage.epochs import EPOCH_MAX
from storage.keyring import rotation
from storage.keyring.claims import CLAIM_MS, Claimed
from storage.keyring.keys import (
    KeysChanged,
    Unlocked,
    WrongPassword,
    add_slot,
    change_password,
    list_slots,
    renew_recovery_key,
    revoke,
    unlock,
)
from storage.keyring.mending import LATE_MS
from storage.keyring.objects import load, pack_public, read_public
from storage.keyring.passwords import make_slot
from storage.keyring.rings import Epoch, Ring, pack_ring, read_ring
from storage.keyring.rotation import RETIRE_MS, TooManyEpochs, epochs_in_use, retire, rotate
from storage.keyring.slots import SlotKind, unpack_slot
from storage.paths import Kind, Version
from storage.seal import SealError, derive, keyed_hash, new_key, new_key_pair, open_, open_sealed, seal, seal_to
from tests.storage.vaults import ACCOUNT, DEPLOYMENT_KEY, PASSWORD, SECRET, StepEngine, World
from tests.support.engines import Crash, CrashingEngine, FailingEngine

APP = "abcd-efgh-ijkl-mnop"
WRITES = 8  # claim, ring, public key, old ring, old public key, claim gone; and room


class Home(World):
    """An account with all three kinds of slots."""

    recovery_key: str

    @classmethod
    async def made(cls) -> "Home":
        home = cls()
        home.recovery_key = (await home.create()).recovery_key
        await add_slot(home.vault, await home.main(), SlotKind.APP, APP, SECRET, device_id="phone", label="Anna's")
        return home

    def twin(self) -> "Home":
        other = Home()
        other.objects.contents, other.objects.keys = dict(self.objects.contents), list(self.objects.keys)
        other.wall.ms, other.recovery_key = self.wall.ms, self.recovery_key
        return other

    async def main(self) -> Unlocked:
        return await unlock(self.node(), ACCOUNT, PASSWORD, [SECRET])

    async def app(self) -> Unlocked:
        return await unlock(self.node(), ACCOUNT, APP, [SECRET], "phone")

    async def recovery(self) -> Unlocked:
        return await unlock(self.node(), ACCOUNT, self.recovery_key, [])

    async def all(self) -> list[Unlocked]:
        """Open the account by every slot, each as it stands in the store now."""
        return [await self.twin().main(), await self.twin().app(), await self.twin().recovery()]


@pytest.fixture
async def home() -> Home:
    return await Home.made()


async def all_open(home: Home) -> set[int]:
    """Open by every slot, check that the keys fit what is delivered now; return the epochs that they found."""
    public = (await read_public(home.engine(), DEPLOYMENT_KEY, ACCOUNT)).key
    opened = await home.all()
    for unlocked in opened:
        boxed = seal_to(public, "mail", b"plain", compress=False)
        assert open_sealed(unlocked.private_keys, "mail", boxed) == b"plain"
    assert len({unlocked.master for unlocked in opened}) == 1
    return {unlocked.epoch for unlocked in opened}


# Wrong input


async def test_keys_of_before_change_nothing_any_more(home: Home) -> None:
    before = await home.main()
    await rotate(home.vault, before)
    for act in (
        lambda: rotate(home.vault, before),
        lambda: change_password(home.vault, before, "a new one", SECRET),
        lambda: add_slot(home.vault, before, SlotKind.APP, "another", SECRET, device_id="tablet"),
    ):
        with pytest.raises(KeysChanged):
            await act()
    assert await all_open(home) == {2}
    assert not home.names(Kind.CLAIM)


async def test_there_is_an_end_to_epochs(home: Home) -> None:
    unlocked = await home.main()
    name = paths.ring(ACCOUNT, paths.NO_VERSION.next().next())
    last = replace(unlocked.ring.newest, number=EPOCH_MAX)
    ring = replace(unlocked.ring, epochs=(last, unlocked.ring.newest))
    heirs = [slot.slot.public for slot in (await load(home.vault, ACCOUNT)).living]
    home.objects.put(name, pack_ring(DEPLOYMENT_KEY, name, ring, heirs))
    with pytest.raises(TooManyEpochs):
        await rotate(home.vault, await home.main())


# What holds


async def test_every_password_opens_the_new_keys_and_the_old_ones_with_them(home: Home) -> None:
    before = await home.main()
    made = await rotate(home.vault, before)
    assert made.unlocked.epoch == 2
    assert not made.left_out
    assert made.unlocked.master != before.master
    assert made.unlocked.public != before.public
    assert await read_public(home.engine(), DEPLOYMENT_KEY, ACCOUNT) == (made.unlocked.public, 2)
    for unlocked in await home.all():
        assert unlocked.ring == made.unlocked.ring
        assert unlocked.ring.master(1) == before.master
        assert unlocked.private_keys == (*made.unlocked.private_keys[:1], *before.private_keys)


async def test_ids_and_sync_keys_outlive_a_new_master(home: Home) -> None:
    before = await home.main()
    after = (await rotate(home.vault, before)).unlocked
    assert (after.ring.ids, after.ring.tokens) == (derive(before.master, "ids"), derive(before.master, "tokens"))


async def test_the_next_use_seals_the_new_master_into_the_slot(home: Home) -> None:
    await rotate(home.vault, await home.main())
    for open_slot in (home.main, home.app, home.recovery):
        unlocked = await open_slot()
        slot = (await load(home.vault, ACCOUNT)).slots[unlocked.slot_id]
        assert slot.slot.epoch == 2
        assert slot.name == unlocked.slot_name
        assert (await open_slot()).slot_name == unlocked.slot_name  # once is enough
    assert {info.label for info in await list_slots(home.vault, await home.main())} == {"", "Anna's"}


async def test_a_slot_that_slept_through_several_changes_opens(home: Home) -> None:
    for epoch in (2, 3, 4):
        assert (await rotate(home.vault, await home.main())).unlocked.epoch == epoch
    assert await all_open(home) == {4}
    assert [one.number for one in (await home.app()).ring.epochs] == [4, 3, 2, 1]
    assert len(home.names(Kind.RING)) == len(home.names(Kind.PUBLIC)) == 1


async def test_whoever_has_the_old_master_does_not_get_the_new_one(home: Home) -> None:
    old = (await home.main()).master
    new = (await rotate(home.vault, await home.main())).unlocked.master
    for name, data in home.objects.contents.items():
        assert new not in data
        for purpose in ("ring", "slot", "slot note", "log", "page"):
            for start in range(0, min(len(data), 64)):
                with pytest.raises(SealError):
                    open_(derive(old, purpose), name, data[start:])
        if paths.parse(name).kind is Kind.RING:
            with pytest.raises(SealError):
                open_(derive(old, "ring"), name, data[read_ring(DEPLOYMENT_KEY, name, data).sealed_at :])


async def test_a_new_password_after_a_new_master_opens_and_the_old_one_does_not(home: Home) -> None:
    made = await rotate(home.vault, await home.main())
    await change_password(home.vault, made.unlocked, "a new one", SECRET)
    assert (await unlock(home.vault, ACCOUNT, "a new one", [SECRET])).epoch == 2
    with pytest.raises(WrongPassword):
        await home.main()
    key = await renew_recovery_key(home.vault, made.unlocked)
    assert (await unlock(home.vault, ACCOUNT, key, [])).epoch == 2


async def test_a_revoked_slot_inherits_nothing(home: Home) -> None:
    slot_id = (await home.app()).slot_id
    public = (await load(home.vault, ACCOUNT)).slots[slot_id].slot.public
    await revoke(home.vault, ACCOUNT, slot_id)
    await rotate(home.vault, await home.main())
    assert public not in (await load(home.vault, ACCOUNT)).ring().heirs


# Crashes and races


@pytest.mark.parametrize("is_last_kept", [True, False])
@pytest.mark.parametrize("writes", range(WRITES))
async def test_every_slot_opens_after_a_crash_at_every_write(home: Home, writes: int, is_last_kept: bool) -> None:
    unlocked = await home.main()
    public = (await read_public(home.engine(), DEPLOYMENT_KEY, ACCOUNT)).key
    with suppress(Crash):
        await rotate(home.node(CrashingEngine(home.engine(), writes, is_last_kept=is_last_kept)), unlocked)
    boxed = seal_to(public, "mail", b"plain", compress=False)  # by a node that knows the old public key
    for opened in await home.all():
        assert open_sealed(opened.private_keys, "mail", boxed) == b"plain"
    (epoch,) = {opened.epoch for opened in await home.all()}
    await home.main()  # mends
    assert await read_public(home.engine(), DEPLOYMENT_KEY, ACCOUNT) == ((await home.main()).public, epoch)
    assert await all_open(home) == {epoch}
    home.wall.ms += CLAIM_MS
    assert (await rotate(home.vault, await home.main())).unlocked.epoch == epoch + 1
    assert await all_open(home) == {epoch + 1}


@pytest.mark.parametrize("step", range(16))
async def test_of_two_at_once_at_most_one_wins_and_the_other_is_told(home: Home, step: int) -> None:
    unlocked = await home.main()
    won: list[Unlocked] = []

    async def other() -> None:
        with suppress(Claimed, KeysChanged):
            won.append((await rotate(home.vault, unlocked)).unlocked)

    with suppress(Claimed, KeysChanged):
        won.append((await rotate(home.node(StepEngine(home, step, other)), unlocked)).unlocked)
    assert len(won) <= 1
    for opened in await home.all():
        assert opened.master == (won[0] if won else unlocked).master
    assert not home.names(Kind.CLAIM)


@pytest.mark.parametrize("step", range(20))
async def test_a_password_that_is_changed_meanwhile_opens_or_was_not_changed(home: Home, step: int) -> None:
    unlocked = await home.main()
    engine = StepEngine(home, step, lambda: rotate(home.vault, unlocked))
    password = PASSWORD
    with suppress(KeysChanged):
        await change_password(home.node(engine), unlocked, "a new one", SECRET)
        password = "a new one"
    opened = await unlock(home.twin().vault, ACCOUNT, password, [SECRET])
    assert opened.master == (await home.recovery()).master


@pytest.mark.parametrize("step", range(20))
async def test_a_password_that_is_added_meanwhile_opens_or_was_not_added(home: Home, step: int) -> None:
    unlocked = await home.main()
    is_added = False

    async def add() -> None:
        nonlocal is_added
        with suppress(KeysChanged):
            await add_slot(home.vault, unlocked, SlotKind.APP, "another", SECRET, device_id="tablet")
            is_added = True

    await rotate(home.node(StepEngine(home, step, add)), unlocked)
    if is_added:
        assert (await unlock(home.twin().vault, ACCOUNT, "another", [SECRET], "tablet")).epoch == 2
    assert await all_open(home) == {2}


async def test_a_slot_that_arrives_late_is_sealed_to_by_the_next_unlock(home: Home) -> None:
    unlocked = await home.main()
    name = paths.slot(ACCOUNT, paths.new_id(), paths.NO_VERSION.next())
    late = await make_slot(
        home.vault, name, SlotKind.APP, b"another", SECRET, unlocked.ring.newest, note=("tablet", "")
    )
    home.wall.ms += LATE_MS - 1
    await rotate(home.vault, unlocked)
    home.wall.ms += 10 * LATE_MS
    home.objects.put(name, late)
    with pytest.raises(SealError, match="use another one, once"):
        await unlock(home.twin().vault, ACCOUNT, "another", [SECRET], "tablet")
    await home.app()
    assert (await unlock(home.vault, ACCOUNT, "another", [SECRET], "tablet")).epoch == 2
    assert await all_open(home) == {2}


@pytest.mark.parametrize("step", range(12))
async def test_an_unlock_beside_a_new_master_gives_the_old_or_the_new_keys(home: Home, step: int) -> None:
    unlocked = await home.main()
    engine = StepEngine(home, step, lambda: rotate(home.vault, unlocked))
    opened = await unlock(home.node(engine), ACCOUNT, APP, [SECRET], "phone")
    assert opened.epoch in {1, 2}
    await home.main()  # perhaps it was an unlock alone
    assert len(await all_open(home)) == 1


@pytest.mark.parametrize("is_published", [True, False])
@pytest.mark.parametrize("tag", ["00000001", "ffffffff"])
async def test_a_ring_that_arrives_late_displaces_none_that_is_in_use(home: Home, tag: str, is_published: bool) -> None:
    """Of a change that was given up so long ago that its claim is gone: its keys are nobody's."""
    unlocked = await home.main()
    lost = home.twin()
    await rotate(lost.vault, unlocked)
    heirs = [slot.slot.public for slot in (await load(home.vault, ACCOUNT)).living]
    ring = (await lost.main()).ring
    name = paths.ring(ACCOUNT, Version(2, tag))
    late = pack_ring(DEPLOYMENT_KEY, name, ring, heirs)
    if not is_published:  # nor is anybody else's: then either will do, for all
        home.objects.put(name, late)
        assert {one.master for one in await home.all()} == {ring.newest.master}
        return
    made = await rotate(home.vault, unlocked)
    await home.app()  # its slot is of the new epoch
    home.objects.put(name, late)
    for opened in await home.all():
        assert opened.ring == made.unlocked.ring
    await home.main()
    assert name not in home.names(Kind.RING)
    assert await all_open(home) == {2}


@pytest.mark.parametrize("seed", range(40))
async def test_an_engine_that_fails_and_is_late_locks_nobody_out(home: Home, seed: int) -> None:
    random = Random(seed)
    engine = FailingEngine(home.engine(), random, 0.15)
    for _ in range(6):
        with suppress(EngineError, Claimed, KeysChanged):
            opened = await unlock(home.node(engine), ACCOUNT, PASSWORD, [SECRET])
            if random.random() < 0.5:
                opened = await unlock(home.node(engine), ACCOUNT, APP, [SECRET], "phone")
            await rotate(home.node(engine), opened)
        await engine.settle()
        home.wall.ms += CLAIM_MS
        assert len({opened.master for opened in await home.all()}) == 1
    await home.main()
    await home.main()
    assert len(await all_open(home)) == 1


async def test_a_claim_of_the_dead_counts_for_its_time(home: Home) -> None:
    unlocked = await home.main()
    with suppress(Crash):
        await rotate(home.node(CrashingEngine(home.engine(), 1)), unlocked)
    with pytest.raises(Claimed):
        await rotate(home.vault, unlocked)
    home.wall.ms += CLAIM_MS
    assert (await rotate(home.vault, unlocked)).unlocked.epoch == 2


async def test_who_takes_too_long_changes_nothing(home: Home) -> None:
    async def sleep() -> None:
        home.wall.ms += CLAIM_MS

    unlocked = await home.main()
    with pytest.raises(Claimed):
        await rotate(home.node(StepEngine(home, 3, sleep)), unlocked)
    assert await all_open(home) == {1}


# Forgeries, damage, rolling back


async def rotated(home: Home) -> Unlocked:
    return (await rotate(home.vault, await home.main())).unlocked


async def test_every_flipped_byte_and_every_cut_of_the_new_objects_is_noticed(home: Home) -> None:
    await rotated(home)
    for name in home.names(Kind.RING) + home.names(Kind.PUBLIC):
        data = home.objects.contents[name]
        spoilt = [data[:at] + bytes((data[at] ^ (1 << at % 8),)) + data[at + 1 :] for at in range(0, len(data), 3)]
        for other in [*spoilt, *(data[:size] for size in range(0, len(data), 7))]:
            home.objects.put(name, other)
            with pytest.raises(SealError) as caught:
                await unlock(home.vault, ACCOUNT, APP, [SECRET], "phone")
            assert caught.value.name.startswith(f"a/{ACCOUNT}/")
        home.objects.put(name, data)
    assert await all_open(home) == {2}


async def test_a_ring_under_another_name_is_refused(home: Home) -> None:
    await rotated(home)
    [name] = home.names(Kind.RING)
    data = home.objects.contents[name]
    await home.engine().delete([name])
    home.objects.put(paths.ring(ACCOUNT, Version(9, "00000000")), data)
    with pytest.raises(SealError, match="deployment key"):
        await home.app()


@pytest.mark.parametrize("kinds", [(Kind.RING,), (Kind.RING, Kind.PUBLIC)], ids=str)
async def test_a_ring_that_is_rolled_back_is_noticed(home: Home, kinds: tuple[Kind, ...]) -> None:
    old = {name: home.objects.contents[name] for kind in kinds for name in home.names(kind)}
    await rotated(home)
    await home.main()  # its slot is of the new epoch now
    await home.engine().delete([name for kind in kinds for name in home.names(kind)])
    for name, data in old.items():
        home.objects.put(name, data)
    for open_slot in (home.main, home.app, home.recovery):
        with pytest.raises(SealError):
            await open_slot()


async def test_a_public_key_that_is_rolled_back_is_published_anew(home: Home) -> None:
    old = {name: home.objects.contents[name] for name in home.names(Kind.PUBLIC)}
    unlocked = await rotated(home)
    await home.engine().delete(home.names(Kind.PUBLIC))
    for name, data in old.items():
        home.objects.put(name, data)
    await home.app()
    assert await read_public(home.engine(), DEPLOYMENT_KEY, ACCOUNT) == (unlocked.public, 2)


async def test_a_public_key_of_the_same_epoch_that_nobody_can_open_is_refused(home: Home) -> None:
    await rotated(home)
    name = paths.public(ACCOUNT, Version(2, "ffffffff"))  # by somebody who has the deployment key
    home.objects.put(name, pack_public(DEPLOYMENT_KEY, name, new_key_pair()[1]))
    with pytest.raises(SealError, match="no ring"):
        await home.app()


async def test_a_slot_without_an_owners_proof_inherits_nothing_and_is_named(home: Home) -> None:
    """A delivering node has the deployment key; it must not be given the next master key."""
    name = paths.slot(ACCOUNT, paths.new_id(), paths.NO_VERSION.next())
    thief = Ring((Epoch(1, new_key(), new_key()),), b"", b"").newest
    forged = await make_slot(home.vault, name, SlotKind.APP, b"thief", SECRET, thief, note=("phone", ""))
    home.objects.put(name, forged)
    made = await rotate(home.vault, await home.main())
    assert made.left_out == [paths.parse(name).id]
    public = unpack_slot(DEPLOYMENT_KEY, name, "", paths.parse(name).version, forged).public
    assert public not in (await load(home.vault, ACCOUNT)).ring().heirs


async def test_a_ring_by_somebody_without_the_old_master_is_refused(home: Home) -> None:
    """With the deployment key he may seal whatever master to the slots: it is none of theirs."""
    name = paths.ring(ACCOUNT, Version(2, "ffffffff"))
    forged = Ring((Epoch(2, new_key(), new_key()), Epoch(1, new_key(), new_key())), new_key(), new_key())
    heirs = [slot.slot.public for slot in (await load(home.vault, ACCOUNT)).living]
    home.objects.put(name, pack_ring(DEPLOYMENT_KEY, name, forged, heirs))
    for open_slot in (home.main, home.app, home.recovery):
        with pytest.raises(SealError, match="does not know the master key before"):
            await open_slot()


async def test_a_ring_without_the_deployment_key_locks_nobody_out(home: Home) -> None:
    unlocked = await home.main()
    name = paths.ring(ACCOUNT, Version(paths.NUMBER_MAX, "ffffffff"))
    heirs = [slot.slot.public for slot in (await load(home.vault, ACCOUNT)).living]
    ring = replace(unlocked.ring, epochs=(Epoch(2, new_key(), new_key()), *unlocked.ring.epochs))
    home.objects.put(name, pack_ring(bytes(32), name, ring, heirs))
    assert await all_open(home) == {1}
    await rotated(home)
    assert await all_open(home) == {2}


async def test_rings_of_the_first_version_open_and_can_be_changed(home: Home) -> None:
    unlocked = await home.main()
    [name] = home.names(Kind.RING)
    private = unlocked.ring.newest.private
    home.objects.put(name, seal(derive(unlocked.master, "ring"), name, private, compress=False))
    for slot_name in home.names(Kind.SLOT):  # their slots said nothing of epochs
        parsed = paths.parse(slot_name)
        data = home.objects.contents[slot_name]
        slot = unpack_slot(DEPLOYMENT_KEY, slot_name, parsed.id, parsed.version, data)
        assert slot.epoch == 1
        home.objects.put(slot_name, _as_first_written(slot_name, data, unlocked.master))
    assert (await home.main()).ring == unlocked.ring
    assert await all_open(home) == {1}
    await rotated(home)
    assert await all_open(home) == {2}


def _as_first_written(name: str, data: bytes, master: bytes) -> bytes:
    """Return a slot without the fields that came later."""
    fields = data[33:-32]
    assert fields[:1] == b"\x9b"  # a list of 11
    parsed = paths.parse(name)
    hint = unpack_slot(DEPLOYMENT_KEY, name, parsed.id, parsed.version, data).hint
    short = b"\x99" + fields[1 : -(len(hint) + 3)]
    proof = keyed_hash(derive(master, "slot"), name.encode(), short, size=32)
    body = b"\x01" + proof + short
    return body + keyed_hash(derive(DEPLOYMENT_KEY, "slot"), name.encode(), body, size=32)


@pytest.mark.parametrize("change", ["revoked", "changed"])
async def test_a_slot_that_is_put_back_from_before_a_new_master_is_refused_and_named(home: Home, change: str) -> None:
    """Whoever may write to the bucket can undo a revocation, but not one that a new master key followed."""
    old = {name: home.objects.contents[name] for name in home.names(Kind.SLOT)}
    unlocked = await home.main()
    home.wall.ms += LATE_MS
    if change == "revoked":
        await revoke(home.vault, ACCOUNT, (await home.app()).slot_id)
    else:
        await change_password(home.vault, unlocked, "a new one", SECRET)
    after = await rotate(home.vault, unlocked)
    await home.engine().delete(home.names(Kind.SLOT))
    for name, data in old.items():
        home.objects.put(name, data)
    slots = (await load(home.vault, ACCOUNT)).slots
    app = next(slot.name for slot in slots.values() if slot.slot.kind is SlotKind.APP)
    main = next(slot.name for slot in slots.values() if slot.slot.kind is SlotKind.MAIN)
    assert (app if change == "revoked" else main) in old
    for _ in range(2):
        with pytest.raises(SealError, match=f"a/{ACCOUNT}/ring/"):
            await (home.app() if change == "revoked" else home.main())
        assert (await home.recovery()).ring == after.unlocked.ring  # which mends, but not this
    again = await rotate(home.vault, await home.recovery())
    assert again.left_out == [paths.parse(app if change == "revoked" else main).id]
    with pytest.raises(SealError, match=f"a/{ACCOUNT}/ring/"):
        await (home.app() if change == "revoked" else home.main())


# The end of an epoch


async def test_an_epoch_ends_when_nothing_is_left_of_it_and_not_before_its_time(home: Home) -> None:
    unlocked = await rotated(home)
    assert await epochs_in_use(home.vault, ACCOUNT) == {1}  # the slots
    assert await retire(home.vault, unlocked) == []
    home.wall.ms += RETIRE_MS + 1
    assert await retire(home.vault, unlocked) == []
    for open_slot in (home.main, home.app, home.recovery):
        await open_slot()
    home.objects.put(paths.log(ACCOUNT, "a" * 16, 1), b"PB\x01\x01\x00\x01")
    assert await retire(home.vault, unlocked) == []
    await home.engine().delete([paths.log(ACCOUNT, "a" * 16, 1)])
    assert await epochs_in_use(home.vault, ACCOUNT) == {2}
    assert await retire(home.vault, await home.main()) == [1]
    assert [one.number for one in (await home.app()).ring.epochs] == [2]
    assert await all_open(home) == {2}
    assert len(home.names(Kind.RING)) == 1
    assert (await rotated(home)).epoch == 3
    assert await all_open(home) == {3}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (paths.log(ACCOUNT, "a" * 16, 1), b"PB\x01\x00\x00\x01" + bytes(30)),
        (paths.checkpoint(ACCOUNT, "b" * 32), b"PK\x01\x01" + bytes(30)),
        (paths.page(ACCOUNT, "c" * 32), b"\x01\x01" + bytes(50)),
    ],
    ids=["commit", "checkpoint", "page"],
)
async def test_an_epoch_stays_while_any_object_names_it(home: Home, name: str, data: bytes) -> None:
    await rotated(home)
    for open_slot in (home.main, home.app, home.recovery):
        await open_slot()
    home.objects.put(name, data)
    home.wall.ms += RETIRE_MS + 1
    assert await epochs_in_use(home.vault, ACCOUNT) == {1, 2}
    assert await retire(home.vault, await home.main()) == []


async def test_epochs_are_read_from_headers_some_at_a_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "HEADERS_AT_ONCE", 2)
    for n in range(1, 6):
        home.objects.put(paths.log(ACCOUNT, "a" * 16, n), b"PB\x01\x00" + n.to_bytes(2, "big"))
    assert await epochs_in_use(home.vault, ACCOUNT) == {1, 2, 3, 4, 5}
