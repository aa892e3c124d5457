"""Real processes, killed before or after a write, and started again: a sample of what `test_crash_points.py` does.

The phone keeps its keys, the mail server delivers again, and what was acknowledged is there.
"""

import asyncio
import smtplib

import aiohttp
import pytest

from tests.support.client import EasClient
from tests.support.mailbox import Folder
from tests.support.sync_requests import delete, read
from tests.system.service import Service

INBOX, TRASH, SENT = "inbox", "trash", "sent"


def held(folder: Folder) -> dict[str, str]:
    """Return the subject of each mail; none may be there twice."""
    subjects = {server_id: item.subject for server_id, item in folder.items.items()}
    assert len(set(subjects.values())) == len(subjects)
    return subjects


async def test_a_sync(service: Service) -> None:
    async with service.phone() as phone:
        await phone.set_up()
        for n in range(4):
            await service.deliver(n)
        folder = await phone.sync_all(INBOX)
        for n, order in enumerate(("before 1", "after 1")):
            changed, deleted = (folder.find(f"mail {2 * n + k}").server_id for k in (0, 1))
            before = held(folder)
            await service.deliver(10 + n)
            commands = [read(changed), delete(deleted)]
            service.kill_at(order)
            with pytest.raises(aiohttp.ClientError):
                await phone.sync(INBOX, commands, options=None)
            await service.died()
            result = await phone.sync(INBOX, commands, options=None)
            assert (result.status, result.responses) == (1, ())
            assert held(folder).keys() - before.keys() == {item.server_id for item in result.added}
            assert before.keys() - held(folder).keys() == {deleted}
            assert folder.items[changed].is_read
            assert len(held(await phone.sync_all(TRASH))) == n + 1
        mine = held(folder)
    async with service.phone() as other:
        other.device = type(other.device)("other", "SP", "x")
        assert held(await other.sync_all(INBOX)) == mine


async def test_a_delivery(service: Service) -> None:
    async with service.phone() as phone:
        await phone.set_up()
        folder = await phone.sync_all(INBOX)
        for n, order in enumerate(("before 1", "after 1", "before 2", "after 2")):
            service.kill_at(order)
            with pytest.raises((OSError, smtplib.SMTPException)):
                await service.deliver(n)
            await service.died()
            await service.deliver(n)
            await phone.sync(INBOX, options=None)
            assert f"mail {n}" in held(folder).values()


async def test_a_send(service: Service) -> None:
    orders = {"before 1": 1, "after 1": 1, "before 2": 1, "after 2": 1, "before 3": 2, "after 3": 1}
    async with service.phone() as phone:
        await phone.set_up()
        for n, (order, sent) in enumerate(orders.items()):
            message = f"To: b@example.org\r\nSubject: sent {n}\r\n\r\nx\r\n".encode()
            service.outgoing.taken.clear()
            service.kill_at(order)
            with pytest.raises(aiohttp.ClientError):
                await phone.send_mail(message, client_id=f"send{n}")
            await service.died()
            await until_answered(phone, message, f"send{n}")
            assert len(service.outgoing.taken) == sent, order  # twice only between the 250 and the note of it
            assert f"sent {n}" in held(await phone.sync_all(SENT)).values()


async def until_answered(phone: EasClient, message: bytes, client_id: str) -> None:
    """Send it until the answer is not "later": sent, or sent before (118)."""
    for _ in range(20):
        answer = await phone.send_mail(message, client_id=client_id)
        if answer.is_empty or (answer.root is not None and answer.root.children[0].value == "118"):
            return
        await asyncio.sleep(0.2)
    raise AssertionError("it is never sent")
