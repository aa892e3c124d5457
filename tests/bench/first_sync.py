"""A phone's first Sync of a big Inbox, over HTTP: ten thousand mails of the mixture, HTML up to 4,096 bytes, a hundred
at a time.

First the mails lie in the local engine as deliveries left them, without a checkpoint: the whole log is read, and memory
holds all rows until the first checkpoint is written on the way.  Then from that checkpoint, page by page.  Nothing is
in memory either time, and the clock runs from the phone's first request, so the login is in it.
"""

import time
from typing import Final

from storage.store import Store
from tests.bench.figure import Figure
from tests.bench.support_phone import Phone
from tests.bench.support_server import QUICK, Served, deposited, filled, folder_for_store, served
from tests.support.messages import mixed_message

MAILS: Final = 2_000 if QUICK else 10_000
EARLY: Final = 1_000
WINDOW: Final = 100


def run() -> list[Figure]:
    with folder_for_store() as folder:

        async def fill(store: Store) -> None:
            await deposited(store, 1, map(mixed_message, range(MAILS)))

        filled(folder, 1, fill)
        figures: list[Figure] = []
        for name in ("from the log", "from a checkpoint"):
            with served(folder, 1) as server:
                figures += _measure(server, f"first Sync {name}, {MAILS:,} mails")
        return figures


def _measure(server: Served, name: str) -> list[Figure]:
    phone = Phone(server.http, 1, "APPLFIRSTSYNC")
    began, processor = time.perf_counter(), server.processor_seconds()
    phone.folder_sync()
    phone.sync()
    opened = time.perf_counter() - began
    mails, early, peak, slowest = 0, 0, 0, 0.0
    while True:
        asked = time.perf_counter()
        synced = phone.sync(WINDOW)
        slowest = max(slowest, time.perf_counter() - asked)
        mails += synced.adds
        if mails >= EARLY and not early:
            early = server.resident_bytes
        if not mails % EARLY:
            peak = max(peak, server.resident_bytes)
        if not synced.more:
            break
    seconds, used = time.perf_counter() - began, server.processor_seconds() - processor
    late = server.resident_bytes
    phone.close()
    if mails != MAILS:
        raise AssertionError(f"{mails} mails instead of {MAILS}")
    return [
        Figure(f"{name}, a second", mails / seconds, "mails", 1000, "at least"),
        Figure(f"{name}, before the first mail", opened, "s"),
        Figure(f"{name}, slowest answer", slowest * 1000, "ms"),
        Figure(f"{name}, the server's processor time for each", used / mails * 1e6, "µs"),
        Figure(f"{name}, resident at {EARLY:,}", early / 1e6, "MB"),
        Figure(f"{name}, resident at the end, of that", late / early, "×", 1.1),
        Figure(f"{name}, most resident on the way, of that", peak / early, "×"),
    ]
