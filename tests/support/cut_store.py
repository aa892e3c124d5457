"""A local store as a crash of the machine leaves it: what was not yet synced is missing, other bytes, or older ones.

`Course.make` puts objects one after the other and keeps the files as they are when each put was acknowledged.
`Crashed` makes a folder anew for each crash and says what is in it, by the engine's own opening without its threads.
"""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from storage.engine_local import LocalEngine
from storage.local.folder import connect, prepare
from storage.local.pack_objects import Place, read_pack

DATABASE: Final = "store.sqlite"
WAL: Final = "store.sqlite-wal"
PAGE_BYTES: Final = 512
"""SQLite's least: the fewer bytes a commit writes, the sooner every place has been cut."""
_WAL_HEADER_BYTES, _FRAME_BYTES = 32, 24 + PAGE_BYTES
_ALL = "SELECT key, data, pack, start, size, crc FROM objects ORDER BY key"

Contents = Mapping[str, bytes]
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Moment:
    """What is acknowledged, and the files with it."""

    contents: dict[str, bytes]
    files: Files


@dataclass(slots=True)
class Course:
    """Moments: the first is the last that counts as acknowledged; what follows is under way when the crash comes."""

    moments: list[Moment] = field(default_factory=list)
    wal_ends: list[int] = field(default_factory=list)
    """Where in the log, for each moment, the bytes end that it needs."""
    checkpointed: bytes = b""
    """The database's file after SQLite copied into it what is in the log at the end."""

    @classmethod
    async def make(
        cls, folder: Path, first: Contents, steps: Sequence[Contents | list[str]], *, wraps: bool
    ) -> "Course":
        """Put *first*, then take one step after the other: an object to put, or keys to delete.

        *wraps*: SQLite begins its log anew before the steps, over the bytes of an older one.
        """
        course = cls()
        folder.mkdir()
        _make_database(folder)
        engine = await LocalEngine.open(folder)
        state: dict[str, bytes] = {}
        for key, data in first.items():
            await engine.put(key, data)
            state[key] = data
        if wraps:
            _checkpoint(folder, "RESTART")
            course._note(folder, state)  # the log begins anew with the next commit
        steps = [{"begin": b"anew"}, *steps] if wraps else steps
        for step in steps:
            if isinstance(step, list):
                await engine.delete(step)
                state = {key: data for key, data in state.items() if key not in step}
            else:
                for key, data in step.items():
                    await engine.put(key, data)
                    state[key] = data
            course._note(folder, state)
        course._find_ends()
        _checkpoint(folder, "PASSIVE")
        course.checkpointed = (folder / DATABASE).read_bytes()
        await engine.close()
        return course

    @property
    def last(self) -> Moment:
        """The end."""
        return self.moments[-1]

    @property
    def pack(self) -> str:
        """The one pack."""
        (name,) = (name for name in self.last.files if name.startswith("packs/"))
        return name

    def moment_of(self, log: bytes) -> Moment:
        """Return the last moment of which *log* has every byte."""
        whole = [n for n, end in enumerate(self.wal_ends) if log[:end] == self.last.files[WAL][:end]]
        return self.moments[whole[-1]]

    def _note(self, folder: Path, state: Contents) -> None:
        names = [
            path for path in folder.rglob("*") if path.is_file() and path.suffix in (".sqlite", ".sqlite-wal", ".pack")
        ]
        self.moments.append(Moment(dict(state), {str(path.relative_to(folder)): path.read_bytes() for path in names}))

    def _find_ends(self) -> None:
        """Find where each moment's log ends: behind the last frame that its commit changed."""
        logs = [moment.files[WAL] for moment in self.moments]
        self.wal_ends = [len(logs[0])]
        for before, after in pairwise(logs):
            changed = max(n for n in range(len(after)) if before[n : n + 1] != after[n : n + 1])
            frames = -(-(changed + 1 - _WAL_HEADER_BYTES) // _FRAME_BYTES)
            self.wal_ends.append(_WAL_HEADER_BYTES + frames * _FRAME_BYTES)
        if self.wal_ends[0] > self.wal_ends[1]:  # it began anew: the first moment is from before
            del self.moments[0], self.wal_ends[0]


class Crashed:
    """A folder that is made anew for each crash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def contents(self, files: Files) -> dict[str, bytes]:
        """Return what is in a store of these *files*; raises whatever the engine would."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "packs").mkdir(parents=True)
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        prepare(self.folder)
        connection = connect(self.folder)
        try:
            return {key: self._read(data, *place) for key, data, *place in connection.execute(_ALL)}
        finally:
            connection.close()

    def _read(self, data: bytes | None, pack: str, start: int, size: int, crc: int) -> bytes:
        return read_pack(self.folder / "packs", Place(pack, start, size, crc), 0, size) if data is None else data


def other(data: bytes) -> bytes:
    """Return as many bytes, each another one."""
    return bytes(byte ^ 0xA5 for byte in data)


def _make_database(folder: Path) -> None:
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _checkpoint(folder: Path, how: str) -> None:
    connection = connect(folder)
    busy, _, _ = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
    assert not busy
    connection.close()
