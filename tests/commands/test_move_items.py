"""MoveItems."""

import pytest

from eas.commands.move_items import ID_CHARS_MAX, MOVES_MAX
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import Move, Tag
from storage.records import FolderSet, Set
from tests.commands.office import Office, Phone


def move(item: str | None, source: str | None, *targets: str) -> Element:
    return element(
        Move.Move,
        leaf(Move.SrcMsgId, item),
        leaf(Move.SrcFldId, source),
        *(leaf(Move.DstFldId, target) for target in targets),
    )


async def moved(phone: Phone, *moves: Element) -> list[tuple[str, str | None]]:
    """Return (Status, DstMsgId) of each Response."""
    root = await phone.ask(element(Move.MoveItems, *moves))
    assert [one.text(Move.SrcMsgId) for one in root.children] == [one.text(Move.SrcMsgId) for one in moves]
    return [(one.text(Move.Status), one.text_or(Move.DstMsgId, None)) for one in root.children]


async def place(phone: Phone, item: str) -> str | None:
    state = await phone.state()
    found = await state.item(item)
    assert found is not None
    return state.folders.resting_place(found).folder


@pytest.mark.parametrize("missing", [Move.SrcMsgId, Move.SrcFldId, Move.DstFldId])
async def test_without_an_element_it_is_invalid(phone: Phone, missing: Tag) -> None:
    request = move("inbox:one", "inbox", "archive")
    request.children = [child for child in request.children if child.tag is not missing]
    root = await phone.ask(element(Move.MoveItems, move("inbox:two", "inbox", "archive"), request))
    assert root.text(Move.Status) == "103"


async def test_without_a_move_it_is_invalid(phone: Phone) -> None:
    assert (await phone.ask(element(Move.MoveItems))).text(Move.Status) == "103"
    assert await phone.of_version(Version.V12_1).post(element(Move.MoveItems)) is None


@pytest.mark.parametrize("item", ["", "x" * (ID_CHARS_MAX + 1)])
async def test_what_is_no_id_is_invalid(phone: Phone, item: str) -> None:
    root = await phone.ask(element(Move.MoveItems, move(item, "inbox", "archive")))
    assert root.text(Move.Status) == "103"


async def test_up_to_12_1_what_is_invalid_is_an_http_error(office: Office) -> None:
    phone = Phone(office.node(), Version.V12_1)
    assert await phone.post(element(Move.MoveItems)) is None
    assert phone.last.status == 400


async def test_a_request_moves_at_most_a_thousand(phone: Phone) -> None:
    root = await phone.ask(element(Move.MoveItems, *(move("inbox:one", "inbox", "sent") for _ in range(MOVES_MAX + 1))))
    assert root.text(Move.Status) == "103"


async def test_a_thousand_move_in_one_commit(phone: Phone) -> None:
    names = [f"m{n:04}" for n in range(MOVES_MAX)]
    await phone.deliver(*names)
    before = (await phone.state()).commits.copy()
    answers = await moved(phone, *(move(f"inbox:{name}", "inbox", "archive") for name in names))
    assert answers == [("3", f"archive:{name}") for name in names]
    assert sum((await phone.state()).commits.values()) == sum(before.values()) + 1


@pytest.mark.parametrize("version", ANNOUNCED)
async def test_an_item_moves(office: Office, version: Version) -> None:
    phone = Phone(office.node(), version)
    await phone.deliver("one")
    assert await moved(phone, move("inbox:one", "inbox", "archive")) == [("3", "archive:one")]
    assert await place(phone, "one") == "archive"


@pytest.mark.parametrize(
    ("item", "source"),
    [
        ("inbox:none", "inbox"),  # no such item
        ("nowhere:one", "nowhere"),  # no such folder
        ("sent:one", "sent"),  # never was there
        ("sent:one", "inbox"),  # the id is not of that folder
        ("one", "inbox"),  # no id of ours
        ("inbox:", "inbox"),
        ("RI:one", "RI"),
        (":one", ""),
    ],
)
async def test_an_unknown_source_is_told(phone: Phone, item: str, source: str) -> None:
    await phone.deliver("one")
    assert await moved(phone, move(item, source, "archive")) == [("1", None)]
    assert await place(phone, "one") == "inbox"


