"""The whole server in a process of its own (`petitbleu demo`), seen from outside; and its store, filled beforehand."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from eas.address import parse_address
from eas.demo.site import Demo, address, password, prepare_files
from storage.opening import open_store
from storage.store import Store
from tests.bench.support_child import ARGON2, LETTERS, REQUESTS

QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
"""Smaller numbers, for machines that only print the figures."""
COUNTS: Final = "counts"
TRACE: Final = b"Return-Path: <anna@example.org>\r\nDelivered-To: u1@example.test\r\nReceived: by bench.test\r\n"


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    folder: Path
    pid: int
    http: tuple[str, int]
    lmtp: tuple[str, int]

    def memory_bytes(self) -> dict[str, int]:
        """Return what `smaps_rollup` says, by its names: `Rss`, `Anonymous` …"""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:]
        return {name.rstrip(":"): int(size) * 1024 for name, size in (line.split()[:2] for line in lines)}

    @property
    def resident_bytes(self) -> int:
        return self.memory_bytes()["Rss"]

    @property
    def anonymous_bytes(self) -> int:
        return self.memory_bytes()["Anonymous"]

    def counted(self) -> int:
        """Return a place in the count of what the server does, for `calls_since`."""
        return self._counts.stat().st_size

    def calls_since(self, place: int) -> Counter[str]:
        """Return how often each method of the engine was called since then, and `argon2`."""
        names = {letter: name for name, letter in {**LETTERS, **REQUESTS, "argon2": ARGON2}.items()}
        return Counter(names[chr(byte)] for byte in self._counts.read_bytes()[place:])

    @property
    def _counts(self) -> Path:
        return self.folder / COUNTS

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def folder_for_store(*, in_memory: bool = False) -> Iterator[Path]:
    """Make a temporary folder; *in_memory*: in a file system without a disk, if there is one."""
    place = "/dev/shm" if in_memory and Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="petitbleu-bench-", dir=place) as folder:
        yield Path(folder)


@contextmanager
def served(
    folder: Path,
    accounts: int,
    idle_seconds: float | None = None,
    *,
    store: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Run the demo on *folder*; accounts without keys get them, and a few mails, before it is ready.

    *idle_seconds*: after how long an account that nobody asks for lets go of its state, if not after minutes.
    *store*: the bucket where mail lies, if not in the folder; *environment* has its keys.
    """
    child = [sys.executable, "-m", "tests.bench.support_child", str(folder / COUNTS), str(idle_seconds or "")]
    command = [*child, "demo", "--dir", str(folder), "--json", "--accounts", str(accounts)]
    command += ["--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0"]
    if store:
        command += ["--store", store]
    own = {**os.environ, **(environment or {})}
    with (
        (folder / "log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=own) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise AssertionError((folder / "log").read_text()[-2000:])
            told = json.loads(line)
            http, lmtp = parse_address(told["http"].removeprefix("http://")), parse_address(told["lmtp"])
            yield Served(folder, told["pid"], http, lmtp)
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            process.kill()


def filled(folder: Path, accounts: int, fill: Callable[[Store], Awaitable[None]]) -> None:
    """Make *accounts* accounts without mail in *folder*, as `served` finds them, and let *fill* fill them."""
    demo = Demo(folder, "127.0.0.1:0", "", "127.0.0.1:0", "", accounts)
    prepare_files(demo)

    async def make() -> None:
        store = await open_store(demo.storage_settings("warning"))
        try:
            for n in range(1, accounts + 1):
                await store.create(await store.directory.resolve(address(n)), password(n))
            await fill(store)
        finally:
            await store.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(make())


async def deposited(store: Store, n: int, messages: Iterator[bytes], *, at_once: int = 64) -> None:
    """Deliver *messages* to account *n*, many at once."""
    recipient = await store.delivery.recipient(address(n))

    async def take() -> None:
        for message in messages:
            await store.delivery.deposit(recipient, TRACE, message, junk=False)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(take())
