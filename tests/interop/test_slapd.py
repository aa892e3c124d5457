"""The LDAP directory against Debian's slapd: who is found, who gets in, and what its outages do."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
import structlog

from eas.cli import admin, admin_keys
from eas.login.sessions import CHECK_SECONDS, VERIFY_SECONDS, LoginRefused, Sessions
from eas.run.app import App
from eas.settings import Settings
from eas.wire.listeners import Listener
from lmtp.listen import open_sockets
from lmtp.settings import Settings as LmtpSettings
from storage.directories.accounts_file import StaticAccount
from storage.directories.directory import Domains, Entry
from storage.directories.ldap import CACHED_MAX, LdapDirectory
from storage.directories.ldap_servers import AWAY_SECONDS, IDLE_SECONDS
from storage.errors import DirectoryUnavailable, UnknownAddress
from storage.keyring.keys import WrongPassword
from storage.keyring.slots import CHEAPEST, SlotKind
from storage.opening import open_store
from storage.settings import Settings as StorageSettings
from storage.startup import create_deployment_key
from storage.store import Store
from storage.toml_tables import toml_value
from tests.eas.world import World
from tests.interop.slapd import PEOPLE, Slapd, running_slapd
from tests.sources import ROOT
from tests.support.client import Device, EasClient

pytestmark = pytest.mark.interop

MESSAGE = b"From: friend@example.net\r\nTo: anna@example.test\r\nSubject: Hello\r\n\r\nText.\r\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Users whom no test changes."""
    with running_slapd(tmp_path_factory.mktemp("slapd")) as slapd:
        slapd.add("anna", petitBleuAlias=["info@example.test", "Anna.B@Example.TEST", "no address"], petitBleuQuota="5")
        slapd.add("bert", cn="Bert Müller", mail=["bert@example.test", "aa-bert@example.test"])
        slapd.add("carl", cn="Carl-Otto de Vries", petitBleuSecretAlternate=["older", "old"])
        slapd.add("dora", petitBleuAlias="shared@example.test", petitBleuSecret="")
        slapd.add("emil", petitBleuAlias="shared@example.test")
        slapd.add("o'neil (x)", mail="oneil@example.test", cn="Star * (x)")
        yield slapd


@pytest.fixture
def slapd(tmp_path: Path) -> Iterator[Slapd]:
    """One to be changed, stopped and frozen."""
    with running_slapd(tmp_path / "slapd") as slapd:
        slapd.add("anna", petitBleuAlias="info@example.test")
        yield slapd


