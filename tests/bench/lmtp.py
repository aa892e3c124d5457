"""LMTP: what a delivery costs before storage.

*Session*: envelope, message and replies through the machine alone; the gate is 60 µs for 5 KB by DATA.  *Line by line*
is the same message read as a general SMTP library reads it, and nothing else.  *Served* adds a Unix socket, uvloop, the
trace lines and the look for a spam flag: process time of both sides, so the client's share is in it.
"""

import asyncio
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from mmap import mmap
from time import process_time
from typing import Final

import uvloop

from lmtp import reply
from lmtp.delivery import Postman
from lmtp.listen import open_sockets
from lmtp.server import Server
from lmtp.session import Session
from lmtp.settings import Settings
from lmtp.spool import Spool
from lmtp.transaction import Delivery, Resolve
from tests.bench.figure import Figure, best_seconds

ROUNDS: Final = 200
LINE: Final = b"The quick brown fox jumps over the lazy dog, and then it sleeps a bit.\r\n"
ENVELOPE: Final = b"MAIL FROM:<someone@sender.example> SIZE=5000 BODY=8BITMIME\r\nRCPT TO:<ann@example.org>\r\n"


def message_of(size_bytes: int) -> bytes:
    """Return a message of about that size."""
    header = b"From: a@sender.example\r\nTo: ann@example.org\r\nSubject: x\r\n\r\n"
    return header + LINE * ((size_bytes - len(header)) // len(LINE))


def run() -> list[Figure]:
    small, large = message_of(5_000), message_of(1_000_000)
    data = best_seconds(lambda: _sessions(ROUNDS, _dotted(small))) / ROUNDS
    chunk = best_seconds(lambda: _sessions(ROUNDS, _chunked(small))) / ROUNDS
    naive = best_seconds(lambda: [_line_by_line(small) for _ in range(ROUNDS)]) / ROUNDS
    large_data = best_seconds(lambda: _sessions(1, _dotted(large)))
    large_chunk = best_seconds(lambda: _sessions(1, _chunked(large)))
    large_naive = best_seconds(lambda: _line_by_line(large))
    return [
        Figure("lmtp: session, 5 KB by DATA", data * 1e6, "µs", 60),
        Figure("lmtp: session, 5 KB by BDAT", chunk * 1e6, "µs", 60),
        Figure("lmtp: session, 1 MB by DATA", large_data * 1e3, "ms", 5),
        Figure("lmtp: session, 1 MB by BDAT", large_chunk * 1e3, "ms", 3.5),
        Figure("lmtp: 5 KB line by line, alone", naive * 1e6, "µs"),
        Figure("lmtp: session, 1 MB by DATA, times quicker", large_naive / large_data, "×", 1.5, "at least"),
        Figure("lmtp: served, 5 KB by DATA", _served(_dotted(small)) * 1e6, "µs", 400),
        Figure("lmtp: served, 5 KB by BDAT", _served(_chunked(small)) * 1e6, "µs", 400),
    ]


def _dotted(message: bytes) -> list[bytes]:
    """Return what a pipelining client sends, packet by packet; a large message comes as a kernel gives it."""
    body = message + b".\r\n"
    return [ENVELOPE + b"DATA\r\n", *(body[at : at + 65_536] for at in range(0, len(body), 65_536))]


def _chunked(message: bytes) -> list[bytes]:
    whole = ENVELOPE + b"BDAT %d LAST\r\n" % len(message) + message
    return [whole[at : at + 65_536] for at in range(0, len(whole), 65_536)]


def _sessions(rounds: int, packets: list[bytes]) -> None:
    session: Session[str] = Session("mx.example.org", 10_000_000, 1000, lambda: Spool(10_000_000))
    session.receive_data(b"LHLO client\r\n")
    for _ in range(rounds):
        for packet in packets:
            question = session.receive_data(packet)
            while question is not None:
                _answer(session, question)
                question = session.receive_data(b"")
            session.data_to_send()


def _answer(session: Session[str], question: Resolve | Delivery[str]) -> None:
    if isinstance(question, Resolve):
        session.accept(question.address)
    else:
        question.spool.content()
        session.settle([reply.DELIVERED])


def _line_by_line(message: bytes) -> bytes:
    lines = []
    buffer = bytearray(message + b".\r\n")
    start = 0
    while (end := buffer.find(b"\r\n", start)) >= 0:
        line = bytes(buffer[start : end + 2])
        start = end + 2
        if len(line) > 1000:
            raise ValueError("line too long")
        if line == b".\r\n":
            break
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


class _Box:
    account_id = "ann"


class _Nowhere:
    """Storage that keeps nothing."""

    async def recipient(self, address: str) -> _Box:
        return _Box()

    async def room(self, recipient: _Box, size_bytes: int) -> None:
        pass

    async def deposit(self, recipient: _Box, trace: bytes, message: bytes | mmap, *, junk: bool) -> None:
        pass


def _served(packets: list[bytes]) -> float:
    """Return the process time of one delivery, in seconds, over a Unix socket."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return min(runner.run(_serve(packets)) for _ in range(5))


async def _serve(packets: list[bytes]) -> float:
    ids: Callable[[], str] = lambda: "id"  # noqa: E731
    postman = Postman(_Nowhere(), "mx.example.org", now=lambda: datetime.now(UTC), new_id=ids)
    server = Server(Settings(hostname="mx.example.org"), postman)
    with tempfile.TemporaryDirectory() as folder:
        await server.start(open_sockets([f"unix:{folder}/lmtp"]))
        reader, writer = await asyncio.open_unix_connection(f"{folder}/lmtp")
        writer.write(b"LHLO client\r\n")
        await reader.readuntil(b"250 SIZE 52428800\r\n")
        began = process_time()
        for _ in range(ROUNDS):
            for packet, last in zip(packets, (b"354 ", b"Delivered\r\n")[-len(packets) :], strict=True):
                writer.write(packet)
                await reader.readuntil(last)
                if last == b"354 ":
                    await reader.readuntil(b"\r\n")
        seconds = process_time() - began
        await server.close()
        writer.close()
    return seconds / ROUNDS