@pytest.mark.parametrize("target", ["nowhere", "", "RI"])
async def test_an_unknown_destination_is_told(phone: Phone, target: str) -> None:
    await phone.deliver("one")
    assert await moved(phone, move("inbox:one", "inbox", target)) == [("2", None)]


async def test_a_move_to_where_it_is_is_told(phone: Phone) -> None:
    await phone.deliver("one")
    assert await moved(phone, move("inbox:one", "inbox", "inbox")) == [("4", None)]


async def test_two_destinations_are_refused(phone: Phone) -> None:
    await phone.deliver("one", "two")
    assert await moved(phone, move("inbox:one", "inbox", "archive", "sent")) == [("5", None)]
    answers = await moved(phone, move("inbox:two", "inbox", "archive"), move("inbox:two", "inbox", "sent"))
    assert answers == [("3", "archive:two"), ("5", None)]
    assert await place(phone, "one") == "inbox"
    assert await place(phone, "two") == "archive"


@pytest.mark.parametrize("target", ["calendar", "contacts", "tasks", "notes"])
async def test_mail_moves_among_mail_folders_only(phone: Phone, target: str) -> None:
    await phone.deliver("one")
    assert await moved(phone, move("inbox:one", "inbox", target)) == [("5", None)]


async def test_one_that_fails_does_not_stop_the_others(phone: Phone) -> None:
    await phone.deliver("one", "two")
    answers = await moved(
        phone,
        move("inbox:one", "inbox", "archive"),
        move("inbox:none", "inbox", "archive"),
        move("inbox:two", "inbox", "sent"),
    )
    assert answers == [("3", "archive:one"), ("1", None), ("3", "sent:two")]


async def test_asked_again_the_answer_is_the_same_and_nothing_is_written(office: Office, phone: Phone) -> None:
    await phone.deliver("one", "two")
    moves = [move("inbox:one", "inbox", "archive"), move("inbox:two", "inbox", "sent")]
    first = await moved(phone, *moves)
    again = Phone(office.node())
    before = dict((await again.state()).commits)
    assert await moved(again, *moves) == first
    assert (await again.state()).commits == before


async def test_the_same_move_twice_in_a_request_is_done_once(phone: Phone) -> None:
    await phone.deliver("one")
    one = move("inbox:one", "inbox", "archive")
    assert await moved(phone, one, one) == [("3", "archive:one"), ("3", "archive:one")]


async def test_an_item_that_was_moved_on_since_is_not_fetched_back(phone: Phone) -> None:
    await phone.deliver("one")
    await moved(phone, move("inbox:one", "inbox", "archive"))
    await phone.commit(Set("one", "folder", "sent"))
    assert await moved(phone, move("inbox:one", "inbox", "archive")) == [("1", None)]
    await phone.commit(Set("one", "folder", None))
    assert await moved(phone, move("sent:one", "sent", "archive")) == [("1", None)]


async def test_it_moves_back_and_there_again(phone: Phone) -> None:
    await phone.deliver("one")
    assert await moved(phone, move("inbox:one", "inbox", "archive")) == [("3", "archive:one")]
    assert await moved(phone, move("archive:one", "archive", "inbox")) == [("3", "inbox:one")]
    assert await moved(phone, move("inbox:one", "inbox", "archive")) == [("3", "archive:one")]
    assert await place(phone, "one") == "archive"


async def test_what_was_in_a_removed_folder_moves_out_of_deleted_items(phone: Phone) -> None:
    await phone.commit(FolderSet("plans", "name", "Plans"))
    await phone.deliver("one", folder="plans")
    await phone.commit(FolderSet("plans", "gone", True))
    assert await moved(phone, move("plans:one", "plans", "trash")) == [("3", "trash:one")]
    assert await moved(phone, move("plans:one", "plans", "inbox")) == [("1", None)]
    assert await moved(phone, move("trash:one", "trash", "inbox")) == [("3", "inbox:one")]
    assert await place(phone, "one") == "inbox"
