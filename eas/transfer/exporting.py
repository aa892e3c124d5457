"""Account → files: folder by folder, in the order of ids (about that of arrival), each with its marks and its time.

Mails go out as they lie in the store, with the lines that we put before them at delivery (Return-Path, Delivered-To,
Received): every mail system leaves such lines in a Maildir, they say when and for whom a mail came, and only with them
is what an import makes of the export the same to the byte.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from eas.transfer.marks import marks_of
from eas.transfer.target import Target
from storage.account import Account
from storage.blobs import Range
from storage.engine import Damaged, NotFound
from storage.folders import Folder
from storage.items import Item
from storage.records import Content
from storage.seal import SealError
from storage.state import State
from storage.views import BOTTOM, TOP

ITEMS_AT_ONCE = 64


@dataclass(slots=True)
class Exported:
    """What an export did."""

    written: int = 0
    known: int = 0
    """There from an earlier run."""
    empty: int = 0
    """Items without a content, such as a draft that was never written."""
    failed: list[str] = field(default_factory=list)
    """What could not be read, for people."""


def path_of(tree: "dict[str, Folder]", folder: Folder) -> tuple[str, ...]:
    """Return the names from the top down to *folder*."""
    path = [folder.name]
    while folder.parent is not None:
        folder = tree[folder.parent]
        path.insert(0, folder.name)
    return tuple(path)


async def export(
    account: Account, target: Target, chosen: Sequence[str] | None, advance: Callable[[int, int | None], None]
) -> Exported:
    """Write the mails of the folders *chosen* by id (None: of all that hold mail) to *target*.

    *advance* is told of how many mails were done, out of how many.  Raises `TargetFailed`, OSError, `EngineError`.
    """
    done = Exported()
    target.open()
    try:
        async with account.turn() as state:
            snapshot = state.snapshot()
        tree = dict(snapshot.folders.tree())
        folders = [one for one in tree.values() if one.holds == "Email" and (chosen is None or one.id in chosen)]
        total = sum([len(await snapshot.floors(folder.id, BOTTOM, TOP)) for folder in folders])
        for folder in folders:
            target.folder(path_of(tree, folder))
            await _export_folder(account, snapshot, folder.id, target, done, lambda count: advance(count, total))
    finally:
        target.close()
    return done


async def _export_folder(
    account: Account, state: State, folder: str, target: Target, done: Exported, advance: Callable[[int], None]
) -> None:
    ids = sorted(floor.item for floor in await state.floors(folder, BOTTOM, TOP))  # so that each page is read once
    for start in range(0, len(ids), ITEMS_AT_ONCE):
        rows = await state.items(ids[start : start + ITEMS_AT_ONCE])
        items = [rows[item_id] for item_id in sorted(rows)]
        missing = [item for item in items if not target.has(item.id, marks_of(item), item.date_ms)]
        done.known += len(items) - len(missing)
        contents = await state.contents([item.id for item in missing])
        named = [(item, contents[item.id]) for item in missing if item.id in contents]
        done.empty += len(missing) - len(named)
        ahead = await account.read_many([Range(content, 0, content.size_bytes) for _, content in named])
        for (item, content), whole in zip(named, ahead, strict=True):
            await _write(account, item, content, whole, target, done)
        target.flush()
        advance(len(items))


async def _write(
    account: Account, item: Item, content: Content, whole: bytes | None, target: Target, done: Exported
) -> None:
    written = target.write(item.id, marks_of(item), item.date_ms, content.size_bytes)
    try:
        if whole is not None and len(whole) == content.size_bytes:
            written.feed(whole)
        else:
            async for piece in account.stream(content):
                written.feed(piece)
    except (NotFound, Damaged, SealError) as error:
        written.give_up()
        done.failed.append(f"item {item.id}: {type(error).__name__}: {error}")
    except BaseException:
        written.give_up()
        raise
    else:
        written.end()
        done.written += 1
