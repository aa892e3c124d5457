"""ItemOperations: what is fetched and how; what is wrong fails alone."""

import base64
import os
from collections.abc import AsyncIterator

import pytest

from eas.commands import item_data, item_operations
from eas.commands.item_fetch import REFERENCE_CHARS_MAX
from eas.commands.item_operations import OPERATIONS_MAX
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, ItemOperations, Search
from storage.records import Set
from tests.commands.letters import File, letter
from tests.eas.world import World, world
from tests.support.client import EasClient
from tests.support.sync_requests import HTML, PLAIN, BodyPreference

MIME = 4
BIG = os.urandom((2 << 20) + 5)
PDF = b"%PDF" * 40
FILES = [
    File("plan.pdf", PDF),
    File("big.bin", BIG, "application/octet-stream"),
    File("odd.bin", BIG, "application/octet-stream", width=4_000_000),
    File("note.eml", letter("Inner"), "message/rfc822", encoding="7bit"),
    File("empty.txt", b"", "text/plain"),
]
MAIL = letter("Plans", "See below. " * 100, files=FILES)


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world(accounts=1) as running:
        await running.deliver(1, MAIL)
        yield running


async def _mail(phone: EasClient, text: str = "plans") -> str:
    """The ServerId of the one mail that has *text* in it."""
    [found] = (await phone.search(text)).results
    return found.id


async def _references(phone: EasClient) -> list[str]:
    fetched = await phone.fetch("inbox", await _mail(phone))
    return [found.text(AirSyncBase.FileReference) for found in fetched.item.attachments]


def _fetch(*fields: Element | None, store: str | None = "Mailbox") -> Element:
    return element(ItemOperations.Fetch, leaf(ItemOperations.Store, store), *fields)


def _options(*fields: Element | None) -> Element:
    return element(ItemOperations.Options, *fields)


def _place(server_id: str, folder: str = "inbox") -> tuple[Element | None, Element | None]:
    return leaf(AirSync.CollectionId, folder), leaf(AirSync.ServerId, server_id)


def _file(reference: str) -> Element:
    return Element(AirSyncBase.FileReference, value=reference)


async def _operate(phone: EasClient, *operations: Element, multipart: bool = False) -> list[Element]:
    """Return the responses."""
    root = await phone.command(
        element(ItemOperations.ItemOperations, *operations), ItemOperations.Status, multipart=multipart
    )
    response = root.first(ItemOperations.Response)
    assert response is not None
    return response.children


async def _statuses(phone: EasClient, *operations: Element) -> list[int]:
    return [response.number(ItemOperations.Status) for response in await _operate(phone, *operations)]


async def _refusal(phone: EasClient, *operations: Element, multipart: bool = False) -> int:
    root = element(ItemOperations.ItemOperations, *operations)
    answer = await phone.post("ItemOperations", root, multipart=multipart)
    assert answer.root is not None
    assert not answer.root.has(ItemOperations.Response)
    return answer.root.number(ItemOperations.Status)


@pytest.mark.parametrize("version", ["12.1", "14.0", "14.1", "16.0", "16.1"])
@pytest.mark.parametrize("multipart", [False, True])
async def test_files_come_whole_in_every_version(w: World, version: str, multipart: bool) -> None:
    phone = w.client(version=version)
    for file, reference in zip(FILES, await _references(phone), strict=True):
        got = await phone.attachment(reference, multipart=multipart)
        assert (got.status, got.content_type, got.range, got.total) == (1, file.content_type, None, None)
        assert got.data == (file.data if file.encoding == "base64" else file.data.rstrip() + b"\r\n")


@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_ranges_of_a_file_come_with_the_range_and_the_total(w: World, place: int, multipart: bool) -> None:
    phone = w.client()
    reference, data = (await _references(phone))[place], FILES[place].data
    for asked, told in [("0-0", "0-0"), ("3-99", "3-99"), (f"1-{10**8}", f"1-{len(data) - 1}")]:
        first, last = map(int, told.split("-"))
        got = await phone.attachment(reference, byte_range=asked, multipart=multipart)
        assert (got.status, got.range, got.total) == (1, told, len(data))
        assert got.data == data[first : last + 1]


async def test_a_big_file_streams_and_still_has_a_length(w: World) -> None:
    phone = w.client()
    reference = (await _references(phone))[1]
    for multipart in (False, True):
        await phone.attachment(reference, multipart=multipart)
        assert "Content-Length" in phone.answered().headers


@pytest.mark.parametrize("asked", ["", "-", "5", "9-8", "a-b", "0-", "160-170", "-1-4", "9" * 20 + "-" + "9" * 20])
async def test_an_impossible_range_is_refused(w: World, asked: str) -> None:
    phone = w.client()
    reference = (await _references(phone))[0]
    range_ = Element(ItemOperations.Range, value=asked)
    assert await _statuses(phone, _fetch(_file(reference), _options(range_))) == [8]


