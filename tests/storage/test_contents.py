"""Contents that a collector moved while a reader was looking the other way: they are found, never lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from storage import checkpoint, paths
from storage.blobs import PIECE_BYTES, Range
from storage.collecting import packing
from storage.engine import NotFound, Unavailable
from storage.engine_memory import MemoryEngine
from storage.epochs import UnknownEpoch
from storage.pages import Moved
from storage.records import Added, Content, Location
from storage.state import State
from storage.views import Floor
from tests.storage.nodes import ACCOUNT, KEYS, NOW_MS, Node
from tests.support.engines import CountingEngine

pytestmark = pytest.mark.usefixtures("every_engine")

PLAINS = {f"{number}item": f"the text of {number}".encode() for number in range(6)}


class Office:
    """A node whose mails lie in a checkpoint, and a collector on another node."""

    def __init__(self) -> None:
        self.engine = CountingEngine(MemoryEngine())
        self.node = Node(self.engine)
        self.contents: dict[str, Content] = {}
        """As the node's state has them before anything is moved."""

    @classmethod
    async def made(cls, plains: dict[str, bytes] = PLAINS) -> "Office":
        office = cls()
        for item, plain in plains.items():
            office.contents[item] = await office.node.account.store(plain, None)
        await office.node.commit(*(office.added(item) for item in plains))
        await office.node.account.checkpoint()
        return office

    def added(self, item: str) -> Added:
        return Added(item, "inbox", "Email", NOW_MS, self.contents[item])

    async def state(self) -> tuple[State, str]:
        pages = checkpoint.SealedPages(self.engine, ACCOUNT, KEYS.page)
        name = (await checkpoint.names(self.engine, ACCOUNT))[-1]
        return await checkpoint.load(self.engine, ACCOUNT, KEYS.checkpoint, pages, name), name

    async def move(self, items: set[str]) -> dict[str, Moved]:
        """Move the contents of *items* into a new pack; whatever nothing newer names goes at once."""
        state, old = await self.state()
        found = await state.contents(items)
        candidates = [
            packing.Candidate(Floor(NOW_MS, item), content, int.from_bytes(content.shape[1], "big"))
            for item, content in found.items()
        ]
        moved = await packing.write(self.engine, ACCOUNT, candidates)
        await checkpoint.write(self.engine, ACCOUNT, KEYS.checkpoint, state, self.node.clock.tick(), moved)
        await self.engine.delete([old])
        for item in moved:
            await self.engine.delete([paths.blob(ACCOUNT, self.contents[item].blob)])
        return moved


async def _read(office: Office, content: Content) -> bytes:
    return await office.node.account.read(content)


async def _stream(office: Office, content: Content) -> bytes:
    return b"".join([piece async for piece in office.node.account.stream(content)])


async def _ahead(office: Office, content: Content) -> bytes:
    (piece,) = await office.node.account.read_many([Range(content, 0, content.size_bytes)])
    return await _read(office, content) if piece is None else piece


READERS = pytest.mark.parametrize("read", [_read, _stream, _ahead])
Read = Callable[[Office, Content], Awaitable[bytes]]


@READERS
async def test_what_was_moved_since_is_found(read: Read) -> None:
    office = await Office.made()
    moved = await office.move(set(PLAINS))
    assert moved.keys() == PLAINS.keys()
    for item, plain in PLAINS.items():
        assert await read(office, office.contents[item]) == plain


@READERS
async def test_what_was_moved_twice_is_found_also_inside_a_turn(read: Read) -> None:
    office = await Office.made()
    first = await office.move(set(PLAINS))
    known = {item: replace(office.contents[item], location=place.location) for item, place in first.items()}
    assert (await office.move(set(PLAINS))).keys() == first.keys()
    await office.engine.delete([paths.pack(ACCOUNT, first["1item"].location.pack)])
    async with office.node.account.turn():
        for item, plain in PLAINS.items():
            assert await read(office, known[item]) == plain
            assert await read(office, office.contents[item]) == plain


