"""Checkpoints: the folded state, sealed, so that opening an account reads a page or two instead of its whole log.

    a/<account>/log/folded/<time><random>   the root: everything small, and the directory of pages
    a/<account>/page/<random>               pages of rows, pages of contents (`pages.py`), shared by successive roots

Whoever holds the keys may write one at any time, several nodes at once: all are true, and readers join them
(`joining.py`).  Pages first, root last: a crash leaves pages that nobody names.
"""

import hashlib
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from storage import paths, seal
from storage.base import Base
from storage.engine import Engine, Unavailable
from storage.epochs import FIRST_EPOCH, EpochKeys, UnknownEpoch
from storage.folders import Folders
from storage.items import pack_register, unpack_register
from storage.journal import Journal
from storage.pages import NOTHING, NOWHERE, Moved, PageRef, pack_ref
from storage.sends import Sends
from storage.state import Devices, State
from storage.views import Views

_HEADER = struct.Struct(">2sBBqqI")
_MAGIC = b"PK"
_FORMAT = 1
HEADER_BYTES_MAX = 64 * 1024
"""Enough of a checkpoint to read its clear header, mostly: it names every writer."""
CLEAR_BYTES_MAX = 4 << 20
LATE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Clear:
    """What a checkpoint says without keys: how much the account holds, and which commits that counts."""

    used_bytes: int
    items: int
    commits: dict[str, int]
    epoch: int = FIRST_EPOCH
    """Of the key under which the rest is sealed."""

    def pack(self) -> bytes:
        """Return the header's bytes."""
        commits = bytes(msgpack.packb(self.commits))
        return _HEADER.pack(_MAGIC, _FORMAT, self.epoch, self.used_bytes, self.items, len(commits)) + commits


