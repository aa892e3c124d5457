"""Objects of several key epochs in one account, and nodes that hear late of a new one."""

import asyncio

import pytest

from storage import base, objects, paths
from storage.account import Account
from storage.delivery import PUBLIC_MS
from storage.engine import Unavailable
from storage.epochs import EpochKeys, StaleKeys, UnknownEpoch
from storage.keyring.keys import Unlocked
from storage.keyring.rotation import RETIRE_MS, epochs_in_use, retire, rotate
from storage.objects import FIRST, Header
from storage.paths import Kind
from storage.records import Added, Set
from storage.seal import SealError
from storage.store import Store
from tests.storage.sites import ANNA, MESSAGE, Site, deposit
from tests.storage.vaults import PASSWORD


async def opened(store: Store) -> tuple[Account, Unlocked]:
    return await store.unlock(ANNA.address, PASSWORD)


async def ids(account: Account) -> set[str]:
    async with account.turn() as state:
        return {item.id async for item in state._all()}


async def add(account: Account, *names: str) -> None:
    async with account.turn():
        await account.commit([Added(name, "inbox", "Email", 0, None) for name in names])


async def new_master(site: Site) -> Unlocked:
    """Change the master key, as a process of its own does."""
    _, unlocked = await opened(site.node())
    return (await rotate(site.store.vault, unlocked)).unlocked


def epoch_of_log(site: Site) -> list[int]:
    contents = site.world.objects.contents
    return sorted(objects.read_header(contents[name]).epoch for name in site.world.names(Kind.LOG))


# Wrong input


def test_a_key_that_is_gone_is_damage_and_one_to_come_is_not() -> None:
    keys = EpochKeys({2: b"2", 3: b"3"})
    assert (keys.epoch, keys.current, keys.epochs) == (3, b"3", [2, 3])
    assert keys.of(2, "name") == b"2"
    with pytest.raises(SealError, match="no key"):
        keys.of(1, "name")
    with pytest.raises(UnknownEpoch):
        keys.of(4, "name")
    keys.refuse("name")
    with pytest.raises(SealError):
        keys.of(4, "name")
    with pytest.raises(UnknownEpoch):
        keys.of(4, "another")
    keys.take(EpochKeys({4: b"4"}))
    assert keys.of(4, "name") == b"4"


@pytest.mark.parametrize("epoch", [0, 2, 9, 65535])
async def test_a_forged_epoch_ends_its_writers_log_alone(epoch: int) -> None:
    """Whoever can write to the bucket can name any epoch: that must lock nobody out."""
    site = await Site.made()
    account, _ = await opened(site.store)
    await add(account, "1item")
    header = Header(False, epoch, FIRST, 0)
    name = paths.log(account.id, "f" * 16, 1)
    forged = objects.make_own(name, EpochKeys({epoch: b"x" * 32}), header, 1, [])
    site.world.objects.put(name, forged)
    known = {"1item"}
    for item in ("2item", "3item"):
        assert await ids(account) == known
        await add(account, item)
        known.add(item)
        assert await ids((await opened(site.node()))[0]) == known
    assert not account.has_stale_keys


async def test_a_page_that_names_a_newer_epoch_than_its_root_is_damage() -> None:
    site = await Site.made()
    account, _ = await opened(site.store)
    await add(account, "1item")
    await account.checkpoint()
    for name in site.world.names(Kind.PAGE):
        data = site.world.objects.contents[name]
        site.world.objects.put(name, b"\x03\x00\x00\x09" + data[2:])
    with pytest.raises(SealError, match="newer key epoch"):
        await ids((await opened(site.node()))[0])


# What holds


async def test_what_was_written_before_and_after_a_new_master_is_read_alike() -> None:
    site = await Site.made()
    account, before = await opened(site.store)
    await add(account, "1item")
    await deposit(site.store.delivery)
    await account.checkpoint()
    await new_master(site)
    await deposit(site.store.delivery, MESSAGE + b"to the old public key: nobody told this node")
    await deposit(site.node().delivery, MESSAGE + b"to the new one")
    account, after = await opened(site.store)
    await add(account, "2item")
    assert epoch_of_log(site) == [1, 1, 1, 2, 2]
    assert len(await ids(account)) == 5
    assert (after.ring.ids, after.ring.tokens) == (before.ring.ids, before.ring.tokens)
    assert await ids((await opened(site.node()))[0]) == await ids(account)
    await account.checkpoint()
    assert await ids((await opened(site.node()))[0]) == await ids(account)
    async with account.turn() as state:
        contents = await state.contents([item.id async for item in state._all()])
    read = {await account.read(content) for content in contents.values()}
    assert len(read) == 3
    assert all(MESSAGE in text for text in read)


async def test_an_account_that_is_open_goes_on_with_the_new_keys_and_stays_the_same() -> None:
    """Whoever waits for its news waits at this very object."""
    site = await Site.made()
    account, _ = await opened(site.store)
    tokens = account.keys.tokens
    await add(account, "1item")
    await new_master(site)
    again, _ = await opened(site.store)
    assert again is account
    assert account.keys.epoch == 2
    assert account.keys.tokens == tokens
    await add(account, "2item")
    assert epoch_of_log(site) == [1, 2]


