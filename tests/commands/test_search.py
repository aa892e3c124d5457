"""Search in the mailbox and in the address book."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from eas.commands import search_request
from eas.commands.search_request import FOLDERS_MAX
from eas.finding.words import QUERY_CHARS_MAX, TERMS_MAX
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import GAL, AirSync, AirSyncBase, DocumentLibrary, Email, Email2, Search
from eas.wbxml.tag import Tag
from storage.records import FolderSet, Set
from tests.commands.letters import File, letter
from tests.eas.world import World, world
from tests.support.client import EasClient, Refused
from tests.support.client_search import Found
from tests.support.sync_requests import PLAIN, BodyPreference

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world(accounts=3) as running:
        await running.deliver(1, letter("Lunch today", "At the Café", number=1))
        await running.deliver(1, letter("Invoice", "See file", files=[File("Rechnung März.pdf", b"1")], number=2))
        await running.deliver(1, letter("Lunch again", "Or not", references="<1@example.net>", number=3))
        yield running


def _subjects(found: Iterable[Found]) -> list[str]:
    return [one.item.subject for one in found]


def _and(*conditions: Element | None) -> Element:
    return element(Search.Query, element(Search.And, *conditions))


def _text(text: str) -> Element:
    return Element(Search.FreeText, value=text)


def _date(tag: Tag, value: str | None = "2024-01-01T00:00:00.000Z", *, of: bool = True) -> Element:
    return element(tag, empty(Email.DateReceived) if of else None, leaf(Search.Value, value))


async def _store(
    phone: EasClient, query: Element | None, *options: Element | None, name: str | None = "Mailbox"
) -> Element:
    """Search as given and return the Store of the answer."""
    given = element(Search.Options, *options)
    store = element(Search.Store, leaf(Search.Name, name), query, given if given.children else None)
    response = (await phone.command(element(Search.Search, store), Search.Status)).first(Search.Response)
    assert response is not None
    return response.children[0]


async def _status(
    phone: EasClient, query: Element | None, *options: Element | None, name: str | None = "Mailbox"
) -> int:
    return (await _store(phone, query, *options, name=name)).number(Search.Status)


@pytest.mark.parametrize("version", VERSIONS)
async def test_mail_is_found_newest_first_in_every_version(w: World, version: str) -> None:
    found = await w.client(version=version).search("lunch")
    assert (found.status, found.range, found.total) == (1, "0-1", 2)
    assert sorted(_subjects(found.results)) == ["Lunch again", "Lunch today"]
    dates = [one.item.text(Email.DateReceived) for one in found.results]
    assert dates == sorted(dates, reverse=True)
    assert {one.collection_id for one in found.results} == {"inbox"}


@pytest.mark.parametrize("text", ["cafe", "LUNCH TODAY", "café -again", "from:bob cafe", "subject:today"])
async def test_words_are_found_wherever_summaries_have_them(w: World, text: str) -> None:
    assert _subjects((await w.client().search(text)).results) == ["Lunch today"]


async def test_names_of_files_are_found(w: World) -> None:
    assert _subjects((await w.client().search("rechnung marz")).results) == ["Invoice"]


@pytest.mark.parametrize("text", ["nothing like it", "", "   ", "lunch invoice"])
async def test_no_match_is_one_empty_result(w: World, text: str) -> None:
    store = await _store(w.client(), _and(_text(text)))
    assert store.number(Search.Status) == 1
    assert store.all(Search.Result) == [Element(Search.Result)]
    assert store.number(Search.Total) == 0
    assert not store.has(Search.Range)


async def test_pages_follow_each_other_and_end(w: World) -> None:
    phone = w.client()
    first = await phone.search("example", result_range="0-1")
    second = await phone.search("example", result_range="2-3")
    assert (first.range, first.total, second.range, second.total) == ("0-1", 3, "2-2", 3)
    assert len({one.id for one in (*first.results, *second.results)}) == 3
    assert (await phone.search("example", result_range="3-9")).status == 12


@pytest.mark.parametrize(("asked", "status"), [("0-998", 1), ("0-1000", 1), ("1000-1001", 12)])
async def test_ranges_end_at_a_thousand(w: World, asked: str, status: int) -> None:
    assert (await w.client().search("lunch", result_range=asked)).status == status


@pytest.mark.parametrize("asked", ["", "x", "5-4", "-1-2", "1"])
async def test_a_range_that_is_none_is_refused(w: World, asked: str) -> None:
    phone, range_ = w.client(), Element(Search.Range, value=asked)
    assert await _status(phone, _and(_text("x")), range_) == 2
    assert await _status(phone, Element(Search.Query, value="x"), range_, name="GAL") == 2


async def test_without_a_range_a_hundred_are_told(w: World) -> None:
    found = await w.client().search("lunch", result_range=None)
    assert (found.range, found.total) == ("0-1", 2)


async def test_an_answer_has_an_end_and_says_where(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eas.commands.found._ITEM_BYTES", 1 << 20)
    found = await w.client().search("lunch", body=BodyPreference(PLAIN))
    assert (found.range, found.total, len(found.results)) == ("0-0", 2, 1)


async def test_bodies_come_when_they_are_wanted(w: World) -> None:
    phone = w.client()
    [without] = (await phone.search("cafe")).results
    assert AirSyncBase.Body not in without.item.properties
    [found] = (await phone.search("cafe", body=BodyPreference(PLAIN))).results
    assert found.item.body == "At the Café\r\n"


async def test_a_body_that_cannot_be_read_is_left_out(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr("eas.commands.found.load_body", fail)
    assert (await w.client().search("cafe", body=BodyPreference(PLAIN))).total == 1


async def test_folders_and_those_below_are_searched(w: World) -> None:
    phone = w.client()
    item = (await phone.search("cafe")).results[0].id.partition(":")[2]
    account = await w.account()
    async with account.turn():
        await account.commit(
            [FolderSet("f1", "name", "Own"), FolderSet("f1", "parent", "inbox"), Set(item, "folder", "f1")]
        )
    assert (await phone.search("lunch", "inbox", deep=False)).total == 1
    assert (await phone.search("lunch", "inbox", deep=True)).total == 2
    assert (await phone.search("lunch", "f1", deep=False)).results[0].id == f"f1:{item}"
    assert (await phone.search("lunch", "0", deep=False)).total == 2
    assert (await phone.search("lunch", "calendar")).total == 0


async def test_an_unknown_folder_asks_for_a_folder_sync(w: World) -> None:
    assert (await w.client().search("lunch", "nowhere")).status == 11


async def test_mail_is_found_by_its_time(w: World) -> None:
    phone, now = w.client(), datetime.now(UTC)
    day = timedelta(days=1)
    assert (await phone.search("lunch", since=now - day, before=now + day)).total == 2
    assert (await phone.search("lunch", since=now + day)).total == 0
    assert (await phone.search("lunch", before=now - day)).total == 0


async def test_a_conversation_is_found_from_14_0_on(w: World) -> None:
    [found] = (await w.client().search("cafe")).results
    condition = _and(leaf(Search.ConversationId, found.item.properties[Email2.ConversationId].as_bytes()))
    assert (await _store(w.client(), condition)).number(Search.Total) == 2
    assert await _status(w.client(version="12.1"), condition) == 2


@pytest.mark.parametrize(("classes", "total"), [((), 2), (("Email",), 2), (("Calendar", "Email"), 2), (("SMS",), 0)])
async def test_only_mail_is_found(w: World, classes: tuple[str, ...], total: int) -> None:
    query = _and(*(leaf(AirSync.Class, name) for name in classes), _text("lunch"))
    assert (await _store(w.client(), query)).number(Search.Total) == total


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (None, 2),
        (element(Search.Query), 2),
        (Element(Search.Query, value="text"), 2),
        (element(Search.Query, empty(Search.And), empty(Search.And)), 8),
        (element(Search.Query, _text("x")), 8),
        (element(Search.Query, empty(Search.And), _text("x")), 8),
        (element(Search.Query, empty(Search.Or)), 8),
        (_and(empty(Search.Or)), 8),
        (_and(element(Search.And, _text("x"))), 8),
        (_and(_text("x"), leaf(Email.Subject, "y")), 2),
        (element(Search.Query, leaf(Email.Subject, "y")), 2),
        (_and(_text("x"), _date(Search.GreaterThan, None)), 2),
        (_and(_text("x"), _date(Search.GreaterThan, "yesterday")), 2),
        (_and(_text("x"), _date(Search.LessThan, of=False)), 2),
        (_and(_text("a" * (QUERY_CHARS_MAX + 1))), 8),
        (_and(_text("a " * (TERMS_MAX + 1))), 8),
        (_and(*[leaf(AirSync.CollectionId, "inbox")] * (FOLDERS_MAX + 1)), 8),
    ],
)
async def test_a_query_that_is_none_is_refused(w: World, query: Element | None, status: int) -> None:
    assert await _status(w.client(), query) == status


@pytest.mark.parametrize(
    "option",
    [
        leaf(AirSync.MIMESupport, 7),
        element(AirSyncBase.BodyPreference, leaf(AirSyncBase.Type, 5)),
        leaf(Search.DeepTraversal, "maybe"),
    ],
)
async def test_options_out_of_range_are_refused(w: World, option: Element) -> None:
    assert await _status(w.client(), _and(_text("x")), option) == 2


async def test_what_phones_say_besides_is_accepted(w: World) -> None:
    options = (empty(Search.RebuildResults), leaf(AirSync.MIMESupport, 1), leaf(Search.UserName, "x"))
    assert await _status(w.client(), _and(_text("lunch")), *options) == 1


@pytest.mark.parametrize(("name", "status"), [(None, 2), ("", 2), ("Attic", 2), ("DocumentLibrary", 6)])
async def test_other_stores_are_refused(w: World, name: str | None, status: int) -> None:
    link = element(Search.EqualTo, empty(DocumentLibrary.LinkId), leaf(Search.Value, "\\\\server"))
    assert await _status(w.client(), element(Search.Query, link), name=name) == status


async def test_a_search_without_a_store_is_refused(w: World) -> None:
    with pytest.raises(Refused) as refused:
        await w.client().command(element(Search.Search, empty(Search.Status)), Search.Status)
    assert refused.value.status == 103


@pytest.mark.parametrize("version", VERSIONS)
async def test_people_are_found_by_name(w: World, version: str) -> None:
    found = await w.client(version=version).search_gal("us", result_range="0-1")
    assert (found.status, found.range, found.total) == (1, "0-1", 3)
    assert [one.item.text(GAL.DisplayName) for one in found.results] == ["User 1", "User 2"]
    assert [one.item.text(GAL.EmailAddress) for one in found.results] == ["u1@example.test", "u2@example.test"]
    assert all(GAL.FirstName in one.item.properties for one in found.results)


@pytest.mark.parametrize("text", ["nobody", "", "  ", "%"])
async def test_nobody_is_no_result(w: World, text: str) -> None:
    store = await _store(w.client(), Element(Search.Query, value=text), name="GAL")
    assert store.number(Search.Status) == 1
    assert (store.all(Search.Result), store.number(Search.Total), store.has(Search.Range)) == ([], 0, False)


async def test_the_address_book_ends_too(w: World) -> None:
    assert (await w.client().search_gal("user", result_range="3-9")).status == 12
    assert (await w.client().search_gal("user", result_range=f"0-{search_request.RESULTS_MAX}")).range == "0-2"


@pytest.mark.parametrize(("version", "told"), [("14.0", False), ("14.1", True), ("16.1", True)])
async def test_of_pictures_it_is_said_that_there_are_none(w: World, version: str, told: bool) -> None:
    query, picture = Element(Search.Query, value="user"), empty(Search.Picture)
    if version == "14.0":
        picture = empty(Search.RebuildResults)
    store = await _store(w.client(version=version), query, picture, name="GAL")
    properties = store.all(Search.Result)[0].first(Search.Properties)
    assert properties is not None
    found = properties.first(GAL.Picture)
    assert (None if found is None else found.number(GAL.Status)) == (173 if told else None)