class Clock:
    """A clock to be set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def directory_of(slapd: Slapd, clock: Clock | None = None, **changes: object) -> AsyncIterator[LdapDirectory]:
    directory = LdapDirectory(
        slapd.settings(**changes), Domains.of(["example.test"], {"EXAMPLE": "example.test"}), clock=clock or Clock()
    )
    try:
        yield directory
    finally:
        await directory.close()


# -- who is found


async def test_an_address_is_whoever_has_it(shared: Slapd) -> None:
    async with directory_of(shared) as directory:
        for address in ("anna@example.test", "ANNA@Example.Test", "info@example.test", "anna.b@example.test"):
            mailbox = await directory.resolve(address)
            assert mailbox.address == "anna@example.test"
        assert mailbox.aliases == ("anna.b@example.test", "info@example.test")
        assert (mailbox.quota_bytes, mailbox.identity, mailbox.display_name) == (5000, "anna", "User anna")
        assert (await directory.resolve("bert@example.test")).addresses == ("aa-bert@example.test", "bert@example.test")


@pytest.mark.parametrize(
    "address",
    ["nobody@example.test", "*@example.test", "a*@example.test", "anna@example.tes", "nn@example.test", "anna@*",
     "petitbleu@example.test", "anna@example.test\\00", "ånna@example.test", "x" * 60 + "@example.test"],
)  # fmt: skip
async def test_nobody_has_another_address(shared: Slapd, address: str) -> None:
    async with directory_of(shared) as directory:
        with pytest.raises(UnknownAddress):
            await directory.resolve(address)


async def test_two_owners_of_one_address_make_mail_wait(shared: Slapd) -> None:
    async with directory_of(shared) as directory:
        with structlog.testing.capture_logs() as logs, pytest.raises(DirectoryUnavailable):
            await directory.resolve("shared@example.test")
        assert [log["event"] for log in logs] == ["directory.entry_unfit"]


async def test_two_addresses_without_an_identity_make_mail_wait(shared: Slapd) -> None:
    async with directory_of(shared, identity_attribute="") as directory:
        with pytest.raises(DirectoryUnavailable):
            await directory.resolve("bert@example.test")
        assert (await directory.resolve("anna@example.test")).identity == "anna@example.test"


@pytest.mark.parametrize(
    "name", ["anna", "ANNA", "anna@example.test", "EXAMPLE\\anna", "WORKGROUP\\anna", "info@example.test"]
)
async def test_a_login_is_read_as_phones_send_it(shared: Slapd, name: str) -> None:
    async with directory_of(shared) as directory:
        [mailbox] = await directory.login(name)
        assert mailbox.address == "anna@example.test"


@pytest.mark.parametrize(
    "name",
    ["", "*", "a*", "anna)(uid=*", "anna)(|(uid=*)", "anna\\2a", "an\x00na",
     "nobody", "nobody@example.test", "é" * 200, "(", "\\"],
)  # fmt: skip
async def test_nonsense_is_nobodys_login(shared: Slapd, name: str) -> None:
    async with directory_of(shared) as directory:
        assert await directory.login(name) == ()


async def test_a_login_may_hold_what_filters_are_made_of(shared: Slapd) -> None:
    async with directory_of(shared) as directory:
        [mailbox] = await directory.login("o'neil (x)")
        assert mailbox.address == "oneil@example.test"
        assert await directory.verify(mailbox, "pw-o'neil (x)")
    async with directory_of(shared, bind_as=f"uid={{login}},{PEOPLE}") as directory:
        assert await directory.verify(mailbox, "pw-o'neil (x)")


async def test_without_a_login_attribute_the_part_before_the_at_is_the_login(shared: Slapd) -> None:
    async with directory_of(shared, login_attribute="") as directory:
        [mailbox] = await directory.login("aa-bert")
        assert mailbox.identity == "bert"
        assert await directory.login("an*") == ()


async def test_secrets_are_the_current_one_and_then_the_older(shared: Slapd) -> None:
    async with directory_of(shared) as directory:
        carl = await directory.resolve("carl@example.test")
        assert await directory.user_secrets(carl) == (b"of carl", b"old", b"older")
        with pytest.raises(DirectoryUnavailable):  # without a secret of his own, and no common one
            await directory.user_secrets(await directory.resolve("dora@example.test"))
    async with directory_of(shared, common_secret="common to all users") as directory:
        [dora] = await directory.user_secrets(await directory.resolve("dora@example.test"))
        assert await directory.user_secrets(carl) != (dora,)


async def test_the_address_book_finds_words_by_their_beginning(shared: Slapd) -> None:
    async with directory_of(shared) as directory:
        assert await directory.search("mull bert", 10) == []  # slapd tells u from ü
        assert await directory.search("müll bert", 10) == [Entry("Bert Müller", "aa-bert@example.test")]
        for text in ("otto", "de vr", "carl otto", "carl@example"):
            assert await directory.search(text, 10) == [Entry("Carl-Otto de Vries", "carl@example.test")]
        assert [entry.address for entry in await directory.search("us", 10)] == [
            f"{user}@example.test" for user in ("anna", "dora", "emil")
        ]
        assert len(await directory.search("example", 2)) == 2
        assert (
            await directory.search("*", 10) == await directory.search("tto", 10) == await directory.search("x", 0) == []
        )
        assert await directory.search("(x)", 10) == [Entry("Star * (x)", "oneil@example.test")]


async def test_more_people_than_the_server_allows_are_some(slapd: Slapd) -> None:
    with (slapd.folder / "slapd.conf").open("a") as file:
        file.write("limits * size=3\n")
    for n in range(6):
        slapd.add(f"u{n}")
    slapd.stop()
    slapd.start()
    async with directory_of(slapd) as directory:
        assert len(await directory.search("example", 100)) == 3


# -- who gets in


@pytest.mark.parametrize(
    "changes", [{}, {"bind_as": f"uid={{login}},{PEOPLE}"}, {"bind_as": f"uid={{user}},{PEOPLE}"}], ids=str
)
async def test_a_password_is_right_if_the_directory_takes_it(shared: Slapd, changes: dict[str, str]) -> None:
    async with directory_of(shared, None, **changes) as directory:
        anna = await directory.resolve("anna@example.test")
        assert await directory.verify(anna, "pw-anna")
        for wrong in ("pw-anna ", "PW-ANNA", "pw-bert", "", "\x00", "x" * 2000, "\ud800"):
            assert not await directory.verify(anna, wrong)


async def test_a_template_for_nobody_lets_nobody_in(shared: Slapd) -> None:
    async with directory_of(shared, bind_as="uid={login},ou=nowhere") as directory:
        assert not await directory.verify(await directory.resolve("anna@example.test"), "pw-anna")


async def test_searches_never_run_with_the_rights_of_a_user(shared: Slapd) -> None:
    async with directory_of(shared, connections_max=1) as directory:
        anna = await directory.resolve("anna@example.test")
        assert await directory.verify(anna, "pw-anna")
        assert await directory.user_secrets(anna) == (b"of anna",)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_what_is_sent_is_encrypted_where_it_has_to_be(tmp_path: Path, scheme: str) -> None:
    with running_slapd(tmp_path / "slapd", needs_tls=True) as slapd:
        slapd.add("anna")
        url = slapd.url if scheme == "ldap" else f"ldaps://127.0.0.1:{slapd.tls_port}"
        async with directory_of(slapd, servers=[url], start_tls=True, ca_file=str(slapd.ca_file)) as directory:
            anna = await directory.resolve("anna@example.test")
            assert await directory.verify(anna, "pw-anna")
            assert not await directory.verify(anna, "wrong")
        async with directory_of(slapd, servers=[url], start_tls=True) as directory:  # signed by nobody we know
            with pytest.raises(DirectoryUnavailable, match="certificate verify failed"):
                await directory.resolve("anna@example.test")
        name = url.replace("127.0.0.1", "127.0.0.2")  # not in the certificate; slapd does not listen there either
        async with directory_of(slapd, servers=[name], start_tls=True, ca_file=str(slapd.ca_file)) as directory:
            with pytest.raises(DirectoryUnavailable):
                await directory.resolve("anna@example.test")
        async with directory_of(slapd, start_tls=False) as directory:
            with pytest.raises(DirectoryUnavailable, match="confidentiality"):
                await directory.resolve("anna@example.test")


async def test_a_server_without_starttls_gets_no_password(slapd: Slapd) -> None:
    text = (slapd.folder / "slapd.conf").read_text()
    kept = [line for line in text.splitlines() if not line.startswith("TLS")]
    (slapd.folder / "slapd.conf").write_text("\n".join(kept) + "\n")
    slapd.stop()
    slapd.start()
    async with directory_of(slapd, start_tls=True, ca_file=str(slapd.ca_file)) as directory:
        with pytest.raises(DirectoryUnavailable):
            await directory.resolve("anna@example.test")


# -- outages


async def test_a_directory_that_is_away_knows_nothing_and_comes_back(slapd: Slapd) -> None:
    clock = Clock()
    async with directory_of(slapd, clock) as directory:
        directory._servers._clock = clock
        anna = await directory.resolve("anna@example.test")
        slapd.stop()
        for address in ("anna@example.test", "nobody@example.test"):
            with pytest.raises(DirectoryUnavailable):
                await directory.resolve(address)
        with pytest.raises(DirectoryUnavailable):
            await directory.login("anna")
        with pytest.raises(DirectoryUnavailable):
            await directory.search("anna", 10)
        with pytest.raises(DirectoryUnavailable):
            await directory.user_secrets(anna)
        with pytest.raises(DirectoryUnavailable):
            await directory.verify(anna, "pw-anna")
        slapd.start()
        with pytest.raises(DirectoryUnavailable, match="a moment ago"):  # it is not asked again at once
            await directory.resolve("anna@example.test")
        clock.now += AWAY_SECONDS
        assert await directory.resolve("anna@example.test") == anna


async def test_a_restart_between_two_questions_is_not_noticed(slapd: Slapd) -> None:
    async with directory_of(slapd) as directory:
        await asyncio.gather(*(directory.resolve(f"{user}@example.test") for user in ("anna", "anna", "info")))
        slapd.stop()
        slapd.start()
        assert await directory.resolve("anna@example.test")


async def test_idle_connections_are_not_trusted_for_long(slapd: Slapd) -> None:
    clock = Clock()
    async with directory_of(slapd, clock) as directory:
        directory._servers._clock = clock
        await directory.resolve("anna@example.test")
        [kept] = directory._servers._idle
        await directory.resolve("anna@example.test")
        [again] = directory._servers._idle
        assert again.connection is kept.connection
        clock.now += IDLE_SECONDS + 1
        await directory.resolve("anna@example.test")
        [fresh] = directory._servers._idle
        assert fresh.connection is not kept.connection


async def test_a_server_that_says_nothing_holds_up_nobody_for_long(slapd: Slapd) -> None:
    async with directory_of(slapd) as directory:
        await directory.resolve("anna@example.test")
        slapd.freeze()
        started = time.monotonic()
        outcomes = await asyncio.gather(
            *(directory.resolve(f"u{n}@example.test") for n in range(200)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {DirectoryUnavailable}
        assert time.monotonic() - started < 4
        slapd.thaw()


async def test_the_second_server_is_asked_while_the_first_is_away(shared: Slapd, slapd: Slapd) -> None:
    async with directory_of(shared, servers=[slapd.url, shared.url]) as directory:
        bert_is_only_there = "bert@example.test"
        with pytest.raises(UnknownAddress):
            await directory.resolve(bert_is_only_there)
        slapd.stop()
        bert = await directory.resolve(bert_is_only_there)
        assert await directory.verify(bert, "pw-bert")
        slapd.start()
        slapd.freeze()
        directory._servers._away.clear()
        assert await directory.resolve(bert_is_only_there) == bert
        slapd.thaw()


@pytest.mark.parametrize(
    "changes",
    [
        {"bind_password": "wrong"},
        {"bind_dn": "", "bind_password": ""},
        {"base": "ou=nowhere,dc=example,dc=test"},
        {"users_filter": "(objectClass=nobody)"},
        {"bind_dn": f"uid=anna,{PEOPLE}", "bind_password": "pw-anna"},
    ],
    ids=str,
)
async def test_a_directory_that_shows_nobody_does_not_say_unknown(shared: Slapd, changes: dict[str, str]) -> None:
    async with directory_of(shared, None, **changes) as directory:
        for address in ("anna@example.test", "nobody@example.test"):
            with pytest.raises(DirectoryUnavailable):
                await directory.resolve(address)


async def test_an_answer_is_believed_for_a_while_and_nobody_is_not(slapd: Slapd) -> None:
    clock = Clock()
    async with directory_of(slapd, clock, cache_seconds=10) as directory:
        with pytest.raises(UnknownAddress):
            await directory.resolve("bert@example.test")
        slapd.add("bert")
        await directory.resolve("bert@example.test")
        await directory.login("bert")
        slapd.remove("bert")
        assert await directory.resolve("bert@example.test")
        assert await directory.login("bert")
        clock.now += 10
        with pytest.raises(UnknownAddress):
            await directory.resolve("bert@example.test")
        assert await directory.login("bert") == ()


async def test_a_burst_for_one_address_is_one_question(shared: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with directory_of(shared, cache_seconds=10) as directory:
        search = directory._servers.search

        async def counting(text: str, *others: object) -> object:
            asked.append(text)
            return await search(text, *others)  # type: ignore[arg-type]

        monkeypatch.setattr(directory._servers, "search", counting)
        await asyncio.gather(*(directory.resolve("anna@example.test") for _ in range(500)))
        await directory.resolve("anna@example.test")
        assert len(asked) == 1
        monkeypatch.setattr("storage.directories.ldap.CACHED_MAX", 1)
        await directory.resolve("carl@example.test")
        await directory.resolve("anna@example.test")
        assert len(asked) == 3
        assert len(directory._cached) == 1 < CACHED_MAX


# -- a whole server


@dataclass
class Site:
    """A server whose users are in slapd."""

    slapd: Slapd
    store: Store
    settings: StorageSettings
    world: World

    def phone(self, password: str = "pw-anna", user: str = "anna") -> EasClient:
        phone = EasClient(self.world.url, user, password)
        self.world.clients.append(phone)
        return phone

    async def status(self, password: str, user: str = "anna") -> tuple[int, str]:
        """Return the status and Retry-After of an OPTIONS request."""
        headers = {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.options(f"{self.world.url}/Microsoft-Server-ActiveSync") as response,
        ):
            return response.status, response.headers.get("Retry-After", "")

    async def deliver(self, address: str) -> int:
        return (await self.world.lmtp([address], MESSAGE))[address]


@pytest.fixture
async def site(slapd: Slapd, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_on(slapd, tmp_path, "memory") as here:
        yield here


@pytest.fixture
async def site_on_disk(slapd: Slapd, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_on(slapd, tmp_path, "local") as here:
        yield here


@asynccontextmanager
async def site_on(slapd: Slapd, folder: Path, engine: Literal["memory", "local"]) -> AsyncIterator[Site]:
    settings = StorageSettings(
        engine=engine,
        path=folder / "store",
        directory="ldap",
        ldap_file=folder / "ldap.toml",
        deployment_key_file=folder / "deployment.key",
        mail_domains=("example.test",),
        argon2_memory_kib=CHEAPEST.memory_kib,
        argon2_passes=CHEAPEST.passes,
    )
    create_deployment_key(settings.deployment_key_file)
    slapd.write_settings(settings.ldap_file)
    store = await open_store(settings)
    lmtp_settings = LmtpSettings(listen=("127.0.0.1:0",), hostname="world.test")

    async def submit(*_mail: object) -> None:
        raise AssertionError

    app = App(store, Settings(), lmtp_settings, submit)
    sockets = open_sockets(lmtp_settings.listen)
    lmtp_address = sockets[0].getsockname()[:2]
    [(_, port)] = await app.start([Listener("127.0.0.1", 0)], sockets)
    phone = EasClient(f"http://127.0.0.1:{port}", "", "")
    here = World(app, f"http://127.0.0.1:{port}", lmtp_address, phone.version, clients=[phone])
    yield Site(slapd, store, settings, here)
    for client in here.clients:
        await client.close()
    await app.stop(0.5)


async def test_the_first_login_makes_the_account_and_mail_waits_until_then(site: Site) -> None:
    assert await site.deliver("anna@example.test") == 450
    assert await site.deliver("nobody@example.test") == 550
    assert (await site.status("wrong"))[0] == 401
    assert await site.deliver("anna@example.test") == 450  # a wrong password makes nothing
    phone = site.phone()
    inbox = await phone.inbox()
    assert await site.deliver("anna@example.test") == 250
    assert await site.deliver("info+news@example.test") == 250
    await phone.sync_all(inbox, window_size=100)
    assert (await site.status("wrong"))[0] == 401


async def test_two_phones_at_the_first_login_make_one_account(site: Site) -> None:
    outcomes = await asyncio.gather(
        *(site.store.unlock("anna", "pw-anna", f"phone{n}") for n in range(5)), return_exceptions=True
    )
    assert {type(one) for one in outcomes if isinstance(one, BaseException)} <= {DirectoryUnavailable}
    opened = [one[1].master for one in outcomes if not isinstance(one, BaseException)]
    account, unlocked = await site.store.unlock("anna", "pw-anna")
    assert set(opened) <= {unlocked.master}
    assert account.identity.address == "anna@example.test"


async def test_an_outage_is_said_to_be_one(site: Site) -> None:
    assert (await site.status("pw-anna"))[0] == 200
    site.slapd.stop()
    assert (await site.status("pw-anna"))[0] == 200  # who is in stays in
    for password, user in (("wrong", "anna"), ("pw-bert", "bert")):
        status, retry_after = await site.status(password, user)
        assert (status, int(retry_after) > 0) == (503, True)
    for address in ("anna@example.test", "nobody@example.test"):
        assert await site.deliver(address) == 451


async def test_a_password_that_was_changed_in_the_directory_lets_nobody_in_until_the_keys_follow(site: Site) -> None:
    account, _ = await site.store.unlock("anna", "pw-anna")
    site.slapd.change("anna", "userPassword", "new in ldap")
    anna = await admin.find(site.store, "anna")
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(WrongPassword):  # the old one, which still opens the slot
            await site.store.unlock("anna", "pw-anna")
        with pytest.raises(WrongPassword):  # the new one, which opens none
            await site.store.unlock("anna", "new in ldap")
    events = {log["event"]: log for log in logs}
    assert "petitbleu account password" in events["login.password_changed_in_directory"]["help"]
    assert events["login.password_changed_in_directory"]["user"] == "anna@example.test"  # a hash in what is written
    assert "login.not_the_directorys_password" in events
    with pytest.raises(admin.NotInDirectory):
        await admin.change_password(site.store, anna, "pw-anna", "new elsewhere")
    await admin.change_password(site.store, anna, "pw-anna", "new in ldap")
    again, _ = await site.store.unlock("anna", "new in ldap")
    assert again.id == account.id


async def test_whoever_changed_his_password_elsewhere_is_helped_by_the_command_that_the_log_names(
    site_on_disk: Site,
) -> None:
    """From the change in LDAP to a phone that syncs again: by the old password once, and once by the recovery key."""
    site, new = site_on_disk, ("new in ldap", "newer in ldap")
    inbox = await site.phone().inbox()
    _, recovery_key = await account_command(site, "recovery-key", "pw-anna")
    _, app_password = await account_command(site, "app-password add --device ABC", "pw-anna")
    on_device = EasClient(site.world.url, "anna", app_password, device=Device(id="ABC"))
    site.world.clients.append(on_device)
    await on_device.sync_all(await on_device.inbox())
    for password, known in zip(new, ("pw-anna", recovery_key), strict=True):
        site.slapd.change("anna", "userPassword", password)
        with structlog.testing.capture_logs() as logs:
            assert (await site.status(password))[0] == 401
        (told,) = [log["help"] for log in logs if log["event"] == "login.password_changed_in_directory"]
        assert "petitbleu account password NAME" in told
        assert (await account_command(site, "password", known, "not the one in LDAP"))[0] == 1
        assert (await account_command(site, "password", "wrong", password))[0] == 1
        assert (await account_command(site, "password", known, password))[0] == 0
        assert (await site.status(password))[0] == 200
        phone = site.phone(password)
        assert await site.deliver("anna@example.test") == 250
        await phone.sync_all(await phone.inbox())
        assert (await on_device.sync(inbox)).status == 1  # it has a password of its own, which LDAP does not know
    assert (await site.status("pw-anna"))[0] == 401


async def account_command(site: Site, action: str, *lines: str) -> tuple[int, str]:
    """Run `petitbleu account` as an administrator does; return its code and, of its first line, the last word."""
    config = site.settings.path.with_name("petitbleu.toml")
    shared = ("path", "ldap_file", "deployment_key_file", "argon2_memory_kib", "argon2_passes")
    table = "".join(f"{name} = {toml_value(getattr(site.settings, name))}\n" for name in shared)
    config.write_text(f'[storage]\nengine = "local"\ndirectory = "ldap"\nmail_domains = ["example.test"]\n{table}')
    words = action.split()
    count = 2 if words[0] == "app-password" else 1
    arguments = ["account", *words[:count], "anna", *words[count:], "--password-stdin", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eas", *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, _ = await process.communicate("".join(f"{line}\n" for line in lines).encode())
    return process.returncode or 0, (out.decode().splitlines() or [" "])[0].rpartition(" ")[2]


async def test_a_session_ends_some_time_after_its_password_was_changed(site: Site) -> None:
    clock = Clock()
    sessions = Sessions(site.store, 3600, lambda _account: False, clock=clock)
    login = "Basic " + b64encode(b"anna:pw-anna").decode()
    account = await sessions.account(login, "phone", "192.0.2.1")
    site.slapd.change("anna", "userPassword", "new in ldap")
    clock.now += CHECK_SECONDS
    assert await sessions.account(login, "phone", "192.0.2.1") is account
    site.slapd.stop()
    clock.now += VERIFY_SECONDS
    assert await sessions.account(login, "phone", "192.0.2.1") is account  # who is in stays in while nobody can tell
    site.slapd.start()
    site.store.directory._servers._away.clear()  # type: ignore[attr-defined]
    clock.now += CHECK_SECONDS
    with pytest.raises(LoginRefused) as refused:
        await sessions.account(login, "phone", "192.0.2.1")
    assert refused.value.response.status == 401
    await sessions.close()


async def test_a_recovery_key_is_made_after_the_first_login_and_opens_what_the_directory_forgot(site: Site) -> None:
    _, before = await site.store.unlock("anna", "pw-anna")
    anna = await admin.find(site.store, "anna")
    key = await admin_keys.renew_recovery_key(site.store, anna, "pw-anna")
    site.slapd.change("anna", "userPassword", "new in ldap")
    await admin.change_password(site.store, anna, key, "new in ldap")
    _, after = await site.store.unlock("anna", "new in ldap")
    assert after.master == before.master
    assert (await site.store.unlock("anna", key))[1].kind is SlotKind.RECOVERY


async def test_a_secret_that_is_replaced_follows_at_the_next_login(site: Site) -> None:
    await site.store.unlock("anna", "pw-anna")
    site.slapd.change("anna", "petitBleuSecret", "another")
    site.slapd.change("anna", "petitBleuSecretAlternate", "of anna")
    await site.store.unlock("anna", "pw-anna")
    site.slapd.change("anna", "petitBleuSecretAlternate")
    await site.store.unlock("anna", "pw-anna")


async def test_who_leaves_the_directory_has_no_mail_and_does_not_get_in(site: Site) -> None:
    site.slapd.add("bert")
    await site.store.unlock("anna", "pw-anna")
    site.slapd.remove("anna")
    with pytest.raises(WrongPassword):
        await site.store.unlock("anna", "pw-anna")
    assert await site.deliver("anna@example.test") == 550


async def test_a_new_address_keeps_the_account(site: Site) -> None:
    account, _ = await site.store.unlock("anna", "pw-anna")
    site.slapd.change("anna", "mail", "married@example.test")
    again, _ = await site.store.unlock("married@example.test", "pw-anna")
    assert (again.id, again.identity.address) == (account.id, "married@example.test")


async def test_an_account_is_added_by_hand_with_the_directorys_password(site: Site) -> None:
    anna = StaticAccount("anna@example.test")
    with pytest.raises(admin.NotInDirectory):
        await admin.create_account(site.store, site.settings, anna, "not the one")
    with pytest.raises(UnknownAddress):
        await admin.create_account(site.store, site.settings, StaticAccount("bert@example.test"), "pw-bert")
    key = await admin.create_account(site.store, site.settings, anna, "pw-anna")
    assert await site.deliver("anna@example.test") == 250
    assert (await site.store.unlock("anna", key))[1].kind is SlotKind.RECOVERY
    with pytest.raises(admin.NotInDirectory):
        await admin.list_accounts(site.store, site.settings)
    assert not site.settings.directory_file.exists()
    assert await admin.delete_account(site.store, site.settings, await admin.find(site.store, "anna")) > 0
    assert await site.deliver("info@example.test") == 450


async def test_the_server_starts_while_the_directory_is_away(slapd: Slapd, tmp_path: Path) -> None:
    slapd.stop()
    slapd.write_settings(tmp_path / "ldap.toml")
    create_deployment_key(tmp_path / "deployment.key")
    settings = StorageSettings(
        engine="memory", directory="ldap", ldap_file=tmp_path / "ldap.toml",
        deployment_key_file=tmp_path / "deployment.key",
    )  # fmt: skip
    store = await open_store(settings)
    with pytest.raises(DirectoryUnavailable):
        await store.unlock("anna", "pw-anna")
    slapd.start()
    store.directory._servers._away.clear()  # type: ignore[attr-defined]
    await store.unlock("anna", "pw-anna")
    await store.close()
