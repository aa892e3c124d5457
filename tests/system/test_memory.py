"""Requests made to take memory, against a real process: refused, and the process stays small and serves on."""

import asyncio
import gzip
from pathlib import Path

from eas.wbxml.element import element, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync
from tests.system.raw import login, request, wire
from tests.system.service import PASSWORD, USER, Service

MIB = 1 << 20
BODY_MAX = 64 * MIB
GROWTH_MAX_MIB = 350
"""A body of the largest size, decoded to a tree, next to what else is read at the moment (256 MiB at most)."""
HEADERS = login(USER, PASSWORD)


def highest_mib(service: Service) -> float:
    """Return the most memory that the process ever had."""
    assert service.process is not None
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def ask(service: Service, data: bytes) -> int:
    async with wire(service.http) as line:
        await line.send(data)
        return (await line.answer()).status


async def test_the_process_stays_small(service: Service) -> None:
    async with service.phone() as phone:
        await phone.set_up()
        await phone.sync_all("inbox")
        before = highest_mib(service)
        siblings = b"\x03\x01\x6a\x00\x45" + b"\x07" * (BODY_MAX - 10) + b"\x01"
        deep = b"\x03\x01\x6a\x00" + b"\x45" * (BODY_MAX - 10)
        opaque = encode(element(AirSync.Sync, leaf(AirSync.Collections, bytes(BODY_MAX - 100))))
        bomb = gzip.compress(bytes(4 * BODY_MAX), 1)
        for body, headers, status in (
            (siblings, b"", 200),
            (deep, b"", 200),
            (opaque, b"", 200),
            (bomb, b"Content-Encoding: gzip\r\n", 413),
        ):
            assert await ask(service, request(body, headers=HEADERS + headers)) == status
        del deep, opaque, bomb
        wide = request(siblings[: 30 * MIB], headers=HEADERS)
        assert {200} >= set(await asyncio.gather(*(ask(service, wide) for _ in range(6)))) - {503}
        assert highest_mib(service) - before < GROWTH_MAX_MIB
        assert (await phone.sync("inbox", options=None)).status == 1
