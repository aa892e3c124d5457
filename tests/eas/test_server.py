import asyncio
import gzip
import logging
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from eas.protocol.exchange import EasResponse, HttpRequest
from eas.wire import answer as http_answer
from eas.wire import body as http_body
from eas.wire import listeners, lobby, tls
from eas.wire import send as http_send
from eas.wire.listeners import Listener
from eas.wire.server import Limits, Routes, Server
from tests.eas.web_client import EAS, PING, SYNC, Answer, Hub, Site, site, until

LOOPS = "both"


def post(path: str = EAS, body: bytes = b"", *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: mail.example.org", *headers]
    if body and not any(header.startswith(("Content-Length", "Transfer-Encoding")) for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def answer_to(data: bytes, limits: Limits | None = None) -> tuple[Answer, list[HttpRequest]]:
    async with site(limits=limits) as place:
        return await place.ask(data), place.hub.seen


# What comes in.


@pytest.mark.parametrize(
    "path",
    [
        "/Microsoft-Server-ActiveSync",
        "/microsoft-server-activesync/",
        "/MICROSOFT-SERVER-ACTIVESYNC/default.eas",
        "/Microsoft%2DServer-ActiveSync",
        "http://mail.example.org/Microsoft-Server-ActiveSync",
        "/autodiscover/autodiscover.xml",
        "/Autodiscover/Autodiscover.XML",
        "/autodiscover/autodiscover.json",
        "/autodiscover/autodiscover.json/v1.0/anna@example.org",
    ],
)
async def test_a_path_is_known_in_any_spelling(path: str) -> None:
    answer, seen = await answer_to(post(path + "?Cmd=Sync", b"x"))
    assert answer.status == 200
    assert seen[0].raw_query == "Cmd=Sync"


@pytest.mark.parametrize(
    "path", ["/", "/Microsoft-Server-ActiveSync/other", "/autodiscover/autodiscover.jsonp", "/..", "*"]
)
async def test_another_path_is_answered_404_with_nothing(path: str) -> None:
    answer, seen = await answer_to(post(path, method="OPTIONS"))
    assert (answer.status, answer.body, seen) == (404, b"", [])


async def test_another_path_may_have_its_own_answerer() -> None:
    async with site(has_other=True) as place:
        assert (await place.ask(post("/metrics", method="GET"))).status == 200
        assert place.hub.seen[0].path == "/metrics"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND"])
async def test_another_method_is_answered_501(method: str) -> None:
    answer, seen = await answer_to(post(method=method))
    assert (answer.status, answer.headers["allow"], answer.body, seen) == (501, "OPTIONS, POST", b"", [])


async def test_head_is_answered_501_without_a_body() -> None:
    async with site() as place, place.phone() as phone:
        await phone.send(post(method="HEAD"))
        assert b" 501 " in await phone.reader.readuntil(b"\r\n\r\n")
        assert (await phone.ask(SYNC)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "jQAJBBBOaW5l+/bQ==",
        "Cmd=Sync&User=a%40b&DeviceId=x%2By",
        "jQ%3D%3d",
        "a?b=c",
        "",
        "AttachmentName=5:1:2;{}|",
    ],
)
async def test_the_query_is_the_bytes_that_were_sent(query: str) -> None:
    _, seen = await answer_to(post(f"{EAS}?{query}", b"x"))
    assert seen[0].raw_query == query
    assert seen[0].path == EAS


async def test_bytes_that_are_not_utf_8_are_latin_1() -> None:
    _, seen = await answer_to(post(EAS, b"x", "User-Agent: caf\xe9"))
    assert seen[0].user_agent == "caf\xe9"
    _, seen = await answer_to(post(f"{EAS}?x", b"x").replace(b"mail.example.org", "münchen".encode()))
    assert seen[0].host == "münchen"


async def test_headers_are_handed_on_as_sent() -> None:
    headers = [
        "authorization: Basic YTpi",
        "MS-ASProtocolVersion: 14.1",
        "x-ms-policykey: 42",
        "MS-ASAcceptMultiPart: T",
        "User-Agent: Apple-iPhone/1",
        "Content-Type: application/vnd.ms-sync.wbxml",
        "Accept-Encoding: gzip, deflate",
        "Accept-Language: de-CH",
    ]
    _, seen = await answer_to(post(EAS, b"body", *headers))
    assert seen == [
        HttpRequest(
            method="POST",
            path=EAS,
            authorization="Basic YTpi",
            protocol_version="14.1",
            policy_key="42",
            accept_multipart="T",
            user_agent="Apple-iPhone/1",
            content_type="application/vnd.ms-sync.wbxml",
            accept_encoding="gzip, deflate",
            accept_language="de-CH",
            host="mail.example.org",
            body=b"body",
            remote="127.0.0.1",
        )
    ]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "remote"),
    [
        ((), ["192.0.2.9"], "127.0.0.1"),
        (("127.0.0.1",), [], "127.0.0.1"),
        (("127.0.0.1",), ["192.0.2.9"], "192.0.2.9"),
        (("127.0.0.1",), ["10.9.9.9, 192.0.2.9"], "192.0.2.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), ["6.6.6.6, 192.0.2.9, 10.0.0.1"], "192.0.2.9"),
        (("127.0.0.1", "10.0.0.0/8"), ["192.0.2.9", "10.0.0.1"], "192.0.2.9"),
        (("127.0.0.1",), ["192.0.2.9, nonsense"], "127.0.0.1"),
        (("127.0.0.1", "2001:db8::/32"), ["::1, 2001:db8::5"], "::1"),
    ],
)
async def test_only_a_trusted_proxy_says_who_asks(trusted: tuple[str, ...], forwarded: list[str], remote: str) -> None:
    headers = [f"X-Forwarded-For: {value}" for value in forwarded]
    _, seen = await answer_to(post(EAS, b"x", *headers), Limits(trusted_proxies=trusted))
    assert seen[0].remote == remote


