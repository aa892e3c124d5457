"""The laws of `storage.engine`, on every engine.  An engine is added in `tests/support/engines.py`."""

import asyncio
import string
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.engine import KEY_BYTES_MAX, Engine, Entry, NotFound, Unavailable, after_prefix, check_key
from tests.support.engines import EVERY_STORE, LANES, STORES, OpenNode

SIZES = [0, 1, 200, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, (256 << 10) - 1, 256 << 10, 600_000]
"""Around every border where an engine may change how it stores."""

LARGE = 17_000_000
"""More than an engine holds in memory, or sends in one request."""

LONG_KEY = "/".join(["k" * 63] * 8)
BAD_KEYS = ["", "/a", "a/", "a//b", "a b", "a+b", "a~", "a\n", "a\x00b", "ä", "\x7f", "k" * 65, f"{LONG_KEY}/k"]
BAD_PREFIXES = ["/", "a//", "a b", "a~", "ä", "\x7f", "k" * (KEY_BYTES_MAX + 1)]


@pytest.fixture(params=EVERY_STORE)
async def open_node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenNode]:
    async with STORES[request.param](tmp_path) as opener:
        yield opener


@pytest.fixture
async def engine(open_node: OpenNode) -> Engine:
    return await open_node()


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]  # 251 is prime: no two blocks look alike


