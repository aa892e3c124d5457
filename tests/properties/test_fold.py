"""The fold: any order, any repetition, any batching, and checkpoints anywhere in between give the same state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from storage import checkpoint, marks, pages
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.engine_memory import MemoryEngine
from storage.folders import TRASH
from storage.state import Commit, State
from storage.views import BOTTOM, TOP
from tests.properties.histories import FOLDERS, ITEMS, histories, item_histories
from tests.storage.nodes import ACCOUNT, KEYS

CUT_CHANCE = 0.2
SMALL_PAGE_ROWS = 3
randoms = st.integers(0, 1 << 32).map(Random)


@dataclass
class Folding:
    """A fold in batches, with a checkpoint written and loaded again now and then."""

    random: Random
    cut_chance: float = CUT_CHANCE

    def __post_init__(self) -> None:
        self.engine = MemoryEngine()
        self.pages = SealedPages(self.engine, ACCOUNT, KEYS.page)

    async def run(self, commits: Sequence[Commit]) -> State:
        state, rest = State(Base(self.pages)), list(commits)
        while rest:
            size = self.random.choice([1, 1, 2, 5])
            batch, rest = rest[:size], rest[size:]
            await state.bring(batch)
            for commit in batch:
                state.fold(commit)
            if self.random.random() < self.cut_chance:
                state = await self.reloaded(state)
        return state

    async def reloaded(self, state: State) -> State:
        await checkpoint.write(self.engine, ACCOUNT, KEYS.checkpoint, state)
        (name,) = await checkpoint.names(self.engine, ACCOUNT)
        loaded = await checkpoint.load(self.engine, ACCOUNT, KEYS.checkpoint, self.pages, name)
        await self.engine.delete([name])
        return loaded


async def _everything(state: State) -> dict[str, Any]:
    rows = {item.id: item async for item in state._all()}
    asked = await state.items(ITEMS)
    assert asked == rows
    return {
        "rows": rows,
        "contents": await state.contents(ITEMS),
        "sizes": {item.id: item.size_bytes for item in rows.values()},
        "tree": dict(state.folders.tree()),
        "folders": (state.folders.registers, state.folders.gone),
        "views": {view_id: (state.views.time(view_id), view) for view_id, view in state.views._views.items()},
        "devices": state.devices.registers,
        "sends": state.sends,
        "commits": state.commits,
        "head": state.head,
        "time": state.time,
        "members": {folder: await state.floors(folder, BOTTOM, TOP) for folder in FOLDERS},
    }


async def _folded(commits: Sequence[Commit], random: Random | None = None) -> dict[str, Any]:
    if random is None:
        return await _everything(await Folding(Random(0), cut_chance=0).run(commits))
    with patch.object(pages, "ROWS_MAX", SMALL_PAGE_ROWS), patch.object(marks, "WRITERS_MIN", 0):
        return await _everything(await Folding(random).run(commits))


def _same(commits: Sequence[Commit], others: Sequence[Commit], random: Random) -> None:
    plain, mixed = asyncio.run(_folded(commits)), asyncio.run(_folded(others, random))
    for name in plain:
        assert mixed[name] == plain[name], name


@given(histories(), randoms)
def test_checkpoints_anywhere_change_nothing(commits: list[Commit], random: Random) -> None:
    _same(commits, commits, random)


@given(histories(), randoms)
def test_any_order_and_repetition_folds_to_the_same_state(commits: list[Commit], random: Random) -> None:
    _same(commits, random.sample(commits, len(commits)) + random.sample(commits, len(commits) // 2), random)


@given(histories(), randoms)
def test_a_writer_s_order_is_no_more_than_one_of_them(commits: list[Commit], random: Random) -> None:
    waiting = {writer: [c for c in commits if c.writer == writer] for writer in {c.writer for c in commits}}
    interleaved: list[Commit] = []
    while left := sorted(writer for writer, rest in waiting.items() if rest):
        interleaved.append(waiting[random.choice(left)].pop(0))
    _same(commits, interleaved, random)


@given(item_histories, randoms)
def test_supposing_a_commit_is_folding_it_somewhere_else(commits: list[Commit], random: Random) -> None:
    async def supposed() -> None:
        folding = Folding(random)
        state = await folding.run(commits[:-1])
        before = await _everything(state)
        after = await _everything(await state.supposing(commits[-1]))
        assert await _everything(state) == before
        await state.bring(commits[-1:])
        state.fold(commits[-1])
        assert after == await _everything(state)

    if commits:
        asyncio.run(supposed())


@given(histories(), randoms)
def test_the_tree_has_no_rings_no_doubles_and_nothing_that_is_gone(commits: list[Commit], random: Random) -> None:
    tree = asyncio.run(_folded(commits))["tree"]
    for folder in tree.values():
        seen, parent = {folder.id}, folder.parent
        while parent is not None:
            assert parent in tree
            assert parent not in seen
            seen.add(parent)
            parent = tree[parent].parent
    names = [(folder.parent, folder.name.casefold()) for folder in tree.values()]
    assert len(set(names)) == len(names)
    assert TRASH.id in tree
