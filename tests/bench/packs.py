"""A first synchronisation of a mailbox in a bucket: every mail as an object of its own, and then small ones in packs.

The bucket is a real object store on loopback, where a request costs a millisecond; over a network it costs ten and
more, so the ratio of times here is the least there is, and the number of requests says the rest.  Measured is what
storage does: the account is opened cold, rows come newest first, a hundred at a time, and bodies as far as a phone asks
for them.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from storage import paths
from storage.blobs import Range
from storage.collecting import packing
from storage.engine import Engine
from storage.ids import own_item
from storage.message.index import index_message
from storage.records import Added
from storage.views import BOTTOM, TOP, Floor
from tests.bench.figure import Figure
from tests.bench.support_server import QUICK
from tests.storage.nodes import ACCOUNT, KEYS, NOW_MS, Node
from tests.support.engines import STORES, WrappedEngine
from tests.support.messages import mixed_message

MAILS: Final = 300 if QUICK else 1_000
WINDOW: Final = 100
BODY_BYTES: Final = 4_096
AT_ONCE: Final = 16
ROUNDS: Final = 2


class Requests(WrappedEngine):
    """Counts what a bucket is asked for."""

    count = 0

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self.count += 1
        return await super().get(key, start, size)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self.count += len(keys)
        return await super().get_many(keys)

    async def _read(self, verb: str) -> None:
        self.count += verb == "list"


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_figures(Path(folder)))


async def _figures(folder: Path) -> list[Figure]:
    async with STORES["cas"](folder) as open_node:
        engine = await open_node()
        node = Node(engine)
        await _filled(node)
        without = await _measured(engine)
        began = perf_counter()
        packed = await packing.pack(engine, node.account, NOW_MS + 1)
        packing_seconds = perf_counter() - began
        blobs = await engine.list(paths.prefix(paths.Kind.BLOB, ACCOUNT))
        within = await _measured(engine)
    name = f"packs: first Sync of {MAILS:,} mails from a bucket"
    return [
        Figure(f"{name}, apart: requests a mail", without[1] / MAILS, ""),
        Figure(f"{name}, apart", MAILS / without[0], "mails/s"),
        Figure(f"{name}, packed: requests a mail", within[1] / MAILS, "", 0.2),
        Figure(f"{name}, packed", MAILS / within[0], "mails/s"),
        Figure(f"{name}, packed, as fast", without[0] / within[0], "×", 1.5, "at least"),
        Figure(f"{name}: in packs, of all contents", packed / len(blobs), "", 0.9, "at least"),
        Figure(f"{name}: packing", packed / packing_seconds, "mails/s"),
    ]


async def _filled(node: Node) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def stored(number: int) -> Added:
        message = mixed_message(number)
        date_ms = NOW_MS - number * 600_000
        async with limit:
            content = await node.account.store(message, (await asyncio.to_thread(index_message, message)).pack())
        return Added(own_item(KEYS.ids, date_ms, str(number)), "inbox", "Email", date_ms, content)

    for start in range(0, MAILS, 250):
        await node.commit(*await asyncio.gather(*map(stored, range(start, min(start + 250, MAILS)))))
    await node.account.checkpoint()


async def _measured(engine: Engine) -> tuple[float, int]:
    """Return how long the whole mailbox takes at best, and how many requests."""
    found = []
    for _ in range(ROUNDS):
        counting = Requests(engine)
        began = perf_counter()
        mails = await _synchronised(Node(counting))
        found.append((perf_counter() - began, counting.count))
        if mails != MAILS:
            raise AssertionError(f"{mails} mails instead of {MAILS}")
    return min(found)


async def _synchronised(node: Node) -> int:
    high: Floor = TOP
    mails = 0
    while True:
        async with node.account.turn(fresh=False) as state:
            items = await state.members("inbox", BOTTOM, high, limit=WINDOW)
            contents = await state.contents(item.id for item in items)
        if not items:
            return mails
        high = items[-1].floor
        ranges = [Range(each, 0, min(each.size_bytes, BODY_BYTES)) for each in contents.values()]
        for wanted, piece in zip(ranges, await node.account.read_many(ranges), strict=True):
            if len(await node.account.read(*wanted) if piece is None else piece) != wanted.size:
                raise AssertionError("not the body")
        mails += len(items)
