"""The collector and packs: small old contents move, what they moved away from goes, and each stays readable."""

from random import Random
from unittest.mock import patch

import pytest

from storage import paths
from storage.blobs import Range
from storage.collecting import packing
from storage.collecting.collector import DAY_MS, Collected, Grace, collect
from storage.collecting.packing import BLOBS_MIN
from storage.engine import NotFound
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.paths import Kind
from storage.records import Added, Content, Set
from tests.storage.nodes import ACCOUNT, NOW_MS, Node
from tests.support.engines import CountingEngine, Crash, CrashingEngine

HOUR_MS = 3_600_000
COUNT = BLOBS_MIN + 4


def text_of(item: str) -> bytes:
    return f"the text of {item} ".encode() * 9


async def collected(node: Node, after_ms: int, *, is_dry: bool = False, is_deep: bool = True) -> Collected:
    done = await collect(node.engine, node.account, NOW_MS + after_ms, is_dry=is_dry, is_deep=is_deep)
    assert not done.refused
    return done


async def filled(node: Node, count: int = COUNT) -> None:
    """Let mails come, and a checkpoint."""
    for number in range(count):
        item = f"{number:03}item"
        content = await node.account.store(text_of(item), None)
        await node.commit(Added(item, "inbox", "Email", NOW_MS + number, content))
    await node.account.checkpoint()


async def contents(node: Node) -> dict[str, Content]:
    async with node.account.turn() as state:
        return await state.contents([item.id async for item in state._all()])


async def all_read(node: Node) -> set[str]:
    """Read every content, and return whose."""
    found = await contents(node)
    for item, content in found.items():
        assert await node.account.read(content) == text_of(item)
    return set(found)


def names(node: Node, *kinds: Kind) -> set[str]:
    objects = node.engine.objects if isinstance(node.engine, MemoryEngine) else node.engine.engine.objects  # type: ignore[attr-defined]
    return {name for name in objects.contents if paths.parse(name).kind in kinds}


