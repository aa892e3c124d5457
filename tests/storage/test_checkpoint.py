"""Checkpoints: what their clear header says, whatever bytes it is, and what loading one needs."""

import asyncio
import gc
import tracemalloc
from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import checkpoint, paths
from storage.checkpoint import CLEAR_BYTES_MAX, HEADER_BYTES_MAX, Clear, SealedPages, fetch_clear, read_clear
from storage.engine import NotFound
from storage.engine_memory import MemoryEngine
from storage.records import Set
from storage.seal import SealError
from storage.state import State
from tests.storage.nodes import ACCOUNT, KEYS, Node, mail
from tests.support.engines import CountingEngine

pytestmark = pytest.mark.usefixtures("every_engine")

NAME = paths.checkpoint(ACCOUNT, "0" * 16)
W = "a" * 16
clears = st.builds(
    Clear,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.dictionaries(st.text(st.sampled_from("0a"), min_size=16, max_size=16), st.integers(1, 99)),
)


async def checkpointed() -> Node:
    node = Node()
    await node.commit(mail("1item"), mail("2item"), Set("2item", "folder", None))
    await node.account.checkpoint()
    return node


@given(clears, st.binary(max_size=9))
def test_the_clear_header_is_read_back(clear: Clear, rest: bytes) -> None:
    packed = clear.pack()
    assert read_clear(packed + rest) == (clear, len(packed))


@given(st.binary(max_size=80) | st.builds(lambda clear, cut: clear.pack()[:cut], clears, st.integers(0, 24)))
def test_anything_else_is_refused(data: bytes) -> None:
    with suppress(SealError):
        clear, end = read_clear(data)
        assert 24 < end <= len(data)
        assert all(isinstance(n, int) for n in clear.commits.values())


@pytest.mark.parametrize(
    "commits", [None, 5, ["a"], {W: "b"}, {W: True}, {b"a": 1}, {W: -1}, {W: 1 << 40}, {"a": 1}], ids=repr
)
def test_a_header_that_counts_no_commits_is_none(commits: object) -> None:
    packed = msgpack.packb(commits)
    header = Clear(0, 0, {}).pack()[:-1]
    with pytest.raises(SealError):
        read_clear(header[:-4] + len(packed).to_bytes(4, "big") + packed)


async def test_the_header_counts_what_is_held_and_of_which_commits() -> None:
    node = await checkpointed()
    clear = await fetch_clear(node.engine, str(await checkpoint.newest(node.engine, ACCOUNT)))
    assert clear == Clear(0, 1, {node.writer.id: 1})


async def test_a_header_of_thousands_of_writers_is_read_whole() -> None:
    engine = CountingEngine(MemoryEngine())
    clear = Clear(5, 1, {f"{n:016x}": n for n in range(1, 5000)})
    assert len(clear.pack()) > HEADER_BYTES_MAX
    await engine.put(NAME, clear.pack() + b"sealed")
    assert await fetch_clear(engine, NAME) == clear
    assert engine.calls["get"] == 2
    await engine.put(NAME, Clear(5, 1, {}).pack())
    assert (await fetch_clear(engine, NAME)).used_bytes == 5


async def test_a_header_that_claims_too_much_is_refused_before_it_is_fetched() -> None:
    engine = CountingEngine(MemoryEngine())
    header = Clear(0, 0, {}).pack()[:-5]
    for claimed in (CLEAR_BYTES_MAX + 1, CLEAR_BYTES_MAX):
        await engine.put(NAME, header + claimed.to_bytes(4, "big") + bytes(HEADER_BYTES_MAX))
        engine.calls.clear()
        with pytest.raises(SealError):
            await fetch_clear(engine, NAME)
        assert engine.calls["get"] == (1 if claimed > CLEAR_BYTES_MAX else 2)
    await engine.put(NAME, b"")
    with pytest.raises(SealError):
        await fetch_clear(engine, NAME)


