"""Searching over summaries, in the overlay and in the pages of a checkpoint alike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.finding.mailsearch import ALL_FOLDERS, Hits, MailQuery, UnknownFolder, below, folders_of, search
from eas.finding.words import parse_words
from storage.base import Base
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.records import Added, Content, FolderSet, Record, Set
from storage.seal import KEY_BYTES
from storage.state import Commit, State
from tests.commands.letters import File, letter

PDF = File("Rechnung März.pdf", b"1234")
LETTERS = {
    "a": letter("Lunch today", "Shall we meet at the Café?", cc="Zoë <zoe@example.org>"),
    "b": letter("Invoice 17", "See the file.", sender='"Anna Berger" <anna@shop.example>', files=[PDF], number=2),
    "c": letter("Newsletter", "All about cats", to="Everybody <all@example.org>", number=3),
    "d": letter("Re: Lunch today", "Yes!", references="<0@example.net>", number=1),
}


class Pages:
    """Pages in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.reads = 0

    async def read(self, name: str) -> bytes:
        self.reads += 1
        return self.kept[name]

    async def write_page(self, plain: bytes) -> str:
        name = str(len(self.kept))
        self.kept[name] = plain
        return name


def _content(message: bytes) -> Content:
    return _told(index_message(message).pack())


def _told(summary: Any) -> Content:
    """A content of which nothing but the summary is read."""
    return Content("b" * 26, bytes(KEY_BYTES), 0, [0, b""], summary)


async def _fold(state: State, n: int, *records: Record) -> None:
    commit = Commit("w", n, n, records)
    await state.bring([commit])
    state.fold(commit)


async def _state(*, checkpointed: bool, letters: dict[str, bytes] = LETTERS) -> State:
    """The letters in the Inbox, a millisecond apart, the first the oldest."""
    state = State(Base(Pages()))
    added = [
        Added(name, "inbox", "Email", 1000 + place, _content(message))
        for place, (name, message) in enumerate(letters.items())
    ]
    await _fold(state, 1, *added)
    if checkpointed:
        await _checkpoint(state)
    return state


async def _checkpoint(state: State) -> None:
    state.base = await state.base.merge(state.touched, state.fresh)
    state.touched, state.fresh = {}, {}


async def _found(state: State, text: str, *folders: str, wanted: int = 100) -> Hits:
    return await search(state, MailQuery(folders_of(state.folders, folders, deep=False), parse_words(text)), wanted)


def _names(hits: Hits) -> str:
    return "".join(hit.floor.item for hit in hits.newest)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lunch", "da"),
        ("LUNCH TODAY", "da"),
        ("lunch cats", ""),
        ("cafe", "a"),
        ("zoe", "a"),
        ("ZOË@example", "a"),
        ("marz", "b"),
        ("letter", "c"),
        ("anna", "b"),
        ("from:anna", "b"),
        ("to:anna", ""),
        ("to:everybody", "c"),
        ("cc:zoe", "a"),
        ("subject:cats", ""),
        ("body:cats", "c"),
        ("hasattachment:true", "b"),
        ("-lunch", "cb"),
        ("lunch OR invoice", "dba"),
        ("attachment:pdf", "b"),
        ("attachment:file", ""),
        ("", "dcba"),
    ],
)
async def test_words_are_found_where_they_are(text: str, found: str, checkpointed: bool) -> None:
    hits = await _found(await _state(checkpointed=checkpointed), text)
    assert (_names(hits), hits.total) == (found, len(found))


@pytest.mark.parametrize("checkpointed", [False, True])
async def test_the_newest_come_first_and_all_are_counted(checkpointed: bool) -> None:
    state = await _state(checkpointed=checkpointed)
    hits = await _found(state, "", wanted=2)
    assert (_names(hits), hits.total) == ("dc", 4)
    assert (await _found(state, "", wanted=0)).total == 4


@pytest.mark.parametrize("checkpointed", [False, True])
async def test_the_limits_of_time_are_exclusive(checkpointed: bool) -> None:
    state = await _state(checkpointed=checkpointed)
    query = MailQuery(frozenset({"inbox"}), after_ms=1000, before_ms=1003)
    assert _names(await search(state, query, 9)) == "cb"


async def test_a_conversation_is_found() -> None:
    state = await _state(checkpointed=True)
    conversation = index_message(LETTERS["a"]).conversation_id
    hits = await search(state, MailQuery(frozenset({"inbox"}), conversation_id=conversation), 9)
    assert _names(hits) == "da"


