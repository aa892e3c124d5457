"""Joining checkpoints: whoever folded what, and wrote it down when, all of it together is the whole account."""

import asyncio
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from storage import checkpoint, joining, pages
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.engine_memory import MemoryEngine
from storage.records import Added, Set
from storage.state import Commit, State
from tests.properties.histories import WRITERS, histories
from tests.properties.test_fold import SMALL_PAGE_ROWS, _everything
from tests.storage.nodes import ACCOUNT, KEYS, content, mail

randoms = st.integers(0, 1 << 32).map(Random)


class Several:
    """Nodes that fold parts of one log, each writer's in order, write checkpoints and join those of others."""

    def __init__(self, random: Random, count: int = 3) -> None:
        self.random, self.engine = random, MemoryEngine()
        self.pages = SealedPages(self.engine, ACCOUNT, KEYS.page)
        self.states = [State(Base(self.pages)) for _ in range(count)]
        self.now = 1

    async def fold(self, state: State, commits: list[Commit]) -> None:
        for commit in commits:
            if commit.n == state.commits.get(commit.writer, 0) + 1 and self.random.random() < 0.7:
                await state.bring([commit])
                state.fold(commit)
                state.chain[commit.writer] = bytes([commit.n])

    async def write(self, state: State) -> str:
        self.now += 1
        return await checkpoint.write(self.engine, ACCOUNT, KEYS.checkpoint, state, self.now)

    async def load(self, name: str) -> State:
        return await checkpoint.load(self.engine, ACCOUNT, KEYS.checkpoint, self.pages, name)

    async def live(self, commits: list[Commit]) -> None:
        names: list[str] = []
        for _ in range(12):
            state, act = self.random.choice(self.states), self.random.random()
            if act < 0.5:
                await self.fold(state, commits)
            elif act < 0.75:
                names.append(await self.write(state))
            elif names:
                await joining.join(state, await self.load(self.random.choice(names)))

    async def rest(self) -> list[State]:
        """Let everybody join what everybody wrote at last, or be opened anew from it."""
        names = [await self.write(state) for state in self.states]
        for at in range(len(self.states)):
            if self.random.random() < 0.3:
                self.states[at] = await self.load(self.random.choice(names))
            for name in self.random.sample(names, len(names)):
                await joining.join(self.states[at], await self.load(name))
        return self.states


def numbered(commits: list[Commit]) -> list[Commit]:
    """Number each writer's commits without gaps, in the order in which they stand."""
    numbers = dict.fromkeys(WRITERS, 0)
    found = []
    for commit in sorted(commits, key=lambda each: (each.time, each.writer)):
        numbers[commit.writer] += 1
        found.append(Commit(commit.writer, numbers[commit.writer], commit.time, commit.records))
    return found


async def _joined(commits: list[Commit], random: Random) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    several = Several(random)
    await several.live(commits)
    for state in several.states:
        random.shuffle(commits)
        await several.fold(state, sorted(commits, key=lambda commit: commit.n))
    states = await several.rest()
    covered = states[0].commits
    plain = State(Base(several.pages))
    for commit in sorted(commits, key=lambda each: each.time):
        if commit.n <= covered.get(commit.writer, 0):
            await plain.bring([commit])
            plain.fold(commit)
    return await _everything(plain), [await _everything(state) for state in states]


@given(histories(), randoms)
def test_joined_checkpoints_are_the_fold_of_all_that_any_of_them_folded(commits: list[Commit], random: Random) -> None:
    with patch.object(pages, "ROWS_MAX", SMALL_PAGE_ROWS):
        plain, joined = asyncio.run(_joined(numbered(commits), random))
    for each in joined:
        for name in plain:
            if name != "sends":  # what is long over is forgotten when a checkpoint is written
                assert each[name] == plain[name], name


