import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from lmtp.connection import COMMAND_SECONDS, CONTENT_SECONDS, MESSAGE_SECONDS
from lmtp.listen import open_sockets
from lmtp.server import Server
from lmtp.settings import Settings
from storage.engine import Unavailable
from tests.lmtp.conversation import codes
from tests.lmtp.mailroom import Box, Mailroom, Noted, postman_for

ENVELOPE = b"LHLO c.test\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\n"


@dataclass
class Peer:
    """A client that sends bytes and counts lines."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes, replies: int) -> list[str]:
        """Send bytes and return the next replies."""
        self.writer.write(data)
        return await self.hear(replies)

    async def hear(self, replies: int) -> list[str]:
        lines = ""
        while len(codes(lines)) < replies:
            line = await self.reader.readline()
            assert line, f"hung up after {lines!r}"
            lines += line.decode()
        return codes(lines)

    async def is_hung_up(self) -> bool:
        return await self.reader.read() == b""


@dataclass
class Site:
    """A server with its surroundings."""

    server: Server[Box]
    mailroom: Mailroom
    noted: Noted
    addresses: list[str | tuple[str, int]]
    seconds: float = 0.0
    peers: list[Peer] = field(default_factory=list)

    async def connect(self, which: int = 0) -> Peer:
        """Connect to the Unix socket (0) or to the port (1)."""
        address = self.addresses[which]
        if isinstance(address, str):
            peer = Peer(*await asyncio.open_unix_connection(address))
        else:
            peer = Peer(*await asyncio.open_connection(*address))
        self.peers.append(peer)
        return peer

    async def greet(self, which: int = 0) -> Peer:
        peer = await self.connect(which)
        assert await peer.hear(1) == ["220"]
        return peer


@asynccontextmanager
async def _site(tmp_path: Path, settings: Settings | None = None) -> AsyncIterator[Site]:
    mailroom, noted = Mailroom(), Noted()
    site: Site
    settings = settings or Settings(hostname="mx.test", spool_directory=str(tmp_path))
    server = Server(settings, postman_for(mailroom, noted), clock=lambda: site.seconds)
    sockets = open_sockets([f"unix:{tmp_path}/lmtp.sock", "127.0.0.1:0"])
    site = Site(server, mailroom, noted, [f"{tmp_path}/lmtp.sock", sockets[1].getsockname()])
    await server.start(sockets)
    try:
        yield site
    finally:
        if mailroom.gate is not None:
            mailroom.gate.set()
        await server.close()
        for peer in site.peers:
            peer.writer.close()
        await asyncio.gather(*(peer.writer.wait_closed() for peer in site.peers), return_exceptions=True)
    assert server.sessions == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lmtp.sock"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with _site(tmp_path) as built:
        yield built


@pytest.mark.parametrize(("which", "origin"), [(0, b"from c.test\r\n"), (1, b"from c.test ([127.0.0.1])\r\n")])
async def test_delivers_as_postfix_sends(site: Site, which: int, origin: bytes) -> None:
    peer = await site.greet(which)
    assert await peer.say(b"LHLO c.test\r\n", 1) == ["250"]
    envelope = b"MAIL FROM:<s@x> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<a@y>\r\nRCPT TO:<z@y>\r\nRCPT TO:<b+n@y>\r\nDATA\r\n"
    assert await peer.say(envelope, 5) == ["250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354"]
    site.mailroom.trouble["b"] = Unavailable()
    assert await peer.say(b"Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n", 3) == ["250 2.0.0", "451 4.3.0", "221 2.0.0"]
    assert await peer.is_hung_up()
    ((account, trace, message, _),) = site.mailroom.stored
    assert (account, message) == ("a", b"Subject: x\r\n\r\nx\r\n")
    assert origin in trace


async def test_a_message_over_the_memory_bound_comes_through_a_file(site: Site) -> None:
    peer = await site.greet()
    message = b"Subject: x\r\n\r\n" + b"0123456789" * 300_000 + b"\r\n"
    assert await peer.say(ENVELOPE + b"BDAT %d LAST\r\n" % len(message) + message, 4) == [
        "250", "250 2.1.0", "250 2.1.5", "250 2.0.0",
    ]  # fmt: skip
    await peer.say(ENVELOPE + b"DATA\r\n", 4)
    assert await peer.say(message + b".\r\n", 1) == ["250 2.0.0"]
    assert [stored[2] == message for stored in site.mailroom.stored] == [True, True]


async def test_250_waits_for_the_deposit_and_the_next_transaction_for_250(site: Site) -> None:
    site.mailroom.gate = asyncio.Event()
    peer = await site.greet()
    ahead = ENVELOPE + b"BDAT 3 LAST\r\none" + ENVELOPE + b"BDAT 3 LAST\r\ntwoQUIT\r\n"
    assert await peer.say(ahead, 3) == ["250", "250 2.1.0", "250 2.1.5"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(peer.reader.read(1), 0.02)
    site.mailroom.gate.set()
    assert await peer.hear(6) == ["250 2.0.0", "250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "221 2.0.0"]
    assert [message for _, _, message, _ in site.mailroom.stored] == [b"one", b"two"]


async def test_a_peer_that_closes_its_side_still_gets_its_replies(site: Site) -> None:
    peer = await site.greet()
    peer.writer.write(ENVELOPE + b"BDAT 3 LAST\r\none")
    peer.writer.write_eof()
    assert await peer.hear(4) == ["250", "250 2.1.0", "250 2.1.5", "250 2.0.0"]
    assert await peer.is_hung_up()


@pytest.mark.parametrize("begin", [b"DATA\r\nSubject: x\r\n\r\n", b"BDAT 100 LAST\r\n", b"BDAT 4\r\nhalf"])
async def test_a_peer_that_leaves_within_a_message_leaves_nothing(site: Site, begin: bytes) -> None:
    peer = await site.greet()
    await peer.say(ENVELOPE, 3)
    peer.writer.write(begin + b"x" * 50)
    peer.writer.close()
    while site.server.sessions:
        await asyncio.sleep(0)
    assert site.mailroom.stored == []


async def test_a_peer_that_leaves_during_the_deposit_does_not_stop_it(site: Site) -> None:
    site.mailroom.gate = asyncio.Event()
    peer = await site.greet()
    await peer.say(ENVELOPE + b"BDAT 3 LAST\r\none", 3)
    peer.writer.transport.abort()
    while site.mailroom.at_once == 0:
        await asyncio.sleep(0)
    site.mailroom.gate.set()
    while site.server.sessions:
        await asyncio.sleep(0)
    assert len(site.mailroom.stored) == 1


async def test_one_session_over_the_bound_is_asked_to_come_back(tmp_path: Path) -> None:
    async with _site(tmp_path, Settings(hostname="mx.test", sessions_max=1)) as site:
        first = await site.greet()
        second = await site.connect()
        assert await second.hear(1) == ["421 4.3.2"]
        assert await second.is_hung_up()
        assert await first.say(b"NOOP\r\n", 1) == ["250 2.0.0"]


async def test_a_silent_peer_is_sent_away(site: Site) -> None:
    peer = await site.greet()
    site.seconds = COMMAND_SECONDS - 1
    site.server.sweep()
    assert await peer.say(b"NOOP\r\n", 1) == ["250 2.0.0"]
    site.seconds += COMMAND_SECONDS
    site.server.sweep()
    assert await peer.hear(1) == ["421 4.4.2"]
    assert await peer.is_hung_up()


async def _let_arrive() -> None:
    """What was written to a socket of this machine is there: let the loop look at it."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_command_that_drips_does_not_gain_time(site: Site) -> None:
    peer = await site.greet()
    peer.writer.write(b"NOO")
    await peer.writer.drain()
    await _let_arrive()
    site.seconds = COMMAND_SECONDS
    peer.writer.write(b"O")
    await _let_arrive()
    site.server.sweep()
    assert await peer.hear(1) == ["421 4.4.2"]


