"""The store: who gets in, in what time, and that an account is one."""

import pytest

from storage import seal, store
from storage.directories.directory import Mailbox
from storage.errors import UnknownAddress
from storage.feeds.feed import LocalFeed
from storage.keyring import passwords
from storage.keyring.creation import AccountExists
from storage.keyring.keys import WrongPassword, add_slot
from storage.keyring.recovery import new_app_password
from storage.keyring.slots import SlotKind
from storage.store import Store
from tests.storage.nodes import mail
from tests.storage.sites import ANNA, BOB, NOBODY, Site, Users, deposit
from tests.storage.vaults import PASSWORD, SECRET, World

pytestmark = pytest.mark.usefixtures("every_engine")


class Runs:
    """Counts Argon2 runs: what an unlock costs, and so the time that it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(passwords, "stretch", self._stretch)

    def _stretch(self, secret: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
        self.count += 1
        return seal.stretch(secret, salt, memory_kib, passes, lanes)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        (ANNA.address, "wrong"),
        ("nobody@example.org", PASSWORD),
        (NOBODY.address, PASSWORD),
        (ANNA.address, ""),
        ("", ""),
    ],
)
async def test_whoever_does_not_get_in_waits_as_long_as_who_does(
    monkeypatch: pytest.MonkeyPatch, login: str, password: str
) -> None:
    site = await Site.made()
    runs = Runs(monkeypatch)
    await site.node().unlock(ANNA.address, PASSWORD)
    due, runs.count = runs.count, 0
    with pytest.raises(WrongPassword):
        await site.node().unlock(login, password)
    assert runs.count == due == 1


async def test_an_account_is_opened_once_a_process() -> None:
    site = await Site.made()
    one, unlocked = await site.store.unlock(ANNA.address, PASSWORD)
    other, _ = await site.store.unlock(ANNA.address, PASSWORD)
    assert one is other
    assert unlocked.account == one.id == site.store.account_id(ANNA)
    assert one.identity.addresses == ANNA.addresses
    assert (await site.store.unlock(BOB.address, PASSWORD))[0] is not one


async def test_new_names_of_a_user_leave_his_account_the_same() -> None:
    site = await Site.made()
    one, _ = await site.store.unlock(ANNA.address, PASSWORD)
    renamed = Mailbox(ANNA.address, ("anna.s@example.org",), "Anna S.")
    site.store.directory = Users(renamed)
    other, _ = await site.store.unlock(ANNA.address, PASSWORD)
    assert one is other
    assert one.identity.addresses == renamed.addresses
    assert one.identity.display_name == "Anna S."


async def test_a_user_who_leaves_the_directory_meanwhile_is_nobody() -> None:
    class Leaving(Users):
        async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
            raise UnknownAddress(mailbox.address)

    site = await Site.made()
    site.store.directory = Leaving(ANNA)
    with pytest.raises(WrongPassword):
        await site.store.unlock(ANNA.address, PASSWORD)


async def test_any_of_those_who_may_be_meant_gets_in_by_his_own_password() -> None:
    class Twins(Users):
        async def login(self, name: str) -> tuple[Mailbox, ...]:
            return tuple(self.mailboxes)

    world = World()
    made = Store(world.engine(), Twins(NOBODY, ANNA, BOB), world.vault, LocalFeed(), world.wall)
    await made.create(ANNA, PASSWORD)
    await made.create(BOB, "of bob alone")
    account, _ = await made.unlock("twin", "of bob alone")
    assert account.identity.address == BOB.address


async def test_an_app_password_opens_on_its_device_alone() -> None:
    site = await Site.made()
    _, unlocked = await site.store.unlock(ANNA.address, PASSWORD)
    password = new_app_password()
    await add_slot(site.world.vault, unlocked, SlotKind.APP, password, SECRET, device_id="phone")
    await site.node().unlock(ANNA.address, password, "phone")
    with pytest.raises(WrongPassword):
        await site.node().unlock(ANNA.address, password, "tablet")


async def test_an_account_is_created_once() -> None:
    site = await Site.made()
    with pytest.raises(AccountExists):
        await site.store.create(ANNA, "another")


async def test_news_of_commits_and_deliveries_come_by_the_feed() -> None:
    site = await Site.made()
    told: list[str | None] = []
    site.store.feed.subscribe(lambda news: told.append(news.account_id))
    account, _ = await site.store.unlock(ANNA.address, PASSWORD)
    async with account.turn():
        await account.commit([mail("1item")])
    await deposit(site.store.delivery)
    assert told == [account.id, account.id]


async def test_what_was_under_way_is_finished_at_the_end() -> None:
    site = await Site.made()
    await site.store.unlock(ANNA.address, PASSWORD)
    await deposit(site.store.delivery)
    await site.store.close()
    assert len(await site.mails()) == 1


def test_the_wall_clock_counts_milliseconds() -> None:
    assert 1_700_000_000_000 < store.wall_ms() < 1 << 42
