"""Sends the requests of one conversation again, and compares the answers."""

import asyncio
import base64
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from yarl import URL

from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from tests.eas.world import World, address
from tests.replay.mailbox import arriving
from tests.replay.rebinding import Rebound, bind, mark, plain, rebind
from tests.support.answers import MULTIPART_TYPE, WBXML_TYPE
from tests.support.captures import Capture, differences
from tests.support.multipart import split

LOGIN = "Basic " + base64.b64encode(f"{address(1)}:pw-u1".encode()).decode()
_OUR_OWN = frozenset({"authorization", "host", "content-length", "connection"})
_HELD_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """One request and what became of it."""

    capture: Capture
    status: int
    root: Element | None
    faults: tuple[str, ...]


async def replay(running: World, captures: Sequence[Capture], *, marking: bool = False) -> AsyncIterator[Replayed]:
    """Replay a conversation in its order; what is answered this time goes into the requests that follow.

    *marking*: nothing is marked yet as varying; whatever is another value this time does.
    """
    bound: dict[str, str] = {}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for capture in captures:
            sending = asyncio.create_task(_send(session, running.url, capture, rebind(capture, bound)))
            if capture.about.meanwhile:
                await _until_held(running, sending)
                await running.deliver(1, arriving(capture.about.meanwhile))
            status, root = await sending
            expected = capture.response_root
            if marking and expected is not None and root is not None:
                expected = mark(expected, root)
            bound |= bind(expected, root)
            faults = differences(plain(expected) if expected else None, root)
            if status != capture.about.status:
                faults.insert(0, f"HTTP {capture.about.status} is {status}")
            yield Replayed(capture, status, root, tuple(faults))


async def _until_held(running: World, sending: "asyncio.Task[object]") -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_HELD_SECONDS):
            while running.app.http.held == 0 and not sending.done():
                await asyncio.sleep(0.005)


async def _send(
    session: aiohttp.ClientSession, url: str, capture: Capture, request: Rebound
) -> tuple[int, Element | None]:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OUR_OWN}
    async with session.request(
        capture.request_line.partition(" ")[0],
        URL(url + request.target, encoded=True),
        data=request.body or None,
        headers={**headers, "Authorization": LOGIN},
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        auto_decompress=False,
        allow_redirects=False,
    ) as response:
        body = await response.read()
        coding = response.headers.get("Content-Encoding", "")
        return response.status, root_of(response.headers.get("Content-Type", ""), coding, body)


def root_of(content_type: str, coding: str, body: bytes) -> Element | None:
    """Return the WBXML document of an answer, None where there is none; of a multipart it is the first part."""
    if body and coding == "gzip":
        body = zlib.decompress(body, wbits=31)
    if body and content_type == MULTIPART_TYPE:
        body = split(body)[0][0]
    return decode(body) if body and content_type in (WBXML_TYPE, MULTIPART_TYPE) else None