async def test_a_node_with_old_keys_is_told_to_unlock_again_and_loses_nothing() -> None:
    site = await Site.made()
    slow = site.node()
    account, _ = await opened(slow)
    await add(account, "1item")
    await new_master(site)
    await add(account, "2item")  # it has not heard: under the old keys
    other, _ = await opened(site.store)
    assert await ids(other) == {"1item", "2item"}
    await add(other, "3item")
    for _ in range(2):
        with pytest.raises(StaleKeys):
            await ids(account)
    assert issubclass(StaleKeys, Unavailable)
    assert account.has_stale_keys
    again, _ = await opened(slow)
    assert again is account
    assert not account.has_stale_keys
    assert await ids(account) == {"1item", "2item", "3item"}


async def test_a_checkpoint_of_a_newer_epoch_is_no_damage_either() -> None:
    site = await Site.made()
    slow = site.node()
    account, _ = await opened(slow)
    await new_master(site)
    other, _ = await opened(site.store)
    await add(other, "1item")
    await other.checkpoint()
    account.shed()
    with pytest.raises(StaleKeys):
        await ids(account)
    await opened(slow)
    assert await ids(account) == {"1item"}


async def test_an_account_made_anew_under_the_same_name_is_another_one() -> None:
    site = await Site.made()
    account, _ = await opened(site.store)
    await site.world.engine().delete([name for name in site.world.objects.keys if name.startswith(f"a/{account.id}/")])
    await site.store.create(ANNA, PASSWORD)
    again, _ = await opened(site.store)
    assert again is not account
    assert await ids(again) == set()


async def test_pages_are_sealed_anew_some_at_a_time_until_the_old_epoch_can_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = await Site.made()
    account, _ = await opened(site.store)
    for n in range(4):  # halves of pages, so that there are several
        await add(account, *(f"{place:04x}{n}item" for place in range(300)))
    await account.checkpoint()
    async with account.turn() as state:
        pages = len(state.base.refs)
    assert pages > 2
    assert not account.has_old_pages
    await new_master(site)
    account, unlocked = await opened(site.store)
    assert account.has_old_pages
    monkeypatch.setattr(base, "RENEWED_PAGES_MAX", 1)
    everything = await ids(account)
    for left in reversed(range(pages)):
        assert account.has_old_pages
        await account.checkpoint()
        async with account.turn() as state:
            assert len(state.base.pages_of_old_epochs(2)) == left
    assert not account.has_old_pages
    assert await ids((await opened(site.node()))[0]) == everything
    # What a collector removes in time: everything that the last checkpoint has taken the place of.
    named = {page for ref in state.base.refs for page in (ref.rows, ref.contents)}
    contents, names = site.world.objects.contents, site.world.names
    roots = [name for name in list(contents) if contents[name][:2] == b"PK"]
    old_pages = [name for name in names(Kind.PAGE) if paths.parse(name).id not in named]
    await site.world.engine().delete([*names(Kind.LOG), *sorted(roots)[:-1], *old_pages])
    site.world.wall.ms += RETIRE_MS + 1
    assert await epochs_in_use(site.store.vault, account.id) == {1, 2}  # the recovery key was not used yet
    assert await retire(site.store.vault, unlocked) == []


async def test_keys_of_an_ended_epoch_are_gone_and_everything_else_is_there() -> None:
    site = await Site.made()
    account, _ = await opened(site.store)
    await add(account, "1item")
    await account.checkpoint()
    unlocked = await new_master(site)
    for slot in site.world.names(Kind.SLOT):  # the main password alone is left
        if unlocked.slot_id not in slot:
            await site.world.engine().delete([slot])
    account, unlocked = await opened(site.store)
    await add(account, "2item")
    await account.checkpoint()
    async with account.turn() as state:
        named = {page for ref in state.base.refs for page in (ref.rows, ref.contents)}
    contents = site.world.objects.contents
    roots = [name for name in list(contents) if contents[name][:2] == b"PK"]
    old_pages = [name for name in site.world.names(Kind.PAGE) if paths.parse(name).id not in named]
    await site.world.engine().delete([*site.world.names(Kind.LOG), *sorted(roots)[:-1], *old_pages])
    site.world.wall.ms += RETIRE_MS + 1
    mine = [name for name in contents if account.id in name]
    assert mine
    store = site.node()
    account, unlocked = await opened(store)  # which lets them go, beside the login
    assert unlocked.ring.masters().keys() == {1, 2}
    for _ in range(100):
        await asyncio.sleep(0)
    await store.close()
    account, unlocked = await opened(site.node())
    assert unlocked.ring.masters().keys() == {2}
    assert await ids(account) == {"1item", "2item"}
    async with account.turn():
        await account.commit([Set("1item", "read", True)])


async def test_a_delivering_node_that_nobody_told_seals_to_the_new_key_within_the_hour() -> None:
    site = await Site.made()
    delivery = site.node().delivery
    await deposit(delivery)
    await new_master(site)
    await deposit(delivery, MESSAGE + b"soon after")
    assert epoch_of_log(site) == [1, 1]
    site.world.wall.ms += PUBLIC_MS
    await deposit(delivery, MESSAGE + b"an hour later")
    assert epoch_of_log(site) == [1, 1, 2]
    assert len(await site.mails()) == 3
