"""Nodes of one account on a store in memory: what the tests of log, state and account are made with."""

from collections.abc import Awaitable, Callable, Sequence

from storage import objects
from storage.account import Account
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.engine import Engine
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.identity import Identity
from storage.log import Writer
from storage.paths import new_writer
from storage.records import Added, Content, Record
from storage.seal import new_key_pair

ACCOUNT = "0" * 32
PRIVATE, PUBLIC = new_key_pair()
KEYS = AccountKeys.derive(b"m" * 32, [PRIVATE])
NOW_MS = 1_700_000_000_000


def content(number: int, size: int = 3, summary: object = None) -> Content:
    """A content that could be: nobody has stored it."""
    return Content(f"{number:032x}", bytes([number % 256]) * 32, size, [size, (size + 42).to_bytes(3, "big")], summary)


def mail(item: str, *, date_ms: int = NOW_MS, folder: str = "inbox") -> Added:
    return Added(item, folder, "Email", date_ms, None)


class Told:
    """Whoever hears of commits."""

    def __init__(self) -> None:
        self.news: list[tuple[str, int]] = []

    def __call__(self, account: str, writer: str, n: int) -> None:
        assert account == ACCOUNT
        self.news.append((writer, n))


async def no_sleep(_seconds: float) -> None:
    """The next try comes at once."""


def writer(
    engine: Engine,
    *,
    delivers: bool = False,
    clock: Clock | None = None,
    told: Told | None = None,
    sleep: Callable[[float], Awaitable[None]] = no_sleep,
    new_id: Callable[[], str] = new_writer,
) -> Writer:
    def make(name: str, header: objects.Header, time: int, records: Sequence[Record]) -> bytes:
        if delivers:
            return objects.make_delivered(name, PUBLIC, header, time, [r for r in records if isinstance(r, Added)])
        return objects.make_own(name, KEYS.log.log, header, time, records)

    return Writer(
        engine,
        ACCOUNT,
        clock or Clock(lambda: NOW_MS),
        make,
        delivers=delivers,
        published=told or Told(),
        sleep=sleep,
        new_writer=new_id,
    )


class Node:
    """One process with the account open, and one that delivers."""

    def __init__(self, engine: Engine | None = None, *, store: MemoryObjects | None = None) -> None:
        self.engine = engine or MemoryEngine(store)
        self.clock = Clock(lambda: NOW_MS)
        self.writer = writer(self.engine, clock=self.clock)
        self.account = Account(self.engine, ACCOUNT, Identity("u@example.test"), KEYS, self.clock, self.writer)
        self.postman = writer(self.engine, delivers=True, clock=self.clock)

    async def commit(self, *records: Record) -> None:
        async with self.account.turn():
            await self.account.commit(records)

    async def rows(self, *, fresh: bool = True) -> dict[str, tuple[str | None, object]]:
        """Return where each item is and whether it was read."""
        async with self.account.turn(fresh=fresh) as state:
            return {item.id: (item.membership.folder, item.value("read")) async for item in state._all()}
