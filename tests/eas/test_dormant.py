import asyncio
import gzip
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from random import Random

import pytest
import uvloop
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from eas.protocol.exchange import EasResponse, Held, HttpRequest
from eas.wire import answer as http_answer
from eas.wire import dormant, handler, lobby, tls
from tests.eas.web_client import PING, SYNC, Hub, Site, Wait, site, until

LOOPS = "both"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tls.Chain:
    return tls.self_signed(tmp_path_factory.mktemp("tls"), ["127.0.0.1"])


@pytest.fixture(params=["plain", "tls"])
async def place(request: pytest.FixtureRequest, chain: tls.Chain) -> AsyncIterator[Site]:
    context, trust = None, None
    if request.param == "tls":
        context = tls.server_context([chain])
        trust = ssl.create_default_context(cafile=chain.certificate)
    async with site(tls=context, trust=trust) as made:
        yield made


async def test_many_rounds_of_ping_and_wake_on_one_connection(place: Site) -> None:
    async with place.phone() as phone:
        for count in range(1, 51):
            await phone.send(PING)
            (await place.hub.held(count)).answer(b"news %d" % count)
            answer = await phone.read()
            assert (answer.status, answer.body) == (200, b"news %d" % count)
        assert (await phone.ask(SYNC)).body == b"done sync"
        assert place.server.connections == 1


async def test_a_held_request_belongs_to_no_task(place: Site) -> None:
    tasks = asyncio.all_tasks()
    async with place.phone() as phone:
        await phone.send(PING)
        await place.hub.held(1)
        await until(lambda: asyncio.all_tasks() == tasks)
        assert place.server.held == 1


@pytest.mark.parametrize("cut", [1, 30, len(PING) - 4, len(PING) - 1])
async def test_a_request_in_two_writes_wakes_a_dormant_connection(place: Site, cut: int) -> None:
    async with place.phone() as phone:
        for count in (1, 2):
            await phone.send(PING[:cut])
            await asyncio.sleep(0.01)
            await phone.send(PING[cut:])
            (await place.hub.held(count)).answer()
            assert (await phone.read()).body == b"news"


async def test_a_request_sent_while_one_is_held_is_answered_after_it(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING)
        wait = await place.hub.held(1)
        await phone.send(SYNC[:20])
        await phone.send(SYNC[20:])
        await asyncio.sleep(0.02)
        assert len(place.hub.seen) == 1
        wait.answer()
        assert (await phone.read()).body == b"news"
        assert (await phone.read()).body == b"done sync"


@pytest.mark.parametrize("behind", [SYNC, SYNC[:1], SYNC[:40]], ids=["whole", "a byte", "half"])
async def test_what_came_in_one_packet_with_a_held_request_is_said_not_to_be_processed(
    place: Site, behind: bytes
) -> None:
    async with place.phone() as phone:
        await phone.send(PING + behind)
        (await place.hub.held(1)).answer()
        answer = await phone.read()
        assert (answer.body, answer.headers["connection"]) == (b"news", "close")
        assert await phone.is_closed()
        assert len(place.hub.seen) == 1


