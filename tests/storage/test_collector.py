"""The collector: what goes, what stays, and that nobody notices but by the space."""

from random import Random

import pytest
from structlog.testing import capture_logs

from storage import checkpoint, paths
from storage.checkpoint import Clear
from storage.collecting import notes
from storage.collecting.collector import DAY_MS, Collected, Grace, collect
from storage.cursor import WHOLE
from storage.engine import Damaged
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.epochs import EpochKeys
from storage.paths import Kind
from storage.records import Added, DeviceSet, Set, ViewMade
from storage.views import TOP, View
from tests.storage.nodes import ACCOUNT, NOW_MS, Node, mail
from tests.support.engines import Crash, CrashingEngine

pytestmark = pytest.mark.usefixtures("every_engine")

HOUR_MS = 3_600_000


async def collected(
    node: Node, after_ms: int, *, is_dry: bool = False, is_deep: bool = True, grace: Grace | None = None
) -> Collected:
    now_ms = NOW_MS + after_ms
    return await collect(node.engine, node.account, now_ms, is_dry=is_dry, is_deep=is_deep, grace=grace or Grace())


def names(node: Node, *kinds: Kind) -> list[str]:
    assert isinstance(node.engine, MemoryEngine)
    return sorted(name for name in node.engine.objects.contents if paths.parse(name).kind in kinds)


async def stored(node: Node, item: str, folder: str = "inbox") -> str:
    """Add an item with a content, and return the content's object."""
    content = await node.account.store(f"content of {item}".encode(), None)
    await node.commit(Added(item, folder, "Email", NOW_MS, content))
    return paths.blob(ACCOUNT, content.blob)


async def test_the_log_and_old_checkpoints_go_an_hour_after_a_checkpoint_was_seen_to_cover_them() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await node.commit(mail("2item"))
    await node.postman.append([mail("3item")])
    await node.account.checkpoint()
    await node.commit(mail("4item"))
    expected = await node.rows()
    first = await collected(node, 0)
    assert not first.objects
    assert first.waiting == {"log": 3, "checkpoint": 1, "page": 1}
    assert not (await collected(node, HOUR_MS - 1)).objects
    assert (await collected(node, HOUR_MS)).objects == {"log": 3, "checkpoint": 1}
    assert (await collected(node, DAY_MS)).objects == {"page": 1}
    assert len(names(node, Kind.LOG)) == 1
    assert len(names(node, Kind.CHECKPOINT)) == 1
    assert await node.rows() == expected == await Node(node.engine).rows()
    again = await collected(node, 2 * DAY_MS)
    assert again == Collected()
    assert names(node, Kind.SEEN) == []


async def test_the_pages_of_a_checkpoint_that_came_late_stay_as_long_as_it_does() -> None:
    node = Node()
    await stored(node, "1item")
    await node.account.checkpoint()
    (late,) = names(node, Kind.CHECKPOINT)
    root = await node.engine.get(late)
    await node.engine.delete([late])  # it is still on its way
    assert (await collected(Node(node.engine), 0)).waiting["page"] == 2
    await node.engine.put(late, root)
    other = Node(node.engine)
    await stored(other, "2item")
    await other.account.checkpoint()
    await collected(other, DAY_MS)
    named = {
        paths.page(ACCOUNT, page) for ref in await other.account.refs_of(late) for page in (ref.rows, ref.contents)
    }
    assert named <= set(names(node, Kind.PAGE))
    await collected(other, DAY_MS + HOUR_MS)
    assert late not in names(node, Kind.CHECKPOINT)
    assert not named & set(names(node, Kind.PAGE))


async def test_a_pass_over_the_log_alone_leaves_the_other_notes() -> None:
    node = Node()
    orphan = await node.account.store(b"nobody names it", None)
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await collected(node, 0)
    assert (await collected(node, HOUR_MS, is_deep=False)).objects == {"log": 1}
    assert (await collected(node, DAY_MS)).objects == {"blob": 1}
    assert paths.blob(ACCOUNT, orphan.blob) not in names(node, Kind.BLOB)


