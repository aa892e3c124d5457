"""Pack files: large contents, one after the other, in files that only grow.

A pack is appended to by the one process that holds its flock, and in that process by one put at a time.  An object's
bytes are synced, and a new pack's name too, *before* the row that says where they lie is committed.  So a crash leaves
at worst bytes that no row names: a torn tail, an unfinished stream.  They are dead like those of a deleted object.

A process keeps the flock of a pack until every row that names it is committed.  Whoever gets the flock of a pack that
no row names therefore knows that none ever will, and may remove it (`compaction.py`).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from storage.local.folder import sync_folder

PACK_BYTES_MAX = 256 << 20  # a pack that has reached this takes no further object
ADOPTED_MAX = 16  # how many packs of ended processes a new one looks at, to go on where they stopped


class Pack:
    """A pack file whose flock this process holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.name = path.stem
        self.descriptor = descriptor
        self.end = os.fstat(descriptor).st_size
        self.is_taken = False  # by an append; this and the next are guarded by the lock of `Packs`
        self.unsettled = 0  # appends begun whose rows are not known to be committed

    def close(self) -> None:
        """Let go of the flock."""
        os.close(self.descriptor)

    def write(self, data: bytes, offset: int) -> None:
        """Write all of *data* at *offset*."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, offset)
            view, offset = view[written:], offset + written


def lock_pack(path: Path, flags: int = 0) -> Pack | None:
    """Return the pack with its flock taken, None if another has it, or if it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:  # else removed after we opened it
            return Pack(path, descriptor)
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


class Packs:
    """The packs that this process appends to; safe for several threads."""

    def __init__(self, folder: Path, pack_bytes_max: int = PACK_BYTES_MAX) -> None:
        self.folder = folder
        self._pack_bytes_max = pack_bytes_max
        self._lock = Lock()
        self._open: set[Pack] = set()
        self._free: list[Pack] = []
        self._adoptable: Iterator[Path] | None = None

    def take(self) -> Pack:
        """Return a pack for one append: nobody else gets it before `give_back`."""
        with self._lock:
            pack = self._free.pop() if self._free else self._adopt() or self._create()
            self._open.add(pack)
            pack.is_taken = True
            pack.unsettled += 1
            return pack

    def give_back(self, pack: Pack, *, is_sound: bool = True) -> None:
        """Take a pack back from its append; one that is full or not sound gets no other."""
        with self._lock:
            pack.is_taken = False
            if is_sound and pack.end < self._pack_bytes_max:
                self._free.append(pack)

    def settle(self, pack: Pack) -> None:
        """Note that an append has its row, or will never have one.  May be called by any thread."""
        with self._lock:
            pack.unsettled -= 1
            if not pack.unsettled and pack not in self._free:
                self._let_go(pack)

    def close(self) -> None:
        """Let go of all packs, once nothing is committed any more; one in use follows as its append is abandoned."""
        with self._lock:
            self._free.clear()
            for pack in [pack for pack in self._open if not pack.is_taken]:
                self._let_go(pack)

    def _let_go(self, pack: Pack) -> None:
        if pack in self._open:
            self._open.remove(pack)
            pack.close()

    def _adopt(self) -> Pack | None:
        if self._adoptable is None:
            self._adoptable = iter(sorted(self.folder.glob("*.pack"), key=_size)[:ADOPTED_MAX])
            sync_folder(self.folder)  # its maker may have died before it did this
        for path in self._adoptable:
            if pack := lock_pack(path):
                if pack.end < self._pack_bytes_max:
                    return pack
                pack.close()
        return None

    def _create(self) -> Pack:
        while True:
            path = self.folder / f"{secrets.token_hex(8)}.pack"
            if pack := lock_pack(path, os.O_CREAT | os.O_EXCL):
                sync_folder(self.folder)
                return pack


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # removed since it was listed
        return 0
