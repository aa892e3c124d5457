"""Mail coming in on the local engine, for real: two `lmtpd` processes on one folder, each acknowledged mail durable.

Every mail is 5 KB, of its own, and for one of a few accounts.  Many conversations at once, as Postfix has them
(`lmtp_destination_concurrency_limit`).  The client shares the cores with the servers; of several rounds the quickest
counts, because what else goes on on the machine only takes away.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvloop

from tests.bench.figure import Figure
from tests.bench.lmtp import message_of
from tests.bench.support_server import QUICK

ACCOUNTS: Final = 4
PROCESSES: Final = 2
CONVERSATIONS: Final = 40  # with each process
MAILS: Final = 400 if QUICK else 4_000  # in a round
ROUNDS: Final = 1 if QUICK else 5
START_SECONDS: Final = 60.0
MESSAGE: Final = message_of(5_000)
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


def run() -> list[Figure]:
    """Measure."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name, _served(Path(name)) as servers:
        sockets = [f"{name}/lmtp{number}" for number in range(PROCESSES)]
        rounds = []
        for number in range(ROUNDS):
            before = _processor_seconds(servers)
            seconds = uvloop.run(_deliver(sockets, number))
            rounds.append((seconds, _processor_seconds(servers) - before))
    return [
        Figure(
            "delivery: 5 KB, durable, 2 processes, best round", MAILS / min(rounds)[0], "mails/s", 1_000, "at least"
        ),
        Figure("delivery: the same, worst round", MAILS / max(rounds)[0], "mails/s"),
        Figure("delivery: processor time of a mail", min(used for _, used in rounds) / MAILS * 1e6, "µs", 2_000),
    ]


@contextmanager
def _served(folder: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    config = folder / "petitbleu.toml"
    _run("init", "--config", str(config), "--store", str(folder / "store"))
    for n in range(1, ACCOUNTS + 1):
        _run("account", "add", "--config", str(config), "--password-stdin", f"u{n}@example.test", given="password\n")
    text, servers = config.read_text(), []
    try:
        for number in range(PROCESSES):
            own = folder / f"{number}.toml"
            own.write_text(text.replace('# listen = ["127.0.0.1:2424"]', f'listen = ["unix:{folder}/lmtp{number}"]'))
            with (folder / "log").open("ab") as log:
                servers.append(subprocess.Popen(_command("lmtpd", "--config", str(own)), stderr=log))
        _wait_for([folder / f"lmtp{number}" for number in range(PROCESSES)], folder / "log")
        yield servers
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


async def _deliver(sockets: list[str], number: int) -> float:
    """Deliver a round's mails; return the seconds from the first to the last."""
    numbers = iter(range(number * MAILS, (number + 1) * MAILS))
    began = time.perf_counter()
    await asyncio.gather(*(_converse(path, numbers) for path in sockets for _ in range(CONVERSATIONS)))
    return time.perf_counter() - began


async def _converse(path: str, numbers: Iterator[int]) -> None:
    """Deliver one mail after the other over one connection, as long as *numbers* lasts."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"LHLO bench.test\r\n")
    await reader.readuntil(b"250 SIZE 52428800\r\n")
    for n in numbers:
        envelope = b"MAIL FROM:<friend@example.net>\r\nRCPT TO:<u%d@example.test>\r\nDATA\r\n" % (n % ACCOUNTS + 1)
        writer.write(envelope)
        await reader.readuntil(b"354 ")
        await reader.readuntil(b"\r\n")
        writer.write(b"Message-ID: <%d@example.net>\r\n%b.\r\n" % (n, MESSAGE))
        if not (reply := await reader.readuntil(b"\r\n")).startswith(b"250"):
            raise AssertionError(reply)
    writer.close()


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "eas", *arguments]


def _run(*arguments: str, given: str = "") -> None:
    subprocess.run(_command(*arguments), input=given, text=True, check=True, capture_output=True)


def _wait_for(sockets: list[Path], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not all(path.exists() for path in sockets):
        if time.monotonic() > end:
            raise AssertionError(log.read_text()[-2000:])
        time.sleep(0.05)


def _processor_seconds(servers: list["subprocess.Popen[bytes]"]) -> float:
    fields = [Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split() for server in servers]
    return sum(int(each[11]) + int(each[12]) for each in fields) / CLOCK_TICKS
