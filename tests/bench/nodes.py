"""Two servers on one bucket of a real object store (SeaweedFS, on this machine): what they ask of it, and how soon a
mail that comes to one rings phones at the other, by the bucket alone and with Redis.

Requests are counted where they go out, repeated ones among them; those of the feed's lanes apart, for they come with
time and not with mail.  Without the store's program there are no figures, without Redis none of it; both is said.
"""

import selectors
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Final

from tests.bench.figure import Figure
from tests.bench.support_phone import PING_INBOX, Phone
from tests.bench.support_post import Post
from tests.bench.support_server import QUICK, Served, served
from tests.support.redis_server import RedisServer
from tests.support.seaweed import Seaweed

ACCOUNTS: Final = 8
MAILS: Final = 6 if QUICK else 12
RINGS: Final = 2 if QUICK else 5
"""Of each account's phone."""
RINGS_BY_REDIS: Final = 3 if QUICK else 13
CONNECTIONS: Final = 16
MAILS_EACH: Final = 5 if QUICK else 40
RING_SECONDS_MAX: Final = 30.0
Nodes = tuple[Served, Served]


def run() -> list[Figure]:
    if not Seaweed.is_installed():
        print("nodes: no figures, the store's program (weed) is not installed", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="petitbleu-bench-") as name, _seaweed(Path(name) / "seaweed") as store:
        folder, address = Path(name), f"s3://{store.bucket().name}/{token_hex(4)}"
        with _nodes(folder, "plain", address, store.environment()) as nodes:
            figures = [*_requests(nodes), *_throughput(nodes[0])]
            figures += _ring_figures("the bucket alone", _rings(nodes, RINGS), 2000)
        if not RedisServer.is_installed():
            print("nodes: no figure with Redis, redis-server is not installed", file=sys.stderr)
            return figures
        redis = RedisServer(folder)
        try:
            with _nodes(folder, "redis", address, {**store.environment(), **redis.environment()}) as nodes:
                figures += _ring_figures("with Redis", _rings(nodes, RINGS_BY_REDIS), 100)
        finally:
            redis.stop()
        return figures


@contextmanager
def _seaweed(folder: Path) -> Iterator[Seaweed]:
    store = Seaweed(folder)
    try:
        yield store
    finally:
        store.stop(kill=True)


@contextmanager
def _nodes(folder: Path, name: str, address: str, environment: Mapping[str, str]) -> Iterator[Nodes]:
    with ExitStack() as stack:
        nodes = []
        for number in range(2):
            (place := folder / f"{name}{number}").mkdir()
            nodes.append(stack.enter_context(served(place, ACCOUNTS, store=address, environment=environment)))
        yield nodes[0], nodes[1]


def _requests(nodes: Nodes) -> list[Figure]:
    """Measure what a delivery costs one node, and what the Sync that brings it costs the other."""
    phone, post = Phone(nodes[1].http, 1, "applnodes"), Post(nodes[0].lmtp)
    phone.folder_sync()
    phone.begin()
    _mail_and_syncs(nodes, phone, post)  # the first finds everything cold
    costs = [_mail_and_syncs(nodes, phone, post) for _ in range(MAILS)]
    post.close()
    phone.close()
    mail, sync, noting, quiet = (sum(parts, Counter[str]()) for parts in zip(*costs, strict=True))
    name = "nodes: requests of"
    return [
        Figure(f"{name} a delivered mail, PUT", mail["s3 PUT"] / MAILS, "", 2),
        Figure(f"{name} a delivered mail, LIST", mail["s3 LIST"] / MAILS, "", 0),
        Figure(f"{name} a delivered mail, GET", mail["s3 GET"] / MAILS, ""),
        Figure(f"{name} the Sync that brings it, PUT", sync["s3 PUT"] / MAILS, "", 1),
        Figure(f"{name} the Sync that brings it, LIST", sync["s3 LIST"] / MAILS, "", 1),
        Figure(f"{name} the Sync that brings it, GET", sync["s3 GET"] / MAILS, ""),
        Figure(f"{name} the next Sync, which notes its key for empty requests", _own(noting) / MAILS, "", 1),
        Figure(f"{name} any further Sync without news", _own(quiet) / MAILS, "", 0),
    ]


