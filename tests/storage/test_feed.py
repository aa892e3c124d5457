"""News reach everybody who lives, in one process and between processes of one machine."""

import asyncio
import os
import signal
import socket
import sys
from asyncio import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest
import uvloop

from storage.feeds.feed import Feed, Hub, LocalFeed, News
from storage.feeds.machine import MachineFeed
from storage.feeds.peer import HELD_NEWS_MAX, SocketFolder, encode

JoinFeed = Callable[[], Feed]
FIRST = News("account", "writer", 1)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def join_machine(folder: Path) -> Iterator[Callable[[], MachineFeed]]:  # type: ignore[misc]
    feeds: list[MachineFeed] = []

    def join() -> MachineFeed:
        feeds.append(MachineFeed(folder))
        return feeds[-1]

    yield join
    for feed in feeds:
        feed.close()


@pytest.fixture(params=["local", "machine"])
async def join(request: pytest.FixtureRequest, join_machine: Callable[[], MachineFeed]) -> JoinFeed:
    hub = Hub()
    return join_machine if request.param == "machine" else lambda: LocalFeed(hub)


class Heard(list[News]):
    """What a feed was told, in order."""

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._arrived = asyncio.Event()
        self.unsubscribe = feed.subscribe(self._hear)

    def _hear(self, news: News) -> None:
        self.append(news)
        self._arrived.set()

    async def until(self, is_enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_enough():
                self._arrived.clear()
                await self._arrived.wait()


# Every feed


async def test_everybody_hears_of_news_who_publishes_too(join: JoinFeed) -> None:
    feeds = [join() for _ in range(3)]
    heard = [Heard(feed) for feed in feeds]
    feeds[0].publish("account", "writer", 1)
    assert heard[0] == [FIRST]  # at once
    for one in heard:
        await one.until(lambda one=one: one == [FIRST])  # type: ignore[misc]


async def test_who_unsubscribed_hears_nothing_and_may_do_so_twice(join: JoinFeed) -> None:
    feed, other = join(), join()
    gone, stays = Heard(feed), Heard(feed)
    gone.unsubscribe()
    gone.unsubscribe()
    other.publish("account", "writer", 1)
    await stays.until(lambda: stays == [FIRST])
    assert gone == []


async def test_a_call_is_heard_by_the_others_who_listen_and_is_no_news(join: JoinFeed) -> None:
    caller, other = join(), join()
    calls: list[tuple[int, str, str, int]] = []
    caller.listen(lambda *call: calls.append((0, *call)))
    stop = other.listen(lambda *call: calls.append((1, *call)))
    heard = [Heard(caller), Heard(other)]
    caller.call("account", "phone", 5)
    caller.publish("account", "writer", 1)
    await heard[1].until(lambda: heard[1] == [FIRST])
    assert calls == [(1, "account", "phone", 5)]
    assert heard[0] == [FIRST]
    stop()
    caller.call("account", "phone", 6)
    caller.publish("account", "writer", 2)
    await heard[1].until(lambda: len(heard[1]) == 2)
    assert len(calls) == 1


async def test_a_closed_feed_calls_nobody(join: JoinFeed) -> None:
    caller, other = join(), join()
    other.listen(lambda *_call: pytest.fail("heard"))
    caller.close()
    caller.call("account", "phone", 5)
    await asyncio.sleep(0.01)


async def test_a_callback_that_raises_disturbs_nobody(join: JoinFeed) -> None:
    feed, other = join(), join()

    def broken(_news: News) -> None:
        raise ZeroDivisionError

    feed.subscribe(broken)
    heard = Heard(feed)
    other.publish("account", "writer", 1)
    await heard.until(lambda: len(heard) == 1)
    feed.publish("account", "writer", 2)
    assert heard[1:] == [News("account", "writer", 2)]


async def test_a_callback_may_subscribe_and_unsubscribe(join: JoinFeed) -> None:
    feed = join()
    heard = Heard(feed)

    def once(_news: News) -> None:
        stop()
        feed.subscribe(lambda _news: None)

    stop = feed.subscribe(once)
    feed.publish("account", "writer", 1)
    feed.publish("account", "writer", 2)
    assert [news.n for news in heard] == [1, 2]


async def test_the_living_are_known_from_those_who_left(join: JoinFeed) -> None:
    one, two = join(), join()
    assert one.process_id != two.process_id
    assert one.is_alive(two.process_id) is True
    assert two.is_alive(two.process_id) is True
    two.close()
    two.close()
    assert one.is_alive(two.process_id) is False


async def test_a_closed_feed_raises_nothing_and_reaches_nobody(join: JoinFeed) -> None:
    one, two = join(), join()
    heard = Heard(two)
    one.publish("account", "writer", 1)
    one.close()
    one.publish("account", "writer", 2)
    await heard.until(lambda: len(heard) == 1)
    await asyncio.sleep(0)
    assert heard == [FIRST]


# On one machine


async def test_a_late_comer_hears_what_comes_after(join_machine: Callable[[], MachineFeed]) -> None:
    one = join_machine()
    one.publish("account", "writer", 1)
    await asyncio.sleep(0)
    heard = Heard(join_machine())
    one.publish("account", "writer", 2)
    await heard.until(lambda: heard == [News("account", "writer", 2)])


async def test_what_is_published_in_one_turn_is_joined(join_machine: Callable[[], MachineFeed]) -> None:
    one, two = join_machine(), join_machine()
    heard = Heard(two)
    for n in range(1000):
        one.publish("account", "writer", n)
    one.publish("other", "writer", 1)
    await heard.until(lambda: len(heard) == 2)
    assert heard == [News("account", "writer", 999), News("other", "writer", 1)]


async def test_a_burst_that_fills_the_buffer_is_not_lost(join_machine: Callable[[], MachineFeed]) -> None:
    feeds = [join_machine() for _ in range(3)]
    heard = [Heard(feed) for feed in feeds[1:]]
    expected = {News(f"account-{n}", "writer", n) for n in range(HELD_NEWS_MAX)}
    for news in expected:
        feeds[0].publish(news.account_id or "", news.writer, news.n)
    for one in heard:
        await one.until(lambda one=one: set(one) == expected)  # type: ignore[misc]


async def test_more_than_is_held_becomes_a_rescan(join_machine: Callable[[], MachineFeed]) -> None:
    one, two = join_machine(), join_machine()
    heard = Heard(two)
    for n in range(HELD_NEWS_MAX + 1):
        one.publish(f"account-{n}", "writer", 1)
    await heard.until(lambda: News.rescan in heard)
    one.publish("account", "writer", 1)
    await heard.until(lambda: heard[-1] == FIRST)


async def test_a_peer_that_does_not_read_keeps_nothing_from_others_and_hears_of_it_later(
    join_machine: Callable[[], MachineFeed],
) -> None:
    loop = asyncio.get_running_loop()
    one, stopped, other = join_machine(), join_machine(), join_machine()
    loop.remove_reader(stopped._socket)
    heard, late = Heard(other), Heard(stopped)
    count = 3000
    for n in range(count):  # one datagram each: its buffer is full long before
        one.publish(f"account-{n}", "writer", n)
        await heard.until(lambda n=n: len(heard) == n + 1)  # type: ignore[misc]
    assert late == []
    loop.add_reader(stopped._socket, stopped._receive)
    await late.until(lambda: News.rescan in late)


async def test_garbage_is_not_heard(join_machine: Callable[[], MachineFeed], folder: Path) -> None:
    feed = join_machine()
    heard = Heard(feed)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        place = os.open(folder / "feed", os.O_PATH)  # the folder's own path may be too long for a socket
        stranger.connect(f"/proc/self/fd/{place}/{feed.process_id}.sock")
        os.close(place)
        for datagram in [b"", b"\xc1", b"[", msgpack.packb([[1, 2, 3], ["a", "b", "c"], ["a", "b"]]), b"x" * 20_000]:
            stranger.send(datagram)
        stranger.send(encode({("account", "writer"): 1}))
    await heard.until(lambda: len(heard) > 0)
    assert heard == [FIRST]


async def test_a_killed_process_is_known_to_be_dead_and_its_socket_is_removed(
    join_machine: Callable[[], MachineFeed], folder: Path
) -> None:
    feed = join_machine()
    heard = Heard(feed)
    child = await subprocess.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.feed_child", str(folder)), stdout=subprocess.PIPE
    )
    assert child.stdout
    process_id = (await child.stdout.readline()).decode().strip()
    await heard.until(lambda: len(heard) > 0)
    assert heard == [News("account", process_id, 1)]
    assert feed.is_alive(process_id) is True
    child.send_signal(signal.SIGKILL)
    await child.wait()
    assert feed.is_alive(process_id) is False
    feed.publish("account", "writer", 1)
    await asyncio.sleep(0)
    assert sorted(os.listdir(folder / "feed")) == sorted(["id", f"{feed.process_id}.sock"])
    assert feed.is_alive(process_id) is False


