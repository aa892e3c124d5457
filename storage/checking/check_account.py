"""What lies in an account, looked at with its keys: every commit, page and content is there and opens.

The store may be in use: what is missing in a listing is looked for once more, as its writer may just have put it.
"""

from collections.abc import AsyncIterator, Iterable

import msgpack

from storage import blobs, checkpoint, paths
from storage.account import Account
from storage.checking.check import Report, listed
from storage.chunks import Shape
from storage.collecting import notes
from storage.engine import Engine, EngineError, Entry, NotFound
from storage.epochs import UnknownEpoch
from storage.items import Item
from storage.pages import unpack_contents, unpack_page
from storage.paths import Kind
from storage.records import Content
from storage.seal import SealError
from storage.state import State

ITEMS_AT_ONCE = 512
_UNREADABLE = (SealError, UnknownEpoch, ValueError, TypeError, msgpack.UnpackException)


async def check_account(engine: Engine, account: Account, report: Report, *, is_deep: bool = False) -> None:
    """Look at what an account holds, with its keys.  *is_deep*: every content is read and opened, too."""
    names = await listed(engine, paths.account_prefix(account.id), Report())
    sizes = {entry.key: entry.size for entries in names.values() for entry in entries}
    report.opened += 1
    roots = [*names[Kind.CHECKPOINT], *names[Kind.OLD_CHECKPOINT]]
    await _check_notes(engine, account, names[Kind.SEEN], report)
    used_pages = await _check_pages(engine, account, roots, report)
    used: set[str] = set()
    try:
        async with account.turn() as state:
            _check_folded(state, names[Kind.LOG], report)
            async for items, contents in _contents(state):
                report.items += len(items)
                report.advance(len(items))
                for item in items:
                    if (content := contents.get(item.id)) is not None:
                        used.add(blobs.object_of(account.id, content)[0])
                        await _check_content(engine, account, item, content, sizes, report, is_deep=is_deep)
    except (NotFound, *_UNREADABLE) as error:
        report.error(paths.account_prefix(account.id), f"its items cannot be listed: {error}")
        return
    report.orphans["page"] += sum(entry.key not in used_pages for entry in names[Kind.PAGE])
    for kind in (Kind.BLOB, Kind.PACK):
        report.orphans[kind] += sum(entry.key not in used for entry in names[kind])


async def _check_notes(engine: Engine, account: Account, entries: Iterable[Entry], report: Report) -> None:
    for entry in entries:
        try:
            notes.opened(account.id, account.keys.checkpoint, await engine.get(entry.key))
        except NotFound:
            continue
        except SealError as error:
            report.odd(entry.key, f"{error}; the collector begins anew")


async def _check_pages(engine: Engine, account: Account, entries: Iterable[Entry], report: Report) -> set[str]:
    """Open every checkpoint and every page that it names; return the pages' names."""
    pages = checkpoint.SealedPages(engine, account.id, account.keys.page)
    used: set[str] = set()
    for entry in entries:
        try:
            state = await checkpoint.load(engine, account.id, account.keys.checkpoint, pages, entry.key)
        except NotFound:
            continue
        except _UNREADABLE as error:
            report.error(entry.key, f"does not open: {error}")
            continue
        for ref in state.base.refs:
            for page, unpack in ((ref.rows, unpack_page), (ref.contents, unpack_contents)):
                name = paths.page(account.id, page)
                if name in used:
                    continue
                used.add(name)
                report.advance(1)
                try:
                    unpack(await pages.read(page))
                except NotFound:
                    report.error(name, f"is missing, and {entry.key} names it")
                except _UNREADABLE as error:
                    report.error(name, f"does not open: {error}")
    return used


def _check_folded(state: State, entries: Iterable[Entry], report: Report) -> None:
    """Check that every commit that is there was read, and that every commit that a device has seen is there."""
    last: dict[str, int] = {}
    for entry in entries:
        name = paths.parse(entry.key)
        last[name.id] = max(name.n, last.get(name.id, 0))
    for writer, n in last.items():
        folded = state.commits.get(writer, 0)
        if folded < n:
            report.error(f"log of writer {writer}", f"opens up to {folded} only, of {n}")
    for writer, n in state.lacks().items():
        if last.get(writer, 0) < n:
            report.error(f"log of writer {writer}", f"ends at {state.commits.get(writer, 0)}; a device has seen {n}")


async def _contents(state: State) -> AsyncIterator[tuple[list[Item], dict[str, Content]]]:
    """Yield all items with their contents, some hundreds at a time."""
    batch: list[Item] = []
    async for item in _items(state):
        batch.append(item)
        if len(batch) >= ITEMS_AT_ONCE:
            yield batch, await state.contents([one.id for one in batch])
            batch = []
    yield batch, await state.contents([one.id for one in batch])


async def _items(state: State) -> AsyncIterator[Item]:
    async for item in state.base.items():
        if item.exists and item.id not in state.touched:
            yield item
    for item in list(state.touched.values()):
        if item.exists:
            yield item


async def _check_content(
    engine: Engine,
    account: Account,
    item: Item,
    content: Content,
    sizes: dict[str, int],
    report: Report,
    *,
    is_deep: bool,
) -> None:
    name, start = blobs.object_of(account.id, content)
    try:
        shape = Shape.unpack(content.shape)
        size = sizes[name] if name in sizes else len(await engine.get(name))
        due = start + shape.sealed_bytes
        if size < due or (size > due and content.location is None):
            report.error(name, f"has {size} bytes where {due} are due; item {item.id}")
        elif is_deep:
            async for _piece in blobs.stream(engine, account.id, content):
                pass
    except NotFound:
        if item.membership.folder is not None:  # of a removed item it may be gone
            report.error(name, f"is missing; item {item.id} names it")
    except (SealError, ValueError, EngineError) as error:
        report.error(name, f"{error}; item {item.id}")