def read_clear(data: bytes) -> tuple[Clear, int]:
    """Return a checkpoint's clear header and its size.  Raises `SealError` for what is none."""
    try:
        end = _clear_size(data)
        epoch, used, items = _HEADER.unpack_from(data)[2:5]
        commits = msgpack.unpackb(data[_HEADER.size : end])
        match list(commits.items()):
            case pairs if all(map(_is_covered, pairs)):
                return Clear(used, items, commits, epoch), end
        raise ValueError
    except (struct.error, ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise seal.SealError("checkpoint", "its header is not one") from error


def _is_covered(pair: tuple[object, object]) -> bool:
    writer, n = pair
    if not isinstance(writer, str) or type(n) is not int:
        return False
    return paths.is_writer(writer) and 0 <= n <= paths.NUMBER_MAX


def _clear_size(data: bytes) -> int:
    magic, version, _, _, _, size = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _FORMAT or size > CLEAR_BYTES_MAX:
        raise ValueError
    return _HEADER.size + int(size)


async def fetch_clear(engine: Engine, name: str) -> Clear:
    """Return the clear header of checkpoint *name*: one read, or two when the account had thousands of writers.

    Raises `NotFound`, `SealError`.
    """
    data = await engine.get(name, 0, HEADER_BYTES_MAX)
    try:
        size = _clear_size(data)
    except (struct.error, ValueError) as error:
        raise seal.SealError(name, "its header is not one") from error
    if size > len(data) == HEADER_BYTES_MAX:
        data = await engine.get(name, 0, size)
    return read_clear(data)[0]


class SealedPages:
    """The pages of one account in its engine."""

    def __init__(self, engine: Engine, account: str, keys: EpochKeys) -> None:
        self._engine, self._account, self._keys = engine, account, keys

    @property
    def epoch(self) -> int:
        """The epoch under which pages are written now."""
        return self._keys.epoch

    async def read(self, name: str) -> bytes:
        """Return the plain bytes of the page.  Raises `NotFound`, `SealError`."""
        path = paths.page(self._account, name)
        data = await self._engine.get(path)
        try:
            key = self._keys.of(seal.epoch_of(data), path)
        except UnknownEpoch as error:  # what names it was not so new
            raise seal.SealError(path, "of a newer key epoch than what names it") from error
        return seal.open_of_epoch(key, path, data)

    async def write_page(self, plain: bytes) -> str:
        """Store a page under a fresh name and return the name; durable on return."""
        name = paths.new_id()
        path = paths.page(self._account, name)
        await self._engine.put(path, seal.seal_of_epoch(self._keys.current, self.epoch, path, plain, compress=True))
        return name


async def names(engine: Engine, account: str) -> list[str]:
    """Return the names of all checkpoints, the one of the latest state last (about: clocks name them).

    Those of the first versions count only where there is no other.  One listing, mostly.
    """
    for kind in paths.CHECKPOINTS:
        if found := await _listed(engine, paths.prefix(kind, account)):
            return found
    return []


async def _listed(engine: Engine, prefix: str) -> list[str]:
    found: list[str] = []
    while page := await engine.list(prefix, found[-1] if found else "", engine.list_page):
        found += [entry.key for entry in page]
        if len(page) < engine.list_page:
            break
    return [name for name in found if _is_ours(name)]


def _is_ours(name: str) -> bool:
    try:
        return paths.parse(name).kind in paths.CHECKPOINTS
    except paths.MalformedName:  # whatever somebody put there: it must not lock the user out
        return False


async def newest(engine: Engine, account: str) -> str | None:
    """Return the name of the checkpoint of the latest state, or None."""
    found = await names(engine, account)
    return found[-1] if found else None


async def load(engine: Engine, account: str, keys: EpochKeys, pages: SealedPages, name: str) -> State:
    """Return the state that checkpoint *name* holds.  Raises `NotFound`, `SealError`, `UnknownEpoch`."""
    data = await engine.get(name)
    clear, end = read_clear(data)
    root = msgpack.unpackb(seal.open_(keys.of(clear.epoch, name), _sealed_name(name, data[:end]), data[end:]))
    commits, chain, latest, refs, folders, views, devices, sends, journal = root[:9]
    state = State(Base(pages, [PageRef(*ref) for ref in refs]))
    state.rest_on(state.base, name, commits)
    state.commits, state.chain, state.time = commits, chain, latest
    state.times = root[11] if len(root) > 11 else {}
    state.folders = Folders.unpack(folders)
    state.views = Views.unpack(views, root[10] if len(root) > 10 else ())
    state.devices = _unpack_devices(devices)
    state.sends = Sends.unpack(sends)
    state.journal = Journal.unpack(journal)
    state.purged = _unpack_purged(root[9]) if len(root) > 9 else {}
    return state


async def write(
    engine: Engine,
    account: str,
    keys: EpochKeys,
    state: State,
    now: int | None = None,
    moved: Mapping[str, Moved] = NOTHING,
) -> str:
    """Write a checkpoint of *state*, which then rests on it: its overlay is empty.  Return its name.

    Nobody may fold meanwhile.

    *now* (hybrid clock; default: the state's own time) dates it and decides which sends are forgotten.  A forged
    delivery may drag the state's time to the end of days, but not the clock of whoever read it.  *moved*: contents, by
    item, that were put into packs.

    Cost: one put for each page that has a changed row, a second one if it has new contents, and one for the root.
    Raises `Unavailable`, also if it took more than `LATE_SECONDS`: a collector may have come to the pages in between.
    """
    began = time.clock_gettime(time.CLOCK_BOOTTIME)  # which goes on while the machine is suspended
    now = state.time if now is None else now
    state.views.shorten()
    base = await state.base.merge(state.touched, state.fresh, moved, keys.epoch)
    journal = state.journal.trimmed(entries_of={item.id: tuple(item.entries) for item in state.touched.values()})
    root = [
        state.commits,
        state.chain,
        state.time,
        [pack_ref(ref) for ref in base.refs],
        state.folders.pack(),
        state.views.pack(),
        _pack_devices(state.devices),
        state.sends.pack(now),
        journal.pack(),
        state.purged,
        state.views.pack_marks(),
        state.times,
    ]
    name = paths.checkpoint(account, f"{max(now, _time_of(state.root) + 1):016x}{paths.new_id()}")
    used = sum(ref.size_bytes for ref in base.refs)
    items = sum(ref.count - ref.folders.get(NOWHERE, 0) for ref in base.refs)
    header = Clear(used, items, state.commits, keys.epoch).pack()
    plain = bytes(msgpack.packb(root))
    if time.clock_gettime(time.CLOCK_BOOTTIME) - began > LATE_SECONDS:
        raise Unavailable(f"{name} took too long to write")
    await engine.put(name, header + seal.seal(keys.current, _sealed_name(name, header), plain, compress=True))
    state.rest_on(base, name, state.commits)
    state.journal, state.touched, state.fresh = journal, {}, {}
    return name


def _time_of(root: str) -> int:
    """Return the time in a checkpoint's name: of two that cover the same the later stays, so a successor is later."""
    return int(paths.parse(root).id[:16], 16) if root else 0


def _sealed_name(name: str, header: bytes) -> str:
    return f"{name}#{hashlib.blake2b(header, digest_size=16).hexdigest()}"


def _unpack_purged(packed: dict[str, dict[str, list[int]]]) -> dict[str, dict[str, tuple[int, int]]]:
    return {folder: {writer: (n, place) for writer, (n, place) in cursor.items()} for folder, cursor in packed.items()}


def _pack_devices(devices: Devices) -> dict[str, dict[str, list[Any]]]:
    return {
        device: {name: pack_register(register) for name, register in registers.items()}
        for device, registers in devices.registers.items()
    }


def _unpack_devices(packed: dict[str, dict[str, list[Any]]]) -> Devices:
    return Devices(
        {
            device: {name: unpack_register(register) for name, register in registers.items()}
            for device, registers in packed.items()
        }
    )