async def test_a_process_that_stood_still_hears_that_anything_may_have_changed(
    join_machine: Callable[[], MachineFeed], folder: Path
) -> None:
    feed = join_machine()
    heard = Heard(feed)
    child = await subprocess.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.feed_child", str(folder)), stdout=subprocess.PIPE
    )
    assert child.stdout
    process_id = (await child.stdout.readline()).decode().strip()
    await heard.until(lambda: len(heard) > 0)
    child.send_signal(signal.SIGSTOP)
    for n in range(3 * HELD_NEWS_MAX):
        feed.publish(f"account-{n}", "writer", n)
        await asyncio.sleep(0)  # a datagram each: the child's buffer is full long before
    child.send_signal(signal.SIGCONT)
    await heard.until(lambda: News("rescanned", process_id, 1) in heard)
    child.send_signal(signal.SIGKILL)
    await child.wait()


async def test_of_processes_elsewhere_nothing_is_known(join_machine: Callable[[], MachineFeed], tmp_path: Path) -> None:
    feed = join_machine()
    elsewhere = MachineFeed(tmp_path / "elsewhere")
    for process_id in (elsewhere.process_id, "", "../x", "a\x00b", feed.process_id + "0"):
        assert feed.is_alive(process_id) is None
    elsewhere.close()


