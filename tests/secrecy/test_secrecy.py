"""A whole life is lived through the real server; then every stored byte, file name and line of the log is searched.

What does show: how many objects there are, when they were put and how long they are; that some belong to one account
(a keyed hash), and which writer wrote them in what order; how much an account holds and how many items (a checkpoint's
header, for quotas); how many passwords it has, of what kind and since when.  In the log: the ids of devices, items and
folders that the server made itself, sizes, times, and a keyed hash for each address.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import structlog

from eas.run.sections import load
from storage.collecting.collector import collect
from storage.opening import open_store
from storage.paths import Kind, parse
from storage.store import wall_ms
from tests.secrecy.life import ADDRESS, PASSWORDS, WORDS, Home, letter, lived
from tests.secrecy.traces import files_below, found_in
from tests.soak.stores import BucketPlace, LocalPlace, StorePlace
from tests.support.seaweed import Seaweed

PLACES: Mapping[str, Callable[[Path], StorePlace]] = {"local": LocalPlace, "seaweed": partial(BucketPlace, Seaweed)}
BYTES_MIN = 30_000
_SECRET = re.compile(r"[A-Za-z0-9]{4}(-[A-Za-z0-9]{4}){3,7}")


@pytest.mark.interop
@pytest.mark.parametrize("name", PLACES)
async def test_nothing_of_mail_or_people_shows(tmp_path: Path, name: str) -> None:
    (tmp_path / "home").mkdir()
    place = PLACES[name](tmp_path / "place")
    try:
        home = await lived(tmp_path / "home", place)
        secrets, kinds = await _tidied(home)
    finally:
        place.close()
    assert kinds >= {Kind.LOG, Kind.CHECKPOINT, Kind.PAGE, Kind.BLOB, Kind.SLOT, Kind.RING, Kind.PUBLIC}
    words = [*WORDS, *filter(_SECRET.fullmatch, home.secrets), *_user_secrets(home)]
    assert len(words) > len(WORDS) + 3
    stored = list(files_below(tmp_path / "place"))
    assert sum(len(data) for _, data in stored) > BYTES_MIN
    found = {where: traces for where, data in stored if (traces := found_in(data, words, secrets))}
    assert not found
    log = home.log.read_bytes()
    assert b"http.answered" in log
    assert not found_in(log, words, secrets)


def _user_secrets(home: Home) -> list[str]:
    """Return what passwords are mixed with: it lies beside the store, never in it."""
    return re.findall(r"[A-Za-z0-9_\-+/=]{20,}", str(tomllib.loads((home.folder / "accounts.toml").read_text())))


async def _tidied(home: Home) -> tuple[list[bytes], set[Kind]]:
    """Let a checkpoint be written and the collector pass as days go by; return the keys, and what kinds there are."""
    store = await open_store(load(home.config).storage)
    try:
        with structlog.testing.capture_logs() as events:
            account, unlocked = await store.unlock(ADDRESS, PASSWORDS[1])
            async with account.turn() as state:
                items = [item async for item in state._all()]
                contents = await state.contents(item.id for item in items)
            await account.checkpoint()
            for hours in (0, 2, 26, 52):
                await collect(store.engine, account, wall_ms() + hours * 3_600_000)
            await store.delivery.deposit(await store.delivery.recipient(ADDRESS), b"", letter(9), junk=False)
        home.log.write_text(home.log.read_text() + "\n".join(map(str, events)))
        assert len(items) > 6
        secrets = [store.vault.deployment_key, *(content.key for content in contents.values())]
        secrets += [key for epoch in unlocked.ring.epochs for key in (epoch.master, epoch.private)]
        return secrets, {parse(entry.key).kind for entry in await store.engine.list("a/")}
    finally:
        await store.close()
