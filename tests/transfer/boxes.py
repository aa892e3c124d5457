"""Accounts with folders and mails, and what is in them, for the tests of export and import."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eas.transfer.exporting import Exported, export, path_of
from eas.transfer.importing import Import, Imported
from eas.transfer.maildir_source import MaildirSource
from eas.transfer.maildir_target import MaildirTarget
from eas.transfer.marks import Marks, marks_of, values_of
from eas.transfer.mbox_source import MboxSource
from eas.transfer.mbox_target import MboxTarget
from eas.transfer.roles import assign
from eas.transfer.source import Source
from eas.transfer.target import Target
from storage.account import Account
from storage.folders import FolderType
from storage.message.index import index_message
from storage.paths import new_id
from storage.records import Added, FolderSet
from storage.views import BOTTOM, TOP
from tests.storage.nodes import NOW_MS, Node

SOURCES = {"maildir": MaildirSource, "mbox": MboxSource}


@dataclass(frozen=True)
class Mail:
    """A mail as it is in an account."""

    path: tuple[str, ...]
    marks: Marks
    date_ms: int
    content: bytes


def target(kind: str, folder: Path) -> Target:
    return MaildirTarget(folder) if kind == "maildir" else MboxTarget(folder)


def source(kind: str, folder: Path) -> Source:
    return MaildirSource(folder) if kind == "maildir" else MboxSource(folder)


async def put(account: Account, folder: str, content: bytes, marks: Marks | None = None, date_ms: int = NOW_MS) -> str:
    """Put a mail into a folder; return its item's id."""
    stored = await account.store(content, index_message(content).pack())
    added = Added(new_id()[:20], folder, "Email", date_ms, stored, values_of(marks or Marks(), date_ms))
    async with account.turn():
        await account.commit([added], stored.size_bytes)
    return added.item


async def make_folder(account: Account, name: str, parent: str | None = None) -> str:
    folder = "f" + new_id()[:8]
    values = {"name": name, "parent": parent, "type": int(FolderType.USER_MAIL)}
    async with account.turn():
        await account.commit([FolderSet(folder, key, value) for key, value in values.items()])
    return folder


async def mails(account: Account) -> Counter[Mail]:
    """Return everything that is in the account's mail folders."""
    found: Counter[Mail] = Counter()
    async with account.turn() as state:
        tree = dict(state.folders.tree())
        for folder in tree.values():
            for item in await state.members(folder.id, BOTTOM, TOP):
                content = (await state.contents([item.id]))[item.id]
                marks = marks_of(item)
                marks = replace(marks, categories=tuple(sorted(marks.categories)))  # a Maildir keeps no order
                found[Mail(path_of(tree, folder), marks, item.date_ms, await account.read(content))] += 1
    return found


async def paths(account: Account) -> set[tuple[str, ...]]:
    async with account.turn() as state:
        tree = dict(state.folders.tree())
    return {path_of(tree, folder) for folder in tree.values()}


async def exported(account: Account, to: Target, chosen: Sequence[str] | None = None) -> Exported:
    return await export(account, to, chosen, lambda _count, _total: None)


async def imported(account: Account, of: Source) -> Imported:
    async def room(_size_bytes: int) -> None:
        """There is."""

    folders = of.folders()
    return await Import(account, of, room, lambda: NOW_MS, lambda _count, _total: None).run(folders, assign(folders))


def new_account() -> Account:
    return Node().account
