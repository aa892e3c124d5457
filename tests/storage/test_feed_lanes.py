"""Nodes that share nothing but a bucket hear of each other's news, whatever fails, and leave little behind."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Callable
from random import Random

import pytest

from storage import paths
from storage.engine import Engine, NotFound, Unavailable
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.feeds import lane_writer as feed_lane_writer
from storage.feeds import lanes as feed_lanes
from storage.feeds.feed import News
from storage.feeds.lane_reader import CATCH_UP_MAX
from storage.feeds.lane_writer import KEPT_OBJECTS, KEPT_ROUNDS, LaneWriter
from storage.feeds.lanes import ABANDONED_ROUNDS, DEAD_ROUNDS, LANES_MAX, ROUND_SECONDS, LanesFeed
from storage.feeds.message import NEWS_MAX, feed_key, pack
from tests.support.engines import CountingEngine, FailingEngine, WrappedEngine
from tests.support.virtual_time import VirtualTime

KEY = b"k" * 32
FIRST = News("account", "writer", 1)
BEAT_SECONDS = 35.0
A_ROUND = ROUND_SECONDS * 1.1
"""As long as a round lasts at most."""
STRANGER = "5" * 16

Join = Callable[..., LanesFeed]


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
async def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def join(objects: MemoryObjects, time: VirtualTime) -> AsyncIterator[Join]:
    feeds: list[LanesFeed] = []

    def opened(engine: Engine | None = None, key: bytes = KEY) -> LanesFeed:
        feeds.append(LanesFeed(engine or MemoryEngine(objects), key, time.sleep))
        return feeds[-1]

    yield opened
    for feed in feeds:
        feed.close()
    await asyncio.sleep(0)


def hear(feed: LanesFeed) -> list[News]:
    heard: list[News] = []
    feed.subscribe(heard.append)
    return heard


async def leave(feed: LanesFeed, time: VirtualTime) -> None:
    """Let *feed* leave while time passes for it."""
    leaving = asyncio.create_task(feed.leave())
    await time.advance(1)
    await leaving


def lane(objects: MemoryObjects, node: str) -> list[int]:
    return [paths.parse(key).n for key in objects.keys if key.startswith(f"feed/{node}/")]


# Bytes that nobody of ours wrote


async def test_a_stranger_rings_nobody_and_stops_nothing(objects: MemoryObjects, join: Join, time: VirtualTime) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard = hear(two)
    forged = pack(feed_key(b"o" * 32), paths.feed(STRANGER, 1), {("account", "writer"): 9})
    objects.put(paths.feed(STRANGER, 1), forged)
    objects.put(paths.feed(STRANGER, 2), b"")
    objects.put(paths.feed("f" * 16, paths.NUMBER_MAX), b"garbage")
    objects.put("feed/zzz", b"")
    objects.put(f"feed/{STRANGER}/zzz", b"")
    await time.advance(3 * A_ROUND)
    assert [news for news in heard if news != News.rescan] == []
    one.publish("account", "writer", 1)
    await time.advance(2)
    assert FIRST in heard


async def test_an_object_that_was_copied_to_another_number_rings_nobody(
    objects: MemoryObjects, join: Join, time: VirtualTime
) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    one.publish("account", "writer", 1)
    await time.advance(2)
    heard = hear(two)
    [*_, last] = lane(objects, one.process_id)
    objects.put(paths.feed(one.process_id, last + 1), objects.contents[paths.feed(one.process_id, last)])
    await time.advance(2)
    assert heard == []


async def test_no_more_lanes_are_followed_than_the_bound(objects: MemoryObjects, join: Join, time: VirtualTime) -> None:
    for n in range(LANES_MAX + 1):
        objects.put(paths.feed(f"{n:016x}", 1), b"")
    feed = join()
    while feed._is_first_look:
        await time.advance(1)
    assert len(feed._lanes) == LANES_MAX


# News


async def test_who_publishes_hears_it_at_once_the_others_within_about_a_second(join: Join, time: VirtualTime) -> None:
    feeds = [join() for _ in range(3)]
    await time.advance(A_ROUND)
    heard = [hear(feed) for feed in feeds]
    feeds[0].publish("account", "writer", 1)
    assert heard == [[FIRST], [], []]
    await time.advance(1.1)
    assert heard == [[FIRST]] * 3


async def test_a_node_that_comes_later_is_heard_within_a_round_and_from_its_first_news(
    join: Join, time: VirtualTime
) -> None:
    heard = hear(join())
    await time.advance(2 * A_ROUND)
    heard.clear()
    new = join()
    new.publish("account", "writer", 1)
    await time.advance(A_ROUND)
    assert heard == [FIRST]  # and no rescan: its lane could be read from the beginning


async def test_who_comes_later_hears_what_comes_after_and_looks_at_everything_once(
    join: Join, time: VirtualTime
) -> None:
    one = join()
    for n in range(3):
        one.publish("account", "writer", n)
        await time.advance(A_ROUND)
    await time.advance(BEAT_SECONDS)  # so that its last object tells nothing
    heard = hear(join())
    await time.advance(A_ROUND)
    assert heard == [News.rescan]
    one.publish("account", "writer", 4)
    await time.advance(2)
    assert heard == [News.rescan, News("account", "writer", 4)]


async def test_news_of_a_moment_share_an_object_and_objects_are_five_a_second_at_most(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard = hear(two)
    before = len(lane(objects, one.process_id))
    for n in range(100):
        one.publish(f"account{n % 10}", "writer", n)
        await time.advance(0.01)
    await time.advance(2)
    assert len(lane(objects, one.process_id)) - before <= 6
    assert {news for news in heard if news.n >= 90} == {News(f"account{n % 10}", "writer", n) for n in range(90, 100)}


async def test_a_call_costs_no_object_and_leaves_with_the_next_one(
    objects: MemoryObjects, join: Join, time: VirtualTime
) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    calls: list[tuple[str, str, int]] = []
    two.listen(lambda *call: calls.append(call))
    heard, before = hear(two), lane(objects, one.process_id)
    one.call("account", "phone", 7)
    await time.advance(2)
    assert lane(objects, one.process_id) == before
    one.publish("account", "writer", 1)
    await time.advance(2)
    assert (heard, calls) == ([FIRST], [("account", "phone", 7)])


async def test_calls_do_not_turn_news_into_a_rescan(join: Join, time: VirtualTime) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard = hear(two)
    for n in range(NEWS_MAX + 1):
        one.call("account", f"phone{n}", n)
    one.publish("account", "writer", 1)
    await time.advance(2)
    assert heard == [FIRST]


async def test_more_news_than_an_object_holds_become_a_rescan(join: Join, time: VirtualTime) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard = hear(two)
    for n in range(NEWS_MAX + 1):
        one.publish(f"account{n}", "writer", 1)
    await time.advance(2)
    assert heard == [News.rescan]
    one.publish("account", "writer", 1)
    await time.advance(2)
    assert heard == [News.rescan, FIRST]


async def test_who_unsubscribed_hears_nothing_and_a_closed_feed_tells_only_itself(
    join: Join, time: VirtualTime
) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard: list[News] = []
    stop = two.subscribe(heard.append)
    stop()
    stop()
    one.publish("account", "writer", 1)
    one.close()
    one.close()
    one.publish("account", "writer", 2)
    await time.advance(2)
    assert heard == []


async def test_of_processes_elsewhere_nothing_is_known(join: Join) -> None:
    one, two = join(), join()
    assert one.is_alive(one.process_id) is True
    assert one.is_alive(two.process_id) is None
    assert one.is_alive("") is None
    one.close()
    assert one.is_alive(one.process_id) is False


# Failures


async def test_failing_polls_and_puts_delay_news_and_lose_none(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    engines = [FailingEngine(MemoryEngine(objects), Random(seed), 0.5) for seed in range(3)]
    feeds = [join(engine) for engine in engines]
    await time.advance(20 * A_ROUND)
    heard = [hear(feed) for feed in feeds]
    expected = {News("account", f"writer{n}", n) for n in range(60)}
    for news in sorted(expected, key=lambda news: news.n):
        feeds[news.n % 3].publish(news.account_id or "", news.writer, news.n)
        await time.advance(0.5)
        for engine in engines:
            await engine.settle()
    await time.advance(30)
    for each in heard:
        assert set(each) - {News.rescan} == expected


async def test_a_store_that_is_gone_for_a_minute_makes_nobody_look_dead(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    engines = [FailingEngine(MemoryEngine(objects), Random(0), 0.0) for _ in range(2)]
    one, two = (join(engine) for engine in engines)
    await time.advance(A_ROUND)
    heard = hear(two)
    for engine in engines:
        engine.rate = 1.0
    one.publish("account", "writer", 1)
    await time.advance(2 * DEAD_ROUNDS * A_ROUND)
    assert heard == []
    for engine in engines:
        engine.rate = 0.0
    await time.advance(2.2)
    assert heard == [FIRST]


async def test_an_object_whose_answer_was_lost_is_put_again_with_the_same_bytes(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    versions: defaultdict[str, list[bytes]] = defaultdict(list)

    class Forgetful(WrappedEngine):
        async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
            assert isinstance(data, bytes)
            versions[key].append(data)
            await self.engine.put(key, data)
            if len(versions[key]) == 1:
                raise Unavailable(key)

    one, two = join(Forgetful(MemoryEngine(objects))), join()
    heard = hear(two)
    for n in range(1, 10):
        one.publish("account", "writer", n)
        await time.advance(1.5)
    await time.advance(A_ROUND)
    assert News("account", "writer", 9) in heard
    assert all(len(data) == 2 and len(set(data)) == 1 for data in versions.values())
    numbers = lane(objects, one.process_id)
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_node_that_is_killed_between_commit_and_telling_is_a_rescan_for_all(
    time: VirtualTime, join: Join
) -> None:
    one, two, three = join(), join(), join()
    await time.advance(A_ROUND)
    heard = [hear(two), hear(three)]
    one.publish("account", "writer", 1)
    one.close()  # what it had to tell never left
    await time.advance((DEAD_ROUNDS + 1) * A_ROUND)
    assert heard == [[News.rescan], [News.rescan]]
    await time.advance(10 * A_ROUND)
    assert heard == [[News.rescan], [News.rescan]]  # once


async def test_the_silent_are_asked_less_and_heard_again_when_they_come_back(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    own = LaneWriter(MemoryEngine(objects), feed_key(KEY), STRANGER, time.sleep)
    writing = asyncio.create_task(own.run())
    counting = CountingEngine(MemoryEngine(objects))
    heard = hear(join(counting))
    own.wake()
    await time.advance((DEAD_ROUNDS + 2) * A_ROUND)
    counting.calls.clear()
    await time.advance(100)
    assert 9 <= counting.calls["get"] <= 12
    own.add("account", "writer", 1)
    await time.advance(A_ROUND)
    assert heard[-1] == FIRST
    own.add("account", "writer", 2)
    await time.advance(2 * A_ROUND)
    counting.calls.clear()
    await time.advance(100 / 3)
    assert counting.calls["get"] >= 30
    writing.cancel()


async def test_living_nodes_never_make_each_other_rescan(time: VirtualTime, join: Join) -> None:
    feeds = [join() for _ in range(3)]
    await time.advance(A_ROUND)
    heard = [hear(feed) for feed in feeds]
    await time.advance(15 * 60)
    assert heard == [[], [], []]


async def test_a_node_that_leaves_says_its_last_news_and_that_it_left(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    one, two = join(), join()
    await time.advance(A_ROUND)
    heard = hear(two)
    one.publish("account", "writer", 1)
    one.publish("account", "writer", 2)
    await leave(one, time)
    await time.advance(2)
    assert heard == [News("account", "writer", 2)]
    await time.advance((KEPT_ROUNDS + 2) * A_ROUND)
    assert heard == [News("account", "writer", 2)]  # nothing to wonder about
    assert lane(objects, one.process_id) == []


async def test_a_node_that_cannot_leave_does_not_wait_for_ever(
    objects: MemoryObjects, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_lanes, "LEAVE_SECONDS", 0.05)
    one = join(FailingEngine(MemoryEngine(objects), Random(0), 1.0))
    one.publish("account", "writer", 1)
    async with asyncio.timeout(5):
        await one.leave()
        await one.leave()


async def test_what_is_gone_before_it_was_read_is_a_rescan(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    class Blind(WrappedEngine):
        is_blind = False

        async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
            if self.is_blind:
                raise NotFound(key)
            return await self.engine.get(key, start, size)

    engine = Blind(MemoryEngine(objects))
    one, two = join(), join(engine)
    await time.advance(A_ROUND)
    heard = hear(two)
    engine.is_blind = True
    for n in range(5):
        one.publish("account", "writer", n)
        await time.advance(1)
    for n in lane(objects, one.process_id)[:-1]:
        objects.delete(paths.feed(one.process_id, n))
    engine.is_blind = False
    await time.advance(A_ROUND)
    assert heard == [News.rescan, News("account", "writer", 4)]


async def test_a_new_lane_that_is_long_already_is_one_rescan(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    heard = hear(join())
    await time.advance(A_ROUND / 2)
    heard.clear()
    for n in range(1, CATCH_UP_MAX + 2):
        name = paths.feed(STRANGER, n)
        objects.put(name, pack(feed_key(KEY), name, {("account", "writer"): n}))
    await time.advance(A_ROUND)
    assert heard == [News.rescan, News("account", "writer", CATCH_UP_MAX + 1)]


# What is left behind, and what it costs


async def test_a_node_removes_what_is_old(objects: MemoryObjects, time: VirtualTime, join: Join) -> None:
    one, two = join(), join()
    heard = hear(two)
    await time.advance(3 * KEPT_ROUNDS * A_ROUND)
    assert 0 < len(lane(objects, one.process_id)) <= KEPT_ROUNDS / 3 + 2
    assert heard == [News.rescan]


async def test_a_node_that_talks_all_the_time_keeps_no_more_than_the_bound(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    one = join()
    for n in range(KEPT_OBJECTS + 100):
        one.publish("account", "writer", n)
        await time.advance(0.21)
    await time.advance(A_ROUND)
    assert len(lane(objects, one.process_id)) <= KEPT_OBJECTS + A_ROUND / feed_lane_writer.SEND_SECONDS
    await time.advance(A_ROUND)
    assert len(lane(objects, one.process_id)) <= KEPT_OBJECTS


async def test_the_lane_of_a_killed_node_is_removed_by_the_others(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    one, two, _ = join(), join(), join()
    heard = hear(two)
    await time.advance(A_ROUND)
    one.close()
    await time.advance((ABANDONED_ROUNDS - 40) * ROUND_SECONDS)
    assert lane(objects, one.process_id) != []
    await time.advance(100 * ROUND_SECONDS)
    assert lane(objects, one.process_id) == []
    assert heard.count(News.rescan) == 2  # at the start, and when it fell silent


async def test_a_full_page_of_one_lane_does_not_hide_the_next(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    for n in range(1, 40):
        objects.put(paths.feed("0" * 16, n), b"")
    name = paths.feed("1" * 16, 1)
    objects.put(name, pack(feed_key(KEY), name, {}))
    counting = CountingEngine(MemoryEngine(objects, list_page=10))
    feed = join(counting)
    await time.advance(0.1)
    assert feed._lanes.keys() == {"0" * 16, "1" * 16}
    assert counting.calls["list"] <= 2 + 2  # two pages, and one look at each lane


async def test_an_idle_node_of_two_costs_little_more_than_a_request_a_second(
    objects: MemoryObjects, time: VirtualTime, join: Join
) -> None:
    counting = CountingEngine(MemoryEngine(objects))
    join(counting)
    join()
    await time.advance(A_ROUND)
    counting.calls.clear()
    await time.advance(600)
    assert 540 < counting.calls["get"] < 700
    assert counting.calls["list"] <= 68
    assert counting.calls["put"] <= 23
    assert counting.calls["delete"] <= 23