async def stream(data: bytes, piece: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        await asyncio.sleep(0)
        yield data[start : start + piece]


# Wrong input


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_bad_key_is_the_callers_mistake(engine: Engine, key: str) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: engine.put(key, b""),
        lambda: engine.get(key),
        lambda: engine.get_many(["a", key]),
        lambda: engine.delete(["a", key]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="not a key"):
            await call()


@pytest.mark.parametrize("prefix", BAD_PREFIXES)
async def test_a_bad_prefix_is_the_callers_mistake(engine: Engine, prefix: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        await engine.list(prefix)
    with pytest.raises(ValueError, match="not a prefix"):
        await engine.list("", prefix)


async def test_nothing_counts_backwards(engine: Engine) -> None:
    await engine.put("a", b"data")
    for start, size in [(-1, None), (-1, 1), (0, -1)]:
        with pytest.raises(ValueError, match="not a range"):
            await engine.get("a", start, size)
    with pytest.raises(ValueError, match="not a range"):
        await engine.list("", limit=-1)


async def test_what_was_never_put_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound) as caught:
        await engine.get("a/b")
    assert caught.value.key == "a/b"
    assert await engine.get_many(["a/b", "a"]) == [None, None]
    assert await engine.get_many([]) == []
    assert await engine.list("") == []
    await engine.delete(["a/b"])
    await engine.delete([])


# Put and get


async def test_the_longest_key_is_taken(engine: Engine) -> None:
    await engine.put(LONG_KEY, b"data")
    assert await engine.get(LONG_KEY) == b"data"
    assert await engine.list(LONG_KEY) == [Entry(LONG_KEY, 4)]


async def test_every_character_of_a_key_keeps_its_place(engine: Engine) -> None:
    keys = sorted(f"x/{one}{one}" for one in string.ascii_letters + string.digits + "._-")
    await asyncio.gather(*(engine.put(key, key.encode()) for key in keys if key != "x/.."))
    keys.remove("x/..")
    assert [entry.key for entry in await engine.list("x/")] == keys
    assert await engine.get_many(keys) == [key.encode() for key in keys]


@pytest.mark.parametrize("size", SIZES)
async def test_get_returns_what_was_put(engine: Engine, size: int) -> None:
    await engine.put("bytes", content(size))
    await engine.put("stream", stream(content(size), 50_000))
    assert await engine.get_many(["bytes", "stream"]) == [content(size), content(size)]
    assert await engine.get("bytes") == await engine.get("stream") == content(size)
    assert await engine.list("") == [Entry("bytes", size), Entry("stream", size)]


@pytest.mark.parametrize("first", [10, 100_000])
@pytest.mark.parametrize("second", [0, 20, 200_000])
async def test_a_second_put_replaces_the_first(engine: Engine, first: int, second: int) -> None:
    await engine.put("a", content(first))
    await engine.put("a", content(second))
    assert await engine.get("a") == content(second)
    assert await engine.list("a") == [Entry("a", second)]


@pytest.mark.parametrize("size", [1000, 100_000])
async def test_a_range_is_a_slice(engine: Engine, size: int) -> None:
    data = content(size)
    await engine.put("a", data)
    for start in (0, 1, 500, size - 1, size, size + 1, 10 * size):
        assert await engine.get("a", start) == data[start:]
        for length in (0, 1, 300, size, size + 1, 1 << 40):
            assert await engine.get("a", start, length) == data[start : start + length]


async def test_a_stream_that_fails_leaves_what_was_there(engine: Engine) -> None:
    async def broken(good: int) -> AsyncIterator[bytes]:
        async for piece in stream(content(good), 100_000):
            yield piece
        raise ConnectionResetError

    await engine.put("old", b"old")
    for good in (0, 1000, 400_000):
        for key in ("old", "new"):
            with pytest.raises(ConnectionResetError):
                await engine.put(key, broken(good))
    assert await engine.list("") == [Entry("old", 3)]
    assert await engine.get("old") == b"old"
    await engine.put("after", content(300_000))
    assert await engine.get("after") == content(300_000)


async def test_a_cancelled_put_can_be_repeated(engine: Engine) -> None:
    started = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield content(300_000)
        started.set()
        await asyncio.Event().wait()

    for key in ("a", "b"):
        task = asyncio.create_task(engine.put(key, stuck()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        started.clear()
        await engine.put(key, content(400_000))
    assert await engine.get_many(["a", "b"]) == [content(400_000)] * 2


async def test_a_stream_of_many_megabytes_is_one_object_or_none(open_node: OpenNode) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in stream(content(LARGE), 1 << 20):
            yield piece
        raise ConnectionResetError

    one, two = await open_node(), await open_node()
    await one.put("old", b"old")
    for key in ("old", "new"):
        with pytest.raises(ConnectionResetError):
            await one.put(key, broken())
    assert await two.list("") == [Entry("old", 3)]
    for key in ("old", "new"):
        await one.put(key, stream(content(LARGE), 1 << 20))
        assert await two.get(key) == content(LARGE)
        assert await two.get(key, LARGE // 2 - 5, 10) == content(LARGE)[LARGE // 2 - 5 :][:10]
        assert await two.get(key, LARGE - 5) == content(LARGE)[-5:]
    assert await two.list("") == [Entry("new", LARGE), Entry("old", LARGE)]


# List


async def test_a_listing_is_in_byte_order(engine: Engine) -> None:
    keys = ["1/a", "B/1", "B/10", "B/2", "B/x/1", "B/x/2", "a", "b-c", "b.c", "b_c"]
    await asyncio.gather(*(engine.put(key, b"") for key in reversed(keys)))
    assert [entry.key for entry in await engine.list("")] == keys
    assert [entry.key for entry in await engine.list("B/")] == ["B/1", "B/10", "B/2", "B/x/1", "B/x/2"]
    assert [entry.key for entry in await engine.list("B/1")] == ["B/1", "B/10"]
    assert [entry.key for entry in await engine.list("b_")] == ["b_c"]


async def test_a_listing_begins_after_its_start(engine: Engine) -> None:
    await asyncio.gather(*(engine.put(f"p/{n}", b"") for n in range(5)), engine.put("a", b""), engine.put("z", b""))
    every = [f"p/{n}" for n in range(5)]
    for start_after, expected in {
        "": every,
        "a": every,
        "p": every,
        "p/": every,
        "p/2": every[3:],
        "p/2x": every[3:],
        "p/4": [],
        "z": [],
    }.items():
        assert [entry.key for entry in await engine.list("p/", start_after)] == expected


async def test_a_listing_stops_at_its_limit_and_not_before(engine: Engine) -> None:
    keys = [f"p/{n:04}" for n in range(2 * engine.list_page + 10)]
    await asyncio.gather(*(engine.put(key, b"") for key in keys))
    for limit in (0, 1, engine.list_page, engine.list_page + 1, len(keys), len(keys) + 1):
        assert [entry.key for entry in await engine.list("p/", limit=limit)] == keys[:limit]
        assert [entry.key for entry in await engine.list("p/", keys[5], limit)] == keys[6:][:limit]


async def test_a_long_listing_is_whole(engine: Engine) -> None:
    keys = [f"p/{n:05}" for n in range(2100)]
    await asyncio.gather(*(engine.put(key, b"") for key in keys))
    assert [entry.key for entry in await engine.list("p/")] == keys
    await engine.delete(keys[1:])
    assert await engine.list("p/") == [Entry(keys[0], 0)]


# Delete


async def test_delete_removes_what_it_names_and_nothing_else(engine: Engine) -> None:
    for key in ("a/1", "a/12", "a/2", "d"):
        await engine.put(key, content(70_000))
    await engine.delete(key for key in ("a/1", "missing", "d", "d"))
    assert [entry.key for entry in await engine.list("")] == ["a/12", "a/2"]
    assert await engine.get_many(["a/1", "a/12", "a/2", "d"]) == [None, content(70_000), content(70_000), None]


async def test_a_deleted_key_can_be_put_again(engine: Engine) -> None:
    for size in (10, 100_000):
        await engine.put("a/1", content(size))
        assert await engine.get("a/1") == content(size)
        await engine.delete(["a/1"])
        assert await engine.list("") == []


# Several at once


@pytest.mark.parametrize("size", [200, 100_000])
async def test_the_other_node_sees_at_once_what_a_put_or_delete_did(open_node: OpenNode, size: int) -> None:
    one, two = await open_node(), await open_node()
    for n in range(20):
        key = f"k/{n}"
        with pytest.raises(NotFound):
            await two.get(key)  # law 3: also who was told so
        await one.put(key, content(size))
        assert await two.get(key) == content(size)
        assert await two.list("k/", f"k/{n}"[:-1], 100) == await one.list("k/", f"k/{n}"[:-1], 100)
        await two.put(key, b"new")
        assert await one.get_many([key]) == [b"new"]
        await one.delete([key])
        assert await two.list(key) == []


async def test_of_two_puts_at_once_one_wins_as_a_whole(open_node: OpenNode) -> None:
    one, two = await open_node(), await open_node()
    candidates = [bytes([n]) * size for n in range(4) for size in (100, 80_000, 300_000)]
    for _ in range(5):
        puts = [node.put("a", stream(data, 90_000)) for data in candidates for node in (one, two)]
        await asyncio.gather(*puts)
        assert await one.get("a") in candidates
        assert await one.get("a") == await two.get("a")


async def test_many_puts_at_once_are_all_there(open_node: OpenNode) -> None:
    nodes = [await open_node(), await open_node()]
    sizes = {f"k/{n:03}": (n * 997) % 150_000 for n in range(200)}
    await asyncio.gather(*(nodes[n % 2].put(key, content(size)) for n, (key, size) in enumerate(sizes.items())))
    assert await nodes[0].list("k/") == [Entry(key, size) for key, size in sizes.items()]
    assert await nodes[1].get_many(list(sizes)) == [content(size) for size in sizes.values()]


async def test_a_slow_stream_holds_nobody_up(engine: Engine) -> None:
    may_go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield content(300_000)
        await may_go_on.wait()
        yield b"end"

    tasks = [asyncio.create_task(engine.put(f"slow/{n}", slow())) for n in range(20)]
    await asyncio.sleep(0)
    await engine.put("quick", content(100_000))
    assert await engine.get("quick") == content(100_000)
    assert await engine.list("") == [Entry("quick", 100_000)]
    may_go_on.set()
    await asyncio.gather(*tasks)
    assert await engine.get_many([f"slow/{n}" for n in range(20)]) == [content(300_000) + b"end"] * 20


async def test_a_listing_shows_what_is_there_throughout_once_while_others_come_and_go(open_node: OpenNode) -> None:
    one, two = await open_node(), await open_node()
    stay = [f"k/{n:04}-stays" for n in range(0, 1500, 3)]
    await asyncio.gather(*(one.put(key, b"") for key in stay))

    async def disturb() -> None:
        for n in range(0, 1500, 50):
            await two.put(f"k/{n:04}-comes", b"")
            await two.delete([f"k/{n:04}-comes"])

    disturbance = asyncio.create_task(disturb())
    while not disturbance.done():
        shown = [entry.key for entry in await one.list("k/")]
        assert [key for key in shown if key.endswith("stays")] == stay
        assert shown == sorted(set(shown))


# The end


async def test_after_close_nothing_is_known(engine: Engine) -> None:
    await engine.put("a", b"")
    await engine.close()
    await engine.close()
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: engine.put("a", b""),
        lambda: engine.put("a", content(100_000)),
        lambda: engine.put("a", stream(content(1000), 100)),
        lambda: engine.get("a"),
        lambda: engine.get_many(["a"]),
        lambda: engine.list(""),
        lambda: engine.delete(["a"]),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            await call()


async def test_what_one_node_put_is_there_when_it_is_closed(open_node: OpenNode) -> None:
    one, two = await open_node(), await open_node()
    await asyncio.gather(*(one.put(f"k/{n}", content(n * 1000)) for n in range(100)))
    await one.close()
    assert await two.get_many([f"k/{n}" for n in range(100)]) == [content(n * 1000) for n in range(100)]


async def test_a_put_beside_close_is_done_or_says_that_it_is_not(open_node: OpenNode) -> None:
    one, two = await open_node(), await open_node()
    sizes = [10, 100_000] * 10
    puts = [asyncio.create_task(one.put(f"k/{n}", content(size))) for n, size in enumerate(sizes)]
    await asyncio.sleep(0)
    await one.close()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    there = await two.get_many([f"k/{n}" for n in range(len(sizes))])
    for outcome, data, size in zip(outcomes, there, sizes, strict=True):
        assert isinstance(outcome, Unavailable) or (outcome is None and data == content(size))


# All together

keys = st.builds("{}/{}".format, st.sampled_from(["a", "b"]), st.text("ab", min_size=1, max_size=3))


@dataclass(frozen=True)
class Put:
    key: str
    size: int


@dataclass(frozen=True)
class Delete:
    keys: list[str]


@dataclass(frozen=True)
class List:
    prefix: str
    start_after: str
    limit: int | None


@dataclass(frozen=True)
class Get:
    key: str
    start: int
    size: int | None


places = st.just("") | keys | keys.map(lambda key: key[:2])
beginnings = places | keys.map(lambda key: key[:1])
Step = Put | Delete | List | Get
steps = st.one_of(
    st.builds(Put, keys, st.sampled_from(SIZES)),
    st.builds(Delete, st.lists(keys, max_size=3)),
    st.builds(List, beginnings, places, st.none() | st.integers(0, 5)),
    st.builds(Get, keys, st.integers(0, 70_000), st.none() | st.integers(0, 70_000)),
)


@pytest.mark.parametrize("name", ["memory", "local"])
@given(steps=st.lists(steps, max_size=20))
def test_any_sequence_of_calls_has_the_effect_it_has_on_a_dictionary(name: str, steps: list[Step]) -> None:
    _compare(name, steps)


@pytest.mark.parametrize("name", LANES)
@settings(max_examples=10)
@given(steps=st.lists(steps, max_size=20))
def test_any_sequence_of_calls_has_its_effect_on_an_object_store(name: str, steps: list[Step]) -> None:
    _compare(name, steps)


def _compare(name: str, steps: list[Step]) -> None:
    async def run(folder: Path) -> None:
        async with STORES[name](folder) as opener:
            engine = await opener()
            model: dict[str, bytes] = {}
            for step in steps:
                await _follow(engine, model, step)
            assert [entry.key for entry in await engine.list("")] == sorted(model)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def _follow(engine: Engine, model: dict[str, bytes], step: Step) -> None:
    match step:
        case Put(key, size):
            model[key] = content(size)
            await engine.put(key, model[key])
        case Delete(gone):
            for key in gone:
                model.pop(key, None)
            await engine.delete(gone)
        case List(prefix, start_after, limit):
            expected = sorted(key for key in model if key.startswith(prefix) and key > start_after)[:limit]
            assert await engine.list(prefix, start_after, limit) == [Entry(key, len(model[key])) for key in expected]
        case Get(key, start, length):
            assert await engine.get_many([key]) == [model.get(key)]
            if key in model:
                end = None if length is None else start + length
                assert await engine.get(key, start, length) == model[key][start:end]


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=5), st.text("!a~", max_size=9))
def test_what_begins_with_a_prefix_is_what_lies_between(prefix: str, key: str) -> None:
    assert key.startswith(prefix) == (prefix <= key < after_prefix(prefix))


def test_check_key_returns_the_key() -> None:
    assert check_key("a/b-c_d.1") == "a/b-c_d.1"
