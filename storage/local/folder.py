"""The local engine's folder: which files it has, who may read them, the database's schema, and the gate before writing.

    store.sqlite   rows: every key, small contents, and where the large ones are (with -wal and -shm beside it)
    packs/*.pack   large contents, one after the other; `packs.py`
    turn, gate     empty; locked with flock
    compacting     empty; locked with flock by the one process that does it

Several processes open one folder, each after it was forked.  Every file is made with mode 0600 and every folder with
0700; a folder that is already there keeps its mode.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from storage.engine import Damaged, EngineRefused, Unavailable

FORMAT_VERSION = 1
APPLICATION_ID = 0x50426C75  # "PBlu", in the database's header where file(1) looks

BUSY_SECONDS = 30.0  # our processes wait at the gate; this is for a checkpoint at the end, or somebody's sqlite3 shell

# WITHOUT ROWID: one tree, in key order, the bytes of a small object beside its key.  What is over a quarter of a page
# lies on overflow pages, which a listing does not touch, as `data` stands last.
_SCHEMA = f"""
    CREATE TABLE objects (
        key TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        pack TEXT,     -- name of the pack that holds the bytes; NULL: `data` does
        start INTEGER, -- offset in that pack
        crc INTEGER,   -- CRC-32 of the bytes in the pack
        data BLOB
    ) WITHOUT ROWID;
    CREATE INDEX packed ON objects (pack, start, size) WHERE pack IS NOT NULL;
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {FORMAT_VERSION};
"""


class Gate:
    """Lets one process at a time write, and none twice while another waits.  For one thread; a context manager.

    SQLite's own waiting is sleeping and trying again: one process made 1 commit where another made 3,765.  Two locks,
    because with one the process that lets go may take it again before the sleeper wakes: who holds the gate and wants
    it again queues for the turn, behind the one that has it.
    """

    def __init__(self, folder: Path) -> None:
        self._turn = _open_lock(folder / "turn")
        self._gate = _open_lock(folder / "gate")

    def __enter__(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._turn)
        os.close(self._gate)


def prepare(folder: Path) -> None:
    """Make *folder* a store, or check that it is one of a version known here.  Raises `EngineRefused`."""
    try:
        make_folder(folder)
        make_folder(folder / "packs")
        gate = Gate(folder)
    except OSError as error:
        raise EngineRefused(f"the store's folder {folder} cannot be used: {error.strerror}") from error
    try:
        with gate:
            _prepare_database(folder)
    except (OSError, sqlite3.Error) as error:
        raise EngineRefused(f"the store's database in {folder} cannot be used: {error}") from error
    finally:
        gate.close()


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database for one thread at a time; transactions are begun by hand."""
    connection = sqlite3.connect(
        folder / "store.sqlite", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")  # a commit returns when the log is on the disk
    return connection


def make_folder(folder: Path) -> None:
    """Make *folder* and those above it, durably; what is there stays."""
    if not folder.is_dir():
        make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(None, "Permission denied", str(folder))


def sync_folder(folder: Path) -> None:
    """Make durable which files the folder has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def known_errors() -> Iterator[None]:
    """Turn what the system and SQLite raise into `EngineError`s."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Damaged(f"the database is damaged: {error}") from error
        raise Unavailable(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(str(error)) from error


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Give whether nobody else is inside with the same *path*, and keep others out until the end.  For any thread."""
    descriptor = _open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _prepare_database(folder: Path) -> None:
    # Made here for its mode, and only if it is not there: closing a descriptor of a file that SQLite has open in this
    # process would drop SQLite's locks (they are POSIX locks).
    with suppress(FileExistsError):
        os.close(os.open(folder / "store.sqlite", os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(folder)
    connection = connect(folder)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application not in (0, APPLICATION_ID) or (not application and _has_tables(connection)):
            raise EngineRefused(f"{folder / 'store.sqlite'} is the database of another program: name another folder")
        if version > FORMAT_VERSION:
            raise EngineRefused(
                f"the store in {folder} has format {version}, made by a newer version; this one knows {FORMAT_VERSION}"
            )
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise EngineRefused(f"the file system of {folder} cannot hold a store (no shared memory; a network mount?)")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    finally:
        connection.close()


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone())
