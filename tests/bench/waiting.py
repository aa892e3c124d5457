"""What a waiting phone costs the whole server: sessions, accounts, views, hub and connection; five thousand of them.

Each phone makes its first Sync and then holds a Ping; ten share an account.  Counted are the process's anonymous pages,
all that it took since it was ready: at once, when the accounts have let go of their states, and after every phone has
rung and asked again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from eas.wire.listeners import files_max
from tests.bench.figure import Figure
from tests.bench.support_phone import FOLDER_SYNC, PING_INBOX, Phone, sync_request
from tests.bench.support_server import QUICK, Served, folder_for_store, served

ACCOUNTS: Final = 100 if QUICK else 500
DEVICES: Final = 10
PHONES: Final = ACCOUNTS * DEVICES
BYTES_MAX: Final = None if QUICK else 16_000
"""Few phones share what is taken once, such as arenas: only many can be measured by their number."""
IDLE_SECONDS: Final = 5.0
_TOGETHER: Final = 100
"""Phones that ask at the same time."""


def run() -> list[Figure]:
    files_max()
    with folder_for_store() as folder, served(folder, ACCOUNTS, IDLE_SECONDS) as server:
        with _waiting(server, "WARM", _TOGETHER):  # what is made once is made now
            time.sleep(3.0)
        before = server.anonymous_bytes
        with _waiting(server, "WAIT", PHONES):
            held = server.anonymous_bytes
            time.sleep(IDLE_SECONDS + 5.0)
            idle = server.anonymous_bytes
    name = f"waiting: {PHONES:,} phones, {ACCOUNTS} accounts"
    return [
        Figure(f"{name}, each at once", (held - before) / PHONES, "B", BYTES_MAX),
        Figure(f"{name}, each when idle", (idle - before) / PHONES, "B", BYTES_MAX),
    ]


@contextmanager
def _waiting(server: Served, name: str, count: int) -> Iterator[None]:
    """Let *count* phones wait: some at a time make their first Sync, and hold a Ping."""
    phones: list[Phone] = []
    try:
        for start in range(0, count, _TOGETHER):
            part = [Phone(server.http, 1 + n % ACCOUNTS, f"APPL{name}{n}") for n in range(start, start + _TOGETHER)]
            phones += part
            _all(part, lambda phone: phone.send("FolderSync", FOLDER_SYNC), Phone.receive)
            for _ in range(2):
                _all(part, lambda phone: phone.send("Sync", sync_request(phone.key)), Phone.synced)
            for phone in part:
                phone.send("Ping", PING_INBOX)
        time.sleep(1.0)  # the last ones are held
        yield
    finally:
        for phone in phones:
            phone.close()


def _all(phones: list[Phone], ask: Callable[[Phone], object], take: Callable[[Phone], object]) -> None:
    for phone in phones:
        ask(phone)
    for phone in phones:
        take(phone)