# Bodies.


async def test_a_chunked_body_is_put_together() -> None:
    data = post(EAS, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "Transfer-Encoding: chunked")
    _, seen = await answer_to(data)
    assert seen[0].body == b"abcde"


async def test_a_body_may_be_expected_to_be_asked_for() -> None:
    async with site() as place, place.phone() as phone:
        for _ in range(2):
            await phone.send(post(EAS, b"", "Expect: 100-continue", "Content-Length: 4"))
            assert (await phone.reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await phone.ask(b"body")).body == b"done body"


async def test_another_expectation_is_answered_417() -> None:
    answer, seen = await answer_to(post(EAS, b"x", "Expect: wonders"))
    assert (answer.status, seen) == (417, [])


async def test_a_body_of_the_bound_is_taken_and_one_past_it_is_not() -> None:
    limits = Limits(body_max_bytes=1000)
    answer, seen = await answer_to(post(EAS, b"x" * 1000), limits)
    assert (answer.status, len(seen[0].body)) == (200, 1000)
    answer, seen = await answer_to(post(EAS, b"x" * 1001), limits)
    assert (answer.status, answer.body, seen) == (413, b"", [])
    assert answer.headers["connection"] == "close"
    chunked = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    answer, seen = await answer_to(post(EAS, chunked, "Transfer-Encoding: chunked"), limits)
    assert (answer.status, seen) == (413, [])


async def test_too_large_a_body_that_waits_to_be_asked_for_is_never_asked_for() -> None:
    answer, _ = await answer_to(
        post(EAS, b"", "Expect: 100-continue", "Content-Length: 1001"), Limits(body_max_bytes=1000)
    )
    assert answer.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_a_compressed_body_is_inflated(encoding: str) -> None:
    content = bytes(range(256)) * 10_000
    _, seen = await answer_to(post(EAS, gzip.compress(content), f"Content-Encoding: {encoding}"))
    assert seen[0].body == content


