"""EmptyFolderContents."""

from collections.abc import AsyncIterator

import pytest

from eas.commands import empty_folder
from eas.wbxml.element import element, leaf
from eas.wbxml.pages import AirSync, ItemOperations
from storage.delivery import Recipient
from storage.errors import QuotaExceeded
from storage.records import Added, FolderSet, Set
from storage.views import BOTTOM, TOP
from tests.commands.letters import letter
from tests.eas.world import World, address, world


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world(accounts=1) as running:
        yield running


async def _deliver(w: World, *subjects: str) -> None:
    for subject in subjects:
        await w.deliver(1, letter(subject))


async def _total(w: World, *folders: str) -> list[int | None]:
    phone = w.client()
    return [(await phone.search("lunch", folder, deep=False)).total for folder in folders]


async def test_a_folder_is_emptied_for_good_and_again(w: World) -> None:
    await _deliver(w, "Lunch 1", "Lunch 2")
    phone = w.client()
    for _ in range(2):
        assert await phone.empty_folder("inbox") == 1
        assert await _total(w, "inbox", "trash") == [0, 0]


async def test_other_folders_stay_as_they_are(w: World) -> None:
    await _deliver(w, "Lunch 1")
    assert await w.client().empty_folder("trash") == 1
    assert await _total(w, "inbox") == [1]


async def test_usage_is_freed(w: World) -> None:
    await _deliver(w, "Lunch 1", "Lunch 2")
    delivery = w.store.delivery
    recipient = await delivery.recipient(address(1))
    full = Recipient(recipient.account_id, recipient.address, "", 500)
    with pytest.raises(QuotaExceeded):
        await delivery.room(full, 1)
    await w.client().empty_folder("inbox")
    await delivery.room(full, 500)


async def test_big_folders_are_emptied_commit_by_commit(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_folder, "RECORDS_MAX", 2)
    account = await w.account()
    async with account.turn():
        await account.commit([Added(f"i{n}", "inbox", "Email", n, None) for n in range(5)])
    before = (account.next_place)[1]
    assert await w.client().empty_folder("inbox") == 1
    assert account.next_place[1] - before == 3
    async with account.turn() as state:
        items = (await state.items(f"i{n}" for n in range(5))).values()
        assert {state.folders.resting_place(item).folder for item in items} == {None}


@pytest.mark.parametrize("with_subfolders", [False, True])
async def test_subfolders_go_only_when_asked_for(w: World, with_subfolders: bool) -> None:
    await _deliver(w, "Lunch 1", "Lunch 2", "Lunch 3")
    account, phone = await w.account(), w.client()
    hits = [found.id.partition(":")[2] for found in (await phone.search("lunch")).results]
    async with account.turn():
        folders = [FolderSet("f1", "name", "One"), FolderSet("f1", "parent", "trash")]
        lower = [FolderSet("f2", "name", "Two"), FolderSet("f2", "parent", "f1")]
        await account.commit([*folders, *lower, Set(hits[0], "folder", "trash"), Set(hits[1], "folder", "f2")])
    assert await phone.empty_folder("trash", with_subfolders=with_subfolders) == 1
    assert await _total(w, "inbox", "trash") == [1, 0]
    await phone.folder_sync()
    assert ("f1" in phone.mailbox.hierarchy, "f2" in phone.mailbox.hierarchy) == (not with_subfolders,) * 2
    assert (await phone.search("lunch")).total == (1 if with_subfolders else 2)


@pytest.mark.parametrize("folder", ["nowhere", "calendar", "RI", "0"])
async def test_what_is_no_mail_folder_is_not_found(w: World, folder: str) -> None:
    assert await w.client().empty_folder(folder) == 6


async def test_a_flag_that_is_none_fails_alone(w: World) -> None:
    options = element(ItemOperations.Options, leaf(ItemOperations.DeleteSubFolders, "maybe"))
    operation = element(ItemOperations.EmptyFolderContents, leaf(AirSync.CollectionId, "inbox"), options)
    root = await w.client().command(element(ItemOperations.ItemOperations, operation), ItemOperations.Status)
    response = root.first(ItemOperations.Response)
    assert response is not None
    assert response.children[0].number(ItemOperations.Status) == 2


async def test_what_came_into_the_folder_after_the_command_stays(w: World) -> None:
    await _deliver(w, "Lunch 1")
    account = await w.account()
    async with account.turn() as state:
        old = await state.floors("inbox", BOTTOM, TOP)
    await _deliver(w, "Lunch 2")
    await empty_folder.remove(account, "phone", "inbox", old)
    assert await _total(w, "inbox") == [1]
    await empty_folder.remove(account, "phone", "inbox", old)
