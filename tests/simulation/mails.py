"""Mail on its way in: Postfix, which tries until it hears 250, and what became of each message."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

from storage.engine import EngineError
from tests.simulation.history import History
from tests.simulation.line import Lost, over_the_line
from tests.simulation.node import USER, Node
from tests.simulation.weather import MINUTE, Weather

DEPOSIT_SECONDS = 300.0
"""As `lmtp/delivery.py` allows."""


@dataclass
class Mail:
    """One message; its subject names it wherever it shows up."""

    subject: str
    data: bytes
    is_junk: bool
    is_acknowledged: bool = False


@dataclass
class Postfix:
    """The mail system in front: a queue, and any node to try."""

    random: Random
    weather: Weather
    history: History
    nodes: list[Node]
    mails: list[Mail] = field(default_factory=list)

    def accept(self) -> Mail:
        """Return a new message, in the queue."""
        number = len(self.mails) + 1
        subject = f"mail-{number:04}"
        came = datetime.fromtimestamp(self.history.now_ms / 1000, UTC)
        size = self.random.choice([40, 400, 400, 3000]) if self.random.random() < 0.97 else 70_000
        text = self.random.randbytes(size // 2).hex()
        lines = "\r\n".join(text[start : start + 70] for start in range(0, len(text), 70))
        head = (
            f"Received: by mx.example.test (Postfix) id {number}; {format_datetime(came)}\r\n"
            f"From: friend@example.net\r\nTo: {USER.address}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{number}@example.net>\r\nDate: {format_datetime(came)}\r\n\r\n"
        )
        mail = Mail(subject, f"{head}{subject}\r\n{lines}\r\n".encode(), self.random.random() < 0.1)
        self.mails.append(mail)
        return mail

    async def deliver(self, mail: Mail) -> None:
        """Try until somebody says 250; also once too often, as after a 250 that was lost."""
        tries = 0
        while not mail.is_acknowledged:
            node, tries = self.random.choice(self.nodes), tries + 1
            try:
                await over_the_line(self.weather, self.nodes, node, lambda node: _deposit(node, mail), DEPOSIT_SECONDS)
            except (Lost, EngineError, TimeoutError) as error:
                self.history.say(f"{node.name}: {mail.subject} try {tries}: {type(error).__name__}")
                await asyncio.sleep(self.random.choice([5.0, 5 * MINUTE, 60 * MINUTE]))
                continue
            mail.is_acknowledged = True
            self.history.say(f"{node.name}: {mail.subject} try {tries}: 250")


async def _deposit(node: Node, mail: Mail) -> None:
    """Deliver as `lmtp/delivery.py` does."""
    delivery = node.store.delivery
    trace = f"Received: by {node.name} with LMTP\r\n".encode()
    async with asyncio.timeout(DEPOSIT_SECONDS):
        recipient = await delivery.recipient(USER.address)
        await delivery.room(recipient, len(mail.data))
        await delivery.deposit(recipient, trace, mail.data, junk=mail.is_junk)
