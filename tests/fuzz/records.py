"""Commits: whatever bytes are sealed to the public key, they are refused or can be folded, packed and asked."""

import asyncio

import msgpack

from storage import objects, paths, seal
from storage.base import Base
from storage.checkpoint import SealedPages, load, names, write
from storage.engine_memory import MemoryEngine
from storage.epochs import EpochKeys
from storage.objects import FIRST, BrokenObject, Header, open_commit
from storage.records import Added, Content, FolderSet, Sent, Set, UnknownRecord, ViewMade, pack, unpack
from storage.state import State
from storage.views import BOTTOM, TOP, View
from tests.fuzz.target import Target

ACCOUNT, WRITER = "0" * 32, "a" * 16
NAME = paths.log(ACCOUNT, WRITER, 1)
PRIVATE, PUBLIC = seal.new_key_pair()
KEYS = objects.LogKeys(EpochKeys.first(b"k" * 32), EpochKeys.first(PRIVATE))
HEAD = Header(True, 1, FIRST, 0).pack()


def run(data: bytes) -> None:
    _as_record(data)
    sealed = HEAD + seal.seal_to(PUBLIC, f"{NAME}#{HEAD.hex()}", data, compress=False)
    try:
        commit = open_commit(NAME, WRITER, 1, KEYS, FIRST, sealed)
    except BrokenObject:
        return
    state = State(Base(SealedPages(MemoryEngine(), ACCOUNT, EpochKeys.first(b"p" * 32))))
    state.fold(commit)
    asyncio.run(_asked(state))


def _as_record(data: bytes) -> None:
    try:
        _, records = msgpack.unpackb(data, strict_map_key=False)
        unpacked = [unpack(record) for record in records]
    except (UnknownRecord, ValueError, TypeError):
        return
    for record in unpacked:
        if unpack(pack(record)) != record:
            raise AssertionError("does not read back")


async def _asked(state: State) -> None:
    engine = MemoryEngine()
    await write(engine, ACCOUNT, EpochKeys.first(b"c" * 32), state)
    items = [item async for item in state._all()]
    folders = {str(item.membership.folder) for item in items}
    members = {floor.item for folder in folders for floor in await state.floors(folder, BOTTOM, TOP)}
    if members != {item.id for item in items}:
        raise AssertionError("an item is in no folder")
    await state.contents(members)
    (name,) = await names(engine, ACCOUNT)
    loaded = await load(
        engine, ACCOUNT, EpochKeys.first(b"c" * 32), SealedPages(engine, ACCOUNT, EpochKeys.first(b"p" * 32)), name
    )
    if loaded.commits != state.commits:
        raise AssertionError("a checkpoint does not read back")


def _seed(*records: Added | Set | FolderSet | ViewMade | Sent) -> bytes:
    return bytes(msgpack.packb([1 << 56, [pack(record) for record in records]]))


_CONTENT = Content("0" * 32, b"k" * 32, 3, [3, b"\0\0-"], ["subject"])
_ADDED = Added("0123456789", "inbox", "Email", 1_700_000_000_000, _CONTENT)
_VIEW = View("phone", "inbox", "0" * 16, 1, None, {WRITER: (1, 1)}, TOP)

TARGET = Target(
    run,
    [
        _seed(_ADDED),
        _seed(Added("0123456789", "junk", "Email", 5, None), _ADDED),
        _seed(_ADDED, Set("0123456789", "folder", None)),
        _seed(ViewMade(_VIEW), FolderSet("f1", "name", "A"), Sent("send", WRITER, 1, True)),
    ],
)
