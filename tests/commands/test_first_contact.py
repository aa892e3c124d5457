"""A phone is set up on a running server, in every version and both styles of provisioning: all that is new to it."""

from typing import Literal

import aiohttp
import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.settings import Settings
from tests.eas.world import world
from tests.support.client import Device
from tests.support.commanding import Refused
from tests.support.messages import mixed_message


@pytest.mark.parametrize("version", ANNOUNCED)
@pytest.mark.parametrize("provisioning", ["optional", "required"])
async def test_a_phone_is_set_up_and_keeps_its_folders(
    version: Version, provisioning: Literal["optional", "required"]
) -> None:
    async with world(accounts=1, version=version, settings=Settings(provisioning=provisioning)) as here:
        await here.deliver(1, mixed_message(1))
        phone = here.client()
        if provisioning == "required":
            with pytest.raises(Refused) as refused:
                await phone.folder_sync()
            assert (refused.value.answer.status, refused.value.status) == (
                (200, 142) if version >= 140 else (449, None)
            )
        await phone.provision()
        assert await phone.user_addresses() == ["u1@example.test"]
        await phone.folder_sync()
        outer = await phone.folder_create("Plans")
        inner = await phone.folder_create("Inner", outer)
        await phone.folder_update(inner, "Outside")
        before = {server_id: (one.parent_id, one.name) for server_id, one in phone.mailbox.hierarchy.items()}
        told = {server_id: (one.parent_id, one.name) for server_id, one in (await phone.folder_sync()).items()}
        assert told == before
        await phone.sync("inbox")
        assert await phone.estimate("inbox") == 1
        await phone.sync("inbox")
        [item] = phone.mailbox.folder("inbox").items
        [moved] = await phone.move([(item, "inbox", inner)])
        assert (moved.status, moved.dst_msg_id) == (3, item.replace("inbox", inner))
        await phone.folder_delete(inner)
        for folder in ("inbox", "trash"):
            await phone.sync(folder)
            await phone.sync(folder)
        assert not phone.mailbox.folder("inbox").items
        assert list(phone.mailbox.folder("trash").items) == [item.replace("inbox", "trash")]
        other = here.client(device=Device("otherphone"))
        await other.provision()
        assert inner not in await other.folder_sync()


async def test_autodiscover_is_found_under_its_path() -> None:
    async with world(accounts=1) as here, aiohttp.ClientSession() as session:
        async with session.post(here.url + "/Autodiscover/Autodiscover.xml") as answer:
            assert answer.status == 401
        login = {"Authorization": aiohttp.encode_basic_auth("u1@example.test", "pw-u1")}
        async with session.post(here.url + "/autodiscover/autodiscover.xml", headers=login) as answer:
            assert (answer.status, answer.content_type) == (200, "text/xml")
            assert f"{here.url}/Microsoft-Server-ActiveSync</Url>" in await answer.text()
        path = "/autodiscover/autodiscover.json/v1.0/nobody@example.test?Protocol=ActiveSync"
        async with session.get(here.url + path) as answer:
            assert (await answer.json())["Protocol"] == "ActiveSync"
