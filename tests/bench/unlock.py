"""What logging in costs a phone that is known: no Argon2 run, whatever it asks, and whether or not it rested."""

import time
from contextlib import closing
from typing import Final

from tests.bench.figure import Figure
from tests.bench.support_phone import FOLDER_SYNC, Phone
from tests.bench.support_server import folder_for_store, served

PHONES: Final = 50
ROUNDS: Final = 20


def run() -> list[Figure]:
    with folder_for_store() as folder, served(folder, PHONES) as server:
        began = server.counted()
        for n in range(PHONES):
            with closing(Phone(server.http, n + 1, f"APPLUNLOCK{n}")) as phone:
                phone.folder_sync()
                phone.begin()
        first = server.calls_since(began)["argon2"]
        began, processor, clock = server.counted(), server.processor_seconds(), time.perf_counter()
        for round_ in range(ROUNDS):
            for n in range(PHONES):
                with closing(Phone(server.http, n + 1, f"APPLUNLOCK{n}")) as phone:  # connects anew, as after a rest
                    phone.post("FolderSync", FOLDER_SYNC if round_ % 2 else b"no WBXML")
        seconds, used = time.perf_counter() - clock, server.processor_seconds() - processor
        runs = server.calls_since(began)["argon2"]
    count = PHONES * ROUNDS
    name = f"unlock: {count:,} requests of known phones"
    return [
        Figure(f"unlock: Argon2 runs of {PHONES} phones' first requests", first, ""),
        Figure(f"{name}, Argon2 runs", runs, "", 0),
        Figure(f"{name}, each", seconds / count * 1000, "ms"),
        Figure(f"{name}, the server's processor time", used / count * 1000, "ms"),
    ]