async def test_a_dry_run_changes_nothing_and_says_what_would_go() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    assert (await collected(node, 0, is_dry=True)).waiting == {"log": 1}
    assert names(node, Kind.SEEN) == []
    await collected(node, 0)
    before = dict(node.engine.objects.contents)  # type: ignore[attr-defined]
    assert (await collected(node, HOUR_MS, is_dry=True)).objects == {"log": 1}
    assert node.engine.objects.contents == before  # type: ignore[attr-defined]


async def test_a_content_that_no_row_names_goes_after_a_day_and_one_that_is_named_meanwhile_stays() -> None:
    node = Node()
    orphan = await node.account.store(b"nobody names it", None)
    named = await node.account.store(b"named late", None)
    assert (await collected(node, 0)).waiting == {"blob": 2}
    await node.commit(Added("1item", "inbox", "Email", NOW_MS, named))
    assert (await collected(node, DAY_MS)).objects == {"blob": 1}
    assert names(node, Kind.BLOB) == [paths.blob(ACCOUNT, named.blob)]
    assert paths.blob(ACCOUNT, orphan.blob) not in names(node, Kind.BLOB)


async def test_the_content_of_the_second_of_two_deliveries_of_one_mail_goes() -> None:
    node = Node()
    kept, lost = [await node.account.store(b"the same mail", None) for _ in range(2)]
    for content in (kept, lost):
        await node.postman.append([Added("1item", "inbox", "Email", NOW_MS, content)])
    await collected(node, 0)
    await collected(node, DAY_MS)
    assert names(node, Kind.BLOB) == [paths.blob(ACCOUNT, kept.blob)]
    async with node.account.turn() as state:
        assert await state.contents(["1item"]) == {"1item": kept}


async def test_a_removed_item_can_be_brought_back_for_a_month_and_then_row_and_content_go() -> None:
    node = Node()
    blob = await stored(node, "1item")
    await node.commit(Set("1item", "folder", None))
    for day in range(31):
        await collected(node, day * DAY_MS)
    assert blob in names(node, Kind.BLOB)
    month = await collected(node, 31 * DAY_MS + 1)
    assert (month.purged_rows, month.waiting["blob"]) == (1, 1)
    async with node.account.turn() as state:
        assert await state.items(["1item"]) == {}
        assert state.base.count == 0
    assert (await collected(node, 32 * DAY_MS + 1)).objects["blob"] == 1
    assert names(node, Kind.BLOB) == []
    assert await Node(node.engine).rows() == {}


async def test_the_content_of_a_purged_row_goes_although_others_share_its_page() -> None:
    node = Node()
    gone, stays = await stored(node, "1item"), await stored(node, "2item")
    await node.account.checkpoint()
    await node.commit(Set("1item", "folder", None))
    for day in (32, 33, 34):
        await collected(node, day * DAY_MS)
    assert gone not in names(node, Kind.BLOB)
    assert stays in names(node, Kind.BLOB)


async def test_what_was_brought_back_in_time_stays() -> None:
    node = Node()
    blob = await stored(node, "1item")
    await node.commit(Set("1item", "folder", None))
    await collected(node, 29 * DAY_MS)
    await node.commit(Set("1item", "folder", "inbox"))
    for day in (31, 40, 80):
        await collected(node, day * DAY_MS)
    assert names(node, Kind.BLOB) == [blob]
    assert await node.rows() == {"1item": ("inbox", None)}


def _view(node: Node, device: str = "phone", folder: str = "inbox", generation: int = 1) -> ViewMade:
    seen = {node.writer.id: (node.writer.n, WHOLE)}
    return ViewMade(View(device, folder, f"{5:016x}{'a' * 16}1.1", generation, None, seen, TOP))


async def test_a_removal_that_a_device_in_use_was_not_told_stays_known_but_its_content_goes() -> None:
    node = Node()
    await stored(node, "1item")
    await node.commit(_view(node), DeviceSet("phone", "seen", 1))
    await node.commit(Set("1item", "folder", None))
    await collected(node, 32 * DAY_MS)
    assert (await collected(node, 40 * DAY_MS)).purged_rows == 0
    assert names(node, Kind.BLOB) == []
    async with node.account.turn() as state:
        assert list(await state.items(["1item"])) == ["1item"]
    await node.commit(_view(node, generation=2))
    await node.commit(_view(node, generation=3))  # the first one, which had not seen the removal, is over
    assert (await collected(node, 41 * DAY_MS)).purged_rows == 1


