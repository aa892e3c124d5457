"""The demo's way for outgoing mail: a small LMTP client (RFC 2033) that hands it to our own listener."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from eas.mail.submission import SubmissionFailed

REPLY_SECONDS = 20.0
_LINES_MAX = 100


class OwnDelivery:
    """Delivers to the accounts of this server; whoever has none here is refused for good."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def __call__(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Deliver *message* to all *recipients*, or to none of them.  Raises `SubmissionFailed`."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    await _Conversation(reader, writer).deliver(sender, list(dict.fromkeys(recipients)), message)
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise SubmissionFailed(repr(error), permanent=False) from error


class _Conversation:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def deliver(self, sender: str, recipients: list[str], message: bytes) -> None:
        await self._expect(await self._reply())
        await self._expect(await self._ask("LHLO demo.example.test"))
        await self._expect(await self._ask(f"MAIL FROM:<{sender}> BODY=8BITMIME SMTPUTF8"))
        codes = {recipient: await self._ask(f"RCPT TO:<{recipient}>") for recipient in recipients}
        self._refuse(codes)
        if await self._ask("DATA") != 354:
            raise SubmissionFailed("DATA was refused", permanent=False)
        self._writer.write(_dotted(message))
        self._refuse({recipient: await self._reply() for recipient in recipients})
        self._writer.write(b"QUIT\r\n")

    async def _ask(self, command: str) -> int:
        if "\r" in command or "\n" in command:
            raise SubmissionFailed("an address of two lines", permanent=True)
        self._writer.write(command.encode() + b"\r\n")
        return await self._reply()

    async def _reply(self) -> int:
        for _ in range(_LINES_MAX):
            line = await self._reader.readuntil(b"\n")
            if line[3:4] != b"-":
                return int(line[:3])
        raise ValueError("a reply without end")

    async def _expect(self, code: int) -> None:
        if code // 100 != 2:
            raise SubmissionFailed(f"LMTP {code}", permanent=code >= 500)

    def _refuse(self, codes: dict[str, int]) -> None:
        refused = [recipient for recipient, code in codes.items() if code // 100 != 2]
        if refused:
            permanent = all(codes[recipient] >= 500 for recipient in refused)
            raise SubmissionFailed(f"refused: {codes}", permanent=permanent, recipients=refused)


def _dotted(message: bytes) -> bytes:
    """Return *message* as DATA wants it: lines that end in CRLF, a dot before a dot, a dot alone at the end."""
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
