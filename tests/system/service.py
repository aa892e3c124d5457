"""A real server process on files of its own, which may be killed and started again (`dying_server.py`)."""

import asyncio
import json
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.client import EasClient

SECONDS = 20.0
USER, PASSWORD = "u1@example.test", "pw-u1"


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
