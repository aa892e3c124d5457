"""Move of ItemOperations: whole conversations."""

from collections.abc import AsyncIterator

import pytest

from eas.commands import conversation_move
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import Email2, ItemOperations
from storage.records import Set
from tests.commands.letters import letter
from tests.eas.world import World, world
from tests.support.client import EasClient


@pytest.fixture
async def w() -> AsyncIterator[World]:
    """Three mails of one conversation, the last answered first, and one of another."""
    async with world(accounts=1) as running:
        for number in (1, 2, 3):
            await running.deliver(1, letter(f"Lunch {number}", references="<9@example.net>", number=number))
        await running.deliver(1, letter("Other", number=4))
        yield running


async def _places(phone: EasClient) -> dict[str, str]:
    """The folder of each mail by its subject."""
    return {found.item.subject: found.collection_id for found in (await phone.search("example")).results}


async def _conversation(phone: EasClient) -> bytes:
    [found] = (await phone.search('"lunch 1"')).results
    return found.item.properties[Email2.ConversationId].as_bytes()


async def _put(w: World, subject: str, folder: str) -> None:
    [found] = (await w.client().search(f'"{subject}"')).results
    account = await w.account()
    async with account.turn():
        await account.commit([Set(found.id.partition(":")[2], "folder", folder)])


async def _move(phone: EasClient, conversation: bytes, folder: str, *fields: Element) -> int:
    operation = element(
        ItemOperations.Move,
        leaf(ItemOperations.ConversationId, conversation),
        leaf(ItemOperations.DstFldId, folder),
        *fields,
    )
    root = await phone.command(element(ItemOperations.ItemOperations, operation), ItemOperations.Status)
    response = root.first(ItemOperations.Response)
    assert response is not None
    assert response.children[0].opaque(ItemOperations.ConversationId) == conversation
    return response.children[0].number(ItemOperations.Status)


async def test_a_conversation_moves_as_a_whole_and_again(w: World) -> None:
    phone = w.client()
    for _ in range(2):
        assert await _move(phone, await _conversation(phone), "archive") == 1
        assert await _places(phone) == dict.fromkeys(("Lunch 1", "Lunch 2", "Lunch 3"), "archive") | {"Other": "inbox"}


async def test_always_means_now(w: World) -> None:
    phone = w.client(version="14.0")
    always = element(ItemOperations.Options, empty(ItemOperations.MoveAlways))
    assert await _move(phone, await _conversation(phone), "archive", always) == 1
    await w.deliver(1, letter("Lunch 4", references="<9@example.net>", number=5))
    assert (await _places(phone))["Lunch 4"] == "inbox"


@pytest.mark.parametrize("folder", ["sent", "drafts", "outbox"])
async def test_what_was_sent_or_is_to_be_sent_stays(w: World, folder: str) -> None:
    phone = w.client()
    await _put(w, "lunch 2", folder)
    assert await _move(phone, await _conversation(phone), "archive") == 1
    places = await _places(phone)
    assert (places["Lunch 1"], places["Lunch 2"]) == ("archive", folder)


@pytest.mark.parametrize(("folder", "status"), [("RI", 105), ("calendar", 156), ("nowhere", 6), ("", 6)])
async def test_mail_does_not_go_everywhere(w: World, folder: str, status: int) -> None:
    phone = w.client()
    assert await _move(phone, await _conversation(phone), folder) == status
    assert set((await _places(phone)).values()) == {"inbox"}


@pytest.mark.parametrize("conversation", [b"x", b"x" * 16, b"x" * 1000])
async def test_an_unknown_conversation_is_not_found(w: World, conversation: bytes) -> None:
    assert await _move(w.client(), conversation, "archive") == 6


async def test_many_mails_move_commit_by_commit_and_not_beyond_the_bound(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_move, "RECORDS_MAX", 1)
    monkeypatch.setattr(conversation_move, "MOVED_MAX", 2)
    phone = w.client()
    assert await _move(phone, await _conversation(phone), "archive") == 1
    assert sorted((await _places(phone)).values()) == ["archive", "archive", "inbox", "inbox"]
