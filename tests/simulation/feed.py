"""The feed between the simulated processes: news come late, or only as a later "anything may have changed"."""

import asyncio
from collections.abc import Callable

from storage.feeds.feed import Listener, News, Subscribers, Unsubscribe
from tests.simulation.loop import Process
from tests.simulation.weather import MINUTE, Weather


class Wire:
    """What the feeds of all processes have in common."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.feeds: dict[str, SimulatedFeed] = {}

    def rescan(self) -> None:
        """Tell everybody that anything may have changed, as the slow poll does."""
        for feed in self.feeds.values():
            feed.subscribers.tell(News.rescan)


class SimulatedFeed:
    """A `Feed` of one process."""

    def __init__(self, wire: Wire, process_id: str, process: Process) -> None:
        self.process_id = process_id
        self.subscribers = Subscribers()
        self._wire, self._process = wire, process
        wire.feeds[process_id] = self

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """See `Feed.publish`."""
        news = News(account_id, writer, n)
        self.subscribers.tell(news)
        loop, random = asyncio.get_running_loop(), self._wire.weather.random
        for process_id, feed in self._wire.feeds.items():
            if process_id != self.process_id:
                is_lost = random.random() < 0.1 and not self._wire.weather.is_fair
                delay = random.choice([MINUTE, 10 * MINUTE]) if is_lost else random.choice([0.02, 0.3, 2.0])
                loop.call_later(delay, feed.subscribers.tell, News.rescan if is_lost else news)

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`."""
        return self.subscribers.add(callback)

    def call(self, account_id: str, name: str, n: int) -> None:
        """See `Feed.call`: nobody waits here."""

    def listen(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return self.subscribers.add_listener(listener)

    def is_alive(self, process_id: str) -> bool | None:
        """See `Feed.is_alive`: of processes of other machines nothing is known."""
        return True if process_id == self.process_id else None

    async def leave(self) -> None:
        """See `Feed.leave`."""
        self.close()

    def close(self) -> None:
        """See `Feed.close`."""
        self._wire.feeds.pop(self.process_id, None)