async def test_a_device_that_was_silent_for_half_a_year_is_not_waited_for_and_must_begin_anew() -> None:
    node = Node()
    await stored(node, "1item")
    await node.commit(_view(node), _view(node, folder="own"))
    await node.commit(Set("1item", "folder", None))
    assert (await collected(node, 179 * DAY_MS)).purged_rows == 0
    assert (await collected(node, 181 * DAY_MS)).purged_rows == 1
    for other in (node, Node(node.engine)):
        async with other.account.turn() as state:
            views = {view.folder: view for _, view in state.views.all()}
            assert not state.tells_all("inbox", views["inbox"].cursor)
            assert state.tells_all("own", views["own"].cursor)
            assert state.tells_all("inbox", state.head)


async def test_a_checkpoint_that_only_claims_to_cover_everything_lets_nothing_go() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await node.commit(mail("2item"))
    dud = Clear(0, 2, {node.writer.id: 2}).pack() + b"nothing that opens"
    await node.engine.put(paths.checkpoint(ACCOUNT, "f" * 48), dud)
    for days in (0, 1, 2):
        result = await collected(node, days * DAY_MS)
        assert result.refused == [ACCOUNT]
    assert len(names(node, Kind.CHECKPOINT, Kind.LOG)) == 4


async def test_a_log_whose_beginning_is_nowhere_is_not_shown_as_a_small_account() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await node.commit(mail("2item"))
    await node.engine.delete([*names(node, Kind.CHECKPOINT), names(node, Kind.LOG)[0]])
    with pytest.raises(Damaged):
        await Node(node.engine).rows()


async def test_commits_that_are_in_no_checkpoint_are_reported_once_and_nothing_is_collected() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    for item in ("2item", "3item"):
        await node.commit(mail(item))
    await node.engine.delete([names(node, Kind.LOG)[1]])
    cold = Node(node.engine)
    with capture_logs() as logs:
        assert list(await cold.rows()) == ["1item"]
        await cold.rows()
    assert [entry["event"] for entry in logs] == ["log.commits_missing"]
    assert (await collected(cold, 0)).refused == [ACCOUNT]


@pytest.mark.parametrize("what", ["checkpoint", "page", "log"])
async def test_where_something_cannot_be_read_nothing_goes(what: str) -> None:
    node = Node()
    await stored(node, "1item")
    await node.account.store(b"nobody names it", None)
    await node.account.checkpoint()
    await node.commit(mail("2item"))
    await collected(node, 0)
    kind = {"checkpoint": Kind.CHECKPOINT, "page": Kind.PAGE, "log": Kind.LOG}[what]
    if what == "page":
        await node.engine.delete(names(node, kind))
    else:
        await node.engine.put(names(node, kind)[-1], b"damaged")
    cold = Node(node.engine)
    before = dict(node.engine.objects.contents)  # type: ignore[attr-defined]
    if what == "checkpoint":
        await node.rows()
        cold = node
    result = await collected(cold, 90 * DAY_MS)
    assert result.refused == [ACCOUNT]
    assert not result.objects
    assert node.engine.objects.contents == before  # type: ignore[attr-defined]


async def test_notes_that_were_damaged_are_made_again() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await collected(node, 0)
    (name,) = names(node, Kind.SEEN)
    await node.engine.put(name, b"damaged")
    assert not (await collected(node, DAY_MS)).objects
    assert (await collected(node, DAY_MS + HOUR_MS)).objects == {"log": 1}


async def test_a_note_from_a_clock_far_ahead_begins_anew_now() -> None:
    node = Node()
    await node.commit(mail("1item"))
    await node.account.checkpoint()
    await collected(node, 1000 * DAY_MS)
    assert not (await collected(node, 0)).objects
    assert (await collected(node, HOUR_MS)).objects == {"log": 1}


async def test_too_many_notes_keep_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "NOTED_MAX", 2)
    engine, key = MemoryEngine(), EpochKeys.first(bytes(32))
    noted = {paths.page(ACCOUNT, f"{n:016}"): n for n in range(4)}
    await notes.write(engine, ACCOUNT, key, noted)
    assert await notes.read(engine, ACCOUNT, key) == {name: at for name, at in noted.items() if at < 2}


