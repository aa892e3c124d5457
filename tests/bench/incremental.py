"""One new mail, brought to a phone that has all the others: as quick in a hundred thousand mails as in a thousand.

*Warm*: the account is open.  *Cold*: the server was started anew, the phone has logged in, and its Sync is the first
thing that needs the account's state.  Time is that of Sync over HTTP, requests are the engine's in that time.  The wait
for the disk, as long for the one as for the other, is left out: the folders are in memory.

The mails are written as an import would write them, and the phone's view as its first Sync would have left it.
"""

import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eas.demo.site import address, password
from eas.sync import synckey
from eas.sync.collection import first_view
from storage import paths
from storage.account import Account
from storage.cursor import Rid
from storage.ids import own_item
from storage.message.index import index_message
from storage.records import Added, Content, ViewMade
from storage.store import Store
from storage.views import BOTTOM, ViewId
from tests.bench.figure import Figure
from tests.bench.support_phone import START, Phone
from tests.bench.support_post import Post
from tests.bench.support_server import QUICK, Served, filled, folder_for_store, served
from tests.support.messages import mixed_message

FEW: Final = 1_000
MANY: Final = 20_000 if QUICK else 100_000
RATIO_MAX: Final = 1.2
DEVICE: Final = "applincremental"
WARM_ROUNDS: Final = 40
COLD_ROUNDS: Final = 11
_COMMIT_MAILS: Final = 10
_RECENT_MAILS: Final = 1_200
"""The last of many come in such commits, as deliveries do; the others, in bulk, are out of the log already."""
_BULK_MAILS: Final = 1_000
_CONTENTS: Final = 50
_NEWEST_MS: Final = 1_700_000_000_000
_APART_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one Sync."""

    seconds: float
    requests: float


def run() -> list[Figure]:
    with folder_for_store(in_memory=True) as folder:
        mailboxes = [Mailbox(folder / "few", FEW), Mailbox(folder / "many", MANY)]
        return [*_figures("warm", *_warm(mailboxes)), *_figures("cold", *_cold(mailboxes))]


def _figures(state: str, few: Cost, many: Cost) -> list[Figure]:
    name = f"incremental Sync, {state}"
    return [
        Figure(f"{name}, {FEW:,} mails", few.seconds * 1000, "ms"),
        Figure(f"{name}, {MANY:,} mails, times as long", many.seconds / few.seconds, "×", RATIO_MAX),
        Figure(f"{name}, {FEW:,} mails, engine requests", few.requests, ""),
        Figure(f"{name}, {MANY:,} mails, times as many", many.requests / few.requests, "×", RATIO_MAX),
    ]


class Mailbox:
    """An account with *mails* mails, and a phone that has them all."""

    def __init__(self, folder: Path, mails: int) -> None:
        self._folder, self._mails, self._key = folder, mails, START
        folder.mkdir()
        filled(folder, 1, self._fill)

    async def _fill(self, store: Store) -> None:
        account, _ = await store.unlock(address(1), password(1))
        messages = [message for message in map(mixed_message, range(_CONTENTS * 2)) if len(message) < 40_000]
        contents = [await account.store(message, index_message(message).pack()) for message in messages[:_CONTENTS]]
        start = 0
        while start < self._mails:
            size = _BULK_MAILS if start + _BULK_MAILS <= self._mails - _RECENT_MAILS else _COMMIT_MAILS
            mails = [self._mail(n, contents[n % len(contents)]) for n in range(start, start + size)]
            async with account.turn(fresh=False):
                await account.commit(mails)
            start += size
        self._key = await _whole_view(account)
        await account.checkpoint()
        bulk = range(1, max(self._mails - _RECENT_MAILS, 0) // _BULK_MAILS + 1)
        await store.engine.delete(paths.log(account.id, account.next_place[0], n) for n in bulk)

    def _mail(self, n: int, content: Content) -> Added:
        date_ms = _NEWEST_MS - (self._mails - n) * _APART_MS
        return Added(own_item(bytes(32), date_ms, str(n)), "inbox", "Email", date_ms, content)

    @contextmanager
    def served(self) -> Iterator[tuple[Served, Phone, Post]]:
        """Run the server on a copy, as nothing has been asked of it."""
        with folder_for_store(in_memory=True) as folder:
            shutil.copytree(self._folder, folder, dirs_exist_ok=True)
            with served(folder, 1) as server:
                phone, post = Phone(server.http, 1, DEVICE), Post(server.lmtp)
                phone.key = self._key
                with closing(phone), closing(post):
                    yield server, phone, post


def _warm(mailboxes: Sequence[Mailbox]) -> list[Cost]:
    """Return what a Sync costs in each, by turns: what disturbs the machine disturbs them alike."""
    with ExitStack() as stack:
        all_served = [stack.enter_context(mailbox.served()) for mailbox in mailboxes]
        for _, phone, _ in all_served:
            phone.folder_sync()
        costs = [[_cost(*each) for each in all_served] for _ in range(WARM_ROUNDS)]
    return list(map(_typical, zip(*costs, strict=True)))


def _cold(mailboxes: Sequence[Mailbox]) -> list[Cost]:
    costs = [list(map(_cold_once, mailboxes)) for _ in range(COLD_ROUNDS)]
    return list(map(_typical, zip(*costs, strict=True)))


def _cold_once(mailbox: Mailbox) -> Cost:
    with mailbox.served() as (server, phone, post):
        phone.post("FolderSync", b"no WBXML")  # logs in, and is refused before anything is read
        return _cost(server, phone, post)


def _cost(server: Served, phone: Phone, post: Post) -> Cost:
    """Deliver a mail, and measure the Sync that brings it."""
    post.deliver(1)
    place, began = server.counted(), time.perf_counter()
    synced = phone.sync()
    seconds = time.perf_counter() - began
    if synced.adds != 1 or synced.more:
        raise AssertionError(synced)
    return Cost(seconds, server.calls_since(place).total())


async def _whole_view(account: Account) -> str:
    """Make the view of a phone that has everything, and return its key."""
    async with account.turn() as state:
        writer, n = account.next_place
        begun = first_view(DEVICE, "inbox", Rid(account.tick(), writer, n, 1), state)
        await account.commit([ViewMade(replace(begun, floor=BOTTOM, window=0))])
    return synckey.encode(account.keys.tokens, DEVICE, "inbox", ViewId(writer, n, 1))


def _typical(costs: Sequence[Cost]) -> Cost:
    """Return the lower quartiles: what it takes when little else goes on."""
    seconds, requests = ([cost.seconds for cost in costs], [cost.requests for cost in costs])
    return Cost(statistics.quantiles(seconds)[0], statistics.quantiles(requests)[0])