async def test_a_message_may_drip_but_not_for_ever(site: Site) -> None:
    peer = await site.greet()
    await peer.say(ENVELOPE + b"DATA\r\n", 4)
    while site.seconds < MESSAGE_SECONDS - CONTENT_SECONDS:
        site.seconds += CONTENT_SECONDS - 1
        peer.writer.write(b"x")
        await _let_arrive()
        site.server.sweep()
    assert site.server.sessions == 1
    site.seconds = MESSAGE_SECONDS
    peer.writer.write(b"x")
    await _let_arrive()
    site.server.sweep()
    assert await peer.hear(1) == ["421 4.4.2"]
    assert site.mailroom.stored == []


async def test_a_deposit_is_not_timed_by_the_peers_clock(site: Site) -> None:
    site.mailroom.gate = asyncio.Event()
    peer = await site.greet()
    await peer.say(ENVELOPE + b"BDAT 3 LAST\r\none", 3)
    site.seconds = MESSAGE_SECONDS * 2
    site.server.sweep()
    site.mailroom.gate.set()
    assert await peer.hear(1) == ["250 2.0.0"]


async def test_a_peer_that_does_not_read_is_not_read_either_and_cut_off_in_the_end(site: Site) -> None:
    address = site.addresses[0]
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(address)
        peer.setblocking(False)
        sent, unsent = 0, 0
        while unsent < 50:
            try:
                sent += peer.send(b"NOOP\r\n" * 10_000)
                unsent = 0
            except BlockingIOError:
                unsent += 1
            await asyncio.sleep(0.001)
        assert sent < 8_000_000
        site.seconds = COMMAND_SECONDS
        site.server.sweep()  # says 421, which it does not read
        site.server.sweep()
        while site.server.sessions:
            await asyncio.sleep(0)


