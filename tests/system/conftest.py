"""A server process for tests that kill it, or look at its memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.service import MailServer, Service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    outgoing = MailServer()
    listening = await asyncio.start_server(outgoing.talk, "127.0.0.1", 0)
    outgoing.address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    made = Service(tmp_path, outgoing)
    await made.start()
    try:
        yield made
    finally:
        made.end()
        listening.close()
