"""Small files that hold secrets: readable by their owner alone, and replaced as a whole."""

import os
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class UnsafeFile(Exception):
    """A file of secrets that others than its owner may use; says what to do about it."""


def read_private(path: Path) -> bytes:
    """Return a file's bytes.  Raises `UnsafeFile` if its group or anybody has rights on it, OSError."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _OTHERS:
            raise UnsafeFile(
                f"{path} holds secrets, and others may use it (mode {mode & 0o777:04o}): chmod 0600 {path}"
            )
        return file.read()


def create_private(path: Path, data: bytes) -> None:
    """Write a new file, mode 0600, durable on return.  Raises FileExistsError rather than overwrite."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _write_through(file.fileno(), data)
    _sync_folder(path)


def replace_private(path: Path, data: bytes) -> None:
    """Put *data* in a file's place at once: a reader, and whoever starts after a crash, sees the old or the new.

    Mode 0600; the owner stays, so that root may write for the service's user.  Durable on return.  One at a time: the
    caller holds a lock.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of a writer that died
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if path.exists():
            owner = path.stat()
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        _write_through(file.fileno(), data)
    draft.replace(path)
    _sync_folder(path)


def _write_through(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
