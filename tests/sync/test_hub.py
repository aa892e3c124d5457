"""Who waits: every wait ends once, whoever ends it."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from eas.sync.hub import End, Hub, Outcome, Waiter
from storage.account import Account
from storage.feeds.feed import Hub as Processes
from storage.feeds.feed import LocalFeed


class Quiet:
    """An account in which nothing ever happens; `looks` counts who looked."""

    def __init__(self, name: str = "a") -> None:
        self.id, self.looks = name, 0

    def told_of_news(self, writer: str = "", n: int = 0) -> None: ...

    def turn(self, *, fresh: bool = True) -> "Quiet":
        return self

    async def __aenter__(self) -> object:
        self.looks += 1
        from storage.base import Base
        from storage.state import State

        return State(cast("Base", None))

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub(LocalFeed())
    yield made
    made.close()


def waiter(account: Quiet, ended: list[tuple[str, End]], device: str = "phone") -> Waiter:
    def finish(outcome: Outcome) -> None:
        ended.append((device, outcome.end))

    return Waiter(cast("Account", account), device, ("inbox",), True, finish)


async def test_a_newer_wait_of_a_device_ends_the_older_and_nobody_elses(hub: Hub) -> None:
    account, ended = Quiet(), list[tuple[str, End]]()
    first, second, other = (waiter(account, ended, name) for name in ("phone", "phone", "other"))
    for one in (first, other, second):
        hub.wait(one, 60)
    assert ended == [("phone", End.REPLACED)]
    hub.leave(first)  # its connection learns of it later
    assert len(hub) == 2
    hub.end("a", "phone")
    hub.end("a", "phone")
    hub.end("b", "other")
    assert ended == [("phone", End.REPLACED)] * 2
    assert len(hub) == 1


async def test_a_newer_wait_in_another_process_ends_the_older(monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = Processes()
    one, two = Hub(LocalFeed(feeds)), Hub(LocalFeed(feeds))
    account, ended = Quiet(), list[tuple[str, End]]()
    now = iter(range(10**18, 2 * 10**18, 10**6))
    monkeypatch.setattr("time.time_ns", lambda: next(now))
    for hub in (one, two, one):
        hub.wait(waiter(account, ended), 60)
        hub.wait(waiter(account, ended, "other"), 60)
    assert ended == [("phone", End.REPLACED), ("other", End.REPLACED)] * 2
    assert (len(one), len(two)) == (2, 0)
    one.close()
    two.close()


async def test_word_of_an_older_wait_that_comes_late_ends_nothing() -> None:
    feeds = Processes()
    hub, other = Hub(LocalFeed(feeds)), LocalFeed(feeds)
    ended: list[tuple[str, End]] = []
    newer = waiter(Quiet(), ended)
    hub.wait(newer, 60)
    other.call("a", "phone", newer.since_ms)
    other.call("b", "phone", newer.since_ms + 1)
    assert ended == []
    other.call("a", "phone", newer.since_ms + 1)
    assert ended == [("phone", End.REPLACED)]
    hub.close()


async def test_devices_of_the_same_name_in_two_accounts_are_two(hub: Hub) -> None:
    ended: list[tuple[str, End]] = []
    hub.wait(waiter(Quiet("a"), ended), 60)
    hub.wait(waiter(Quiet("b"), ended), 60)
    assert (len(hub), ended) == (2, [])
    assert hub.is_waited_for("a")


async def test_who_left_is_not_called_back(hub: Hub) -> None:
    account, ended = Quiet(), list[tuple[str, End]]()
    for seconds in (0, 60):
        one = waiter(account, ended)
        hub.wait(one, seconds)
        hub.leave(one)
        hub.leave(one)
    await asyncio.sleep(1.2)
    assert (len(hub), ended) == (0, [])
    assert not hub.is_waited_for("a")


async def test_all_whose_time_is_over_end_together(hub: Hub) -> None:
    accounts, ended = [Quiet(str(n)) for n in range(50)], list[tuple[str, End]]()
    for account in accounts:
        hub.wait(waiter(account, ended, account.id), 0)
    late = Quiet("late")
    hub.wait(waiter(late, ended, "late"), 60)
    async with asyncio.timeout(3):
        while len(ended) < 50:
            await asyncio.sleep(0.05)
    assert {end for _, end in ended} == {End.TIME}
    assert len(hub) == 1


async def test_nothing_is_looked_at_unless_there_is_news(hub: Hub) -> None:
    account = Quiet()
    hub.wait(waiter(account, []), 60)
    await asyncio.sleep(0.3)
    assert account.looks == 1  # when the wait begins: news may have come just before


async def test_a_wait_that_begins_within_the_end_of_another_is_kept(hub: Hub) -> None:
    account, ended = Quiet(), list[tuple[str, End]]()
    second = waiter(account, ended)

    def again(outcome: Outcome) -> None:
        ended.append(("first", outcome.end))
        hub.wait(second, 60)

    hub.wait(Waiter(cast("Account", account), "phone", (), True, again), 60)
    hub.end("a", "phone")
    assert ended == [("first", End.REPLACED)]
    assert len(hub) == 1


async def test_a_closed_hub_holds_nobody(hub: Hub) -> None:
    ended: list[tuple[str, End]] = []
    hub.wait(waiter(Quiet(), ended), 60)
    hub.close()
    assert (len(hub), ended) == (0, [])