async def test_a_pass_that_dies_at_any_write_leaves_a_whole_account() -> None:
    for writes in range(30):
        node = Node()
        for n in range(4):
            await stored(node, f"{n}item")
            await node.account.checkpoint()
        await node.commit(Set("1item", "folder", None))
        expected = await node.rows()
        await collected(node, 0)
        dying = Node(CrashingEngine(node.engine, writes))
        try:
            await collected(dying, DAY_MS)
            is_done = True
        except Crash:
            is_done = False
        cold = Node(node.engine)
        assert await cold.rows() == expected == await node.rows()
        async with cold.account.turn() as state:
            for item, content in (await state.contents(expected)).items():
                assert await cold.account.read(content) == f"content of {item}".encode()
        if is_done:
            return
    raise AssertionError("it never came to an end")


class Several:
    """Nodes with clocks that are hours off, which write, look, write checkpoints and collect in any order."""

    def __init__(self, seed: int) -> None:
        self.random, self.store = Random(seed), MemoryObjects()
        self.nodes = [self.node() for _ in range(3)]
        self.skews = [self.random.choice([0, -3, 3]) * HOUR_MS for _ in self.nodes]
        self.now_ms, self.count, self.acknowledged = 0, 0, set[str]()

    def node(self) -> Node:
        return Node(MemoryEngine(self.store, list_page=self.random.choice([2, 7, 1000])))

    async def step(self) -> None:
        at = self.random.randrange(len(self.nodes))
        node, act = self.nodes[at], self.random.random()
        self.now_ms += self.random.choice([0, HOUR_MS // 2, 2 * HOUR_MS])
        if act < 0.4:
            self.count += 1
            item = f"{self.count:03}item"
            if self.random.random() < 0.5:
                await node.postman.append([mail(item)])
            else:
                await node.commit(mail(item))
            self.acknowledged.add(item)
        elif act < 0.6:
            await node.rows(fresh=self.random.random() < 0.5)
        elif act < 0.75:
            async with node.account.turn(fresh=self.random.random() < 0.5):
                await node.account.write_checkpoint()
        elif act < 0.95:
            is_deep = self.random.random() < 0.5
            result = await collected(node, self.now_ms + self.skews[at], is_deep=is_deep)
            assert not result.refused
        elif act < 0.97:
            node.account.shed()
        else:
            self.nodes[at] = self.node()


async def test_an_account_that_was_let_go_of_joins_all_checkpoints_again() -> None:
    store = MemoryObjects()
    one, other = Node(store=store), Node(store=store)
    for node in (one, other):
        await node.rows()
    for node in (one, other):
        async with node.account.turn(fresh=False):
            await node.account.commit([mail(f"{node.writer.id}item")])
            await node.account.write_checkpoint()
    assert len(names(one, Kind.CHECKPOINT)) == 2
    await one.engine.delete(names(one, Kind.LOG))
    expected = await one.rows()
    assert len(expected) == 2
    one.account.shed()
    assert await one.rows() == expected == await Node(store=store).rows()


@pytest.mark.parametrize("part", range(4))
async def test_no_node_warm_or_cold_misses_anything_whoever_collects(part: int) -> None:
    for seed in range(part, 120, 4):
        several = Several(seed)
        for _ in range(60):
            await several.step()
        for node in [*several.nodes, several.node()]:
            assert set(await node.rows()) == several.acknowledged, seed


async def test_after_two_passes_a_day_apart_nothing_unneeded_is_left() -> None:
    for seed in range(20):
        several = Several(seed)
        for _ in range(40):
            await several.step()
        (node, *_) = several.nodes
        await node.rows()
        await node.account.checkpoint()
        for days in (10, 12, 14):
            await collected(node, several.now_ms + days * DAY_MS)
        left = await collected(node, several.now_ms + 16 * DAY_MS)
        assert not left.waiting
        assert names(node, Kind.LOG) == []
        (root,) = await checkpoint.names(node.engine, ACCOUNT)
        refs = await node.account.refs_of(root)
        assert len(names(node, Kind.PAGE)) == len({page for ref in refs for page in (ref.rows, ref.contents)})