def _mail_and_syncs(nodes: Nodes, phone: Phone, post: Post) -> list[Counter[str]]:
    """Return what was asked for a delivery at one node, for the Sync of it at the other, and for two Syncs more."""
    here, there = nodes
    place = here.counted()
    post.deliver(1)
    mail = here.calls_since(place)
    adds = 0
    while not adds:  # until the news have come it is told, for nothing, that there is none
        time.sleep(0.05)
        place = there.counted()
        adds = phone.sync().adds
    costs = [mail, there.calls_since(place)]
    for _ in range(2):
        place = there.counted()
        if phone.sync().adds:
            raise AssertionError("a mail was told twice")
        costs.append(there.calls_since(place))
    return costs


def _own(calls: Counter[str]) -> int:
    """Return how many were made for the request itself."""
    return sum(count for name, count in calls.items() if name.startswith("s3 ") and name != "s3 feed")


def _throughput(node: Served) -> list[Figure]:
    posts = [Post(node.lmtp) for _ in range(CONNECTIONS)]
    threads = [Thread(target=_deliver_many, args=(post, n)) for n, post in enumerate(posts)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for post in posts:
        post.close()
    mails = CONNECTIONS * MAILS_EACH
    return [Figure(f"nodes: {CONNECTIONS} connections deliver to one node", mails / seconds, "mails/s")]


def _deliver_many(post: Post, n: int) -> None:
    for count in range(MAILS_EACH):
        post.deliver(1 + (n + count) % ACCOUNTS)


def _rings(nodes: Nodes, rounds: int) -> list[float]:
    """Return the seconds from each delivery's last byte at one node to the answer to a Ping at the other."""
    here, there = nodes
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        phones = {n: Phone(there.http, n, f"applring{n}") for n in range(1, ACCOUNTS + 1)}
        post = Post(here.lmtp)
        stack.callback(post.close)
        for phone in phones.values():
            stack.callback(phone.close)
            phone.folder_sync()
        waits: list[float] = []
        for _ in range(rounds):
            for phone in phones.values():
                phone.begin()
                phone.send("Ping", PING_INBOX)
                selector.register(phone, selectors.EVENT_READ, phone)
            time.sleep(0.3)  # nothing from the round before is under way
            began: dict[Phone, float] = {}
            for n, phone in phones.items():
                post.prepare(n)
                began[phone] = time.perf_counter()
                post.finish()
                post.delivered()
                waits += _rung(selector, began, 0.07)
            while began:
                waits += _rung(selector, began, RING_SECONDS_MAX)
        return waits


def _rung(selector: selectors.BaseSelector, began: dict[Phone, float], seconds: float) -> list[float]:
    """Wait for *seconds*, or for phones that ring; return how long those waited."""
    events = selector.select(seconds)
    if not events and seconds == RING_SECONDS_MAX:
        raise AssertionError(f"{len(began)} phones did not ring")
    waits = []
    for key, _ in events:
        phone: Phone = key.data
        if b"inbox" not in (answer := phone.receive()):
            raise AssertionError(answer)
        waits.append(time.perf_counter() - began.pop(phone))
        selector.unregister(phone)
    return waits


def _ring_figures(how: str, waits: Sequence[float], budget_ms: float) -> list[Figure]:
    name = f"nodes: a mail at one rings at the other, {how}"
    return [
        Figure(f"{name}, p50", statistics.median(waits) * 1000, "ms"),
        Figure(f"{name}, p99", statistics.quantiles(waits, n=100, method="inclusive")[98] * 1000, "ms", budget_ms),
    ]
