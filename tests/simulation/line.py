"""The line between somebody who asks and the node that is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tests.simulation.node import Down, Node
from tests.simulation.weather import HOUR, MINUTE, Line, Weather

T = TypeVar("T")


class Lost(Exception):
    """No answer came: the request may have been executed, may still be, or never was."""


async def over_the_line(
    weather: Weather, nodes: list[Node], node: Node, work: Callable[[Node], Awaitable[T]], patience: float
) -> T:
    """Let *node* do *work* and return what it answers.  Raises `Lost`, or what the work raises."""
    fate, random = weather.request(), weather.random
    if fate is Line.REQUEST_LOST:
        await asyncio.sleep(random.choice([0.1, 10.0]))
        raise Lost
    if fate is Line.LATE:
        delay = random.choice([20.0, 10 * MINUTE, 5 * HOUR * random.random()])
        asyncio.get_running_loop().call_later(delay, _unheard, node, work)
        raise Lost
    if fate is Line.TWICE:
        _unheard(random.choice(nodes), work)
    try:
        task = node.serve(work)
    except Down as down:
        await asyncio.sleep(1.0)
        raise Lost from down
    if fate is Line.CANCELLED:
        await asyncio.sleep(random.choice([0.01, 0.05, 0.2]))
        task.cancel()
    done, _ = await asyncio.wait([task], timeout=patience)
    if not done or task.cancelled() or fate is Line.ANSWER_LOST:
        if not done and random.random() < 0.3:
            task.cancel()
        raise Lost
    error = task.exception()
    if error is not None and not isinstance(error, Exception):  # the process died
        raise Lost
    return task.result()


def _unheard(node: Node, work: Callable[[Node], Awaitable[object]]) -> None:
    """Let the node do the work, if it is up; nobody hears of it."""
    if node.is_up:
        node.serve(work)
