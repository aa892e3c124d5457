"""What was removed comes back within thirty days, to where it was, and phones get it as new."""

import pytest

from storage import paths
from storage.clock import stamp_ms
from storage.folders import FolderType
from storage.records import Added, FolderSet, Set
from storage.removed import GRACE_MS, Removed, bring_back, removed_items
from tests.storage.nodes import NOW_MS, Node, mail

pytestmark = pytest.mark.usefixtures("every_engine")


async def removed(node: Node, since_ms: int = 0) -> dict[str, Removed]:
    async with node.account.turn() as state:
        return {one.item.id: one async for one in removed_items(state, since_ms)}


@pytest.mark.parametrize("has_checkpoint", [False, True])
async def test_what_was_removed_is_listed_with_time_and_place(has_checkpoint: bool) -> None:
    node = Node()
    await node.commit(mail("1a"), mail("2b", folder="archive"), mail("3c"))
    await node.commit(Set("2b", "folder", "inbox"), Set("2b", "folder", "trash"))
    await node.commit(Set("1a", "folder", None), Set("2b", "folder", None))
    if has_checkpoint:
        await node.account.checkpoint()
    found = await removed(node)
    assert {item: one.folder for item, one in found.items()} == {"1a": "inbox", "2b": "trash"}
    assert all(one.removed_ms == NOW_MS for one in found.values())
    assert await removed(node, NOW_MS + 1) == {}


async def test_items_come_back_to_where_they_were_once() -> None:
    node = Node()
    await node.commit(mail("1a"), mail("2b", folder="archive"))
    await node.commit(Set("1a", "folder", None), Set("2b", "folder", None))
    done = await bring_back(node.account, ["1a", "2b", "1a", "9z"], NOW_MS)
    assert (done.back, done.unknown) == (["1a", "2b"], ["9z"])
    assert await node.rows() == {"1a": ("inbox", None), "2b": ("archive", None)}
    assert (await bring_back(node.account, ["1a"], NOW_MS)).present == ["1a"]
    assert await removed(node) == {}


async def test_items_of_a_folder_that_is_gone_come_back_to_the_inbox_and_others_where_one_says() -> None:
    node = Node()
    await node.commit(FolderSet("f1", "name", "Lists"), FolderSet("f1", "type", int(FolderType.USER_MAIL)))
    await node.commit(mail("1a", folder="f1"), mail("2b"))
    await node.commit(Set("1a", "folder", None), Set("2b", "folder", None), FolderSet("f1", "gone", True))
    await bring_back(node.account, ["1a"], NOW_MS)
    await bring_back(node.account, ["2b"], NOW_MS, to="junk")
    assert await node.rows() == {"1a": ("inbox", None), "2b": ("junk", None)}


async def test_thirty_days_are_the_end() -> None:
    node = Node()
    await node.commit(mail("1a"))
    await node.commit(Set("1a", "folder", None))
    assert (await bring_back(node.account, ["1a"], NOW_MS + GRACE_MS + 1)).too_late == ["1a"]
    assert (await bring_back(node.account, ["1a"], NOW_MS + GRACE_MS)).back == ["1a"]


async def test_what_has_lost_its_content_stays_removed() -> None:
    node = Node()
    content = await node.account.store(b"text", None)
    await node.commit(Added("1a", "inbox", "Email", NOW_MS, content))
    await node.commit(Set("1a", "folder", None))
    await node.engine.delete([paths.blob(node.account.id, content.blob)])
    assert (await bring_back(node.account, ["1a"], NOW_MS)).lost == ["1a"]
    assert await node.rows() == {"1a": (None, None)}


async def test_the_time_is_that_of_the_removal_not_of_the_stamp_it_claims() -> None:
    node = Node()
    await node.commit(mail("1a"))
    async with node.account.turn() as state:
        commit = await node.account.commit([Set("1a", "folder", None)])
        assert stamp_ms(commit.time) == (await anext(removed_items(state))).removed_ms