async def test_a_range_of_an_empty_file_is_refused(w: World) -> None:
    phone = w.client()
    assert (await phone.attachment((await _references(phone))[4], byte_range="0-0")).status == 8


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        ("", 15),
        ("plan.pdf", 15),
        ("inbox:{}", 15),
        ("inbox:{}:", 15),
        ("inbox:{}:99", 15),
        ("inbox:nothing:2", 6),
        ("archive:{}:2", 6),
        (":{}:2", 6),
        ("::", 6),
        ("x" * (REFERENCE_CHARS_MAX + 1), 2),
    ],
)
async def test_a_reference_to_nothing_fails_alone(w: World, reference: str, status: int) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    asked = reference.format(server_id.partition(":")[2])
    right = _fetch(*_place(server_id))
    assert await _statuses(phone, _fetch(_file(asked)), right) == [status, 1]


async def test_a_file_of_a_removed_mail_is_gone(w: World) -> None:
    phone = w.client()
    reference = (await _references(phone))[0]
    account = await w.account()
    async with account.turn():
        await account.commit([Set(reference.split(":")[1], "folder", None)])
    assert (await phone.attachment(reference)).status == 6


async def test_a_mail_comes_by_its_place_and_by_its_long_id(w: World) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    for fetched in (await phone.fetch("inbox", server_id), await phone.fetch(long_id=server_id)):
        assert fetched.status == 1
        assert fetched.item.subject == "Plans"
        assert "See below." in fetched.item.body
    by_place, by_id = await _operate(phone, _fetch(*_place(server_id)), _fetch(leaf(Search.LongId, server_id)))
    assert by_place.text(AirSync.Class) == "Email"
    assert by_place.text(AirSync.ServerId) == server_id
    assert by_id.text(Search.LongId) == server_id


async def test_a_moved_mail_is_not_where_it_was(w: World) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    account = await w.account()
    async with account.turn():
        await account.commit([Set(server_id.partition(":")[2], "folder", "archive")])
    assert await _statuses(phone, _fetch(*_place(server_id)), _fetch(leaf(Search.LongId, server_id))) == [6, 6]
    assert (await phone.fetch("archive", await _mail(phone))).status == 1


async def test_the_body_comes_as_it_is_wanted(w: World) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    plain = await phone.fetch("inbox", server_id, body=BodyPreference(PLAIN, truncation_size=20))
    assert plain.item.body == "See below. See below"
    assert "<html>" in (await phone.fetch("inbox", server_id, body=BodyPreference(HTML))).item.body
    mime = await phone.fetch("inbox", server_id, body=BodyPreference(MIME), mime_support=2)
    assert "Subject: Plans" in mime.item.body
    native = await phone.fetch("inbox", server_id, body=None)
    assert native.item.body.count("See below.") == 100
    assert "Subject: Plans" in (await phone.fetch("inbox", server_id, body=None, mime_support=2)).item.body


async def test_bodies_and_files_are_parts_of_a_multipart(w: World) -> None:
    phone = w.client()
    server_id, reference = await _mail(phone), (await _references(phone))[1]
    plain = _options(BodyPreference(PLAIN).render())
    responses = await _operate(
        phone, _fetch(*_place(server_id), plain), _fetch(_file("x")), _fetch(_file(reference)), multipart=True
    )
    assert [response.number(ItemOperations.Status) for response in responses] == [1, 15, 1]
    body, file = phone.answered().parts
    assert body.decode().startswith("See below.")
    assert file == BIG


async def test_failure_is_told_as_multipart_too(w: World) -> None:
    phone = w.client()
    assert [
        found.number(ItemOperations.Status) for found in await _operate(phone, _fetch(_file("x")), multipart=True)
    ] == [15]
    assert await _refusal(phone, multipart=True) == 2


async def test_schema_restricts_the_properties(w: World) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    schema = element(ItemOperations.Schema, empty(pages.Email.Subject), empty(pages.Email.Read))
    [response] = await _operate(phone, _fetch(*_place(server_id), _options(schema)))
    properties = response.first(ItemOperations.Properties)
    assert properties is not None
    assert {child.tag for child in properties.children} == {pages.Email.Subject, pages.Email.Read}
    with_body = element(ItemOperations.Schema, empty(AirSyncBase.Body))
    [response] = await _operate(phone, _fetch(*_place(server_id), _options(with_body)))
    properties = response.first(ItemOperations.Properties)
    assert properties is not None
    assert [child.tag for child in properties.children] == [AirSyncBase.Body]