@given(histories(), randoms)
def test_the_journal_of_joined_states_leaves_out_no_record(commits: list[Commit], random: Random) -> None:
    async def run() -> None:
        several, log = Several(random), numbered(commits)
        await several.live(log)
        for state in await several.rest():
            for _ in range(5):
                cursor = {
                    writer: (random.randint(1, n), random.randint(0, 3)) for writer, n in state.commits.items() if n
                }
                told = state.journal.after(cursor)
                if told is None:
                    continue
                for commit in log:
                    for rid, record in zip(commit.rids(), commit.records, strict=True):
                        seen = cursor.get(commit.writer, (0, 0))
                        is_folded = commit.n <= state.commits.get(commit.writer, 0)
                        if isinstance(record, Added | Set) and is_folded and (rid.n, rid.place) > seen:
                            assert record.item in told

    with patch("storage.journal.ENTRIES_KEPT", 4):
        asyncio.run(run())


async def _two() -> tuple[Several, State, State]:
    several = Several(Random(0), 2)
    one, other = several.states
    for state in (one, other):
        await fold(state, Commit(WRITERS[0], 1, 1, [mail(f"{n}item") for n in range(4)]))
    return several, one, other


async def fold(state: State, commit: Commit) -> None:
    await state.bring([commit])
    state.fold(commit)
    state.chain[commit.writer] = bytes([commit.n])


async def test_a_base_that_covers_ours_takes_its_place_and_empties_the_overlay() -> None:
    several, one, other = await _two()
    await several.write(one)
    await fold(one, Commit(WRITERS[0], 2, 2, [Set("1item", "read", True)]))
    await fold(other, Commit(WRITERS[0], 2, 2, [Set("1item", "read", True)]))
    await fold(one, Commit(WRITERS[1], 1, 3, [Set("2item", "read", True), Set("1item", "flag", 5)]))
    name = await several.write(other)
    await joining.join(one, await several.load(name))
    assert one.root == name
    assert sorted(one.touched) == ["1item", "2item"]
    rows = await one.items(["1item", "2item"])
    assert (rows["1item"].value("read"), rows["1item"].value("flag"), rows["2item"].value("read")) == (True, 5, True)


async def test_a_content_that_is_newer_on_either_side_is_the_one_that_counts() -> None:
    several, one, other = await _two()
    await fold(
        one, Commit(WRITERS[0], 2, 2, [Set("1item", "content", content(1)), Set("2item", "content", content(2))])
    )
    await several.write(one)
    await fold(other, Commit(WRITERS[1], 1, 1, [Set("1item", "content", content(3))]))
    await fold(other, Commit(WRITERS[1], 2, 3, [Set("2item", "content", content(4))]))
    name = await several.write(other)
    await joining.join(one, await several.load(name))
    assert await one.contents(["1item", "2item"]) == {"1item": content(1), "2item": content(4)}


async def test_a_row_that_the_other_side_purged_is_gone_but_for_what_it_did_not_know() -> None:
    several, one, other = await _two()
    for state in (one, other):
        await fold(state, Commit(WRITERS[0], 2, 2, [Set("1item", "folder", None), Set("2item", "folder", None)]))
    await several.write(one)
    await fold(one, Commit(WRITERS[1], 1, 9, [Added("2item", "inbox", "Email", 9, None)]))
    for item in ("1item", "2item"):
        other.touched[item] = type(other.touched[item])(item)  # as purging leaves it
    name = await several.write(other)
    assert (await other.items(["1item", "2item"])) == {}
    await joining.join(one, await several.load(name))
    rows = await one.items(["1item", "2item"])
    assert list(rows) == ["2item"]
    assert rows["2item"].membership.folder == "inbox"
    await fold(other, Commit(WRITERS[1], 1, 9, [Added("2item", "inbox", "Email", 9, None)]))
    assert (await other.items(["2item"])) == rows


async def test_what_we_purged_does_not_come_back_from_an_older_checkpoint() -> None:
    several, one, other = await _two()
    old = await several.write(other)
    await fold(other, Commit(WRITERS[2], 1, 1, [mail("5item")]))
    beside = await several.write(other)
    await fold(one, Commit(WRITERS[0], 2, 2, [Set("1item", "folder", None)]))
    one.touched["1item"] = type(one.touched["1item"])("1item")
    await several.write(one)
    for name in (old, beside):
        await joining.join(one, await several.load(name))
        assert "1item" not in await one.items(["1item"])
    assert "5item" in await one.items(["5item"])
