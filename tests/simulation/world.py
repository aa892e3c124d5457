"""One history: who is there, what they begin and when, how it comes to rest.  What must hold then: `laws.py`."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

from eas.protocol.versions import Version
from storage.engine import EngineError
from storage.keyring.objects import Vault
from storage.keyring.slots import CHEAPEST
from storage.store import Store
from tests.simulation import errands, upkeep
from tests.simulation.bucket import Bucket, Direct
from tests.simulation.desk import Desk
from tests.simulation.feed import SimulatedFeed, Wire
from tests.simulation.history import History
from tests.simulation.ledger import Ledger
from tests.simulation.line import Lost
from tests.simulation.loop import Process
from tests.simulation.mails import Postfix
from tests.simulation.node import DEPLOYMENT_KEY, PASSWORD, USER, Device, Node, OneUser, Service
from tests.simulation.outgoing import MailServer
from tests.simulation.phone import Phone, Surroundings
from tests.simulation.truth import Truth
from tests.simulation.weather import DAY, MINUTE, Weather

NODES = 3
PHONES = (
    Device("ios1", "iPhone", "Apple-iPhone/1", Version.V16_1),
    Device("gmail2", "Android", "Android-Mail/2023", Version.V16_1),
    Device("aosp3", "Android", "Android/5.1-EAS-1.3", Version.V14_1),
    Device("nokia4", "NokiaE71", "Nokia", Version.V14_0),
)
ROUNDS_MAX = 60
_TROUBLE = (Lost, EngineError, TimeoutError)


class World:
    """Everything there is."""

    def __init__(self, random: Random) -> None:
        self.random, self.history, self.ledger = random, History(), Ledger()
        self.weather = Weather.of(random)
        self.bucket = Bucket(self.weather)
        self.wire = Wire(self.weather)
        self.mail_server = MailServer(random, self.weather, self.history)
        self.service = Service(random, self.bucket, self.wire, self.history, self.mail_server.submit)
        self.nodes: list[Node] = []
        self.postfix = Postfix(random, self.weather, self.history, self.nodes)
        self.desk = Desk(random, self.weather, self.history, self.ledger, self.nodes)
        self.phones: list[Phone] = []
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def open(self) -> None:
        """Make the account, and start the nodes."""
        engine = Direct(self.bucket)
        vault = Vault(engine, DEPLOYMENT_KEY, CHEAPEST, asyncio.Semaphore(1), lambda: self.history.now_ms)
        store = Store(engine, OneUser(), vault, SimulatedFeed(self.wire, "creation", Process()))
        self.service.unlocked = (await store.create(USER, PASSWORD)).unlocked
        self.wire.feeds.clear()
        self.nodes += [Node(self.service, f"node{number}") for number in range(1, NODES + 1)]
        account = self.nodes[0].account
        self.truth = Truth(self.bucket, account.id, account.keys, self.history)
        self.bucket.watcher = self.truth
        around = Surroundings(self.random, self.weather, self.history, self.ledger, self.nodes, self.truth)
        self.phones += [Phone(around, device) for device in PHONES]

    # -- living

    async def live(self, steps: int) -> None:
        """Begin *steps* things, most of them while others are under way.  Raises `LawBroken`."""
        for step in range(1, steps + 1):
            self.history.step = step
            await asyncio.sleep(self.weather.gap())
            self._begin_something()
            self.history.check()

    def _begin_something(self) -> None:
        actions = list(_ACTIONS)
        action = self.random.choices(actions, [_ACTIONS[action] for action in actions])[0]
        work = action(self)
        if work is not None:
            self._spawn(work)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.history.broken(f"nobody expects {error!r}")

    def _node(self) -> Node:
        return self.random.choice(self.nodes)

    def _deliver(self) -> Coroutine[Any, Any, None]:
        return self.postfix.deliver(self.postfix.accept())

    def _use(self) -> None:
        self.random.choice(self.phones).use()

    def _sync(self) -> Coroutine[Any, Any, None] | None:
        return self._by_phone(lambda phone: phone.sync(self._node()))

    def _move(self) -> Coroutine[Any, Any, None] | None:
        return self._by_phone(lambda phone: errands.move(phone, self._node()))

    def _change_folders(self) -> Coroutine[Any, Any, None] | None:
        return self._by_phone(lambda phone: errands.change_folders(phone, self._node(), self.history.step))

    def _by_phone(self, work: Callable[[Phone], Awaitable[object]]) -> Coroutine[Any, Any, None] | None:
        phone = self.random.choice(self.phones)
        return None if phone.is_busy else self._alone(phone, work)

    async def _alone(self, phone: Phone, work: Callable[[Phone], Awaitable[object]]) -> None:
        """A phone makes one request of this kind at a time."""
        phone.is_busy = True
        try:
            await work(phone)
        except _TROUBLE as error:
            self.history.say(f"{phone.name}: {type(error).__name__}")
        finally:
            phone.is_busy = False

    def _send(self) -> Coroutine[Any, Any, None]:
        return errands.send(self.random.choice(self.phones), self.mail_server.letter())

    def _desk(self) -> Coroutine[Any, Any, None]:
        return self.desk.change(self._node())

    def _undelete(self) -> Coroutine[Any, Any, None]:
        return self.desk.undelete(self._node())

    def _keep_up(self) -> Coroutine[Any, Any, None]:
        return upkeep.something(self._node(), self.random, self.history)

    def _jump(self) -> None:
        self._node().jump()

    def _kill(self) -> None:
        node = self._node()
        self.history.say(f"{node.name}: restarted")
        node.restart()

    def _cut_off(self) -> None:
        node = self._node()
        node.engine.is_cut_off = not node.engine.is_cut_off
        self.history.say(f"{node.name}: {'cut off' if node.engine.is_cut_off else 'connected'}")

    def _revive(self) -> None:
        for node in self.nodes:
            if not node.is_up:
                self.history.say(f"{node.name}: up again")
                node.restart()

    # -- resting

    async def rest(self) -> None:
        """Let all that is under way end, and the phones synchronise until nothing is new.  Raises `LawBroken`."""
        self.history.say("all is fair from here on")
        self.weather.is_fair = True
        self._mend()
        while self._tasks or self.bucket.on_the_way:
            await asyncio.sleep(6 * MINUTE)
        await asyncio.sleep(4 * DAY)  # whatever was suspended goes on and ends
        self._mend()  # also what died of a fault that was drawn before
        await self.synchronise()

    def _mend(self) -> None:
        for node in self.nodes:
            node.skew_ms, node.engine.is_cut_off = 0, False
        self._revive()

    async def synchronise(self) -> None:
        """Let every phone synchronise until nothing is new.  Raises `LawBroken`."""
        for round_ in range(ROUNDS_MAX):
            self.wire.rescan()
            is_news = False
            for place, phone in enumerate(self.phones):
                node = self.nodes[(round_ + place) % NODES]
                try:
                    is_news |= await phone.sync(node, is_thorough=True)
                except EngineError as error:  # of a node whose pages were collected: once, and then it opens anew
                    self.history.say(f"{phone.name} via {node.name}: {error}")
                    is_news = True
                self.history.check()
            if not is_news:
                return
        self.history.broken("the phones never come to rest")
        self.history.check()


_ACTIONS: dict[Callable[[World], Coroutine[Any, Any, None] | None], int] = {
    World._deliver: 18,
    World._use: 20,
    World._sync: 40,
    World._move: 4,
    World._change_folders: 3,
    World._send: 2,
    World._desk: 5,
    World._undelete: 2,
    World._keep_up: 12,
    World._jump: 2,
    World._kill: 2,
    World._cut_off: 1,
    World._revive: 4,
}
"""What may begin, and how often in comparison."""
