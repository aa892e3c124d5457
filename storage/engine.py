"""What every engine gives: objects under keys, durable, listed in key order.

It is the least that a folder of a disk and an object store have in common.  Nothing above may need a lock, a rename, a
condition or an append: stores exist that have none of them, and others that accept a condition and ignore it.

The laws (`tests/storage/test_engine.py` holds every engine to them):

1.  *Durable.*  When `put` or `delete` returns, its effect survives the death of the process and of the machine.
2.  *Whole.*  An object is seen with all of its bytes or not at all.  A stream that raises leaves what was there.
3.  *Read after write.*  Whoever asks after a `put` returned, on whatever node, gets its bytes: also who was told
    `NotFound` just before, and also by `list`.  The same holds after a replacement and after `delete`.
4.  *Last put wins.*  Of two puts of one key that overlap, one wins as a whole; of two in sequence, the second.
5.  *Order.*  Keys are compared byte by byte.  A listing shows each key that was there throughout exactly once.  No key
    is a folder of another (`a` and `a/b`), no folder's name begins another's, and no listing begins after a folder's
    bare name (`a` for `a/b`): some stores keep folders, and sort them in their own way.  `paths.py` makes no such
    names.
6.  *Unknown outcome.*  `Unavailable` says that the effect may or may not happen, perhaps later; so does a cancelled
    call.  To repeat the call with the same arguments is harmless, and is the caller's task.
7.  *Independence.*  Calls may overlap freely; a slow one does not hold up others.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

KEY_BYTES_MAX = 512
_KEY = re.compile(r"[0-9A-Za-z._-]{1,64}(/[0-9A-Za-z._-]{1,64})*")
_PREFIX = re.compile(r"([0-9A-Za-z._-]{1,64}/)*[0-9A-Za-z._-]{0,64}")


class EngineError(Exception):
    """The engine could not do what was asked."""


class NotFound(EngineError):
    """No object has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Unavailable(EngineError):
    """The outcome is unknown, or the engine refuses for now (disk full, I/O error, closed): repeat the call."""


class Damaged(EngineError):
    """The disk lost or changed bytes that were durable: no repetition helps, a backup may."""


class EngineRefused(EngineError):
    """The engine cannot be used at all: it breaks a law, or its folder is not usable.  Says what to do about it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing; the size is in bytes."""

    key: str
    size: int


class Engine(Protocol):
    """Objects under keys; the laws are in the module's docstring.

    Keys are parts of at most 64 letters, digits, `.`, `_` and `-`, separated by `/`, at most `KEY_BYTES_MAX` bytes;
    another key is the caller's mistake and raises ValueError.  Every call raises `Unavailable` as law 6 says, also
    after `close`.
    """

    list_page: int
    """How many entries one request of a listing brings at best: a good `limit` for a listing page by page."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """Store *data* under *key* in place of what was there.  A stream takes bounded memory."""
        ...

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Return *size* bytes from *start*, or all that follow.  A range past the end is cut.  Raises `NotFound`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return whole objects in the order of *keys*, None where there is none."""
        ...

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """Return the first *limit* (default: all) keys that begin with *prefix* and come after *start_after*, in order.

        Fewer than *limit* entries mean the end.
        """
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; a missing one is no error.  Not all or nothing: after `Unavailable` some may be gone."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of all resources.  A second call does nothing."""
        ...


@runtime_checkable
class Compacting(Protocol):
    """An engine that does not give back the space of what was deleted by itself."""

    async def compact(self) -> int:
        """Give back what can be; return how many bytes.  Safe at any time; does nothing while another does it."""
        ...


def check_key(key: str) -> str:
    """Return *key*; raises ValueError if no engine may take it."""
    if len(key) > KEY_BYTES_MAX or not _KEY.fullmatch(key):
        raise ValueError(f"not a key: {key[: KEY_BYTES_MAX + 1]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """Return *prefix*, which may be empty or end anywhere in a key; raises ValueError if no key could begin so."""
    if len(prefix) > KEY_BYTES_MAX or not _PREFIX.fullmatch(prefix):
        raise ValueError(f"not a prefix of keys: {prefix[: KEY_BYTES_MAX + 1]!r}")
    return prefix


def check_range(start: int, size: int | None) -> None:
    """Raise ValueError for a range that counts backwards."""
    if start < 0 or (size is not None and size < 0):
        raise ValueError(f"not a range: start {start}, size {size}")


def after_prefix(prefix: str) -> str:
    """Return a text that is greater than every key beginning with *prefix* and not greater than any key after those."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\x7f"
