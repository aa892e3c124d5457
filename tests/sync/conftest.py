"""A server for tests of Sync and Ping, whose waits may be short."""

from collections.abc import AsyncIterator

import pytest

from eas.settings import Settings
from tests.eas.world import World, world
from tests.support.client import EasClient


@pytest.fixture
async def server() -> AsyncIterator[World]:
    async with world(1, settings=Settings(heartbeat_seconds_min=1)) as running:
        yield running


@pytest.fixture
async def phone(server: World) -> EasClient:
    client = server.client(1)
    await client.set_up()
    return client
