"""A node of the simulated service: the real account, log, fold, plan and views, on a shared engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from eas.sync.collection import Collection, LostView, UnknownKey, first_view, living_view
from eas.sync.delta import Act, Step, own_softs
from eas.sync.plan import make_plan
from storage import objects
from storage.account import Account
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.cursor import WHOLE, Rid, join
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.identity import Identity
from storage.log import Writer
from storage.records import Added, FolderSet, Record, Set, ViewMade
from storage.seal import new_key_pair
from storage.state import Commit, State
from storage.views import BOTTOM, Floor, ViewId

MINUTE_MS = 60_000
ACCOUNT = "0" * 32
PRIVATE, PUBLIC = new_key_pair()
KEYS = AccountKeys.derive(b"m" * 32, [PRIVATE])


@dataclass(frozen=True, slots=True)
class Act_:  # noqa: N801  # a client's act, beside delta's Act
    """What a phone's user did to an item: `set`, `del` or `add`."""

    what: str
    item: str
    name: str = ""
    value: Any = None


@dataclass(slots=True)
class Answer:
    """What a phone gets: the next key (None: status 3), what to do, whether there is more, its Adds' ids."""

    key: ViewId | None
    steps: list[tuple[Act, str, dict[str, Any]]]
    more: bool
    added: dict[str, str]


