"""Nodes as an administrator sets them up: `petitbleu init`, `account add`, `serve`; started again whenever they die."""

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

from tests.interop.programs import free_ports, listens, replace
from tests.soak.plan import Plan, Seen, address, password
from tests.soak.stores import StorePlace

ROOT: Final = Path(__file__).resolve().parents[2]
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
RESTART_SECONDS_MAX: Final = 1.0


def command(*arguments: str) -> list[str]:
    """Return the command line of `petitbleu` with *arguments*."""
    return [sys.executable, "-m", "eas", *arguments]


def run(*arguments: str, given: str = "") -> str:
    """Run `petitbleu` with *given* as its input; return what it said.  Raises AssertionError when it fails."""
    done = subprocess.run(command(*arguments), cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


class Node:
    """One `petitbleu serve`.  Whatever ends it, it is started again, as systemd would, until `stop`."""

    def __init__(self, config: Path, ports: tuple[int, int], workers: int, random: Random, seen: Seen) -> None:
        self.config, self.log = config, config.with_suffix(".log")
        self.http_port, self.lmtp_port = ports
        self._workers, self._random, self._seen = workers, random, seen
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_ending = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def start(self) -> None:
        """Begin to keep it running, and wait until it serves."""
        self._keeper = asyncio.create_task(self._keep())
        await self.ready()

    async def ready(self) -> None:
        """Wait until it serves.  Raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            while not (listens(self.http_port) and listens(self.lmtp_port)):
                await asyncio.sleep(0.1)

    def kill(self) -> bool:
        """Kill one of its processes; return False when there is none just now."""
        if self._process is None or self._process.returncode is not None:
            return False
        pids = self._children() if self._workers > 1 else [self._process.pid]
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
                self._seen.fault(f"{self.config.stem} ended with {code}")
        if self._keeper is not None:
            await self._keeper

    def memory_bytes(self) -> int:
        """Return the most that it held since it was started, with its workers."""
        assert self._process is not None
        pids = [self._process.pid, *self._children()]
        return sum(_peak_bytes(pid) for pid in pids)

    async def _keep(self) -> None:
        while not self._is_ending:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *command("serve", "--config", str(self.config), "--workers", str(self._workers)),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self._seen.counts["starts of nodes"] += 1
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


def set_up(plan: Plan, place: StorePlace, folder: Path, seen: Seen, submission_port: int) -> list[Node]:
    """Make the nodes' files and the accounts; nothing runs yet."""
    nodes = []
    example = run("init", "--print-config")
    for number in range(plan.nodes):
        http, lmtp = free_ports(2)
        home = folder / f"node{number}"
        home.mkdir()
        config = home / f"node{number}.toml"
        text = replace(
            example,
            {
                **place.settings(home),
                '# directory_file = "/etc/petitbleu/accounts.toml"': f'directory_file = "{folder}/accounts.toml"',
                '# deployment_key_file = "/etc/petitbleu/deployment.key"': (
                    f'deployment_key_file = "{folder}/deployment.key"'
                ),
                '# http = "127.0.0.1:8080"': f'http = "127.0.0.1:{http}"',
                '# submission = "127.0.0.1:587"': f'submission = "127.0.0.1:{submission_port}"',
                "# heartbeat_seconds_min = 60": "heartbeat_seconds_min = 5",
                '# listen = ["127.0.0.1:2424"]': f'listen = ["127.0.0.1:{lmtp}"]',
            },
        )
        config.write_text(text)
        nodes.append(Node(config, (http, lmtp), plan.workers, Random(f"{plan.seed} node {number}"), seen))
    for node in nodes:
        run("init", "--config", str(node.config))
    for account in range(1, plan.accounts + 1):
        arguments = ("--config", str(nodes[0].config), "--password-stdin", address(account))
        run("account", "add", *arguments, given=f"{password(account)}\n")
    return nodes
