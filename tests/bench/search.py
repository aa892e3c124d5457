"""Searching a mailbox that rests in a checkpoint, all of it, for a word that a quarter of the mails have."""

import asyncio
import tracemalloc
from time import perf_counter
from typing import Final

from eas.finding.mailsearch import Hits, MailQuery, folders_of, search
from eas.finding.words import parse_words
from storage import paths, seal
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.cursor import Rid
from storage.engine_memory import MemoryEngine
from storage.epochs import EpochKeys
from storage.items import Item
from storage.message.index import index_message
from storage.records import Added, Content
from storage.state import State
from tests.bench.figure import Figure
from tests.support.messages import mixed_message

MAILS: Final = 20_000
KINDS: Final = 200
QUERY: Final = "minutes zürich"


def run() -> list[Figure]:
    return asyncio.run(_run())


async def _run() -> list[Figure]:
    state = await mailbox(MAILS)
    begin = perf_counter()
    await _search(state)
    seconds = perf_counter() - begin
    tracemalloc.start()
    await _search(state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [
        Figure(f"search: {MAILS} mails", seconds, "s", 1),
        Figure("search: memory at its peak", peak / 1e6, "MB", 16),
    ]


async def _search(state: State) -> Hits:
    folders = folders_of(state.folders, (), deep=True)
    return await search(state, MailQuery(folders, parse_words(QUERY)), 100)


async def mailbox(mails: int) -> State:
    """Return an account's state with so many mails in the Inbox, all of them in a checkpoint's pages."""
    pages = SealedPages(
        MemoryEngine(), paths.account_of(bytes(32), "anna@example.org"), EpochKeys.first(seal.new_key())
    )
    state = State(Base(pages))
    summaries = [index_message(mixed_message(n)).pack() for n in range(KINDS)]
    items, contents = {}, {}
    for n in range(mails):
        item = Item(f"{n:020}")
        content = Content("b" * 26, bytes(seal.KEY_BYTES), 4000, [4000, bytes(3)], summaries[n % KINDS])
        item.offer_added(Rid(n, "w" * 26, n, 1), Added(item.id, "inbox", "Email", n * 60_000, content))
        items[item.id], contents[item.id] = item, content
    state.base = await state.base.merge(items, contents)
    return state
