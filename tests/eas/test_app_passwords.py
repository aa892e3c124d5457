"""App passwords as phones use them, and what ends when they are revoked."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from eas.cli import admin, admin_keys
from eas.protocol.exchange import HttpRequest
from eas.protocol.versions import Version
from eas.wbxml.element import element, leaf
from eas.wbxml.pages import FolderHierarchy
from storage.directories.directory import Mailbox
from storage.keyring import passwords
from storage.keyring.keys import SLOTS_MAX, add_slot
from storage.keyring.recovery import new_app_password
from storage.keyring.slots import SlotKind
from storage.seal import stretch
from tests.eas.world import World, address, world
from tests.support.client import Device, EasClient

PHONE = Device(id="PHONE1")
TABLET = Device(id="TABLET")
AUTODISCOVER = b"""<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006">
<Request><EMailAddress>u1@example.test</EMailAddress><AcceptableResponseSchema>
http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006
</AcceptableResponseSchema></Request></Autodiscover>"""


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Count Argon2 runs."""
    counted: list[bytes] = []

    def counting(secret: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
        counted.append(salt)
        return stretch(secret, salt, memory_kib, passes, lanes)

    monkeypatch.setattr(passwords, "stretch", counting)
    return counted


async def user(here: World) -> Mailbox:
    return await admin.find(here.store, "u1")


async def new_password(here: World, device: str = PHONE.id) -> str:
    return await admin_keys.add_app_password(here.store, await user(here), "pw-u1", device, "")


async def autodiscovered(here: World, password: str) -> int:
    login = "Basic " + b64encode(f"u1@example.test:{password}".encode()).decode()
    request = HttpRequest(
        "POST", "/autodiscover/autodiscover.xml", host="mail.example.org", body=AUTODISCOVER, authorization=login
    )
    answer = await here.app.autodiscover.answer(request)
    if answer.status == 200:
        assert isinstance(answer.body, bytes)
        assert b"u1@example.test" in answer.body
    return answer.status


async def synced(client: EasClient) -> int:
    """Return the HTTP status of a request that asks for something."""
    return (
        await client.post("FolderSync", element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0")))
    ).status


# Wrong input


async def test_an_app_password_says_who_asks_and_opens_nothing_without_its_device(here: World) -> None:
    password = await new_password(here)
    assert await here.client(password=password, device=PHONE).options()
    assert await autodiscovered(here, password) == 200
    assert await synced(here.client(password=password, device=TABLET)) == 401
    for device in ("", "TABLET", "PHONE12"):
        with pytest.raises(Exception, match="u1"):
            await here.store.unlock(address(1), password, device)
    assert not here.store.accounts  # nothing was opened by what names no device


@pytest.mark.parametrize("password", ["abcd-efgh-ijkl-mnop", "", "pw-u2"])
async def test_what_is_no_app_password_is_wrong_without_a_device_too(here: World, password: str) -> None:
    await new_password(here)
    assert await autodiscovered(here, password) == 401


async def test_a_guess_without_a_device_costs_few_runs_whatever_the_account_has(here: World, runs: list[bytes]) -> None:
    unlocked = await admin_keys.unlock(here.store, await user(here), "pw-u1")
    for n in range(SLOTS_MAX - 2):
        await add_slot(here.store.vault, unlocked, SlotKind.APP, new_app_password(), b"", device_id=f"device{n}")
    runs.clear()
    assert await autodiscovered(here, "wrong") == 401
    assert len(runs) <= 1 + 3


# What holds


async def test_a_phone_with_an_app_password_works_from_autodiscover_to_sync(here: World, runs: list[bytes]) -> None:
    password = await new_password(here)
    runs.clear()
    assert await autodiscovered(here, password) == 200
    phone = here.client(password=password, device=PHONE, version=Version.V14_1)
    assert Version.V14_1 in await phone.options()
    await here.deliver(1, b"Subject: hello\r\n\r\ntext\r\n")
    inbox = await phone.inbox()
    await phone.sync_all(inbox)
    assert phone.mailbox.folder(inbox).find("hello")
    for _ in range(3):
        assert await autodiscovered(here, password) == 200
        assert await phone.options()
    assert len(runs) == 2  # one for what names no device, one for the device


async def test_whoever_types_the_main_password_pays_no_more_than_before(here: World, runs: list[bytes]) -> None:
    for n in range(5):
        await new_password(here, f"device{n}")
    runs.clear()
    assert await autodiscovered(here, "pw-u1") == 200
    assert len(runs) <= 2  # one in 256 passwords has the hint of another


async def test_a_revoked_password_is_out_at_once_and_its_phone_is_not_left_waiting(here: World) -> None:
    password = await new_password(here)
    phone = here.client(password=password, device=PHONE, version=Version.V14_1)
    other = here.client(device=TABLET, version=Version.V14_1)
    inbox = await phone.inbox()
    await phone.sync_all(inbox)
    await other.sync_all(await other.inbox())
    waits = [asyncio.create_task(one.ping([inbox], heartbeat=600)) for one in (phone, other)]
    async with asyncio.timeout(20):
        while len(here.app.hub) != 2:
            await asyncio.sleep(0.01)
        assert await admin_keys.revoke_app_passwords(here.store, await user(here), "phone1") == 1
        for wait in waits:
            assert (await wait).status == 1  # as if by time: they ask again
    assert await autodiscovered(here, password) == 401
    assert await synced(phone) == 401
    assert (await other.sync(inbox)).status == 1


async def test_what_is_not_there_cannot_be_revoked(here: World) -> None:
    with pytest.raises(admin_keys.NoAppPassword):
        await admin_keys.revoke_app_passwords(here.store, await user(here), "phone1")


# A new master key


async def test_a_new_master_key_resynchronises_nobody_and_rings_everybody(here: World) -> None:
    password = await new_password(here)
    phone = here.client(password=password, device=PHONE, version=Version.V14_1)
    inbox = await phone.inbox()
    await here.deliver(1, b"Subject: before\r\n\r\ntext\r\n")
    await phone.sync_all(inbox)
    wait = asyncio.create_task(phone.ping([inbox], heartbeat=600))
    async with asyncio.timeout(20):
        while len(here.app.hub) != 1:
            await asyncio.sleep(0.01)
        await admin_keys.rotate(here.store, await user(here), "pw-u1")
        assert (await wait).status == 1
        wait = asyncio.create_task(phone.ping([inbox], heartbeat=600))
        while len(here.app.hub) != 1:
            await asyncio.sleep(0.01)
        await here.deliver(1, b"Subject: after\r\n\r\ntext\r\n")
        assert (await wait).status == 2
    assert (await phone.sync(inbox)).status == 1  # the key of before is good
    assert phone.mailbox.folder(inbox).find("before")
    assert phone.mailbox.folder(inbox).find("after")
    account, _ = await here.store.unlock(address(1), password, PHONE.id)
    assert account.keys.epoch == 2
    assert not account.has_stale_keys
