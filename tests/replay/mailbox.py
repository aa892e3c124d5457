"""What the account of a capture holds: `mailbox` in its `about.toml`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from eas.demo.mails import sample_mails
from tests.eas.world import World, address, world

DEMO = "demo"
LMTP_PORT = 2424  # as the demo's mails name it


@asynccontextmanager
async def mailbox(name: str) -> AsyncIterator[World]:
    """Run a server whose first account holds what *name* says: "" nothing, "demo" the mails of `petitbleu demo`."""
    assert name in ("", DEMO)
    async with world() as running:
        if name == DEMO:
            for message in sample_mails(address(1), LMTP_PORT, datetime.now(UTC)):
                await running.deliver(1, message)
        yield running


def arriving(subject: str) -> bytes:
    """Return the mail that arrives while a request waits: `meanwhile` in `about.toml`."""
    name = subject.lower().replace(" ", "-")
    return (
        f"From: Friend <friend@example.net>\r\nTo: {address(1)}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{name}@example.net>\r\nDate: Sat, 31 Jan 2026 10:00:00 +0000\r\n\r\nDid it?\r\n"
    ).encode()
