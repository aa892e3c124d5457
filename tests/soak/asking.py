"""A phone's way to a service whose nodes die: through any of them, cut now and then, asked again until it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp
from yarl import URL

from eas.protocol.status import Common
from tests.soak.nodes import Node
from tests.soak.plan import Seen
from tests.support.client import EasClient, Refused
from tests.support.proxy import Proxy
from tests.support.transport import PATH

T = TypeVar("T")

LOST_SHARE: Final = 0.12  # of the answers
CUT_BYTES: Final = (0, 1, 200, 600, 2_000, 20_000)  # after which an answer is cut, or sooner
PATIENCE_SECONDS: Final = 180.0
PAUSE_SECONDS_MAX: Final = 1.5
LATER: Final = frozenset({503})
LATER_STATUS: Final = frozenset({Common.SERVER_ERROR_RETRY_LATER})


class Fault(Exception):
    """What no phone may ever be told."""


class Way:
    """The proxies of one phone, one to each node, and the asking through them."""

    def __init__(self, client: EasClient, nodes: Sequence[Node], random: Random, seen: Seen) -> None:
        self._client, self._nodes, self._random, self._seen = client, nodes, random, seen
        self._proxies: list[Proxy] = []
        self._stack = AsyncExitStack()
        self.is_lossy = True

    async def __aenter__(self) -> Self:
        self._proxies = [await self._stack.enter_async_context(Proxy(node.url)) for node in self._nodes]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def ask(self, action: Callable[[], Awaitable[T]], patience: float = PATIENCE_SECONDS) -> tuple[T, int]:
        """Do *action*, again and again until it is answered; return the answer, and how often in vain.

        Raises `Fault` for a refusal that does not pass, or when nobody answers.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        failed = 0
        while True:
            why = await self._lost(failed)
            try:
                answer = await action()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                last = repr(error)
                self._seen.counts[f"lost: {'cut by the proxy' if why else type(error).__name__}"] += 1
            except Refused as refused:
                if refused.answer.status not in LATER and refused.status not in LATER_STATUS:
                    raise Fault(f"{refused}") from refused
                last = repr(refused)
                self._seen.counts["told to come later"] += 1
            else:
                self._seen.counts["answers"] += 1
                self._seen.counts["answers after asking again"] += failed > 0
                self._seen.took(loop.time() - began)
                return answer, failed
            failed += 1
            if loop.time() - began > patience:
                raise Fault(f"no answer within {patience:.0f} s, asked {failed} times; last: {last}")
            await asyncio.sleep(self._random.random() * PAUSE_SECONDS_MAX)

    async def _lost(self, failed: int) -> bool:
        """Choose a node, and whether the answer shall be lost; a phone has better luck the longer it tries."""
        proxy = self._random.choice(self._proxies)
        self._client.url = URL(proxy.url).with_path(PATH)
        is_lost = self.is_lossy and self._random.random() < LOST_SHARE / (failed + 1)
        if is_lost:
            proxy.lose_after(self._random.randrange(self._random.choice(CUT_BYTES) + 1))
        else:
            proxy.heal()
        return is_lost