async def test_a_place_that_was_forgotten_leads_back_to_the_original() -> None:
    office = await Office.made()
    pack = Location("f" * 32, 0)
    assert await office.node.account.read(replace(office.contents["1item"], location=pack)) == PLAINS["1item"]


async def test_a_stream_goes_on_where_it_was() -> None:
    plain = Random(1).randbytes(3 * PIECE_BYTES // 2)
    office = await Office.made({"1item": plain})
    pieces = office.node.account.stream(office.contents["1item"], 5)
    first = await anext(aiter(pieces))
    state, old = await office.state()
    sealed = await office.engine.get(paths.blob(ACCOUNT, office.contents["1item"].blob))
    candidate = packing.Candidate(Floor(NOW_MS, "1item"), office.contents["1item"], len(sealed))
    moved = await packing.write(office.engine, ACCOUNT, [candidate])
    await checkpoint.write(office.engine, ACCOUNT, KEYS.checkpoint, state, office.node.clock.tick(), moved)
    await office.engine.delete([old, paths.blob(ACCOUNT, office.contents["1item"].blob)])
    assert first + b"".join([piece async for piece in pieces]) == plain[5:]


async def test_the_state_is_opened_anew_once_something_was_found_elsewhere() -> None:
    office = await Office.made()
    async with office.node.account.turn() as before:
        pass
    await office.move(set(PLAINS))
    await office.node.account.read(office.contents["1item"])
    async with office.node.account.turn() as after:
        assert after is not before
        found = await after.contents(PLAINS)
        assert all(content.location is not None for content in found.values())
        assert found == office.contents, "where a content lies is no part of what it is"


async def test_neighbours_are_found_by_one_look_and_another_one_when_they_moved_again() -> None:
    office = await Office.made()
    first = await office.move(set(PLAINS))
    await office.node.account.read(office.contents["1item"])
    office.engine.calls.clear()
    await office.node.account.read(office.contents["2item"])
    assert dict(office.engine.calls) == {"get": 2}, "two tries"
    await office.move(set(PLAINS))
    await office.engine.delete([paths.pack(ACCOUNT, first["1item"].location.pack)])
    office.engine.calls.clear()
    assert await office.node.account.read(office.contents["3item"]) == PLAINS["3item"]
    assert dict(office.engine.calls) == {"get": 5, "list": 1}, "three tries, a root and a page"
    pieces = [piece async for piece in office.node.account.stream(office.contents["4item"])]
    assert pieces == [PLAINS["4item"]]


async def test_what_is_lost_is_reported_and_looked_for_once() -> None:
    office = await Office.made()
    await office.engine.delete([paths.blob(ACCOUNT, office.contents["1item"].blob)])
    for calls in ({"get": 3, "list": 1}, {"get": 1, "list": 1}):
        office.engine.calls.clear()
        with pytest.raises(NotFound):
            await office.node.account.read(office.contents["1item"])
        assert dict(office.engine.calls) == calls
    unknown = Content("e" * 32, bytes(32), 3, [3, b"\0\0-"], None)
    with pytest.raises(NotFound):
        await office.node.account.read(unknown)
    async with office.node.account.turn() as state:
        assert state.base.count == len(PLAINS)


async def test_a_damaged_checkpoint_does_not_hide_an_older_one() -> None:
    office = await Office.made()
    await office.move(set(PLAINS))
    await office.engine.put(paths.checkpoint(ACCOUNT, "f" * 32), b"nothing of ours")
    assert await office.node.account.read(office.contents["3item"]) == PLAINS["3item"]


async def test_where_the_newest_checkpoint_cannot_be_asked_the_reader_is_put_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its key is newer than ours, or it is collected at this moment: the mail is no lost one for that."""
    office = await Office.made()
    await office.move(set(PLAINS))
    load = checkpoint.load

    async def unknown(*arguments: Any) -> State:
        raise UnknownEpoch("of another", 2)

    monkeypatch.setattr(checkpoint, "load", unknown)
    with pytest.raises(Unavailable):
        await office.node.account.read(office.contents["1item"])
    monkeypatch.setattr(checkpoint, "load", load)
    assert await office.node.account.read(office.contents["1item"]) == PLAINS["1item"]
