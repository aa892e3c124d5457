"""Accounts of a thousand and of a hundred thousand mails: what one new mail costs a phone, and what delivery costs.

The law behind the budget: a Sync with little to tell costs the same whatever the account holds.  Both accounts have a
phone that has seen their last three days, and a log as the collector leaves it: what a checkpoint covers is gone.  Each
lies in a local engine of its own; requests are counted, too.
"""

import asyncio
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import uvloop

from eas.sync.collection import first_view
from eas.sync.plan import make_plan
from storage import paths
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.cursor import Rid
from storage.engine import Engine
from storage.engine_local import LocalEngine
from storage.engine_memory import MemoryEngine
from storage.feeds.feed import LocalFeed
from storage.ids import own_item
from storage.message.index import index_message
from storage.records import Added, Content, ViewMade
from storage.state import Commit, State
from storage.store import Store
from storage.views import Floor, ViewId
from tests.bench.figure import Figure
from tests.storage.nodes import ACCOUNT, KEYS, NOW_MS, Node
from tests.storage.sites import ANNA, TRACE, Users
from tests.storage.vaults import PASSWORD, World
from tests.support.engines import CountingEngine

FEW, MANY = 1_000, 100_000
BATCH = 500
EVERY_MS = 10 * 60_000
WINDOW = Floor(NOW_MS - 3 * 86_400_000, "")
STEPS = 100
BLOCKS, IN_A_BLOCK = 30, 20
"""A tenth of a millisecond is mostly how soon a thread wakes: so many in a row, and the quickest row counts."""
DEPOSITS, DEPOSITORS = 320, 32
HEAD = b"Subject: five kilobytes\r\nFrom: a@example.net\r\nTo: anna@example.org\r\nMessage-ID: <%d@example.net>\r\n\r\n"
LINE = b"one of the lines of a text\r\n"


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        return uvloop.run(_figures(Path(folder)))


async def _figures(folder: Path) -> list[Figure]:
    few, many = [await _Site.made(folder / str(count), count) for count in (FEW, MANY)]
    figures = [*few.figures, *many.figures]
    for name in ("cold open and one new mail", "one new mail, open already", "told and noted"):
        measured = await _alternately(few, many, name)
        figures += [figure for site in (few, many) for figure in site.shown(name)]
        if name != "told and noted":  # which waits for the disk
            figures.append(Figure(f"store: {name}, {MANY:,} mails over {FEW:,}", measured, "×", 1.2))
    await few.engine.close()
    await many.engine.close()
    return [*figures, _fold_speed(), *await _delivery_figures(folder / "delivery")]


async def _alternately(few: "_Site", many: "_Site", name: str) -> float:
    """Measure both by turns, so that whatever else the machine does meets both; return how much dearer *many* is."""
    for _ in range(BLOCKS):
        for site in (few, many):
            await site.measure(name)
    return min(many.seconds[name]) / min(few.seconds[name])


