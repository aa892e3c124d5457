"""Real processes, killed before or after a write, and started again: a sample of what `test_crash_points.py` does.

The phone keeps its keys, the mail server delivers again, and what was acknowledged is there.
"""

import asyncio
import json
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.client import EasClient
from tests.support.mailbox import Folder
from tests.support.sync_requests import delete, read

SECONDS = 20.0
USER, PASSWORD = "u1@example.test", "pw-u1"
INBOX, TRASH, SENT = "inbox", "trash", "sent"


@dataclass
class MailServer:
    """Takes whatever is sent."""

    taken: list[bytes] = field(default_factory=list)
    address: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP, as far as it needs."""
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                self.taken.append(await reader.readuntil(b"\r\n.\r\n"))
            writer.write(b"250 fine\r\n")
            await writer.drain()
        writer.close()


@dataclass
class Service:
    """The server's files and ports, whatever becomes of its process."""

    folder: Path
    outgoing: MailServer
    http: str = "http://127.0.0.1:0"
    lmtp: str = "127.0.0.1:0"
    process: subprocess.Popen[str] | None = None

    @property
    def order(self) -> Path:
        return self.folder / "order"

    async def start(self) -> None:
        """Start a process on the same data, and the same ports."""
        self.order.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.system.dying_server", str(self.order), "demo", "--accounts", "1"]
        command += ["--dir", str(self.folder / "data"), "--http", self.http.removeprefix("http://")]
        command += ["--lmtp", self.lmtp, "--submission", self.outgoing.address, "--json"]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            told = json.loads(await asyncio.to_thread(self.process.stdout.readline))
        self.http, self.lmtp = told["http"], told["lmtp"]

    def kill_at(self, order: str) -> None:
        """Tell the process when to die: `before 2` is before its second write from now on."""
        new = self.order.with_suffix(".new")
        new.write_text(order)
        new.rename(self.order)

    async def died(self) -> None:
        """Wait for the end of the process, which must have been killed; start the next."""
        assert self.process is not None
        async with asyncio.timeout(SECONDS):
            code = await asyncio.to_thread(self.process.wait)
        assert code == -9
        self.end()
        await self.start()

    def end(self) -> None:
        """End the process, if it still runs."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    async def deliver(self, n: int) -> None:
        """Deliver a mail.  Raises OSError or SMTPException when the server dies of it."""
        host, _, port = self.lmtp.rpartition(":")
        message = f"From: a@example.net\r\nSubject: mail {n}\r\nMessage-ID: <{n}@x>\r\n\r\n{n}\r\n"

        def talk() -> None:
            with smtplib.LMTP(host, int(port), timeout=SECONDS) as lmtp:
                lmtp.sendmail("a@example.net", [USER], message)

        await asyncio.to_thread(talk)

    @asynccontextmanager
    async def phone(self) -> AsyncIterator[EasClient]:
        async with EasClient(self.http, USER, PASSWORD) as phone:
            yield phone


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    outgoing = MailServer()
    listening = await asyncio.start_server(outgoing.talk, "127.0.0.1", 0)
    outgoing.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    made = Service(tmp_path, outgoing)
    await made.start()
    try:
        yield made
    finally:
        made.end()
        listening.close()


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
