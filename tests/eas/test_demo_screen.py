"""What the demo shows: who asks what, what is answered, and never a password."""

import asyncio
import re
from pathlib import Path

import pytest

from eas.demo.screen import Screen
from eas.demo.site import Demo
from eas.run.ports import Ports
from lmtp import reply
from tests.eas.world import address, world
from tests.support.client import Device
from tests.support.messages import mixed_message


def screen(folder: Path, accounts: int = 2) -> Screen:
    return Screen(Demo(folder, "", "", "127.0.0.1:0", "", accounts))


async def test_each_event_is_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = screen(tmp_path)
    async with world(wrap=shown.wrap, observer=shown) as w:
        client = w.client(device=Device(id="phone1", type="iPhone"))
        await client.options()
        inbox = await client.inbox()
        await client.sync_all(inbox)
        ping = asyncio.create_task(client.ping([inbox], 100))
        told = ""
        while "waits for news" not in told:
            await asyncio.sleep(0.01)
            told += capsys.readouterr().out
        assert re.search(r"u1@example.test: OPTIONS → 200, 0 bytes, \d+ ms\n", told)
        assert re.search(r"u1@example.test: FolderSync from iPhone phone1 → 200, [\d,]+ bytes, \d+ ms\n", told)
        await w.lmtp([address(1), "x@example.test"], mixed_message(1))
        assert (await ping).status == 2
        told = capsys.readouterr().out
        assert re.search(r"mail in: [\d,]+ bytes, stored in \d+ ms\n", told)
        assert "mail refused: 550" in told
        assert re.search(r"u1@example.test: Ping from iPhone phone1 → 200, \d+ bytes, after waiting \d+\.\d s\n", told)


async def test_strangers_and_nonsense_are_shown_without_passwords(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = screen(tmp_path)
    async with world(wrap=shown.wrap, observer=shown) as w:
        await w.client(password="hunter2").options()
        await w.client().post("NoSuchCommand", b"")
    told = capsys.readouterr().out
    assert "hunter2" not in told
    assert "→ 401" in told
    assert "a request that is none" in told


def test_a_phone_is_sent_to_an_address_that_it_can_reach(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    loopback = ("127.0.0.1", 8443)
    for https in (None, loopback):
        screen(tmp_path, 1).show_ready(Ports(loopback, https, None, (loopback,)))
        told = capsys.readouterr().out
        assert "cannot reach loopback" in told
        assert "password   pw-u1" not in told.partition("cannot reach")[2]
    screen(tmp_path).show_ready(Ports(None, ("192.0.2.7", 8443), None, (loopback,)))
    assert "server     192.0.2.7:8443" in capsys.readouterr().out


def test_faults_are_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = screen(tmp_path)
    shown.failed(ValueError("what"))
    shown.refused(reply.OVER_QUOTA)
    shown.delivered(10, 0.001, junk=True)
    told = capsys.readouterr().out
    assert "mail failed: ValueError('what')" in told
    assert "(junk)" in told