class _Site:
    """An account of so many mails, and what was measured."""

    def __init__(self, engine: CountingEngine, count: int) -> None:
        self.engine, self.count = engine, count
        self.phone = Phone(Node(engine))
        self.figures: list[Figure] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.requests: dict[str, list[int]] = defaultdict(list)

    @classmethod
    async def made(cls, folder: Path, count: int) -> "_Site":
        site = cls(CountingEngine(await LocalEngine.open(folder)), count)
        site.figures += await _filled(site.phone.node, count)
        await site.phone.begin()
        began = perf_counter()
        await site.phone.node.account.checkpoint()
        title = f"store: checkpoint after a few changes, {count:,} mails"
        site.figures.append(Figure(title, (perf_counter() - began) * 1000, "ms"))
        log = await site.engine.list(paths.prefix(paths.Kind.LOG, ACCOUNT))
        await site.engine.delete(entry.key for entry in log[:-1])  # all but the newest checkpoint
        await site.phone.deliver()
        return site

    async def measure(self, name: str) -> None:
        self.engine.calls.clear()
        began = perf_counter()
        for _ in range(IN_A_BLOCK):
            phone = Phone(Node(self.engine), self.phone.key) if name.startswith("cold") else self.phone
            await (phone.told_one() if name == "told and noted" else phone.look())
        self.seconds[name].append((perf_counter() - began) / IN_A_BLOCK)
        self.requests[name].append(self.engine.calls.total() // IN_A_BLOCK)

    def shown(self, name: str) -> list[Figure]:
        title = f"store: {name}, {self.count:,} mails"
        return [
            Figure(title, min(self.seconds[name]) * 1000, "ms"),
            Figure(f"{title}: requests", median(self.requests[name]), ""),
        ]


async def _filled(node: Node, count: int) -> list[Figure]:
    """Give the account *count* mails, and a checkpoint; the time of both."""
    summary = index_message(message(0)).pack()
    began = perf_counter()
    for start in range(0, count, BATCH):
        await node.commit(*(_added(start + place - count, summary) for place in range(BATCH)))
    filled = perf_counter()
    await node.account.checkpoint()
    return [
        Figure(f"store: commits of {BATCH}, {count:,} mails", count / (filled - began), "records/s"),
        Figure(f"store: first checkpoint, {count:,} mails", perf_counter() - filled, "s"),
    ]


def _added(number: int, summary: object) -> Added:
    """Return the mail that came *number* (below 0) places before now."""
    date_ms = NOW_MS + number * EVERY_MS
    content = Content(f"{number % (1 << 64):032x}", bytes(32), 5000, [5000, (2000).to_bytes(3, "big")], summary)
    return Added(own_item(KEYS.ids, date_ms, str(number)), "inbox", "Email", date_ms, content)


def message(number: int) -> bytes:
    head = HEAD % number
    return head + LINE * ((5000 - len(head)) // len(LINE))


class Phone:
    """Has the last three days of the inbox."""

    def __init__(self, node: Node, key: ViewId | None = None) -> None:
        self.node, self.key, self.mails = node, key, 0
        self.summary = index_message(message(0)).pack()

    async def begin(self) -> None:
        """Synchronise for the first time, to the end."""
        account = self.node.account
        async with account.turn() as state:
            writer, n = account.next_place
            view = first_view("phone", "inbox", Rid(account.tick(), writer, n, 1), state)
            await account.commit([ViewMade(view)])
            self.key = ViewId(writer, n, 1)
        while await self._synchronised():
            pass

    async def deliver(self) -> None:
        """Let a mail come."""
        self.mails += 1
        await self.node.postman.append([_added(self.mails, self.summary)])

    async def look(self) -> None:
        """Find what is to be told, with what a list shows of it."""
        async with self.node.account.turn() as state:
            if await self._told(state) != 1:
                raise AssertionError("one mail was to be told")

    async def told_one(self) -> None:
        """Let a mail come, be told of it, and note that."""
        await self._synchronised()
        await self.deliver()
        await self._synchronised()

    async def _told(self, state: State) -> int:
        assert self.key is not None
        view = state.views.get(self.key)
        assert view is not None
        plan = await make_plan(state, self.key, view, (), state.head, goal=WINDOW, window=3, size=STEPS)
        await state.contents(step.item.id for step in plan.steps)
        return len(plan.steps)

    async def _synchronised(self) -> bool:
        """Tell what there is; whether there was anything."""
        account = self.node.account
        async with account.turn() as state:
            assert self.key is not None
            view = state.views.get(self.key)
            assert view is not None
            plan = await make_plan(state, self.key, view, (), state.head, goal=WINDOW, window=3, size=STEPS)
            if plan.is_empty:
                return False
            told = plan.steps[:STEPS]
            await state.contents(step.item.id for step in told)
            writer, n = account.next_place
            await account.commit([ViewMade(plan.view_after(len(told), {}))])
            self.key = ViewId(writer, n, 1)
            return True


def _fold_speed() -> Figure:
    summary = index_message(message(0)).pack()
    commits = [Commit("a" * 16, n, n, [_added(n, summary)]) for n in range(1, 20_001)]
    state = State(Base(SealedPages(MemoryEngine(), ACCOUNT, KEYS.page)))
    began = perf_counter()
    for commit in commits:
        state.fold(commit)
    return Figure("store: fold of commits of one mail", len(commits) / (perf_counter() - began), "records/s")


async def _delivery_figures(folder: Path) -> list[Figure]:
    engine: Engine = await LocalEngine.open(folder)
    store = Store(engine, Users(), World().node(engine), LocalFeed())
    await store.create(ANNA, PASSWORD)
    anna = await store.delivery.recipient(ANNA.address)

    async def deposit(numbers: range) -> None:
        for number in numbers:
            await store.delivery.deposit(anna, TRACE, message(number), junk=False)

    began, spent = perf_counter(), process_time()
    await deposit(range(DEPOSITS))
    alone, cpu = perf_counter() - began, process_time() - spent
    parts = [range(start, start + DEPOSITS // 4) for start in range(DEPOSITS, DEPOSITORS * DEPOSITS, DEPOSITS)]
    began, spent = perf_counter(), process_time()
    await asyncio.gather(*map(deposit, parts))
    together, busy = perf_counter() - began, process_time() - spent
    many = sum(map(len, parts))
    await store.close()
    return [
        Figure("store: deposit of 5 KB, one after the other", alone / DEPOSITS * 1000, "ms"),
        Figure("store: … CPU, all threads", cpu / DEPOSITS * 1e6, "µs"),
        Figure(f"store: deposits of 5 KB, {len(parts)} at once", many / together, "mails/s"),
        Figure("store: … CPU, all threads", busy / many * 1e6, "µs"),
    ]