async def test_the_folder_may_lie_deeper_than_a_socket_path_reaches(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    one, two = MachineFeed(deep), MachineFeed(deep)
    heard = Heard(two)
    one.publish("account", "writer", 1)
    await heard.until(lambda: heard == [FIRST])
    assert one.is_alive(two.process_id) is True
    two.close()
    assert one.is_alive(two.process_id) is False
    one.close()


def test_the_loop_of_production_hears_too(folder: Path) -> None:
    async def run() -> None:
        one, two = MachineFeed(folder), MachineFeed(folder)
        heard = Heard(two)
        for n in range(200):
            one.publish(f"account-{n}", "writer", n)
            await asyncio.sleep(0)
        await heard.until(lambda: {news.n for news in heard} == set(range(200)))
        one.close()
        assert two.is_alive(one.process_id) is False
        two.close()

    uvloop.run(run())


async def test_nobody_else_may_look(join_machine: Callable[[], MachineFeed], folder: Path) -> None:
    join_machine()
    assert (folder / "feed").stat().st_mode & 0o777 == 0o700
    assert (folder / "feed" / "id").stat().st_mode & 0o777 == 0o600


async def test_no_peers_can_be_listed_for_a_while(
    join_machine: Callable[[], MachineFeed], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = join_machine(), join_machine()
    heard = Heard(two)
    with monkeypatch.context() as patch:
        patch.setattr(SocketFolder, "names", _too_many_files)
        one.publish("account", "writer", 1)
        await asyncio.sleep(0)
    await heard.until(lambda: heard == [FIRST])


def _too_many_files(_folder: object) -> list[str]:
    raise OSError(24, "Too many open files")
