"""A process that is started again whenever it ends, as systemd would, until it is stopped."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from pathlib import Path
from random import Random
from typing import Final

from tests.soak.plan import Seen

ROOT: Final = Path(__file__).resolve().parents[2]
STOP_SECONDS: Final = 20.0
RESTART_SECONDS_MAX: Final = 1.0


def petitbleu(*arguments: str) -> list[str]:
    """Return the command line of `petitbleu` with *arguments*."""
    return [sys.executable, "-m", "eas", *arguments]


class Kept:
    """One of them.  What it writes goes to *log*."""

    def __init__(self, name: str, command: list[str], log: Path, random: Random, seen: Seen, given: str = "") -> None:
        """*given*: its input."""
        self.name, self.log = name, log
        self._command, self._given, self._random, self._seen = command, given, random, seen
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_ending = False

    async def start(self) -> None:
        """Begin to keep it running."""
        self._keeper = asyncio.create_task(self._keep())

    def kill(self, *, child: bool = False) -> bool:
        """Kill it, or one of its children; return False when there is none just now."""
        if self._process is None or self._process.returncode is not None:
            return False
        pids = self._children() if child else [self._process.pid]
        with contextlib.suppress(ProcessLookupError):
            if pids:
                os.kill(self._random.choice(pids), signal.SIGKILL)
                return True
        return False

    async def stop(self) -> None:
        """End it in order; another exit code than 0 is a fault."""
        self._is_ending = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    code = await self._process.wait()
            except TimeoutError:
                self._process.kill()
                code = await self._process.wait()
            if code != 0:
                self._seen.fault(f"{self.name} ended with {code}")
        if self._keeper is not None:
            await self._keeper

    def memory_bytes(self) -> int:
        """Return the most that it held since it was started, with its children."""
        pids = [self._process.pid, *self._children()] if self._process is not None else []
        return sum(_peak_bytes(pid) for pid in pids)

    async def _keep(self) -> None:
        while not self._is_ending:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log
                )
            assert self._process.stdin is not None
            self._process.stdin.write(self._given.encode())
            self._process.stdin.close()
            self._seen.counts[f"starts of {self.name.rstrip('0123456789')}s"] += 1
            await self._process.wait()
            if not self._is_ending:
                await asyncio.sleep(self._random.random() * RESTART_SECONDS_MAX)

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        with contextlib.suppress(OSError):
            return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []


def _peak_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