class Node:
    """One process of one machine, whose clock may be off."""

    def __init__(self, random: Random, store: MemoryObjects, now: "Now") -> None:
        self.random, self.now, self.skew = random, now, random.choice([0, 0, -30, 30]) * MINUTE_MS
        self.engine = MemoryEngine(store, list_page=random.choice([2, 5, 50]))
        self.restart()

    def restart(self) -> None:
        """Forget everything in memory: another process, other writers."""
        self.clock = Clock(lambda: self.now.ms + self.skew)
        self.account = Account(self.engine, ACCOUNT, Identity("u@example.test"), KEYS, self.clock, self._writer(False))
        self.postman = self._writer(True)

    def _writer(self, delivers: bool) -> Writer:
        def make(name: str, header: objects.Header, time: int, records: Sequence[Record]) -> bytes:
            if delivers:
                return objects.make_delivered(name, PUBLIC, header, time, [r for r in records if isinstance(r, Added)])
            return objects.make_own(name, KEYS.log.log, header, time, records)

        def new_writer() -> str:
            return f"{self.random.getrandbits(64):016x}"

        return Writer(
            self.engine, ACCOUNT, self.clock, make, delivers=delivers, published=_nobody, new_writer=new_writer
        )

    async def deliver(self, item: str, date_ms: int) -> None:
        """Deliver a mail, as an LMTP process does: it has read nothing."""
        await self.postman.append([Added(item, "inbox", "Email", date_ms, None)])

    async def change(self, sets: list[tuple[str, str, Any]]) -> None:
        """Change items as somebody at a desk would: several in one commit, stamped now."""
        async with self.account.turn(fresh=self.random.random() < 0.5) as state:
            known = await state.items(item for item, _, _ in sets)
            if records := [Set(item, name, value) for item, name, value in sets if item in known]:
                await self.account.commit(records)

    async def remove_folder(self, folder: str) -> None:
        """Remove a folder: its members, also those that come later, rest in the Trash."""
        async with self.account.turn(fresh=False):
            await self.account.commit([FolderSet(folder, "gone", True)])

    async def look(self) -> None:
        """Fold some of what there is, at some moment."""
        async with self.account.turn():
            pass

    async def sync(
        self, device: str, folder: str, key: ViewId | None, acts: list[Act_], size: int, period: int | None
    ) -> Answer:
        """Answer a Sync of one collection, as the command does."""
        async with self.account.turn(fresh=key is None or self.random.random() < 0.7) as state:
            if key is None:
                return await self._begin(state, device, folder)
            try:
                answer = await self._answer(state, device, folder, key, acts, size, period)
            except (UnknownKey, LostView):
                answer = None
            if answer is None:  # something to tell, or to refuse: look again, at everything there is
                await self.account.make_fresh()
                try:
                    answer = await self._answer(state, device, folder, key, acts, size, period, certain=True)
                except UnknownKey:
                    return Answer(None, [], False, {})
            assert answer is not None
        if self.random.random() < 0.05:
            await self.account.checkpoint()
        return answer

    async def _begin(self, state: State, device: str, folder: str) -> Answer:
        writer, n = self.account.next_place
        rid = Rid(self.account.tick(), writer, n, 1)
        await self.account.commit([ViewMade(first_view(device, folder, rid, state))])
        return Answer(ViewId(writer, n, 1), [], True, {})

    async def _answer(
        self,
        state: State,
        device: str,
        folder: str,
        key: ViewId,
        acts: list[Act_],
        size: int,
        period: int | None,
        certain: bool = False,
    ) -> Answer | None:
        view = living_view(state, key, device, folder)
        collection = Collection(self.account, state, key, view)
        await self._apply(collection, acts)
        writer, n = self.account.next_place
        supposed = Commit(writer, n, self.account.tick(), collection.records)
        after = await state.supposing(supposed)
        own = set(supposed.rids())
        again = (await after.items(collection.again)).values()
        own |= {add.rid for item in again for add in item.adds if add.device == view.device}
        head = join(after.head, {writer: (n, WHOLE)})
        goal, window = self._goal(period)
        plan = await make_plan(after, key, view, own, head, goal=goal, window=window, size=size)
        if plan.is_empty and not collection.records and not collection.added:
            return Answer(key, [], False, {})
        if not certain:
            return None
        told = min(max(size, plan.forced()), len(plan.steps))
        if acts and self.random.random() < 0.15:  # GetChanges 0: the phone wants its own acts done, and no news
            told = 0
        elif self.random.random() < 0.3:  # the answer grew too large, or took too long
            told = max(plan.forced(), self.random.randint(min(1, told), told))
        told = plan.whole(told)
        steps = plan.steps[:told]
        of_own = (await after.items(item for item, _ in collection.added.values())).values()
        softs = own_softs(plan.known, of_own, after.folders, plan.floor_after(told), {step.item.id for step in steps})
        new = plan.view_after(told, collection.added)
        await self.account.commit([*collection.records, ViewMade(new)])
        added = {client_id: item for client_id, (item, _) in collection.added.items()}
        told_steps = [(step.act, step.item.id, _values(step)) for step in [*steps, *softs]]
        return Answer(ViewId(writer, n, len(collection.records) + 1), told_steps, told < len(plan.steps), added)

    async def _apply(self, collection: Collection, acts: list[Act_]) -> None:
        for act in acts:
            if act.what == "add":
                collection.add(act.item, "Email", self.now.ms + self.skew, None, act.value)
                continue
            item = await collection.state.item(act.item)
            if item is None or collection.state.folders.resting_place(item).folder != collection.view.folder:
                continue  # Status 8
            if act.what == "set":
                collection.set(act.item, act.name, act.value, item.registers.get(act.name))
            else:
                collection.remove(act.item, act.value, item.registers.get("folder"))

    def _goal(self, period: int | None) -> tuple[Floor, int]:
        if period is None:
            return BOTTOM, 0
        now = (self.now.ms + self.skew) // (10 * MINUTE_MS) * 10 * MINUTE_MS
        return Floor(now - period * MINUTE_MS, ""), period


@dataclass(slots=True)
class Now:
    """The true time."""

    ms: int


def _nobody(account: str, writer: str, n: int) -> None:
    """Nobody is told of news here."""


def _values(step: Step) -> dict[str, Any]:
    if step.act is Act.ADD:
        return {name: step.item.value(name, 0) for name in ("read", "flag")}
    return {name: step.item.value(name, 0) for name in step.names}
