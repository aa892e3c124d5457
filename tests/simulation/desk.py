"""Somebody at a desk: changes to many items in one commit, by no phone; and what an administrator does."""

import asyncio
from collections.abc import Hashable
from random import Random

from storage.engine import EngineError
from storage.folders import INBOX
from storage.records import Record, Set, Value
from storage.removed import bring_back, removed_items
from storage.state import State
from storage.views import BOTTOM, TOP
from tests.simulation.history import History
from tests.simulation.ledger import Claim, Ledger
from tests.simulation.line import Lost, over_the_line
from tests.simulation.node import Node
from tests.simulation.weather import MINUTE, Weather

DESK = "desk"


class Desk:
    """A client without a device."""

    def __init__(self, random: Random, weather: Weather, history: History, ledger: Ledger, nodes: list[Node]) -> None:
        self.random, self.weather, self.history, self.ledger, self.nodes = random, weather, history, ledger, nodes
        self._count = 0

    async def change(self, node: Node) -> None:
        """File, mark or throw away some items, wherever they are."""
        try:
            await over_the_line(self.weather, self.nodes, node, self._change, 10 * MINUTE)
        except (Lost, EngineError, TimeoutError) as error:
            self.history.say(f"desk via {node.name}: {type(error).__name__}")

    async def _change(self, node: Node) -> None:
        began = asyncio.get_running_loop().time()
        async with node.account.turn() as state:
            claims = await self._claims(state, began)
            records: list[Record] = [Set(claim.item, claim.name, _stored(claim.value)) for claim in claims]
            if not records:
                return
            await node.account.commit(records)
        for claim in claims:
            claim.acked = asyncio.get_running_loop().time()
        self.history.say(f"desk via {node.name}: {', '.join(f'{c.item} {c.name}={c.value}' for c in claims)}")

    async def undelete(self, node: Node) -> None:
        """Bring back what was removed, as the administrator's command does."""
        try:
            await over_the_line(self.weather, self.nodes, node, self._undelete, 10 * MINUTE)
        except (Lost, EngineError, TimeoutError) as error:
            self.history.say(f"undelete via {node.name}: {type(error).__name__}")

    async def _undelete(self, node: Node) -> None:
        began = asyncio.get_running_loop().time()
        async with node.account.turn() as state:
            found = [one.item.id async for one in removed_items(state)]
        wanted = self.random.sample(sorted(found), min(len(found), 2))
        claims = {item: self.ledger.claim(item, "folder", INBOX.id, DESK, began) for item in wanted}
        done = await bring_back(node.account, wanted, node.now_ms(), INBOX.id)
        for item in done.back:
            claims[item].acked = asyncio.get_running_loop().time()
        for item in done.lost:
            self.history.broken(f"{item} could still be brought back, and its content is gone")
        self.history.say(f"undelete via {node.name}: back {done.back}, too late {done.too_late}")

    async def _claims(self, state: State, began: float) -> list[Claim]:
        random, tree = self.random, state.folders.tree()
        folders = [folder for folder in sorted(tree) if tree[folder].holds == "Email"]
        members = [floor.item for folder in folders for floor in await state.floors(folder, BOTTOM, TOP)]
        claims: list[Claim] = []
        for item in random.sample(members, min(len(members), random.choice([1, 1, 3, 5]))):
            self._count += 1
            name = random.choice(["folder", "folder", "read", "categories"])
            values = {
                "folder": random.choice([*folders, None]),
                "read": random.random() < 0.5,
                "categories": (f"desk {self._count}",),
            }
            claims.append(self.ledger.claim(item, name, values[name], DESK, began))
        return claims


def _stored(value: Hashable) -> Value:
    return list(value) if isinstance(value, tuple) else value