async def test_shutting_down_lets_deposits_finish_and_sends_idle_peers_away(site: Site) -> None:
    site.mailroom.gate = asyncio.Event()
    idle, busy, halfway = await site.greet(), await site.greet(1), await site.greet()
    await busy.say(ENVELOPE + b"BDAT 3 LAST\r\noneNOOP\r\n", 3)
    await halfway.say(ENVELOPE + b"DATA\r\n", 4)
    while site.mailroom.at_once == 0:
        await asyncio.sleep(0)
    closing = asyncio.create_task(site.server.close())
    for peer in (idle, halfway):
        assert await peer.hear(1) == ["421 4.3.2"]
        assert await peer.is_hung_up()
    with pytest.raises(ConnectionRefusedError):
        await site.connect()
    assert not closing.done()
    site.mailroom.gate.set()
    assert await busy.hear(2) == ["250 2.0.0", "421 4.3.2"]
    await closing
    assert len(site.mailroom.stored) == 1


async def test_shutting_down_does_not_wait_for_ever(site: Site) -> None:
    site.mailroom.gate = asyncio.Event()
    peer = await site.greet()
    await peer.say(ENVELOPE + b"BDAT 3 LAST\r\none", 3)
    await site.server.close(grace_seconds=0.01)
    assert site.server.sessions == 0
    assert site.mailroom.stored == []


async def test_a_mistake_of_ours_is_temporary_and_told_to_the_observer(site: Site) -> None:
    site.mailroom.trouble["a"] = ZeroDivisionError()
    peer = await site.greet()
    assert (await peer.say(ENVELOPE + b"BDAT 3 LAST\r\none", 4))[-1] == "451 4.3.0"
    assert isinstance(site.noted.failures[0], ZeroDivisionError)


@pytest.mark.parametrize(
    "scenario",
    [
        test_a_message_over_the_memory_bound_comes_through_a_file,
        test_250_waits_for_the_deposit_and_the_next_transaction_for_250,
        test_a_peer_that_closes_its_side_still_gets_its_replies,
        test_a_peer_that_leaves_during_the_deposit_does_not_stop_it,
        test_a_peer_that_does_not_read_is_not_read_either_and_cut_off_in_the_end,
        test_shutting_down_lets_deposits_finish_and_sends_idle_peers_away,
        test_shutting_down_does_not_wait_for_ever,
    ],
)
def test_the_same_holds_on_uvloop(tmp_path: Path, scenario: Callable[[Site], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with _site(tmp_path) as site:
            await scenario(site)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