async def test_what_was_moved_or_removed_since_the_checkpoint_is_found_where_it_is_now() -> None:
    state = await _state(checkpointed=True)
    await _fold(state, 2, Set("a", "folder", "archive"), Set("c", "folder", None), FolderSet("f1", "name", "Own"))
    await _fold(state, 3, Set("b", "folder", "f1"))
    assert [hit.server_id for hit in (await _found(state, "")).newest] == ["inbox:d", "f1:b", "archive:a"]
    assert [hit.server_id for hit in (await _found(state, "", "archive")).newest] == ["archive:a"]
    await _checkpoint(state)
    await _fold(state, 4, FolderSet("f1", "gone", True))
    assert [hit.server_id for hit in (await _found(state, "", "trash")).newest] == ["trash:b"]


async def test_a_snapshot_stays_as_it_was() -> None:
    state = await _state(checkpointed=False)
    snapshot = state.snapshot()
    await _fold(state, 2, Added("e", "inbox", "Email", 2000, _content(letter("Lunch again"))))
    await _checkpoint(state)
    assert _names(await _found(snapshot, "lunch")) == "da"
    assert _names(await _found(state, "lunch")) == "eda"


async def test_items_without_a_summary_are_passed_over() -> None:
    state = State(Base(Pages()))
    await _fold(state, 1, Added("a", "inbox", "Email", 1, None), Added("b", "inbox", "Email", 2, _told(None)))
    assert (await _found(state, "")).total == 0


async def test_a_summary_of_an_older_version_is_searched() -> None:
    state = State(Base(Pages()))
    old = _told(["An old subject", "bob@example.net"])
    await _fold(state, 1, Added("a", "inbox", "Email", 1, old))
    assert (await _found(state, "old bob")).total == 1


@pytest.mark.parametrize("broken", [7, "text", [1], [None] * 40, {"a": 1}, [[]] * 22, b"\0"])
@pytest.mark.parametrize("text", ["lunch", "from:x", "-x", ""])
async def test_a_broken_summary_spoils_no_search(broken: object, text: str) -> None:
    state = await _state(checkpointed=False)
    before = (await _found(state, text)).total
    await _fold(state, 2, Added("x", "inbox", "Email", 9999, _told(broken)))
    assert (await _found(state, text)).total - before in (0, 1)


async def test_a_walk_does_not_fill_the_cache_of_pages() -> None:
    state = await _state(checkpointed=True)
    await _found(state, "lunch")
    assert not state.base._pages


async def test_pages_of_other_times_are_not_read() -> None:
    state = await _state(checkpointed=True)
    pages = state.base._sealed
    assert isinstance(pages, Pages)
    await search(state, MailQuery(frozenset({"inbox"}), after_ms=5000), 9)
    await search(state, MailQuery(frozenset({"drafts"})), 9)
    assert pages.reads == 0


def _tree(*folders: tuple[str, str | None]) -> State:
    state = State(Base(Pages()))
    for n, (name, parent) in enumerate(folders, 1):
        commit = Commit("w", n, n, [FolderSet(name, "name", name), FolderSet(name, "parent", parent)])
        state.fold(commit)
    return state


def test_folders_below_are_searched_when_asked_for() -> None:
    folders = _tree(("x", "inbox"), ("y", "x"), ("z", None)).folders
    assert folders_of(folders, ["inbox"], deep=False) == {"inbox"}
    assert folders_of(folders, ["inbox"], deep=True) == {"inbox", "x", "y"}
    assert folders_of(folders, ["z", "x"], deep=True) == {"x", "y", "z"}
    assert below(folders.tree(), {"x", "y"}) == {"y"}


@pytest.mark.parametrize("named", [(), *((name,) for name in ALL_FOLDERS), ("inbox", "0")])
def test_no_folder_or_the_folder_0_means_all_mail_folders(named: tuple[str, ...]) -> None:
    found = folders_of(_tree(("x", "inbox")).folders, named, deep=False)
    assert {"inbox", "sent", "trash", "x"} <= found
    assert not {"calendar", "contacts"} & found


def test_unknown_folders_are_passed_over_unless_there_is_no_other() -> None:
    folders = _tree().folders
    assert folders_of(folders, ["nowhere", "inbox"], deep=False) == {"inbox"}
    assert folders_of(folders, ["calendar"], deep=False) == frozenset()
    with pytest.raises(UnknownFolder):
        folders_of(folders, ["nowhere"], deep=True)


@given(st.lists(st.text(max_size=40), max_size=6), st.text("abcde éÉ", min_size=1, max_size=4))
async def test_a_page_and_the_overlay_find_the_same(subjects: list[str], text: str) -> None:
    state = State(Base(Pages()))
    added = [
        Added(f"i{place}", "inbox", "Email", place, _told(Summary(subject=subject).pack()))
        for place, subject in enumerate(subjects)
    ]
    await _fold(state, 1, *added)
    before = await _found(state, text)
    await _checkpoint(state)
    assert await _found(state, text) == before
