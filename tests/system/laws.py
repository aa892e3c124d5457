"""What must hold between a phone and the server after anything: they have the same, once."""

from collections import Counter

from storage.account import Account
from storage.items import Item
from storage.message.summary import Summary
from storage.views import BOTTOM, TOP
from tests.support.mailbox import Folder, Mailbox


async def members(account: Account, folder: str) -> list[Item]:
    """Return the items of a folder, as the store has them."""
    async with account.turn() as state:
        return await state.members(folder, BOTTOM, TOP)


async def subjects(account: Account, folder: str) -> list[str]:
    """Return the subjects of a folder's mails, oldest first."""
    async with account.turn() as state:
        items = await state.members(folder, BOTTOM, TOP, newest_first=False)
        contents = await state.contents(item.id for item in items)
    return [Summary.unpack(contents[item.id].summary).subject for item in items]


async def assert_same(account: Account, held: Folder, *, may_repeat_subjects: bool = False) -> None:
    """The phone has each item of the folder, no other, and agrees on what it says."""
    there = {f"{held.collection_id}:{item.id}": item for item in await members(account, held.collection_id)}
    assert held.items.keys() == there.keys(), f"{held.collection_id}: phone and server have other items"
    for server_id, item in there.items():
        assert held.items[server_id].is_read == bool(item.value("read", False)), f"{server_id}: Read"
        assert held.items[server_id].is_flagged == bool(item.value("flag")), f"{server_id}: Flag"
    doubles = [subject for subject, times in Counter(i.subject for i in held.items.values()).items() if times > 1]
    assert may_repeat_subjects or not doubles, f"twice on the phone: {doubles}"


async def assert_same_folders(account: Account, mailbox: Mailbox) -> None:
    """The phone has each folder, no other, under the same name and parent."""
    async with account.turn() as state:
        tree = {folder.id: (folder.name, folder.parent or "0") for folder in state.folders.tree().values()}
    held = {info.server_id: (info.name, info.parent_id) for info in mailbox.hierarchy.values()}
    held.pop("RI", None)
    assert held == tree
