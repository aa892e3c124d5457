"""Where a message waits while it comes in: in memory, and from a bound on in an unlinked temporary file.

So a message costs bounded memory whatever its size, and a dead process leaves no file behind.  The file's blocks hold
plain text for a while, as Postfix's queue does: give it a directory in memory (tmpfs) where that matters.

Trouble is kept until the message is wanted: whatever happens, the peer must be let finish before it can be told.
"""

import mmap
import tempfile
from typing import IO

MEMORY_BYTES_MAX = 1 << 20
PIECE_BYTES_MIN = 4096  # smaller ones are put together: an object each would cost more than the bytes


class SpoolError(Exception):
    """The message could not be kept: disk full, or a fault of the disk.  Another try may succeed."""


class Spool:
    """The bytes of one message, at most *size_bytes_max* of them; more, or a fault of the disk, drops them all."""

    __slots__ = ("_directory", "_error", "_file", "_mapped", "_memory_bytes_max", "_pieces", "_size_bytes_max",
                 "is_over", "size_bytes")  # fmt: skip

    def __init__(
        self, size_bytes_max: int, directory: str | None = None, memory_bytes_max: int = MEMORY_BYTES_MAX
    ) -> None:
        self._size_bytes_max = size_bytes_max
        self._memory_bytes_max = memory_bytes_max
        self._directory = directory
        self._pieces: list[bytes | bytearray] = []
        self._file: IO[bytes] | None = None
        self._mapped: mmap.mmap | None = None
        self._error: OSError | None = None
        self.size_bytes = 0
        self.is_over = False
        """True once more bytes came than the message may have."""

    def write(self, data: bytes) -> None:
        """Add bytes.  Never raises: see `content` and `is_over`."""
        self.size_bytes += len(data)
        if self.size_bytes > self._size_bytes_max and not self.is_over:
            self.is_over = True
            self.close()
        if self.is_over or self._error is not None:
            return
        try:
            if self._file is None and self.size_bytes > self._memory_bytes_max:
                self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115  # `close` closes it
                self._file.writelines(self._pieces)
                self._pieces = []
            if self._file is not None:
                self._file.write(data)
            elif len(data) >= PIECE_BYTES_MIN:
                self._pieces.append(data)
            elif self._pieces and isinstance(self._pieces[-1], bytearray):
                self._pieces[-1] += data
            else:
                self._pieces.append(bytearray(data))
        except OSError as error:
            self._error = error
            self.close()

    def content(self) -> bytes | mmap.mmap:
        """Return the message, to be read until `close`.  Raises `SpoolError`."""
        try:
            if self._error is None and self._file is not None and self._mapped is None:
                self._file.flush()
                self._mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            self._error = error
        if self._error is not None:
            raise SpoolError(str(self._error)) from self._error
        return self._mapped if self._mapped is not None else b"".join(self._pieces)

    def close(self) -> None:
        """Let go of memory and file.  May be called twice."""
        self._pieces = []
        file, mapped, self._file, self._mapped = self._file, self._mapped, None, None
        try:
            if mapped is not None:
                mapped.close()
        except BufferError:
            pass  # somebody still looks at it: it goes when they let go
        finally:
            if file is not None:
                self._close_file(file)

    def _close_file(self, file: IO[bytes]) -> None:
        try:
            file.close()  # may still have to write what it had buffered
        except OSError as error:
            self._error = self._error or error
