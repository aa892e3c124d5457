"""The feed by Redis: what it makes of messages, of both ways together, and of servers that are not there."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from storage.feeds import redis_channel
from storage.feeds.feed import CALL, Hub, LocalFeed, News
from storage.feeds.message import BYTES_MAX, NEWS_MAX, feed_key, pack
from storage.feeds.redis_channel import RedisChannel
from storage.feeds.redis_feed import REMEMBERED_MAX, RedisFeed
from storage.private_file import UnsafeFile
from storage.redis_settings import redis_server_of
from storage.settings import Settings
from storage.toml_tables import SettingError

KEY = b"k" * 32
NOWHERE = "redis://127.0.0.1:9"
NODE, OTHER = "0" * 16, "1" * 16


@pytest.fixture
async def feed() -> AsyncIterator[RedisFeed]:
    made = RedisFeed(LocalFeed(), KEY, NOWHERE, "")
    yield made
    made.close()
    await asyncio.sleep(0)


def message(news: dict[tuple[str, str], int] | None, node: str = OTHER, n: int = 1, key: bytes = KEY) -> bytes:
    sealed = pack(feed_key(key), f"redis/{node}/{n}", news)
    return node.encode() + n.to_bytes(8, "big") + sealed


@pytest.fixture
async def channel() -> AsyncIterator[tuple[RedisChannel, list[News]]]:
    heard: list[News] = []
    made = RedisChannel(NOWHERE, "", feed_key(KEY), NODE, heard.append)
    yield made, heard
    await made.close()


async def test_what_another_node_says_is_heard(channel: tuple[RedisChannel, list[News]]) -> None:
    one, heard = channel
    one._hear(message({("a", "w"): 3, ("b", "~device"): 5}))
    one._hear(message(None, n=2))
    assert heard == [News("a", "w", 3), News("b", "~device", 5), News.rescan]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x" * 24, OTHER.encode() + bytes(8), b"G" * 16 + bytes(9), bytes(BYTES_MAX + 1), os.urandom(200),
        message({("a", "w"): 1}, key=b"x" * 32), message({("a", "w"): 1})[:-1],
        message({("a", "w"): 1}, n=1)[:16] + bytes([0] * 7 + [2]) + message({("a", "w"): 1}, n=1)[24:],
    ],
    ids=range(9),  # sealed bytes are others each time
)  # fmt: skip
async def test_what_no_node_of_ours_says_is_not_heard(channel: tuple[RedisChannel, list[News]], data: bytes) -> None:
    one, heard = channel
    one._hear(data)
    assert heard == []


async def test_our_own_message_tells_only_that_the_channel_is_there(
    channel: tuple[RedisChannel, list[News]],
) -> None:
    one, heard = channel
    assert not one.is_connected
    one._hear(message({("a", "w"): 1}, node=NODE))
    assert one.is_connected
    assert heard == []


async def test_what_cannot_be_told_is_merged_and_becomes_anything(channel: tuple[RedisChannel, list[News]]) -> None:
    one, _ = channel
    for n in range(NEWS_MAX):
        one.add("a", f"w{n}", 1)
        one.add("a", f"w{n}", 2)
    assert one._outbox == {("a", f"w{n}"): 2 for n in range(NEWS_MAX)}
    one.add("a", "one more", 1)
    assert one._outbox is None


async def test_news_that_come_both_ways_are_told_once(feed: RedisFeed) -> None:
    told: list[News] = []
    feed.subscribe(told.append)
    for n in (1, 1, 3, 2, 3):
        feed._hear(News("a", "w", n))
    assert told == [News("a", "w", 1), News("a", "w", 3)]
    feed._hear(News("b", "w", 1))
    feed.publish("a", "own", 1)
    feed._hear(News("a", "own", 1))
    assert told[2:] == [News("b", "w", 1), News("a", "own", 1)]


async def test_news_without_a_number_are_told_every_time(feed: RedisFeed) -> None:
    told: list[News] = []
    feed.subscribe(told.append)
    of_keys = News("a", "", 0)
    for news in (of_keys, of_keys, News.rescan, News.rescan):
        feed._hear(news)
    assert told == [of_keys, of_keys, News.rescan, News.rescan]


async def test_a_call_is_heard_once_whatever_clocks_say(feed: RedisFeed) -> None:
    calls: list[tuple[str, str, int]] = []
    feed.listen(lambda account, name, n: calls.append((account, name, n)))
    for n in (900, 900, 100, 100):
        feed._hear(News("a", f"{CALL}device", n))
    assert calls == [("a", "device", 900), ("a", "device", 100)]


async def test_what_is_remembered_is_bounded(feed: RedisFeed) -> None:
    for n in range(REMEMBERED_MAX + 10):
        feed._hear(News("a", f"w{n}", 1))
    assert len(feed._told) == REMEMBERED_MAX


async def test_without_the_server_everything_goes_by_the_net_and_nothing_waits() -> None:
    hub = Hub()
    one, two = (RedisFeed(LocalFeed(hub), KEY, NOWHERE, "") for _ in range(2))
    told: list[News] = []
    calls: list[int] = []
    two.subscribe(told.append)
    two.listen(lambda _account, _name, n: calls.append(n))
    one.publish("a", "w", 1)
    one.call("a", "device", 2)
    assert (told, calls) == ([News("a", "w", 1)], [2])
    assert one.is_alive(two.process_id)
    for feed in (one, two):
        await feed.leave()
    one.publish("a", "w", 2)  # after the end: by nobody heard, and no error
    assert len(told) == 1


async def test_an_outage_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_channel, "PAUSE_SECONDS_MIN", 0.001)
    monkeypatch.setattr(redis_channel, "PAUSE_SECONDS_MAX", 0.001)
    attempts = 0

    class Counting(RedisChannel):
        async def _while_connected(self) -> None:
            nonlocal attempts
            attempts += 1
            await super()._while_connected()

    with structlog.testing.capture_logs() as logs:
        channel = Counting(NOWHERE, "", KEY, NODE, lambda _news: None)
        while attempts < 5:
            await asyncio.sleep(0.01)
        await channel.close()
    assert [line["event"] for line in logs] == ["redis.lost"]


# -- settings


def test_which_server_and_which_password(tmp_path: Path) -> None:
    file = tmp_path / "redis.key"
    assert redis_server_of(Settings(redis_password_file=file), {}) is None
    environment = {"PETITBLEU_REDIS_URL": "redis://a", "PETITBLEU_REDIS_PASSWORD": "p"}
    assert redis_server_of(Settings(redis_password_file=file), environment) == ("redis://a", "p")
    settings = Settings(redis_url="unix:///run/redis", redis_password_file=file)
    assert redis_server_of(settings, environment) == ("unix:///run/redis", "p")
    file.write_text("in the file\n")
    file.chmod(0o644)
    with pytest.raises(UnsafeFile):
        redis_server_of(settings, environment)
    file.chmod(0o600)
    assert redis_server_of(settings, environment) == ("unix:///run/redis", "in the file")
    file.write_bytes(b"\xff")
    with pytest.raises(SettingError, match="not a text"):
        redis_server_of(settings, environment)
    with pytest.raises(SettingError, match="cannot be read"):
        redis_server_of(Settings(redis_url="redis://a", redis_password_file=tmp_path), {})


def test_what_names_no_server_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingError, match=r"storage\.redis_url") as refused:
        redis_server_of(Settings(redis_url="http://:hidden@host"), {})
    assert "hidden" not in str(refused.value)
    assert "hidden" not in repr(Settings(redis_url="redis://:hidden@host"))
