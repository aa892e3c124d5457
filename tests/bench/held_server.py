"""A server in a process of its own, which holds whatever it is asked: `python -m tests.bench.held_server LOOP [PEM]`.

Prints its port.  Then it reads lines: for a number it waits until it holds so many, for `wake` it answers all it holds;
and prints how many those were.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop

from eas.protocol.exchange import EasResponse, Held, HttpRequest
from eas.wire import tls
from eas.wire.listeners import Listener
from eas.wire.server import Routes, Server

NEWS = EasResponse(body=b"\x03\x01\x6a\x00\x00\x0d\x45\x47\x03\x32\x00\x01\x01")


class Wait:
    """The least that can be held: a hub's own record comes on top."""

    __slots__ = ("reply", "waits")

    def __init__(self, waits: "set[Wait]") -> None:
        self.waits = waits

    def begin(self, reply: Callable[[EasResponse], None]) -> None:
        self.reply = reply
        self.waits.add(self)

    def abandon(self) -> None:
        self.waits.discard(self)


class Hub:
    def __init__(self) -> None:
        self.waits: set[Wait] = set()

    async def answer(self, request: HttpRequest) -> EasResponse | Held:
        return Wait(self.waits)

    def wake(self) -> int:
        waits = list(self.waits)
        self.waits.clear()
        for wait in waits:
            wait.reply(NEWS)
        return len(waits)


async def serve(pem: str | None) -> None:
    hub = Hub()
    server = Server(Routes(hub, hub))
    context = tls.server_context([tls.Chain(Path(pem))]) if pem else None
    [(_, port)] = await server.start([Listener("127.0.0.1", 0, context)])
    print(port, flush=True)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "wake":
            print(hub.wake(), flush=True)
        else:
            while len(hub.waits) < int(line):
                await asyncio.sleep(0.01)
            print(len(hub.waits), flush=True)
    await server.stop()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    factory = uvloop.new_event_loop if sys.argv[1] == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(sys.argv[2] if len(sys.argv) > 2 else None))