@pytest.mark.parametrize("place", [5, -1])
async def test_neither_header_nor_root_can_be_altered(place: int) -> None:
    node = await checkpointed()
    name = str(await checkpoint.newest(node.engine, ACCOUNT))
    data = bytearray(await node.engine.get(name))
    data[place] ^= 1
    await node.engine.put(name, bytes(data))
    with pytest.raises(SealError):
        await _load(node, name)


async def test_a_root_under_another_name_does_not_open() -> None:
    node = await checkpointed()
    await node.engine.put(NAME, await node.engine.get(str(await checkpoint.newest(node.engine, ACCOUNT))))
    with pytest.raises(SealError):
        await _load(node, NAME)
    with pytest.raises(NotFound):
        await _load(node, NAME[:-1] + "1")


async def _load(node: Node, name: str) -> State:
    pages = SealedPages(node.engine, ACCOUNT, KEYS.page)
    return await checkpoint.load(node.engine, ACCOUNT, KEYS.checkpoint, pages, name)


async def test_a_page_under_another_name_does_not_open() -> None:
    engine = MemoryEngine()
    pages = SealedPages(engine, ACCOUNT, KEYS.page)
    one, other = await pages.write_page(b"one"), await pages.write_page(b"other")
    assert await pages.read(one) == b"one"
    await engine.put(paths.page(ACCOUNT, one), await engine.get(paths.page(ACCOUNT, other)))
    with pytest.raises(SealError):
        await pages.read(one)


async def test_all_names_are_listed_whatever_lies_between_them() -> None:
    engine = MemoryEngine(list_page=2)
    prefix = paths.prefix(paths.Kind.CHECKPOINT, ACCOUNT)
    names = [f"{prefix}{n:016}" for n in range(5)]
    for name in [*names, f"{prefix}A", f"{prefix}0/1", f"{prefix}zz"]:
        await engine.put(name, b"")
    assert await checkpoint.names(engine, ACCOUNT) == names
    assert await checkpoint.newest(engine, ACCOUNT) == names[-1]
    assert await checkpoint.newest(MemoryEngine(), ACCOUNT) is None


async def test_a_checkpoint_is_named_later_than_the_one_that_it_follows_whatever_the_clock_says() -> None:
    """Of two that cover the same the later stays: else a writer would rest on its own, and that would soon be gone."""
    ahead = await checkpointed()
    (first,) = await checkpoint.names(ahead.engine, ACCOUNT)
    behind = Node(ahead.engine)
    async with behind.account.turn():
        behind.clock._last = 0
        behind.clock._now_ms = lambda: 5
        await behind.account.write_checkpoint()
    names = await checkpoint.names(ahead.engine, ACCOUNT)
    assert names[0] == first
    assert len(names) == 2


async def test_a_checkpoint_of_the_same_state_shares_every_page() -> None:
    node = await checkpointed()
    before = len(await node.engine.list(paths.prefix(paths.Kind.PAGE, ACCOUNT)))
    await node.account.checkpoint()
    assert len(await node.engine.list(paths.prefix(paths.Kind.PAGE, ACCOUNT))) == before


def test_an_opened_account_does_not_hold_its_rows() -> None:
    """Twenty times the rows, about the same memory: an object each would cost 10 MB and more.

    On the memory engine alone: threads of others hold what they are writing for as long as they like.
    """
    few, many = [asyncio.run(_opened_bytes(rows)) for rows in (1_000, 20_000)]
    assert many < few + 500_000


async def _opened_bytes(rows: int) -> int:
    node = Node()
    for start in range(0, rows, 1000):
        await node.commit(*(mail(f"{n:06}") for n in range(start, start + 1000)))
    await node.account.checkpoint()
    gc.collect()
    cold = Node(node.engine)
    tracemalloc.start()
    try:
        async with cold.account.turn() as state:
            assert state.base.count == rows
            node.account.shed()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
