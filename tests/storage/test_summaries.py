"""A walk over summaries meets every member once, in the overlay or in a page."""

from hypothesis import given
from hypothesis import strategies as st

from storage import summaries as walking
from storage.base import Base
from storage.pages import ROWS_MAX
from storage.records import Added, Content, Record, Set
from storage.seal import KEY_BYTES
from storage.state import Commit, State
from storage.summaries import summaries
from storage.views import BOTTOM, TOP, Floor

CONTENT = Content("b" * 26, bytes(KEY_BYTES), 0, [0, b""], ["subject"])
FOLDERS = ("inbox", "archive", "trash")


class Pages:
    """Pages in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes:
        return self.kept[name]

    async def write_page(self, plain: bytes) -> str:
        name = str(len(self.kept))
        self.kept[name] = plain
        return name


async def _fold(state: State, n: int, records: list[Record]) -> None:
    commit = Commit("w", n, n, records)
    await state.bring([commit])
    state.fold(commit)


async def _checkpoint(state: State) -> None:
    state.base = await state.base.merge(state.touched, state.fresh)
    state.touched, state.fresh = {}, {}


@given(
    st.lists(st.tuples(st.sampled_from(FOLDERS), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from((*FOLDERS, None))), max_size=6),
    st.integers(0, 12),
)
async def test_every_member_is_met_once(
    added: list[tuple[str, bool]], moved: list[tuple[int, str | None]], checkpoint_at: int
) -> None:
    state = State(Base(Pages()))
    for n, (folder, has_content) in enumerate(added, 1):
        await _fold(state, n, [Added(f"i{n:02}", folder, "Email", n, CONTENT if has_content else None)])
        if n == checkpoint_at:
            await _checkpoint(state)
    for n, (item, to) in enumerate(moved, 100):
        await _fold(state, n, [Set(f"i{item:02}", "folder", to)])
    wanted = {"inbox", "trash"}
    met = [
        (one.floor, one.folder) async for batch in summaries(state, wanted, Floor(2, ""), Floor(9, "")) for one in batch
    ]
    contents = await state.contents(f"i{n:02}" for n in range(20))
    due = [
        (floor, folder)
        for folder in wanted
        for floor in await state.floors(folder, Floor(2, ""), Floor(9, ""))
        if floor.item in contents
    ]
    assert sorted(met) == sorted(due)


async def test_batches_are_bounded_and_the_newest_page_comes_first() -> None:
    state = State(Base(Pages()))
    count = (walking.AHEAD + 1) * ROWS_MAX
    ids = [f"i{n:06}" for n in range(count)]
    await _fold(state, 1, [Added(name, "inbox", "Email", n, CONTENT) for n, name in enumerate(ids)])
    overlay = [len(batch) async for batch in summaries(state, {"inbox"}, BOTTOM, TOP)]
    await _checkpoint(state)
    batches = [batch async for batch in summaries(state, {"inbox"}, BOTTOM, TOP)]
    assert sum(overlay) == sum(map(len, batches)) == count
    assert max(*overlay, *map(len, batches)) <= ROWS_MAX
    latest = [max(one.floor for one in batch) for batch in batches]
    assert latest == sorted(latest, reverse=True)
    assert batches[0][0].summary == ["subject"]