async def test_small_old_contents_move_and_the_originals_go_a_day_after_nobody_names_them() -> None:
    node = Node()
    warm = Node(node.engine)
    await filled(node)
    before = await contents(warm)
    assert (await collected(node, DAY_MS // 2)).packed == 0, "too young"
    assert (await collected(node, 2 * DAY_MS)).packed == COUNT
    assert len(names(node, Kind.PACK)) == 1
    assert len(names(node, Kind.BLOB)) == COUNT
    assert (await collected(node, 2 * DAY_MS + HOUR_MS)).waiting["blob"] == COUNT
    assert (await collected(node, 3 * DAY_MS + HOUR_MS)).objects["blob"] == COUNT
    assert not names(node, Kind.BLOB)
    assert len(await all_read(Node(node.engine))) == COUNT
    assert {item for item, content in before.items() if await warm.account.read(content) == text_of(item)} == set(
        before
    )
    assert len(await all_read(warm)) == COUNT
    assert (await collected(node, 5 * DAY_MS)).packed == 0
    assert len(names(node, Kind.PACK)) == 1


async def test_a_first_synchronisation_reads_a_hundred_mails_in_one_request() -> None:
    node = Node()
    await filled(node, 100)
    await collected(node, 2 * DAY_MS)
    counting = CountingEngine(node.engine)
    cold = Node(counting)
    found = await contents(cold)
    counting.calls.clear()
    pieces = await cold.account.read_many([Range(each, 0, each.size_bytes) for each in found.values()])
    assert pieces == [text_of(item) for item in found]
    assert dict(counting.calls) == {"get": 1}


async def test_a_dry_run_a_pass_over_the_log_and_an_engine_that_keeps_small_objects_well_pack_nothing() -> None:
    class Tidy(MemoryEngine):
        async def compact(self) -> int:
            return 0

    node = Node()
    await filled(node)
    assert (await collected(node, 2 * DAY_MS, is_dry=True)).packed == 0
    assert (await collected(node, 2 * DAY_MS, is_deep=False)).packed == 0
    assert isinstance(node.engine, MemoryEngine)
    assert (await collected(Node(Tidy(node.engine.objects)), 2 * DAY_MS)).packed == 0
    assert not names(node, Kind.PACK)


async def test_what_is_left_of_a_half_dead_pack_moves_and_the_pack_goes() -> None:
    node = Node()
    await filled(node)
    await collected(node, 2 * DAY_MS)
    (pack,) = names(node, Kind.PACK)
    removed = [f"{number:03}item" for number in range(COUNT - 5)]
    await node.commit(*(Set(item, "folder", None) for item in removed))
    await node.account.checkpoint()
    for days in (33, 35, 37, 39):
        await collected(node, days * DAY_MS)
    (left,) = names(node, Kind.PACK)
    assert left != pack
    assert isinstance(node.engine, MemoryEngine)
    assert len(node.engine.objects.contents[left]) < 5 * 200
    assert len(await all_read(node)) == len(await all_read(Node(node.engine))) == 5
    assert not names(node, Kind.BLOB)


async def test_a_draft_that_changes_while_its_content_moves_keeps_the_new_one() -> None:
    node = Node()
    await filled(node)

    class Editing(MemoryEngine):
        async def put(self, key: str, data: object) -> None:
            await super().put(key, data)  # type: ignore[arg-type]
            if paths.parse(key).kind is Kind.PACK:
                edited = await node.account.store(text_of("edited"), None)
                await node.commit(Set("000item", "content", edited))

    assert isinstance(node.engine, MemoryEngine)
    await collected(Node(Editing(node.engine.objects)), 2 * DAY_MS)
    for days in (3, 5, 7):
        await collected(node, days * DAY_MS)
    cold = Node(node.engine)
    found = await contents(cold)
    assert await cold.account.read(found["000item"]) == text_of("edited")
    assert found["000item"].location is None
    assert await cold.account.read(found["001item"]) == text_of("001item")


async def test_another_nodes_checkpoint_that_knows_of_no_pack_keeps_the_originals() -> None:
    node = Node()
    other = Node(node.engine)
    await filled(node)
    async with other.account.turn():
        pass
    await collected(node, 2 * DAY_MS)
    async with other.account.turn(fresh=False):  # it has not looked since
        await other.account.commit([Set("000item", "read", True)])
        await other.account.write_checkpoint()
    for hours in (1, 13, 25, 37):
        await collected(node, 2 * DAY_MS + hours * HOUR_MS)
    for reader in (node, other, Node(node.engine)):
        assert len(await all_read(reader)) == COUNT
    for days in (5, 7, 9):
        await collected(node, days * DAY_MS)
    assert len(names(node, Kind.PACK)) == 1
    assert len(names(node, Kind.BLOB)) == 0
    assert len(await all_read(Node(node.engine))) == COUNT


async def test_a_checkpoint_that_covers_the_same_and_knows_more_places_is_followed() -> None:
    node = Node()
    other = Node(node.engine)
    await filled(node)
    assert all(content.location is None for content in (await contents(other)).values())
    await collected(node, 2 * DAY_MS)
    assert all(content.location is not None for content in (await contents(other)).values())


@pytest.mark.parametrize("is_last_kept", [False, True])
async def test_a_pass_that_packs_and_dies_at_any_write_loses_nothing(is_last_kept: bool) -> None:
    for writes in range(40):
        node = Node()
        await filled(node)
        dying = Node(CrashingEngine(node.engine, writes, is_last_kept=is_last_kept))
        try:
            await collected(dying, 2 * DAY_MS)
            is_done = True
        except Crash:
            is_done = False
        assert len(await all_read(node)) == len(await all_read(Node(node.engine))) == COUNT
        for days in (4, 6, 8, 10):
            await collected(node, days * DAY_MS)
        assert len(names(node, Kind.PACK)) == 1
        assert not names(node, Kind.BLOB)
        assert len(await all_read(Node(node.engine))) == COUNT
        if is_done:
            return
    raise AssertionError("it never came to an end")


async def test_packs_that_took_too_long_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    await filled(node)
    monkeypatch.setattr(packing, "LATE_SECONDS", -1.0)
    assert (await collected(node, 2 * DAY_MS)).packed == 0
    assert all(content.location is None for content in (await contents(node)).values())


class Several:
    """Nodes that take mail, remove some, read with what they knew long ago, checkpoint, and collect, in any order."""

    def __init__(self, seed: int) -> None:
        self.random, self.store = Random(seed), MemoryObjects()
        self.nodes = [self.node() for _ in range(3)]
        self.looked = [0] * 3
        self.known: list[dict[str, Content]] = [{} for _ in self.nodes]
        """What each node read of contents when it looked last."""
        self.now_ms, self.count = 0, 0
        self.living: set[str] = set()
        self.packed = 0

    def node(self) -> Node:
        return Node(MemoryEngine(self.store, list_page=self.random.choice([7, 1000])))

    async def look(self, at: int) -> None:
        self.known[at] = await contents(self.nodes[at])
        self.looked[at] = self.now_ms

    async def step(self) -> None:
        at, act = self.random.randrange(len(self.nodes)), self.random.random()
        node = self.nodes[at]
        self.now_ms += self.random.choice([0, HOUR_MS, 8 * HOUR_MS])
        if self.now_ms - self.looked[at] > 6 * HOUR_MS:
            await self.look(at)  # as every node does, however quiet it is
        if act < 0.3:
            self.count += 1
            item = f"{self.count:03}item"
            content = await node.account.store(text_of(item), None)
            await node.commit(Added(item, "inbox", "Email", NOW_MS + self.now_ms, content))
            self.living.add(item)
        elif act < 0.4 and self.living:
            item = self.random.choice(sorted(self.living))
            await node.commit(Set(item, "folder", None))
            self.living.discard(item)
        elif act < 0.5:
            await self.look(at)
        elif act < 0.6:
            await self.read(at)
        elif act < 0.75:
            async with node.account.turn(fresh=self.random.random() < 0.5):
                await node.account.write_checkpoint()
        elif act < 0.97:
            done = await collect(node.engine, node.account, NOW_MS + self.now_ms, grace=Grace(removed_ms=DAY_MS))
            assert not done.refused
            self.packed += done.packed
        else:
            self.nodes[at] = self.node()
            await self.look(at)

    async def read(self, at: int) -> None:
        account = self.nodes[at].account
        for item, content in self.known[at].items():
            if item in self.living:
                assert await account.read(content) == text_of(item)


@pytest.mark.parametrize("part", range(4))
async def test_no_content_is_lost_to_any_node_whoever_packs_and_collects(part: int) -> None:
    packed = 0
    with patch.object(packing, "BLOBS_MIN", 2), patch.object(packing, "PACK_BYTES", 700):
        for seed in range(part, 60, 4):
            several = Several(seed)
            for _ in range(80):
                await several.step()
            several.nodes.append(several.node())
            several.known.append({})
            for at in range(len(several.nodes)):
                several.known[at] = await contents(several.nodes[at])
                assert several.living <= several.known[at].keys(), seed
                await several.read(at)
            packed += several.packed
    assert packed > 100


async def test_what_is_nowhere_is_not_found() -> None:
    node = Node()
    await filled(node)
    (content, *_) = (await contents(node)).values()
    await node.engine.delete([paths.blob(ACCOUNT, content.blob)])
    with pytest.raises(NotFound):
        await node.account.read(content)
