"""An account's keys in a store in memory, as the tests of keys want them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from storage import paths
from storage.engine import Engine
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.keyring.creation import NewKeys, create_account_keys
from storage.keyring.objects import Vault
from storage.keyring.slots import CHEAPEST
from storage.paths import Kind
from tests.support.engines import SlowEngine

DEPLOYMENT_KEY = bytes(range(32))
ACCOUNT = paths.account_of(DEPLOYMENT_KEY, "anna@example.org")
PASSWORD = "correct horse"
SECRET = b"of the directory"
NOW_MS = 1_700_000_000_000


class Wall:
    """A wall clock to be set."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def __call__(self) -> int:
        return self.ms


class World:
    """One store, with as many vaults (nodes) on it as are asked for."""

    def __init__(self) -> None:
        self.objects = MemoryObjects()
        self.wall = Wall()
        self.vault = self.node()

    def engine(self) -> Engine:
        return MemoryEngine(self.objects)

    def node(self, engine: Engine | None = None) -> Vault:
        return Vault(engine or self.engine(), DEPLOYMENT_KEY, CHEAPEST, asyncio.Semaphore(2), self.wall)

    def names(self, kind: Kind) -> list[str]:
        return [name for name in self.objects.keys if paths.parse(name).kind is kind]

    def copy(self) -> "World":
        other = World()
        other.objects.contents = dict(self.objects.contents)
        other.objects.keys = list(self.objects.keys)
        other.wall.ms = self.wall.ms
        return other

    async def create(self) -> NewKeys:
        return await create_account_keys(self.vault, ACCOUNT, PASSWORD, SECRET)


class StepEngine(SlowEngine):
    """Runs *meanwhile* once, at the pause numbered *step*."""

    def __init__(self, world: World, step: int, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(world.engine(), self._pause)
        self._steps_left = step
        self._meanwhile = meanwhile

    async def _pause(self) -> None:
        self._steps_left -= 1
        if self._steps_left == -1:
            await self._meanwhile()


def with_cost(vault: Vault, memory_kib: int) -> Vault:
    return replace(vault, cost=replace(CHEAPEST, memory_kib=memory_kib))