async def test_a_body_of_several_gzip_members_or_cut_short_is_answered_400() -> None:
    whole = gzip.compress(b"content")
    for broken in (whole + whole, whole[:-1], whole[:5], b"not gzip", whole + b"x"):
        answer, seen = await answer_to(post(EAS, broken, "Content-Encoding: gzip"))
        assert (answer.status, seen) == (400, [])


async def test_an_empty_body_said_to_be_compressed_is_empty() -> None:
    _, seen = await answer_to(post(EAS, b"", "Content-Encoding: gzip", "Content-Length: 0"))
    assert seen[0].body == b""


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
async def test_another_encoding_is_answered_415(encoding: str) -> None:
    answer, seen = await answer_to(post(EAS, b"x", f"Content-Encoding: {encoding}"))
    assert (answer.status, seen) == (415, [])


async def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    async with site(limits=Limits(body_max_bytes=8 << 20)) as place:
        tracemalloc.start()
        try:
            answer = await place.ask(post(EAS, bomb, "Content-Encoding: gzip"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (answer.status, place.hub.seen) == (413, [])
    assert peak < 24 << 20


async def test_a_large_body_is_held_once() -> None:
    size = 32 << 20
    head, body = post(EAS, b"", f"Content-Length: {size}"), bytes(1 << 20)
    async with site(ready(EasResponse())) as place, place.phone() as phone:
        tracemalloc.start()
        try:
            await phone.send(head)
            for _ in range(32):
                await phone.send(body)
            await until(lambda: bool(place.hub.seen))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(place.hub.seen[0].body) == size
        assert peak < 1.5 * size


async def test_all_bodies_together_are_bounded() -> None:
    limits = Limits(body_max_bytes=1000, bodies_max_bytes=1500)
    async with site(limits=limits) as place, place.phone() as first:
        await first.send(post(EAS, b"", "Content-Length: 1000") + b"x" * 900)
        await until(lambda: place.server._intake._taken_bytes == 900)
        answer = await place.ask(post(EAS, b"y" * 601))
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert (await place.ask(post(EAS, b"y" * 600))).status == 200
        assert (await first.ask(b"x" * 100)).status == 200
        assert place.server._intake._taken_bytes == 0


async def test_what_is_held_has_given_its_body_back() -> None:
    async with site() as place, place.phone() as phone:
        await phone.send(PING)
        await place.hub.held(1)
        assert place.server._intake._taken_bytes == 0


async def test_a_body_that_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "GRACE_SECONDS", 0.1)
    answer, seen = await answer_to(post(EAS, b"half", "Content-Length: 8"))
    assert (answer.status, answer.headers["connection"], seen) == (408, "close", [])


async def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "GRACE_SECONDS", 0.2)
    async with site() as place, place.phone() as phone:
        await phone.send(post(EAS, b"", "Content-Length: 1000"))
        reading = asyncio.ensure_future(phone.read())
        while not reading.done():
            await phone.send(b"x")
            await asyncio.sleep(0.02)
        assert (await reading).status == 408


async def test_a_body_whose_framing_breaks_is_answered_400_at_once() -> None:
    async with site() as place, place.phone() as phone:
        await phone.send(post(EAS, b"", "Transfer-Encoding: chunked"))
        await asyncio.sleep(0.02)
        answer = await phone.ask(b"zz\r\n")
        assert (answer.status, place.hub.seen) == (400, [])
        assert await phone.is_closed()


async def test_a_phone_that_leaves_in_the_middle_of_its_body_is_forgotten() -> None:
    async with site() as place:
        async with place.phone() as phone:
            await phone.send(post(EAS, b"half", "Content-Length: 8"))
            await until(lambda: place.server._intake._taken_bytes == 4)
        await until(lambda: place.server.connections == 0 and place.server._intake._taken_bytes == 0)
        assert place.hub.seen == []


