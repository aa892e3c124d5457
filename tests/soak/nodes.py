"""Nodes as an administrator sets them up: `petitbleu init`, `account add`, `serve`."""

import asyncio
import subprocess
from pathlib import Path
from random import Random
from typing import Final

from tests.interop.programs import free_ports, listens, replace
from tests.soak.kept import ROOT, Kept, petitbleu
from tests.soak.plan import Plan, Seen, address, password
from tests.soak.stores import StorePlace

READY_SECONDS: Final = 120.0


def run(*arguments: str, given: str = "") -> str:
    """Run `petitbleu` with *given* as its input; return what it said.  Raises AssertionError when it fails."""
    done = subprocess.run(petitbleu(*arguments), cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


class Node(Kept):
    """One `petitbleu serve`."""

    def __init__(self, config: Path, ports: tuple[int, int], workers: int, random: Random, seen: Seen) -> None:
        serve = petitbleu("serve", "--config", str(config), "--workers", str(workers))
        super().__init__(config.stem, serve, config.with_suffix(".log"), random, seen)
        self.config, self.workers = config, workers
        self.http_port, self.lmtp_port = ports

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def start(self) -> None:
        """Begin to keep it running, and wait until it serves."""
        await super().start()
        await self.ready()

    async def ready(self) -> None:
        """Wait until it serves.  Raises TimeoutError."""
        async with asyncio.timeout(READY_SECONDS):
            while not (listens(self.http_port) and listens(self.lmtp_port)):
                await asyncio.sleep(0.1)


def set_up(plan: Plan, place: StorePlace, folder: Path, seen: Seen, submission_port: int) -> list[Node]:
    """Make the nodes' files and the accounts; nothing runs yet."""
    nodes = []
    example = run("init", "--print-config")
    for number in range(plan.nodes):
        http, lmtp = free_ports(2)
        home = folder / f"node{number}"
        home.mkdir()
        key = folder / "deployment.key"
        changes = {
            **place.settings(home),
            '# directory_file = "/etc/petitbleu/accounts.toml"': f'directory_file = "{folder}/accounts.toml"',
            '# deployment_key_file = "/etc/petitbleu/deployment.key"': f'deployment_key_file = "{key}"',
            '# http = "127.0.0.1:8080"': f'http = "127.0.0.1:{http}"',
            '# submission = "127.0.0.1:587"': f'submission = "127.0.0.1:{submission_port}"',
            "# heartbeat_seconds_min = 60": "heartbeat_seconds_min = 5",
            '# listen = ["127.0.0.1:2424"]': f'listen = ["127.0.0.1:{lmtp}"]',
        }
        config = home / f"node{number}.toml"
        config.write_text(replace(example, changes))
        nodes.append(Node(config, (http, lmtp), plan.workers, Random(f"{plan.seed} node {number}"), seen))
    for node in nodes:
        run("init", "--config", str(node.config))
    for account in range(1, plan.accounts + 1):
        arguments = ("--config", str(nodes[0].config), "--password-stdin", address(account))
        run("account", "add", *arguments, given=f"{password(account)}\n")
    return nodes
