"""A walk over the summaries of many mails, newest first, in bounded memory: what a search is made of.

The pages of the base are read past its cache, a few at a time; the loop gets a turn after each.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

from storage.pages import ContentPage, Page, PageRef
from storage.records import Value
from storage.state import State
from storage.views import Floor

AHEAD = 4
"""Pages that are read at once: on S3 the time of a walk is that of its requests."""
_TOUCHED_AT_ONCE = 512


class Summarised(NamedTuple):
    """A member of a folder and its packed summary (`storage.message.summary.Summary.pack`)."""

    floor: Floor
    folder: str
    summary: Value


async def summaries(state: State, folders: Collection[str], low: Floor, high: Floor) -> AsyncIterator[list[Summarised]]:
    """Yield the members of *folders* in `[low, high)` that have a summary, some hundreds at a time.

    First those of the overlay, then page by page, pages with the newest mail first; within a batch in no order.
    """
    ids = [
        item.id
        for item in state.touched.values()
        if item.exists and low <= item.floor < high and state.folders.resting_place(item).folder in folders
    ]
    for start in range(0, len(ids), _TOUCHED_AT_ONCE):
        yield await _touched(state, ids[start : start + _TOUCHED_AT_ONCE])
        await asyncio.sleep(0)
    places = {source: folder for folder in folders for source in state.folders.sources(folder)}
    refs = sorted(
        (
            ref
            for ref in state.base.refs
            if ref.latest_ms >= low.date_ms and ref.earliest_ms <= high.date_ms and places.keys() & ref.folders.keys()
        ),
        key=lambda ref: -ref.latest_ms,
    )
    for start in range(0, len(refs), AHEAD):
        for page, contents in await _pages(state, refs[start : start + AHEAD]):
            yield [
                Summarised(Floor(date_ms, item_id), places[folder], contents.summary(item_id))
                for item_id, date_ms, folder in zip(page.ids, page.dates, page.folders, strict=True)
                if folder in places
                and low <= (date_ms, item_id) < high
                and item_id not in state.touched
                and item_id in contents.packed
            ]
            await asyncio.sleep(0)


async def _touched(state: State, ids: list[str]) -> list[Summarised]:
    contents = await state.contents(ids)
    found = []
    for item_id, content in contents.items():
        item = state.touched[item_id]
        folder = state.folders.resting_place(item).folder
        if folder is not None:
            found.append(Summarised(item.floor, folder, content.summary))
    return found


async def _pages(state: State, refs: list[PageRef]) -> list[tuple[Page, ContentPage]]:
    return await asyncio.gather(*(state.base.whole_page(ref) for ref in refs))