# Malformed requests.


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /?User=m\xfcller HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /" + b"x" * lobby.HEAD_LINE_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (lobby.HEAD_LINE_BYTES_MAX + 1) + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * lobby.HEADERS_MAX + b"\r\n", 431),
    ],
)
async def test_a_malformed_request_is_answered_and_logged_once(
    data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        async with site() as place, place.phone() as phone:
            answer = await phone.ask(data)
            assert (answer.status, answer.body) == (status, b"")
            assert await phone.is_closed()
    assert [entry["event"] for entry in logs] == ["http.malformed"]
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_headers_up_to_the_bounds_are_taken() -> None:
    long = "X: " + "x" * (lobby.HEAD_LINE_BYTES_MAX - 100)
    answer, _ = await answer_to(post(EAS, b"x", long, *["Y: z"] * (lobby.HEADERS_MAX - 4)))
    assert answer.status == 200


# What goes out.


def ready(response: EasResponse) -> Hub:
    async def give(request: HttpRequest) -> EasResponse:
        return response

    return Hub(ready=give)


async def reply_with(response: EasResponse, *headers: str, version: str = "1.1") -> Answer:
    async with site(ready(response)) as place:
        return await place.ask(post(EAS, b"x", *headers, version=version))


async def test_an_empty_answer_is_said_to_be_empty_and_never_compressed() -> None:
    answer = await reply_with(EasResponse(), "Accept-Encoding: gzip")
    assert answer.headers["content-length"] == "0"
    assert answer.headers["content-type"] == "application/vnd.ms-sync.wbxml"
    assert "content-encoding" not in answer.headers
    assert "transfer-encoding" not in answer.headers


async def test_an_answer_has_these_headers_and_no_others() -> None:
    answer = await reply_with(EasResponse(body=b"\x03\x01"))
    answer.headers.pop("date")
    assert answer.headers == {
        "content-type": "application/vnd.ms-sync.wbxml",
        "content-length": "2",
        "cache-control": "private",
        "ms-server-activesync": "16.1",
        "server": "Petit Bleu",
    }


async def test_headers_and_type_of_the_answer_prevail() -> None:
    answer = await reply_with(
        EasResponse(401, {"WWW-Authenticate": 'Basic realm="x"', "Cache-Control": "no-store"}, b"", "text/html")
    )
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="x"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html"


@pytest.mark.parametrize("size", [http_answer.GZIP_BYTES_MIN + 1, 466, 100_000])
async def test_an_answer_is_compressed_for_who_asked(size: int) -> None:
    response = EasResponse(body=b"x" * size)
    answer = await reply_with(response, "Accept-Encoding: deflate, gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == b"x" * size
    for refusal in ("Accept-Encoding: gzip;q=0", "Accept-Encoding: br", "X: y"):
        assert (await reply_with(response, refusal)).body == b"x" * size


async def test_short_answers_and_attachments_are_not_compressed() -> None:
    for response in (
        EasResponse(body=b"x" * http_answer.GZIP_BYTES_MIN),
        EasResponse(body=b"x" * 5000, content_type="image/jpeg"),
    ):
        answer = await reply_with(response, "Accept-Encoding: gzip")
        assert "content-encoding" not in answer.headers


async def pieces(count: int, size: int = 10_000) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_stream_has_its_length_or_comes_in_chunks() -> None:
    answer = await reply_with(EasResponse(body=pieces(10), size=100_000), "Accept-Encoding: gzip")
    assert (answer.headers["content-length"], len(answer.body)) == ("100000", 100_000)
    answer = await reply_with(EasResponse(body=pieces(10)))
    assert (answer.headers["transfer-encoding"], len(answer.body)) == ("chunked", 100_000)
    answer = await reply_with(EasResponse(body=pieces(10)), "Connection: keep-alive", version="1.0")
    assert ("transfer-encoding" in answer.headers, len(answer.body)) == (False, 100_000)


@pytest.mark.parametrize("size", [None, 4, 12])
async def test_a_stream_that_fails_ends_the_connection(size: int | None) -> None:
    closed = []

    async def failing() -> AsyncIterator[bytes]:
        try:
            yield b"begun"
            raise OSError
        finally:
            closed.append(True)

    async with site(ready(EasResponse(body=failing(), size=size))) as place, place.phone() as phone:
        await phone.send(post(EAS, b"x"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await phone.reader.readexactly(1000)  # more than head and body
    assert closed == [True]


async def test_a_stream_waits_for_its_reader() -> None:
    given = 0

    async def counting() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(1000):
            given += 1
            yield bytes(100_000)

    async with site(ready(EasResponse(body=counting(), size=100_000_000))) as place, place.phone() as phone:
        await phone.send(post(EAS, b"x"))
        await asyncio.sleep(0.2)
        assert given < 300
        phone.reset()


async def test_a_reader_that_stops_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_send, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(http_send, "RATE_MIN", 1 << 40)
    for body in (pieces(1000, 100_000), bytes(100_000_000)):
        async with site(ready(EasResponse(body=body))) as place, place.phone() as phone:
            await phone.send(post(EAS, b"x"))
            await until(lambda: bool(place.hub.seen))
            await until(lambda: place.server.connections == 0)


async def test_an_answerer_that_fails_is_answered_500_and_the_connection_kept() -> None:
    async def fail(request: HttpRequest) -> EasResponse:
        raise ConnectionRefusedError  # of some other connection

    async with site(Hub(ready=fail)) as place, place.phone() as phone:
        for _ in range(2):
            answer = await phone.ask(post(EAS, b"x"))
            assert (answer.status, answer.body) == (500, b"")


async def test_the_reason_of_449_is_the_one_of_the_specification() -> None:
    async with site(ready(EasResponse(449))) as place, place.phone() as phone:
        await phone.send(post(EAS, b"x"))
        line = await phone.reader.readuntil(b"\r\n")
        assert line == b"HTTP/1.1 449 Retry after sending a PROVISION command\r\n"


async def test_access_is_logged_for_debugging_only() -> None:
    with capture_logs() as logs:
        await answer_to(post(EAS, b"x"))
    assert {entry["log_level"] for entry in logs} == {"debug"}


# Starting, limits, stopping.


async def test_real_ports_are_told_and_tls_stands_beside_plain(tmp_path: Path) -> None:
    chain = tls.self_signed(tmp_path, ["127.0.0.1"])
    hub = Hub()
    server = Server(Routes(hub, hub))
    plain, secure = await server.start(
        [Listener("127.0.0.1", 0), Listener("127.0.0.1", 0, tls.server_context([chain]))]
    )
    assert plain[0] == secure[0] == "127.0.0.1"
    assert 0 not in {plain[1], secure[1]}
    trust = ssl.create_default_context(cafile=chain.certificate)
    assert (await Site(server, hub, plain[1]).ask(SYNC)).status == 200
    assert (await Site(server, hub, secure[1], trust).ask(SYNC)).status == 200
    assert [request.is_tls for request in hub.seen] == [False, True]
    await server.stop()


async def test_an_address_in_use_is_an_error_and_leaves_nothing_behind() -> None:
    hub = Hub()
    async with site() as place:
        server = Server(Routes(hub, hub))
        with pytest.raises(OSError, match="in use"):
            await server.start([Listener("127.0.0.1", 0), Listener("127.0.0.1", place.port)])
        assert server.connections == 0


async def test_workers_share_a_port_when_told_to() -> None:
    hub = Hub()
    first, second = Server(Routes(hub, hub)), Server(Routes(hub, hub))
    [(_, port)] = await first.start([Listener("127.0.0.1", 0)], shares_ports=True)
    assert await second.start([Listener("127.0.0.1", port)], shares_ports=True) == [("127.0.0.1", port)]
    await first.stop()
    assert (await Site(second, hub, port).ask(SYNC)).status == 200
    await second.stop()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
async def test_every_address_means_both_families() -> None:
    hub = Hub()
    server = Server(Routes(hub, hub))
    addresses = await server.start([Listener("", 0)])
    assert {address for address, _ in addresses} >= {"0.0.0.0"}
    await server.stop()


def test_the_limit_of_files_is_raised() -> None:
    assert listeners.files_max() > 256


async def test_one_connection_too_many_takes_the_place_of_an_idle_one() -> None:
    async with site(limits=Limits(connections_max=2)) as place, place.phone() as idle, place.phone() as waiting:
        await idle.ask(SYNC)
        await waiting.send(PING)
        wait = await place.hub.held(1)
        inside = place.server._lobby
        assert inside is not None
        for one in list(inside._handlers):
            assert inside.park(one, None)
        assert (await place.ask(SYNC)).status == 200
        assert await idle.is_closed()
        assert not wait.is_abandoned


async def test_one_connection_too_many_is_refused_when_all_are_busy() -> None:
    async with site(limits=Limits(connections_max=1)) as place, place.phone() as waiting:
        await waiting.send(PING)
        wait = await place.hub.held(1)
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                async with place.phone() as other:
                    assert await other.is_closed()
        assert [entry["event"] for entry in logs] == ["http.full"]
        wait.answer()
        assert (await waiting.read()).body == b"news"


async def test_stopping_lets_a_running_request_finish() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(request: HttpRequest) -> EasResponse:
        arrived.set()
        await go.wait()
        return EasResponse(body=b"finished")

    async with site(Hub(ready=slow)) as place, place.phone() as phone, place.phone() as silent:
        await phone.send(post(EAS, b"x"))
        await arrived.wait()
        stopping = asyncio.ensure_future(place.server.stop())
        assert await silent.is_closed()
        assert not stopping.done()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", place.port)
        go.set()
        answer = await phone.read()
        assert (answer.body, answer.headers["connection"]) == (b"finished", "close")
        await stopping


async def test_stopping_lets_a_body_that_is_coming_be_answered() -> None:
    async with site() as place, place.phone() as phone:
        await phone.send(post(EAS, b"ha", "Content-Length: 4"))
        await until(lambda: place.server._intake._taken_bytes == 2)
        stopping = asyncio.ensure_future(place.server.stop())
        await asyncio.sleep(0.05)
        assert (await phone.ask(b"lf")).body == b"done half"
        await stopping


async def test_stopping_ends_what_does_not_end() -> None:
    arrived = asyncio.Event()
    cancelled = []

    async def endless(request: HttpRequest) -> EasResponse:
        arrived.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        raise AssertionError

    async with site(Hub(ready=endless)) as place, place.phone() as phone:
        await phone.send(post(EAS, b"x"))
        await arrived.wait()
        await place.server.stop(0.1)
        assert place.server.connections == 0
        assert cancelled == [True]


async def test_a_request_that_would_be_held_while_stopping_is_not() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    class SlowHub(Hub):
        async def answer(self, request: HttpRequest) -> EasResponse:
            arrived.set()
            await go.wait()
            return await super().answer(request)  # type: ignore[return-value]

    hub = SlowHub()
    async with site(hub) as place, place.phone() as phone:
        await phone.send(PING)
        await arrived.wait()
        stopping = asyncio.ensure_future(place.server.stop())
        await asyncio.sleep(0)
        go.set()
        await stopping
        assert hub.waits[0].is_abandoned
        assert await phone.is_closed()


async def test_a_server_may_be_stopped_before_it_was_started() -> None:
    hub = Hub()
    await Server(Routes(hub, hub)).stop()
