"""What is left of an account's secrets in a server's memory, while its phone is there and after its lifetime.

As far as Python allows: no object that lives on holds any of them.  What freed memory still shows until it is used
again is a matter of the allocator: one that overwrites it (SECURITY.md) leaves nothing.
"""

import asyncio
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from eas.protocol.versions import Version
from storage.keyring.objects import load
from storage.keyring.passwords import open_slot
from storage.opening import open_store
from storage.seal import derive
from tests.eas.world import _storage_settings, address
from tests.sources import ROOT
from tests.support.client import EasClient
from tests.support.process_memory import Found, find

PASSWORD = "a long and strange password, of Anna's alone"
WIPING = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0"}
SECONDS = 30.0
IN_USE = {"private", "ids", "tokens", "log", "page", "checkpoint"}
"""What a session needs; nothing else is kept for it."""


@dataclass
class Server:
    """A server that forgets when it is told to (`forgetful_server.py`), and what must not be found in its memory."""

    process: subprocess.Popen[str]
    url: str
    secrets: dict[str, bytes]

    def find(self) -> dict[str, Found]:
        return find(self.process.pid, self.secrets)

    async def forget(self) -> None:
        """End the lifetime of all sessions, and wait until no account is open."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        await said(self.process, "forgotten")


async def said(process: subprocess.Popen[str], word: str) -> str:
    """Return what the process says after that word; what it logs is passed over."""
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        while not (line := await asyncio.to_thread(process.stdout.readline)).startswith(word):
            assert line
    return line.removeprefix(word).strip()


async def _secrets(folder: Path) -> dict[str, bytes]:
    """Make the account of the server to come; return all that is secret of it."""
    store = await open_store(_storage_settings(folder, "local", 1))
    mailbox = await store.directory.resolve(address(1))
    unlocked = (await store.create(mailbox, PASSWORD)).unlocked
    (user_secret,) = await store.directory.user_secrets(mailbox)
    slot = (await load(store.vault, unlocked.account)).slots[unlocked.slot_id]
    opened = await open_slot(store.vault, slot, PASSWORD.encode(), user_secret)
    await store.close()
    assert opened is not None
    ring = unlocked.ring
    secrets = {"password": PASSWORD.encode(), "master": ring.newest.master, "slot": opened.private}
    secrets["header"] = b"Basic " + b64encode(f"{address(1)}:{PASSWORD}".encode())
    secrets |= {"private": ring.newest.private, "ids": ring.ids, "tokens": ring.tokens}
    for purpose in ("log", "page", "checkpoint", "ring", "slot note"):
        secrets[purpose] = derive(ring.newest.master, purpose)
    return secrets


@asynccontextmanager
async def serving(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Server]:
    secrets = await _secrets(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.system.forgetful_server", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        server = Server(process, await said(process, "url"), secrets)
        assert not server.find()
        yield server
    finally:
        process.kill()
        process.communicate()


async def visit(server: Server) -> dict[str, Found]:
    """Come as a phone does, and go; return what was found while it was there."""
    async with EasClient(server.url, address(1), PASSWORD, version=Version.V14_1) as phone:
        await phone.options()
        await phone.sync_all(await phone.inbox())
        return server.find()


async def test_no_object_holds_a_secret_of_an_account_whose_lifetime_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, {"PYTHONMALLOC": "pymalloc"}) as server:
        during = await visit(server)
        assert {name for name in IN_USE if during[name].living} == IN_USE
        for name in ("password", "master", "slot", "ring"):
            assert not during.get(name, Found(0, 0)).living
        await server.forget()
        assert {name for name, found in server.find().items() if found.living} == set()


@pytest.mark.parametrize("visits", [1, 3])
async def test_an_allocator_that_overwrites_what_is_freed_leaves_nothing_at_all(tmp_path: Path, visits: int) -> None:
    async with serving(tmp_path, WIPING) as server:
        for _ in range(visits):
            during = await visit(server)
            assert during.keys() - {"header"} == IN_USE  # the header is of the request that came last
        await server.forget()
        assert server.find() == {}
