"""A machine of the simulated service: a process of the real storage and the real commands, and a clock that is off."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from eas.clients import client_of
from eas.context import Context, Services, Submit
from eas.protocol.versions import Version
from eas.settings import Settings
from eas.sync.hub import Hub
from storage.account import Account
from storage.directories.directory import Entry, Mailbox
from storage.keyring.keys import Unlocked
from storage.keyring.objects import Vault
from storage.keyring.slots import CHEAPEST
from storage.store import Store
from tests.simulation.bucket import Bucket, Connection
from tests.simulation.feed import SimulatedFeed, Wire
from tests.simulation.history import History
from tests.simulation.loop import Process
from tests.simulation.weather import SKEW_HOURS_MAX

T = TypeVar("T")
DEPLOYMENT_KEY = bytes(range(32))
USER = Mailbox("u@example.test", quota_bytes=1 << 40)
PASSWORD, SECRET = "correct horse", b""
PATIENCE_SECONDS = 20.0


class OneUser:
    """A directory."""

    async def resolve(self, address: str) -> Mailbox:
        """Return the user."""
        return USER

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        """Return the user."""
        return (USER,)

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        """Return his secret."""
        return (SECRET,)

    async def search(self, words: Sequence[str] | str, limit: int) -> list[Entry]:
        """Find nobody."""
        return []


@dataclass(frozen=True)
class Device:
    """Who asks."""

    id: str
    type: str
    agent: str
    version: Version


@dataclass
class Service:
    """What all nodes share."""

    random: Random
    bucket: Bucket
    wire: Wire
    history: History
    submit: Submit
    unlocked: Unlocked | None = None


class Down(Exception):
    """No process listens there now."""


class Node:
    """One machine."""

    def __init__(self, service: Service, name: str) -> None:
        self.service, self.name = service, name
        self.skew_ms = 0
        self.list_page = service.random.choice([2, 5, 50])
        self._starts = 0
        self.start()

    def now_ms(self) -> int:
        """Return what its wall clock shows."""
        return self.service.history.now_ms + self.skew_ms

    def jump(self) -> None:
        """Set the clock, wrongly or right."""
        random = self.service.random
        hours = random.choice([0.0, 0.0, random.uniform(-0.5, 0.5), random.uniform(-SKEW_HOURS_MAX, SKEW_HOURS_MAX)])
        self.skew_ms = int(hours * 3_600_000)
        self.service.history.say(f"{self.name}: its clock is off by {hours:.2f} h")

    def start(self) -> None:
        """Begin a process: it knows nothing, and has writers of its own."""
        self._starts += 1
        self.process = Process()
        self.engine = Connection(self.service.bucket, self.process, self.list_page)
        feed = SimulatedFeed(self.service.wire, f"{self.name}-{self._starts}", self.process)
        vault = Vault(self.engine, DEPLOYMENT_KEY, CHEAPEST, asyncio.Semaphore(2), self.now_ms)
        self.store = Store(self.engine, OneUser(), vault, feed, self.now_ms)
        self.services = Services(Hub(feed), feed, self.store.directory, Settings(), self._now, self._submit)
        if self.service.unlocked is not None:
            # As after a login; what a login reads never changes here.
            self.account: Account = self.store._open(USER, self.service.unlocked)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    async def _submit(self, sender: str, recipients: list[str], message: bytes) -> None:
        await self.service.submit(sender, recipients, message)

    @property
    def is_up(self) -> bool:
        """Whether a process runs."""
        return self.process.is_alive

    def kill(self) -> None:
        """End the process, as kill -9 does."""
        self.process.kill()
        self.bury()

    def bury(self) -> None:
        """Take a process that died out of the feed: nobody tells it anything."""
        self.services.feed.close()

    def restart(self) -> None:
        """Begin anew, whatever was before."""
        if self.is_up:
            self.kill()
        self.bury()
        self.start()

    def serve(self, work: "Callable[[Node], Awaitable[T]]") -> "asyncio.Task[T]":
        """Let the process do *work*.  Raises `Down`."""
        if not self.is_up:
            raise Down(self.name)

        async def worked() -> T:
            return await work(self)

        return self.process.spawn(worked())

    def context(self, device: Device) -> Context:
        """Return what a command of *device* is given."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        client = client_of(device.type, device.agent)
        return Context(self.account, device.id, device.type, device.version, client, deadline, self.services)