async def test_a_held_request_behind_another_one_is_held(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(SYNC + SYNC + PING)
        assert [(await phone.read()).body for _ in range(2)] == [b"done sync"] * 2
        (await place.hub.held(1)).answer()
        answer = await phone.read()
        assert answer.body == b"news"
        assert "connection" not in answer.headers


async def test_a_chunked_request_is_held_and_its_connection_kept(place: Site) -> None:
    head, _, body = PING.partition(b"\r\n\r\n")
    chunked = head.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"\r\n\r\n4\r\n" + body
    async with place.phone() as phone:
        for count in (1, 2):
            await phone.send(chunked + b"\r\n0\r\n\r\n")
            (await place.hub.held(count)).answer()
            answer = await phone.read()
            assert "connection" not in answer.headers
    assert [seen.body for seen in place.hub.seen] == [b"ping"] * 2


async def test_the_phone_leaving_frees_its_place(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING)
        wait = await place.hub.held(1)
    await until(lambda: wait.is_abandoned)
    await until(lambda: place.server.connections == 0)
    assert place.server.held == 0
    wait.answer()  # too late, and without effect


async def test_the_phone_vanishing_frees_its_place(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING)
        wait = await place.hub.held(1)
        sock: socket.socket = phone.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        phone.reset()
        await until(lambda: wait.is_abandoned)
        await until(lambda: place.server.connections == 0)


async def test_a_phone_that_closes_its_half_only_has_left() -> None:
    async with site() as place, place.phone() as phone:
        await phone.send(PING)
        wait = await place.hub.held(1)
        phone.writer.write_eof()
        await until(lambda: wait.is_abandoned)


async def test_a_wake_may_race_with_the_phone_leaving(place: Site) -> None:
    for count in range(1, 31):
        async with place.phone() as phone:
            await phone.send(PING)
            wait = await place.hub.held(count)
            phone.reset()
            for _ in range(count % 7):
                await asyncio.sleep(0)
            wait.answer()
    await until(lambda: place.server.connections == 0)
    assert place.server.held == 0
    assert (await place.ask(SYNC)).body == b"done sync"


async def test_a_phone_that_left_before_it_could_be_held_is_abandoned() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    class SlowHub(Hub):
        async def answer(self, request: HttpRequest) -> EasResponse | Held:
            arrived.set()
            await go.wait()
            return await super().answer(request)

    hub = SlowHub()
    async with site(hub) as place:
        async with place.phone() as phone:
            await phone.send(PING)
            await arrived.wait()
        await until(lambda: place.server.connections == 0)
        go.set()
        await until(lambda: bool(hub.waits) and hub.waits[0].is_abandoned)
        assert hub.waits[0].reply is None


async def test_an_answer_may_be_there_at_once() -> None:
    class Eager(Wait):
        def begin(self, reply: Callable[[EasResponse], None]) -> None:
            reply(EasResponse(body=b"at once"))

    class EagerHub(Hub):
        async def answer(self, request: HttpRequest) -> EasResponse | Held:
            return Eager()

    async with site(EagerHub()) as place, place.phone() as phone:
        for _ in range(20):
            assert (await phone.ask(PING)).body == b"at once"


async def test_a_wait_that_cannot_begin_is_answered_500() -> None:
    class Broken(Wait):
        def begin(self, reply: Callable[[EasResponse], None]) -> None:
            raise RuntimeError

    class BrokenHub(Hub):
        async def answer(self, request: HttpRequest) -> EasResponse | Held:
            return Broken()

    async with site(BrokenHub()) as place, place.phone() as phone:
        assert [(await phone.ask(PING)).status for _ in range(2)] == [500, 500]


async def test_a_second_reply_has_no_effect_not_even_on_the_next_wait(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING)
        first = await place.hub.held(1)
        first.answer(b"one")
        first.answer(b"again")
        assert (await phone.read()).body == b"one"
        await phone.send(PING)
        second = await place.hub.held(2)
        first.answer(b"late")
        second.answer(b"two")
        assert (await phone.read()).body == b"two"


async def test_stopping_abandons_and_closes_what_is_held(place: Site) -> None:
    async with place.phone() as phone, place.phone() as idle:
        await phone.send(PING)
        wait = await place.hub.held(1)
        await idle.ask(SYNC)
        await place.server.stop()
        assert wait.is_abandoned
        assert await phone.is_closed()
        assert await idle.is_closed()
    assert place.server.connections == 0


async def test_http_1_0_is_answered_in_kind() -> None:
    old = PING.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with site() as place, place.phone() as phone:
        await phone.send(old.replace(b"Host: mail", b"Connection: keep-alive"))
        (await place.hub.held(1)).answer()
        assert (await phone.reader.readuntil(b"\r\n")) == b"HTTP/1.0 200 OK\r\n"
        answer = await phone.reader.readuntil(b"news")
        assert b"Connection: keep-alive" in answer
        await phone.send(old)
        (await place.hub.held(2)).answer()
        assert (await phone.read()).body == b"news"
        assert await phone.is_closed()


async def test_connection_close_is_obeyed(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING.replace(b"Host: mail", b"Host: mail\r\nConnection: close"))
        (await place.hub.held(1)).answer()
        answer = await phone.read()
        assert (answer.body, answer.headers["connection"]) == (b"news", "close")
        assert await phone.is_closed()


async def test_a_held_answer_has_the_headers_of_any_answer(place: Site) -> None:
    async with place.phone() as phone:
        plain = await phone.ask(SYNC)
        await phone.send(PING)
        (await place.hub.held(1)).answer(b"done sync")
        held = await phone.read()
    assert {name for name in held.headers if held.headers[name] != plain.headers[name]} <= {"date"}
    assert held.headers.keys() == plain.headers.keys()


@pytest.mark.parametrize("size", [http_answer.GZIP_BYTES_MIN + 1, http_answer.THREAD_BYTES_MIN + 1])
async def test_a_held_answer_is_compressed_for_who_asked(place: Site, size: int) -> None:
    async with place.phone() as phone:
        await phone.send(PING.replace(b"Host: mail", b"Host: mail\r\nAccept-Encoding: gzip"))
        (await place.hub.held(1)).answer(b"x" * size)
        answer = await phone.read()
        assert gzip.decompress(answer.body) == b"x" * size
        await phone.send(PING)
        (await place.hub.held(2)).answer(b"y" * size)
        assert (await phone.read()).body == b"y" * size


async def test_a_slow_reader_gets_all_of_a_long_answer(place: Site) -> None:
    long = os.urandom(8 * 1024 * 1024)
    async with place.phone() as phone:
        for count in (1, 2):
            await phone.send(PING)
            (await place.hub.held(count)).answer(long)
            await asyncio.sleep(0.05)
            await phone.send(SYNC)  # asked before the answer is read
            assert (await phone.read()).body == long
            assert (await phone.read()).body == b"done sync"


async def test_a_phone_leaving_in_the_middle_of_a_long_answer_frees_its_place(place: Site) -> None:
    async with place.phone() as phone:
        await phone.send(PING)
        (await place.hub.held(1)).answer(os.urandom(8 * 1024 * 1024))
        await phone.reader.readexactly(1000)
        phone.reset()
    await until(lambda: place.server.connections == 0)
    assert place.server.held == 0


@pytest.mark.parametrize("size", [None, 3_000_000])
async def test_a_held_answer_may_come_in_pieces(place: Site, size: int | None) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(30):
            yield bytes([number]) * 100_000
            await asyncio.sleep(0)

    async with place.phone() as phone:
        for count in (1, 2):
            await phone.send(PING)
            wait = await place.hub.held(count)
            assert wait.reply is not None
            wait.reply(EasResponse(body=pieces(), size=size))
            answer = await phone.read()
            assert answer.body == b"".join([piece async for piece in pieces()])
            assert answer.headers.get("content-length") == (None if size is None else str(size))


async def test_a_held_answer_that_breaks_off_ends_the_connection(place: Site) -> None:
    closed = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"half"
            raise OSError
        finally:
            closed.append(True)

    async with place.phone() as phone:
        await phone.send(PING)
        wait = await place.hub.held(1)
        assert wait.reply is not None
        wait.reply(EasResponse(body=pieces()))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await phone.read()
    assert closed == [True]


async def test_who_sends_too_much_ahead_is_cut_off() -> None:
    async with site() as place:
        async with place.phone() as phone:
            await phone.send(PING)
            wait = await place.hub.held(1)
            await phone.send(b"x" * dormant.EARLY_BYTES_MAX)
            await asyncio.sleep(0.05)
            assert not wait.is_abandoned
        await until(lambda: wait.is_abandoned)
        async with place.phone() as phone:
            await phone.send(PING)
            wait = await place.hub.held(2)
            await phone.send(b"x" * (dormant.EARLY_BYTES_MAX + 1))
            await until(lambda: wait.is_abandoned)
            with suppress(ConnectionResetError):
                assert await phone.is_closed()


async def test_a_connection_at_rest_leaves_aiohttp_and_serves_on(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "REST_SECONDS", 0.02)
    inside = place.server._lobby
    assert inside is not None
    async with place.phone() as phone:
        for _ in range(3):
            assert (await phone.ask(SYNC)).body == b"done sync"
            await until(lambda: not inside._handlers)
            assert place.server.connections == 1


async def test_many_may_ask_in_one_turn_and_all_are_answered_in_theirs(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "WAKES_A_TURN", 2)
    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(place.phone()) for _ in range(20)]
        for _ in range(3):
            for phone in phones:
                phone.writer.write(SYNC[:-2])
            for phone in phones:
                phone.writer.write(SYNC[-2:])
            assert [(await phone.read()).body for phone in phones] == [b"done sync"] * 20
            for phone in phones:
                phone.writer.write(PING)
            await place.hub.held(len(place.hub.waits) // 20 * 20 + 20)
            await until(lambda: place.server.held == 20)
            for wait in place.hub.waits[-20:]:
                wait.answer()
            assert [(await phone.read()).body for phone in phones] == [b"news"] * 20
    await until(lambda: place.server.connections == 0)


async def test_a_phone_may_leave_before_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "WAKES_A_TURN", 0)
    async with site() as place:
        inside = place.server._lobby
        assert inside is not None
        async with place.phone() as phone:
            await phone.send(SYNC)
            await until(lambda: bool(inside._waking))
            inside._waking[0].abort()
            await until(lambda: place.server.connections == 0)
        monkeypatch.setattr(lobby, "WAKES_A_TURN", 2)
        inside._next_turn()
        assert (await place.ask(SYNC)).status == 200
        assert len(place.hub.seen) == 1


