"""The world outside: hands mail to Postfix, a few conversations at once, until it is taken."""

import asyncio
from typing import Final

import aiosmtplib

from tests.interop.postfix import Postfix
from tests.soak.ledger import Ledger
from tests.soak.letters import Letter
from tests.soak.plan import Seen, address

CONVERSATIONS: Final = 4
PAUSE_SECONDS: Final = 0.5
TRIES_MAX: Final = 400


class Post:
    """Takes letters at any time; a few tasks carry them to Postfix."""

    def __init__(self, postfix: Postfix, ledger: Ledger, seen: Seen) -> None:
        self._postfix, self._ledger, self._seen = postfix, ledger, seen
        self._waiting: asyncio.Queue[Letter] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._carry()) for _ in range(CONVERSATIONS)]

    def give(self, letter: Letter) -> None:
        """Take a letter; Postfix has it a little later."""
        self._waiting.put_nowait(letter)

    async def done(self) -> None:
        """Wait until Postfix has taken all, then end."""
        joined = asyncio.create_task(self._waiting.join())
        await asyncio.wait([joined, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (joined, *self._tasks):
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(joined, *self._tasks, return_exceptions=True)

    async def _carry(self) -> None:
        while True:
            letter = await self._waiting.get()
            await self._deliver(letter)
            self._ledger.letters[letter.token] = letter
            self._waiting.task_done()

    async def _deliver(self, letter: Letter) -> None:
        """Hand it over; "come again" is heard while the nodes that know the address are away."""
        for _ in range(TRIES_MAX):
            try:
                async with aiosmtplib.SMTP(
                    hostname="127.0.0.1",
                    port=self._postfix.smtp_port,
                    local_hostname="client.example.net",
                    timeout=120,
                ) as smtp:
                    refused, _ = await smtp.sendmail(letter.sender, list(map(address, letter.accounts)), letter.message)
            except aiosmtplib.SMTPException:
                refused = {"": aiosmtplib.SMTPResponse(450, "")}
            if not refused:
                return
            self._seen.counts["mails that Postfix took later"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"Postfix does not take {letter.token}: {self._postfix.log()[-2000:]}")