@pytest.mark.parametrize(
    ("fetch", "status"),
    [
        (_fetch(), 2),
        (_fetch(_file("x"), store=None), 2),
        (_fetch(_file("x"), store=""), 2),
        (_fetch(_file("x"), _file("y")), 2),
        (_fetch(_file("x"), leaf(Search.LongId, "y")), 2),
        (_fetch(leaf(AirSync.CollectionId, "inbox")), 2),
        (_fetch(leaf(AirSync.ServerId, "inbox:x")), 2),
        (_fetch(*_place("inbox:x"), leaf(Search.LongId, "inbox:x")), 2),
        (_fetch(leaf(AirSync.CollectionId, "inbox"), leaf(Search.LongId, "inbox:x")), 2),
        (_fetch(_file("x"), _options(BodyPreference(PLAIN).render())), 2),
        (_fetch(_file("x"), _options(leaf(AirSync.MIMESupport, 1))), 2),
        (_fetch(*_place("inbox:x"), _options(leaf(ItemOperations.Range, "0-9"))), 2),
        (_fetch(*_place("inbox:x"), _options(leaf(AirSync.MIMESupport, 3))), 2),
        (_fetch(*_place("inbox:x"), _options(leaf(AirSync.MIMESupport, "all"))), 2),
        (_fetch(*_place("inbox:x"), _options(element(AirSyncBase.BodyPreference, leaf(AirSyncBase.Type, 9)))), 2),
        (_fetch(*_place("inbox:x"), _options(element(AirSyncBase.BodyPartPreference, leaf(AirSyncBase.Type, 1)))), 164),
        (_fetch(*_place("inbox:x")), 6),
        (_fetch(*_place("x", "inbox")), 6),
        (_fetch(*_place("")), 6),
        (_fetch(leaf(pages.DocumentLibrary.LinkId, "\\\\server\\file"), store="DocumentLibrary"), 9),
        (_fetch(leaf(pages.DocumentLibrary.LinkId, "\\\\server\\file"), store="Document Library"), 9),
        (_fetch(leaf(pages.DocumentLibrary.LinkId, "\\\\server\\file")), 9),
        (_fetch(_file("x"), store="Attic"), 9),
    ],
)
async def test_a_wrong_fetch_fails_alone(w: World, fetch: Element, status: int) -> None:
    phone = w.client(version="14.1")
    assert await _statuses(phone, fetch, _fetch(*_place(await _mail(phone)))) == [status, 1]


async def test_up_to_a_hundred_operations_are_done(w: World) -> None:
    phone = w.client()
    fetch = _fetch(*_place(await _mail(phone)), _options(BodyPreference(PLAIN, truncation_size=9).render()))
    assert await _statuses(phone, *[fetch] * OPERATIONS_MAX) == [1] * OPERATIONS_MAX
    assert await _refusal(phone, *[fetch] * (OPERATIONS_MAX + 1)) == 11


async def test_no_operation_and_what_is_none_are_refused(w: World) -> None:
    phone = w.client()
    assert await _refusal(phone) == 2
    assert await _refusal(phone, empty(ItemOperations.Total)) == 2
    assert await _refusal(phone, empty(ItemOperations.EmptyFolderContents)) == 2
    assert await _refusal(phone, empty(ItemOperations.Move)) == 2


async def test_conversations_cannot_be_moved_before_14(w: World) -> None:
    move = element(
        ItemOperations.Move, leaf(ItemOperations.ConversationId, b"x"), leaf(ItemOperations.DstFldId, "inbox")
    )
    assert await _refusal(w.client(version=Version.V12_1), move) == 2


async def test_responses_are_sorted_by_kind_and_done_in_order(w: World) -> None:
    phone = w.client()
    server_id = await _mail(phone)
    emptying = element(ItemOperations.EmptyFolderContents, leaf(AirSync.CollectionId, "inbox"))
    move = element(
        ItemOperations.Move, leaf(ItemOperations.ConversationId, b"x" * 16), leaf(ItemOperations.DstFldId, "RI")
    )
    fetch = _fetch(*_place(server_id))
    responses = await _operate(phone, fetch, emptying, move, fetch)
    assert [(found.tag, found.number(ItemOperations.Status)) for found in responses] == [
        (ItemOperations.Move, 105),
        (ItemOperations.EmptyFolderContents, 1),
        (ItemOperations.Fetch, 1),
        (ItemOperations.Fetch, 6),
    ]


async def test_an_answer_has_an_end(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = w.client()
    mail, (small, *_) = _fetch(*_place(await _mail(phone))), await _references(phone)
    monkeypatch.setattr(item_operations, "ROOM_BYTES", 500)
    assert await _statuses(phone, mail, mail, _fetch(_file(small))) == [1, 11, 1]
    [file] = (await _operate(phone, mail, _fetch(_file(small))))[1:]
    properties = file.first(ItemOperations.Properties)
    assert properties is not None
    assert base64.b64decode(properties.text(ItemOperations.Data)) == PDF


async def test_a_mail_that_cannot_be_told_fails_alone(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = w.client()
    fetch, reference = _fetch(*_place(await _mail(phone))), (await _references(phone))[0]

    async def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr("eas.commands.item_fetch.load_body", fail)
    assert await _statuses(phone, fetch, _fetch(_file(reference))) == [14, 1]


async def test_several_files_in_one_document_come_between_its_pieces() -> None:
    async def stream(data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), 7):
            yield data[at : at + 7]

    class Slice(item_data.FileSlice):
        def stream(self) -> AsyncIterator[bytes]:
            return stream(bytes(self.size))

    pieces = [b"<", b"|", b">"]
    sources: list[item_data.Source] = [Slice(None, 0, 20), b"abcd"]  # type: ignore[arg-type]
    told = b"".join([piece async for piece in item_data._between(pieces, sources)])
    assert told == b"<" + base64.b64encode(bytes(20)) + b"|" + base64.b64encode(b"abcd") + b">"