async def test_headers_that_are_coming_are_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "REST_SECONDS", 0.02)
    monkeypatch.setattr(handler, "HEAD_SECONDS", 0.3)
    async with site() as place, place.phone() as phone:
        for first in (SYNC, SYNC[:30]):
            if first == SYNC:
                await phone.ask(SYNC)
                await phone.send(SYNC[:30])
                await asyncio.sleep(0.1)
                assert (await phone.ask(SYNC[30:])).body == b"done sync"
            else:
                await phone.send(first)
                assert await phone.is_closed()


async def test_silent_and_idle_connections_are_closed_when_their_time_is_over() -> None:
    now = [0.0]
    entered: list[dormant.Dormant] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    inside = lobby.Lobby(answer, connections_max=10, keepalive_seconds=100, clock=lambda: now[0])

    class Wire(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.is_open = True

        def close(self) -> None:
            self.is_open = False

        abort = close

    wires = [Wire(), Wire()]
    for wire in wires:
        connection = inside()
        connection.connection_made(wire)
        entered.append(connection)
    inside._forget(entered[1])
    inside.rest(entered[1])
    inside.sweep(lobby.FRESH_SECONDS - 0.1)
    assert [wire.is_open for wire in wires] == [True, True]
    inside.sweep(lobby.FRESH_SECONDS)
    assert [wire.is_open for wire in wires] == [False, True]
    inside.sweep(100)
    assert [wire.is_open for wire in wires] == [False, False]
    for connection in entered:
        connection.connection_lost(None)
    await inside.stop(0)


async def test_another_aiohttp_is_refused_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_PRIVATE", ("_waiter", "_not_there"))
    with pytest.raises(handler.AiohttpChanged, match="_not_there"):
        async with site():
            pass


async def test_a_parser_that_cannot_be_asked_is_refused_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler.Handler, "is_at_rest", lambda self: True)
    with pytest.raises(handler.AiohttpChanged, match="parses otherwise"):
        async with site():
            pass


