"""What an account of a hundred thousand mails costs: to open, to look at, to keep open, and to keep at hand.

It lies in eight folders, a fifth of it was read and a twentieth moved by a phone; two phones know all folders.  Its log
is as a collector leaves it, with a day's mail behind the last checkpoint, a commit each.  Requests and bytes are those
to the engine, which is in memory: they are the same for any.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from hashlib import blake2b
from time import perf_counter
from typing import Final

from eas.sync import news
from eas.sync.collection import first_view
from eas.sync.plan import make_plan
from storage import paths
from storage.account import Account
from storage.cursor import Rid
from storage.directories.directory import Mailbox
from storage.engine import Entry
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.feeds.feed import LocalFeed
from storage.ids import own_item
from storage.message.index import index_message
from storage.records import Added, Content, Record, Set, ViewMade
from storage.store import Store
from storage.views import BOTTOM, TOP, Floor, View
from tests.bench.figure import Figure
from tests.storage.nodes import ACCOUNT, KEYS, NOW_MS, Node
from tests.storage.sites import Users
from tests.storage.vaults import PASSWORD, World
from tests.support.messages import mixed_message

MAILS: Final = 100_000
FOLDERS: Final = ("inbox", "archive", "sent", "trash", "drafts", "junk", "f0001", "f0002")
PHONES: Final = ("phone", "tablet")
EVERY_MS: Final = 10 * 60_000
THREE_DAYS: Final = Floor(NOW_MS - 3 * 86_400_000, "")
BATCH: Final = 500
TAIL: Final = 144
"""Mails of a day."""
IDLE: Final = 500
ROUNDS: Final = 5


class Metered(MemoryEngine):
    """Counts requests, and the bytes that come."""

    def __init__(self, objects: MemoryObjects) -> None:
        super().__init__(objects, list_page=1000)
        self.requests = self.size_bytes = 0

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        data = await super().get(key, start, size)
        self.requests, self.size_bytes = self.requests + 1, self.size_bytes + len(data)
        return data

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`; an object store has no such request, so each counts."""
        found = await super().get_many(keys)
        self.requests += len(keys)
        self.size_bytes += sum(len(data or b"") for data in found)
        return found

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`."""
        self.requests += 1
        return await super().list(prefix, start_after, limit)


def run() -> list[Figure]:
    return asyncio.run(_figures())


async def _figures() -> list[Figure]:
    objects = MemoryObjects()
    await _fill(objects)
    name = f"account: {MAILS:,} mails"
    return [
        *await _opened(objects, f"{name}, opened", _nothing, seconds_max=0.3),
        *await _opened(objects, f"{name}, opened, first Sync of three days", _first_sync),
        *await _opened(objects, f"{name}, opened, eight folders looked at", _look),
        await _nothing_new(objects, f"{name}, nothing new: requests"),
        await _resident(objects, f"{name}, open"),
        await _idle("account: idle, without its state"),
    ]


async def _fill(objects: MemoryObjects) -> None:
    node = Node(MemoryEngine(objects))
    for start in range(0, MAILS, BATCH):
        ids = [_id(number) for number in range(start, start + BATCH)]
        await node.commit(*(_mail(number) for number in range(start, start + BATCH)))
        marks: list[Record] = [Set(ids[at], "read", True, "phone") for at in range(0, BATCH, 5)]
        await node.commit(*marks, *(Set(ids[at], "folder", FOLDERS[at % 8], "phone") for at in range(0, BATCH, 20)))
        if start % 10_000 == 0:
            await node.account.checkpoint()
    for place, device in enumerate(PHONES):
        await node.commit(*[_view(device, folder, place + 1, node) for folder in FOLDERS])
    for number in range(MAILS, MAILS + 2000):  # by which every view but the Inbox's is old
        await node.postman.append([_mail(number - 2000 + 7, "new" + str(number))])
    async with node.account.turn():
        pass
    await node.account.checkpoint()
    log = await node.engine.list(paths.prefix(paths.Kind.LOG, ACCOUNT))
    await node.engine.delete(entry.key for entry in log[:-1])  # what the newest checkpoint covers
    for number in range(TAIL):
        await node.postman.append([_mail(MAILS, "tail" + str(number))])


def _id(number: int, name: str = "") -> str:
    return own_item(KEYS.ids, NOW_MS + (number - MAILS) * EVERY_MS, name or str(number))


_SUMMARIES: Final = [index_message(mixed_message(number)).pack() for number in range(300)]


def _mail(number: int, name: str = "") -> Added:
    # No two keys and blobs are alike, as in life: they do not compress.
    chance = blake2b(f"{number} {name}".encode(), digest_size=48).digest()
    summary = _SUMMARIES[number % len(_SUMMARIES)]
    content = Content(chance[:16].hex(), chance[16:], 5000, [5000, (2000).to_bytes(3, "big")], summary)
    folder = "inbox" if name or number % 4 else FOLDERS[number // 4 % 8]
    return Added(_id(number, name), folder, "Email", NOW_MS + (number - MAILS) * EVERY_MS, content)


def _view(device: str, folder: str, place: int, node: Node) -> ViewMade:
    time = node.account.tick()
    lineage = f"{time:016x}{node.writer.id}{place:x}.1"
    state = node.account._state
    assert state is not None
    return ViewMade(View(device, folder, lineage, 1, None, state.head, BOTTOM, 0, BOTTOM, {}, TOP))


async def _opened(
    objects: MemoryObjects, name: str, then: Callable[[Account], Awaitable[None]], seconds_max: float | None = None
) -> list[Figure]:
    seconds = []
    for _ in range(ROUNDS):
        engine = Metered(objects)
        account = Node(engine).account
        gc.collect()
        began = perf_counter()
        await then(account)
        seconds.append(perf_counter() - began)
    return [
        Figure(f"{name}", min(seconds), "s", seconds_max),
        Figure(f"{name}: requests beside one for each commit", engine.requests - TAIL, "", 20),
        Figure(f"{name}: bytes read", engine.size_bytes / 1e6, "MB", 2),
    ]


async def _nothing(account: Account) -> None:
    async with account.turn():
        pass


async def _first_sync(account: Account) -> None:
    async with account.turn() as state:
        view = first_view("new", "inbox", Rid(account.tick(), *account.next_place, 1), state)
        key = account.next_place
        plan = await make_plan(state, (*key, 1), view, (), state.head, goal=THREE_DAYS, window=3, size=1000)  # type: ignore[arg-type]
        if len(plan.steps) < 2 * TAIL:
            raise AssertionError(f"{len(plan.steps)} mails of three days")
        await state.contents(step.item.id for step in plan.steps)


async def _look(account: Account) -> None:
    async with account.turn(fresh=False) as state:
        if await news.changed_folders(state, "phone", FOLDERS[1:]):
            raise AssertionError("nothing came there")


async def _nothing_new(objects: MemoryObjects, name: str) -> Figure:
    engine = Metered(objects)
    account = Node(engine).account
    await _look(account)
    before = engine.requests
    await _look(account)
    return Figure(name, engine.requests - before, "", 0)


async def _resident(objects: MemoryObjects, name: str) -> Figure:
    """Measure it once three days were synchronised, and the search has filled its cache of pages."""
    account = Node(MemoryEngine(objects)).account
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await _first_sync(account)
    async with account.turn() as state:
        async for _ in state._all():
            pass
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return Figure(name, taken / 1e6, "MB", 10)


async def _idle(name: str) -> Figure:
    """Measure what stays of an account whose state was let go of: an object that is opened again when it is needed."""
    users = Users(*(Mailbox(f"u{number}@example.org") for number in range(IDLE)))
    engine = _Forgetful()
    store = Store(engine, users, World().node(engine), LocalFeed())
    for mailbox in users.mailboxes:
        await store.create(mailbox, PASSWORD)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for mailbox in users.mailboxes:
        account, _ = await store.unlock(mailbox.address, PASSWORD)
        async with account.turn():
            await account.commit([Set("1item", "read", True)])
        account.shed()
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return Figure(name, taken / len(store.accounts), "B", 2048)


class _Forgetful(MemoryEngine):
    """Keeps no log: it is not what is measured."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`."""
        if "/log/" not in key:
            await super().put(key, data)
