"""From settings to an open store: which engine, which feed, which directory.  The literal tables of what there is."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from storage.account import Account
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.directories.directory import Directory
from storage.directories.static import StaticDirectory
from storage.engine import Engine
from storage.engine_local import LocalEngine
from storage.engine_memory import MemoryEngine
from storage.feeds.feed import Feed, LocalFeed
from storage.feeds.lanes import LanesFeed
from storage.feeds.machine import MachineFeed
from storage.identity import Identity
from storage.keyring.exported import ExportedKeys
from storage.keyring.objects import Vault
from storage.log import Writer
from storage.objects import Header
from storage.private_file import UnsafeFile
from storage.probe import probe
from storage.records import Record
from storage.redis_settings import redis_server_of
from storage.settings import Settings
from storage.startup import read_deployment_key
from storage.store import Store, wall_ms
from storage.toml_tables import SettingError


async def _memory_engine(_settings: Settings) -> Engine:
    return MemoryEngine()


async def _local_engine(settings: Settings) -> Engine:
    return await LocalEngine.open(settings.path)


async def _s3_engine(settings: Settings) -> Engine:
    # Only here: its libraries take 25 MB and a third of a second, and most sites have no bucket.
    from storage.engine_s3 import S3Engine
    from storage.s3.bucket_settings import bucket_of

    return await S3Engine.open(bucket_of(settings, os.environ))


_ENGINES: Mapping[str, Callable[[Settings], Awaitable[Engine]]] = {
    "memory": _memory_engine,
    "local": _local_engine,
    "s3": _s3_engine,
}


def _s3_feed(settings: Settings, engine: Engine, deployment_key: bytes) -> Feed:
    server = redis_server_of(settings, os.environ)
    lanes = LanesFeed(engine, deployment_key)
    if server is None:
        return lanes
    # Only here: its library takes a few megabytes, and most sites have no Redis.
    from storage.feeds.redis_feed import RedisFeed

    try:
        return RedisFeed(lanes, deployment_key, *server)
    except ValueError as error:  # may hold a password, and is not told
        lanes.close()
        raise SettingError("storage.redis_url", "cannot be read as a URL of a Redis server") from error


_FEEDS: Mapping[str, Callable[[Settings, Engine, bytes], Feed]] = {
    "memory": lambda _settings, _engine, _key: LocalFeed(),
    "local": lambda settings, _engine, _key: MachineFeed(settings.path),
    "s3": _s3_feed,
}


async def open_engine(settings: Settings, *, is_probed: bool = True) -> Engine:
    """Open the engine alone; *is_probed* False: without the test that writes to it.

    Raises `SettingError`, `UnsafeFile`, `EngineRefused`, `EngineError`.
    """
    engine = await _ENGINES[settings.engine](settings)
    try:
        if is_probed:
            await probe(engine)
    except BaseException:
        await engine.close()
        raise
    return engine


async def open_store(settings: Settings) -> Store:
    """Open the store; made after any fork, in the loop that uses it.  An engine that breaks its laws is refused.

    Raises `SettingError` (also for a file of users that cannot be read), `UnsafeFile`, `EngineRefused`, `EngineError`.
    """
    deployment_key = read_deployment_key(settings.deployment_key_file)
    directory = _DIRECTORIES[settings.directory](settings)
    engine = await open_engine(settings)
    try:
        feed = _feed(settings, engine, deployment_key)
    except BaseException:
        await engine.close()
        raise
    vault = Vault(engine, deployment_key, settings.cost, asyncio.Semaphore(settings.argon2_runs_max), wall_ms)
    return Store(engine, directory, vault, feed)


@asynccontextmanager
async def open_by_keys(settings: Settings, exported: ExportedKeys) -> AsyncIterator[Account]:
    """Open one account by its exported keys alone, to be read: no deployment key, directory or password is needed.

    What is of a newer epoch than the keys is passed over, and logged.  Raises `SettingError`, `EngineError`.
    """
    engine, ring, clock = await _ENGINES[settings.engine](settings), exported.ring, Clock(wall_ms)
    keys = AccountKeys.of(ring.masters(), ring.privates(), ring.ids, ring.tokens)

    def refuse(name: str, _header: Header, _time: int, _records: Sequence[Record]) -> bytes:
        raise PermissionError(f"{name}: opened to be read")

    writer = Writer(engine, exported.account, clock, refuse, delivers=False, published=lambda *_: None)
    try:
        yield Account(engine, exported.account, Identity(exported.address), keys, clock, writer)
    finally:
        await engine.close()


def _static_directory(settings: Settings) -> Directory:
    try:
        return StaticDirectory(settings.directory_file, settings.domains)
    except (SettingError, UnsafeFile):
        raise
    except OSError as error:
        raise SettingError(str(settings.directory_file), f"cannot be read: {error.strerror}") from error


def _ldap_directory(settings: Settings) -> Directory:
    # Only here: its library takes 17 MB, and most sites have no LDAP.
    from storage.directories.ldap import LdapDirectory
    from storage.directories.ldap_settings import load_ldap_settings

    return LdapDirectory(load_ldap_settings(settings.ldap_file), settings.domains)


_DIRECTORIES: Mapping[str, Callable[[Settings], Directory]] = {"file": _static_directory, "ldap": _ldap_directory}


def _feed(settings: Settings, engine: Engine, deployment_key: bytes) -> Feed:
    try:
        return _FEEDS[settings.engine](settings, engine, deployment_key)
    except OSError as error:
        raise SettingError(str(settings.path), f"no feed between processes: {error.strerror}") from error
