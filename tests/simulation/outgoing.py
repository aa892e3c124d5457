"""Mail on its way out: the mail server that takes it, and how often it did."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from eas.mail.submission import SubmissionFailed
from tests.simulation.history import History
from tests.simulation.weather import Weather


@dataclass
class Letter:
    """A message that a phone wants to be sent."""

    client_id: str
    is_acknowledged: bool = False
    submitted: int = 0
    unnoted: dict[object, None] = field(default_factory=dict)
    """The requests that submitted it and never got to their end: a crash came between, or the mail server did not say
    what became of it.  This is the window that is left."""

    def take(self, *, is_certain: bool) -> None:
        """Note that the mail server took it, within the request that runs now."""
        self.submitted += 1
        self.unnoted[asyncio.current_task() if is_certain else object()] = None

    def note(self) -> None:
        """Note that the request that runs now came to its end: the outcome is durable."""
        self.unnoted.pop(asyncio.current_task(), None)

    def mime(self, sender: str) -> bytes:
        """Return it as the phone wrote it."""
        return f"From: {sender}\r\nTo: friend@example.net\r\nSubject: {self.client_id}\r\n\r\nHello\r\n".encode()


@dataclass
class MailServer:
    """Takes mail, mostly."""

    random: Random
    weather: Weather
    history: History
    letters: dict[str, Letter] = field(default_factory=dict)

    def letter(self) -> Letter:
        """Return a new letter, not yet sent."""
        letter = Letter(f"letter-{len(self.letters) + 1:03}")
        self.letters[letter.client_id] = letter
        return letter

    async def submit(self, sender: str, recipients: list[str], message: bytes) -> None:
        """Take a message, or fail for now, or fail without saying whether it was taken."""
        subject = next(line for line in message.splitlines() if line.startswith(b"Subject: "))
        letter = self.letters[subject.removeprefix(b"Subject: ").decode()]
        await asyncio.sleep(self.weather.pause())
        chance = 1.0 if self.weather.is_fair else self.random.random()
        if chance < 0.1:
            raise SubmissionFailed("not now", permanent=False)
        letter.take(is_certain=chance >= 0.15)
        self.history.say(f"{letter.client_id} was submitted, {letter.submitted} times by now")
        if chance < 0.15:
            raise SubmissionFailed("the line broke", permanent=False, certain=False)
        await asyncio.sleep(self.weather.pause())
