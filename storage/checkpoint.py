"""Checkpoints: the folded state, sealed, so that opening an account reads a page or two instead of its whole log.

    a/<account>/ck/<time><random>      the root: everything small, and the directory of pages
    a/<account>/page/<random>          pages of rows, pages of contents (`pages.py`); shared by successive checkpoints

Whoever holds the keys may write one at any time, several nodes at once: all are true, and any one with the log after
it is the whole account.  Pages first, root last: a crash leaves pages that nobody names.
"""

import struct
from dataclasses import dataclass

import msgpack

from storage import paths, seal
from storage.base import Base
from storage.cursor import Rid
from storage.engine import Engine
from storage.folders import Folders
from storage.items import Register
from storage.journal import Journal
from storage.pages import PageRef, pack_ref
from storage.records import Stamp
from storage.sends import Sends
from storage.state import Devices, State
from storage.views import Views

_HEADER = struct.Struct(">2sBBqq")
_MAGIC = b"PK"
_FORMAT = 1
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True)
class Usage:
    """How much an account holds, readable without its keys."""

    bytes: int
    items: int


class SealedPages:
    """The pages of one account in its engine."""

    def __init__(self, engine: Engine, account: str, key: bytes) -> None:
        self._engine, self._account, self._key = engine, account, key

    async def read(self, name: str) -> bytes:
        """Return the plain bytes of the page.  Raises `NotFound`, `SealError`."""
        path = paths.page(self._account, name)
        return seal.open_(self._key, path, await self._engine.get(path))

    async def write_page(self, plain: bytes) -> str:
        """Store a page under a fresh name and return the name; durable on return."""
        name = paths.new_id()
        path = paths.page(self._account, name)
        await self._engine.put(path, seal.seal(self._key, path, plain, compress=True))
        return name


async def newest(engine: Engine, account: str) -> str | None:
    """Return the name of the checkpoint that was made last, or None."""
    prefix, last = paths.prefix(paths.Kind.CHECKPOINT, account), None
    after = prefix
    while page := await engine.list(prefix, after, engine.list_page):
        last = after = page[-1].key
        if len(page) < engine.list_page:
            break
    return last


def usage_of(data: bytes) -> Usage:
    """Return the usage that a checkpoint's clear header states."""
    _, _, _, used, items = _HEADER.unpack_from(data)
    return Usage(used, items)


async def load(engine: Engine, account: str, key: bytes, pages: SealedPages, name: str) -> State:
    """Return the state that checkpoint *name* holds.  Raises `NotFound`, `SealError`."""
    data = await engine.get(name)
    header, body = data[:HEADER_BYTES], data[HEADER_BYTES:]
    root = msgpack.unpackb(seal.open_(key, f"{name}#{header.hex()}", body))
    commits, chain, time, refs, folders, views, devices, sends, journal = root[:9]
    state = State(Base(pages, [PageRef(*ref) for ref in refs]))
    state.commits, state.chain, state.time = commits, chain, time
    state.folders = Folders.unpack(folders)
    state.views = Views.unpack(views)
    state.devices = _unpack_devices(devices)
    state.sends = Sends.unpack(sends)
    state.journal = Journal.unpack(journal)
    return state


async def write(engine: Engine, account: str, key: bytes, state: State) -> None:
    """Write a checkpoint of *state*, which then rests on it: its overlay is empty.  Nobody may fold meanwhile.

    Cost: one put for each page that has a changed row, a second one if it has new contents, and one for the root.
    """
    base = await state.base.merge(state.touched, state.fresh)
    journal = state.journal.trimmed()
    usage = _usage(base)
    root = [
        state.commits,
        state.chain,
        state.time,
        [pack_ref(ref) for ref in base.refs],
        state.folders.pack(),
        state.views.pack(),
        _pack_devices(state.devices),
        state.sends.pack(state.time),
        journal.pack(),
    ]
    name = paths.checkpoint(account, f"{state.time:016x}{paths.new_id()}")
    header = _HEADER.pack(_MAGIC, _FORMAT, 1, usage.bytes, usage.items)
    await engine.put(name, header + seal.seal(key, f"{name}#{header.hex()}", msgpack.packb(root), compress=True))
    state.base, state.journal, state.touched, state.fresh = base, journal, {}, {}


def _usage(base: Base) -> Usage:
    return Usage(sum(ref.size_bytes for ref in base.refs), sum(ref.count - ref.folders.get("", 0) for ref in base.refs))


def _pack_devices(devices: Devices) -> dict[str, dict[str, list[object]]]:
    return {
        device: {
            name: [stamp.time, stamp.by, *stamp.place, *rid, value] for name, (stamp, rid, value) in registers.items()
        }
        for device, registers in devices.registers.items()
    }


def _unpack_devices(packed: dict[str, dict[str, list[object]]]) -> Devices:
    return Devices(
        {
            device: {
                name: Register(Stamp(reg[0], reg[1], (reg[2], reg[3])), Rid(*reg[4:8]), reg[8])  # type: ignore[arg-type]
                for name, reg in registers.items()
            }
            for device, registers in packed.items()
        }
    )
