"""How soon a waiting phone rings: from the last byte that LMTP is sent to the phone's socket having the answer.

Five hundred phones hold Pings: most on an account of their own, some accounts with five.  Mails come one at a time,
each rings its account's phones, and these ask again; then to all accounts at once.  Mail is durable before anybody is
told of it, so the time of a commit is in the figure.
"""

import selectors
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.bench.figure import Figure
from tests.bench.support_phone import PING_INBOX, Phone
from tests.bench.support_post import Post
from tests.bench.support_server import QUICK, Served, folder_for_store, served

ALONE: Final = 90 if QUICK else 450
SHARED: Final = 2 if QUICK else 10
TOGETHER: Final = 5
"""Phones of each shared account: 450 and 10 × 5 are 500."""
ACCOUNTS: Final = ALONE + SHARED
MAILS: Final = 100 if QUICK else 400
_SECONDS_MAX: Final = 30.0


class Phones:
    """Phones that hold Pings, by account."""

    def __init__(self, server: Served) -> None:
        self._selector = selectors.DefaultSelector()
        self.of_account: dict[int, list[Phone]] = {}
        for account in range(1, ACCOUNTS + 1):
            of_account = [
                Phone(server.http, account, f"APPLRING{account}N{n}") for n in range(TOGETHER if account > ALONE else 1)
            ]
            for phone in of_account:
                phone.folder_sync()
                phone.begin()
                phone.send("Ping", PING_INBOX)
                self._selector.register(phone, selectors.EVENT_READ, phone)
            self.of_account[account] = of_account

    def rung(self, count: int, began: float) -> Iterator[tuple[Phone, float]]:
        """Yield *count* phones as their answers come, with the seconds since *began*."""
        while count:
            events = self._selector.select(_SECONDS_MAX)
            seconds = time.perf_counter() - began
            if not events:
                raise AssertionError(f"{count} phones did not ring")
            for key, _ in events:
                if b"inbox" not in (answer := key.data.receive()):
                    raise AssertionError(answer)
                count -= 1
                yield key.data, seconds

    def close(self) -> None:
        for phones in self.of_account.values():
            for phone in phones:
                phone.close()
        self._selector.close()

    @property
    def count(self) -> int:
        return sum(map(len, self.of_account.values()))


def run() -> list[Figure]:
    with folder_for_store() as folder, served(folder, ACCOUNTS) as server, _phones(server) as phones:
        time.sleep(2.5)  # what the accounts' first requests left to do is done
        return [*_one_by_one(server, phones), *_at_once(server, phones)]


@contextmanager
def _phones(server: Served) -> Iterator[Phones]:
    phones = Phones(server)
    try:
        yield phones
    finally:
        phones.close()


def _one_by_one(server: Served, phones: Phones) -> list[Figure]:
    post = Post(server.lmtp)
    waits: list[float] = []
    processor = server.processor_seconds()
    for n in range(MAILS):
        account = 1 + n * 7919 % ACCOUNTS
        of_account = phones.of_account[account]
        post.prepare(account)
        began = time.perf_counter()
        post.finish()
        rung = list(phones.rung(len(of_account), began))
        waits += [seconds for _, seconds in rung]
        post.delivered()
        for phone, _ in rung:
            phone.begin()
            phone.send("Ping", PING_INBOX)
    post.close()
    name = f"ring: {phones.count} phones"
    percentiles = statistics.quantiles(waits, n=100)
    return [
        Figure(f"{name}, p50", percentiles[49] * 1000, "ms"),
        Figure(f"{name}, p99", percentiles[98] * 1000, "ms", 50),
        Figure(f"{name}, longest", max(waits) * 1000, "ms"),
        Figure(f"{name}, the server's time for mail, Sync and Ping", _each(server, processor, MAILS), "ms"),
    ]


def _at_once(server: Served, phones: Phones) -> list[Figure]:
    """Deliver a mail to every account, the last bytes of all sent in one go."""
    posts = [Post(server.lmtp) for _ in phones.of_account]
    for account, post in enumerate(posts, 1):
        post.prepare(account)
    began = time.perf_counter()
    for post in posts:
        post.finish()
    waits = [seconds for _, seconds in phones.rung(phones.count, began)]
    for post in posts:
        post.delivered()
        post.close()
    return [
        Figure(f"ring: {len(posts)} mails at once, half have rung", statistics.median(waits) * 1000, "ms"),
        Figure(f"ring: {len(posts)} mails at once, all have rung", max(waits) * 1000, "ms"),
    ]


def _each(server: Served, since: float, count: int) -> float:
    return (server.processor_seconds() - since) / count * 1000
