"""One object in a pack: how it gets there, where it lies, how it is read.  `packs.py` has the theory."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from zlib import crc32

from storage.engine import Damaged
from storage.local.packs import Pack, Packs


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies: name of the pack, offset, bytes, CRC-32."""

    pack: str
    start: int
    size: int
    crc: int


class Append:
    """One object on its way into a pack.  Its methods block; they are safe beside a late `abandon`."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._lock = Lock()
        self._pack: Pack | None = None
        self._size = self._crc = 0
        self._over = False
        self._is_sound = True

    def write(self, data: bytes) -> None:
        """Append a piece."""
        with self._lock:
            if self._over:
                return
            if self._pack is None:
                self._pack = self._packs.take()
            self._pack.write(data, self._pack.end + self._size)
            self._size += len(data)
            self._crc = crc32(data, self._crc)

    def finish(self) -> Place:
        """Make the object durable and return where it lies.  Then `settle` is due, once its row is committed."""
        with self._lock:
            if self._pack is None or self._over:
                raise ValueError("nothing was written")
            self._is_sound = False  # after a failed sync nobody knows what is on the disk
            os.fdatasync(self._pack.descriptor)
            self._is_sound = True
            place = Place(self._pack.name, self._pack.end, self._size, self._crc)
            self._pack.end += self._size
            self._over = True
            self._packs.give_back(self._pack)
            return place

    def store(self, data: bytes) -> Place:
        """Append the whole object at once."""
        self.write(data)
        return self.finish()

    def settle(self) -> None:
        """Note that the row is committed."""
        if self._pack is not None:
            self._packs.settle(self._pack)

    def abandon(self) -> None:
        """Give up, at whatever point before the row was handed on: there will be none."""
        with self._lock:
            if self._pack is not None and not self._over:
                with suppress(OSError):  # the next append would write over it anyhow; this frees the space at once
                    os.ftruncate(self._pack.descriptor, self._pack.end)
                self._packs.give_back(self._pack, is_sound=self._is_sound)
            self._over = True
            self.settle()


def read_pack(folder: Path, place: Place, start: int, size: int) -> bytes:
    """Return *size* bytes of the object from *start*; the whole object is checked against its CRC.

    Raises FileNotFoundError if the pack is gone, `Damaged` if its bytes are.  The file is opened each time: a
    descriptor kept open would keep a removed pack's space.
    """
    descriptor = os.open(folder / f"{place.pack}.pack", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, size, place.start + start)
        while len(data) < size:  # one call gives 2 GiB at most
            more = os.pread(descriptor, size - len(data), place.start + start + len(data))
            if not more:
                raise Damaged(f"pack {place.pack} ends at {place.start + start + len(data)}, within an object")
            data += more
    finally:
        os.close(descriptor)
    if size == place.size and crc32(data) != place.crc:
        raise Damaged(f"pack {place.pack} has other bytes at {place.start} than were put")
    return data