async def test_everything_of_a_held_request_is_forgotten() -> None:
    async with site() as place, place.phone() as phone:
        marker = b"marker-of-this-request"
        await phone.send(PING.replace(b"Host: mail", b"Host: mail\r\nUser-Agent: " + marker))
        await place.hub.held(1)
        place.hub.seen.clear()
        await until(lambda: len(asyncio.all_tasks()) == 1)
        inside = place.server._lobby
        assert inside is not None
        assert not inside._handlers
        await until(lambda: not inside._manager.connections)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_whatever_phones_and_hub_do_every_wait_ends_once_and_no_connection_is_lost(seed: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if seed % 2 else asyncio.new_event_loop) as runner:
        runner.run(_rush(Random(seed)))


async def _rush(random: Random) -> None:
    """A dozen phones that ping, sync, pipeline, stall, leave; a hub that wakes them at any moment."""

    async def live(place: Site) -> None:
        async with place.phone() as phone:
            for _ in range(random.randrange(6)):
                request = random.choice([PING, SYNC])
                cut = random.randrange(len(request))
                await phone.send(request[:cut])
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                await phone.send(request[cut:])
                if random.random() < 0.1:
                    phone.reset()
                    break
                answers = 1
                if random.random() < 0.1:
                    phone.writer.write(SYNC)
                    answers = 2
                for _ in range(answers):
                    answer = await phone.read()
                    assert answer.body in {b"news", b"done sync"}
                    if "connection" in answer.headers:
                        assert await phone.is_closed()
                        return

    async def wake(hub: Hub) -> None:
        while True:
            await asyncio.sleep(0)
            for wait in hub.waits:
                if wait.reply is not None and not wait.is_abandoned and random.random() < 0.3:
                    wait.answer()

    async with site() as place:
        waking = asyncio.ensure_future(wake(place.hub))
        async with asyncio.TaskGroup() as phones:
            for _ in range(12):
                phones.create_task(live(place))
        await until(lambda: place.server.connections == 0)
        assert place.server.held == 0
        assert all(wait.is_answered or wait.is_abandoned for wait in place.hub.waits)
        waking.cancel()
