"""The feed's lanes on a real object store, in real time."""

import asyncio
import time
from pathlib import Path

import pytest

from storage.feeds.feed import News
from storage.feeds.lanes import ROUND_SECONDS, LanesFeed
from tests.support.engines import LANES, STORES, CountingEngine

KEY = b"k" * 32


@pytest.mark.parametrize("name", LANES)
async def test_three_nodes_hear_each_other_within_about_a_second_and_say_good_bye(name: str, tmp_path: Path) -> None:
    async with STORES[name](tmp_path) as open_node:
        engines = [CountingEngine(await open_node()) for _ in range(3)]
        feeds = [LanesFeed(engine, KEY) for engine in engines]
        heard: list[dict[int, float]] = [{} for _ in feeds]
        for feed, times in zip(feeds, heard, strict=True):
            feed.subscribe(lambda news, times=times: times.setdefault(news.n, time.monotonic()))  # type: ignore[misc]
        await asyncio.sleep(ROUND_SECONDS * 1.2)
        for engine in engines:
            engine.calls.clear()
        began = {}
        for n in range(1, 21):
            began[n] = time.monotonic()
            feeds[n % 3].publish("account", f"writer{n}", n)
            await asyncio.sleep(0.35)
        last = News("account", "writer", 99)
        began[99] = time.monotonic()
        feeds[0].publish("account", "writer", last.n)
        await feeds[0].leave()
        await asyncio.sleep(1.5)
        for times in heard[1:]:  # the first left before it could hear all
            assert max(times[n] - began[n] for n in began) < 2.0
        seconds = 20 * 0.35 + 1.5
        for engine in engines[1:]:
            assert engine.calls["get"] <= 2 * seconds * 1.5 + 21
            assert engine.calls["put"] <= 20
        for feed in feeds:
            await feed.leave()
