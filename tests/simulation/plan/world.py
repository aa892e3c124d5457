"""Random histories of a small world, and the laws that must hold in each.

Three nodes with clocks that are off and restarts, two phones, a desk; deliveries (some twice), moves in chains and
back, deletes, a folder that is removed while others move things into it, filter changes, tiny windows; answers lost
or half applied, requests executed late when nobody listens.

Laws: a phone that applies every answer ends equal to the server; it is never told a Change of an item it does not have;
its key is never refused; quiescence is reached.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from eas.sync.delta import Act
from storage.engine_memory import MemoryObjects
from storage.state import State
from storage.views import Floor, ViewId
from tests.simulation.plan.node import MINUTE_MS, Act_, Answer, Node, Now

FOLDERS = ("inbox", "archive", "trash", "drafts", "paper")
SYNCED = FOLDERS[:3]


class LawBroken(AssertionError):
    """A law does not hold in this history."""


@dataclass
class Phone:
    """A phone: what it has, what its user did since the last Sync, its keys."""

    world: "World"
    name: str
    keys: dict[str, ViewId | None] = field(default_factory=lambda: dict.fromkeys(SYNCED))
    has: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {f: {} for f in SYNCED})
    acts: dict[str, list[Act_]] = field(default_factory=lambda: {f: [] for f in SYNCED})
    periods: dict[str, int | None] = field(default_factory=dict)
    half: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(SYNCED, False))
    clients: int = 0

    def __post_init__(self) -> None:
        for folder in SYNCED:
            self.periods[folder] = self.world.random.choice([None, 20, 40])

    def use(self) -> None:
        """The user does something."""
        random, folder = self.world.random, self.world.random.choice(SYNCED)
        here, acts = self.has[folder], self.acts[folder]
        synced = [item for item in here if not item.startswith("local")]
        chance = random.random()
        if chance < 0.5 and synced:
            item, name, value = random.choice(synced), random.choice(["read", "flag"]), random.randint(1, 10**6)
            acts[:] = [act for act in acts if not (act.what == "set" and (act.item, act.name) == (item, name))]
            acts.append(Act_("set", item, name, value))
            here[item][name] = value
        elif chance < 0.65 and synced:
            item = random.choice(synced)
            acts[:] = [act for act in acts if act.item != item]
            acts.append(Act_("del", item, value=None if folder == "trash" else random.choice(["trash", None])))
            del here[item]
        elif chance < 0.85:
            self.clients += 1
            values = {"read": self.clients, "flag": 0}
            acts.append(Act_("add", str(self.clients), value=values))
            here[f"local{self.clients}"] = dict(values)
        elif acts and acts[-1].what == "add":
            here.pop(f"local{acts.pop().item}", None)
        if random.random() < 0.05:
            self.periods[folder] = random.choice([None, 20, 40])

    async def sync(self, folder: str, *, quiet: bool = False) -> bool:
        """Synchronise a folder, on some node, over some line.  Return whether there is more to do."""
        random, world = self.world.random, self.world
        key = self.keys[folder]
        sent = list(self.acts[folder]) if key is not None else []
        if not quiet and random.random() < 0.2:
            sent = sent[: random.randint(0, len(sent))]
        node, size, period = random.choice(world.nodes), random.choice([1, 2, 3, 10]), self.periods[folder]
        fate = 1.0 if quiet else random.random()

        async def request() -> Answer:
            return await node.sync(self.name, folder, key, sent, size, period)

        if fate < 0.10:  # executed later, when nobody listens
            world.late.append((world.now.ms + random.randint(5, 60) * MINUTE_MS, request))
            return True
        answer = await request()
        if answer.key is None:
            raise LawBroken(f"{self.name}: the key of {folder} was refused")
        if fate < 0.25:
            return True
        self._apply(folder, sent, answer, half=fate < 0.35)
        return answer.more or bool(self.acts[folder])

    def _apply(self, folder: str, sent: list[Act_], answer: Answer, *, half: bool) -> None:
        here, acts = self.has[folder], self.acts[folder]
        steps = answer.steps
        if half:
            steps = steps[: self.world.random.randint(0, len(steps))]
        else:
            acts[:] = [act for act in acts if act not in sent]
            self._name_own(folder, answer.added)
        for what, item, values in steps:
            if any(act.item == item and act.what == "del" for act in acts):
                continue
            mine = {act.name: act.value for act in acts if act.what == "set" and act.item == item}
            if what is Act.ADD:
                here[item] = {**values, **mine}
            elif what is Act.CHANGE:
                if item in here:
                    here[item].update({**values, **mine})
                elif not half:
                    raise LawBroken(f"{self.name}: told a Change of {item}, which it does not have")
            else:
                here.pop(item, None)
                acts[:] = [act for act in acts if act.item != item]
        self.half[folder] = half
        if not half:
            self.keys[folder] = answer.key

    def _name_own(self, folder: str, added: dict[str, str]) -> None:
        for client_id, item in added.items():
            local = self.has[folder].pop(f"local{client_id}", None)
            if local is not None and not any(act.item == item and act.what == "del" for act in self.acts[folder]):
                self.has[folder].setdefault(item, local)  # half an answer may have brought it already, and be changed


def run(seed: int, steps: int) -> str | None:
    """Run one history; return what went wrong, or None."""
    try:
        asyncio.run(World(seed).run(steps))
    except LawBroken as broken:
        return f"seed {seed}: {broken}"
    return None


class World:
    """One random history."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = Now(1_700_000_000_000)
        store = MemoryObjects()
        self.nodes = [Node(self.random, store, self.now) for _ in range(3)]
        self.phones = [Phone(self, f"phone{number}") for number in range(2)]
        self.late: list[tuple[int, Callable[[], Awaitable[Answer]]]] = []
        self.mails = 0

    async def run(self, steps: int = 60) -> None:
        """Live for *steps*, then come to rest, then check.  Raises `LawBroken`."""
        for _ in range(steps):
            self.now.ms += self.random.randint(0, 3) * MINUTE_MS
            await self._execute_late(self.now.ms)
            await self._step()
        await self._execute_late(1 << 60)
        await self._rest()
        await self._check()

    async def _execute_late(self, until: int) -> None:
        due = [entry for entry in self.late if entry[0] <= until]
        self.late = [entry for entry in self.late if entry[0] > until]
        for _, request in due:
            await request()

    async def _step(self) -> None:
        random, node, chance = self.random, self.random.choice(self.nodes), self.random.random()
        if chance < 0.16:
            await self._deliver(node)
        elif chance < 0.36:
            await self._desk(node)
        elif chance < 0.5:
            await node.look()
        elif chance < 0.51:
            await node.remove_folder("paper")
        elif chance < 0.53:
            node.restart()
        elif chance < 0.72:
            random.choice(self.phones).use()
        else:
            await random.choice(self.phones).sync(random.choice(SYNCED))

    async def _deliver(self, node: Node) -> None:
        self.mails += 1
        item, date = f"m{self.mails:03}", self.now.ms - self.random.choice([0, 0, 0, 5, 15, 30]) * MINUTE_MS
        await node.deliver(item, date)
        if self.random.random() < 0.15:
            await self.random.choice(self.nodes).deliver(item, date + self.random.choice([0, 1]) * MINUTE_MS)

    async def _desk(self, node: Node) -> None:
        random = self.random
        state = await self._state(node)
        items = [item.id async for item in state._all()]
        items.sort()
        sets: list[tuple[str, str, Any]] = []
        for item in random.sample(items, min(len(items), random.choice([1, 1, 3, 5]))):
            name = random.choice(["folder", "folder", "read", "flag"])
            folder = random.choice([*FOLDERS, None] if random.random() < 0.5 else FOLDERS)
            sets.append((item, name, folder if name == "folder" else random.randint(1, 10**6)))
        if sets:
            await node.change(sets)

    async def _state(self, node: Node) -> State:
        async with node.account.turn(fresh=False) as state:
            return state

    async def _rest(self) -> None:
        for round_ in range(400):
            again = False
            for phone in self.phones:
                for folder in SYNCED:
                    again |= phone.keys[folder] is None
                    again |= await phone.sync(folder, quiet=True)
            if not again and round_ > 3:
                break
        else:
            raise LawBroken("no quiescence")
        for node in self.nodes:
            node.skew = 0
        for phone in self.phones:
            for folder in SYNCED:
                for _ in range(10):
                    await phone.sync(folder, quiet=True)

    async def _check(self) -> None:
        node = self.nodes[0]
        async with node.account.turn() as state:
            for phone in self.phones:
                for folder in SYNCED:
                    key = phone.keys[folder]
                    assert key is not None
                    view = state.views.get(key)
                    assert view is not None
                    members = await state.members(folder, view.floor, Floor(1 << 61, ""))
                    want = {item.id: {name: item.value(name, 0) for name in ("read", "flag")} for item in members}
                    if want != phone.has[folder]:
                        raise LawBroken(f"{phone.name} {folder}: {_difference(want, phone.has[folder])}")


def _difference(want: dict[str, Any], has: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        item: (want.get(item), has.get(item)) for item in want.keys() | has.keys() if want.get(item) != has.get(item)
    }
