"""Find: mail and people, page by page."""

from collections.abc import AsyncIterator

import pytest

from eas.commands.find import SEARCH_ID_CHARS_MAX
from eas.finding.words import QUERY_CHARS_MAX
from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import GAL, AirSync, Email, Email2, Find
from tests.commands.letters import File, letter
from tests.eas.world import World, world
from tests.support.client import EasClient, Refused


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world(accounts=2) as running:
        await running.deliver(1, letter("Lunch", "At the Café", cc='"Berg, Zoë" <z@x.org>, tim@x.org', number=1))
        await running.deliver(1, letter("Invoice", "See file", files=[File("a.pdf", b"1")], number=2))
        yield running


def _mail(*query: Element | None, range_: str | None = None, deep: Element | None = None) -> Element:
    options = element(Find.Options, Element(Find.Range, value=range_) if range_ is not None else None, deep)
    return element(Find.MailBoxSearchCriterion, element(Find.Query, *query), options if options.children else None)


def _lunch() -> tuple[Element | None, Element | None]:
    return leaf(Find.FreeText, "lunch"), leaf(AirSync.Class, "Email")


async def _find(phone: EasClient, *criteria: Element, search_id: str | None = "s1") -> Element:
    """Find as given and return the Response."""
    request = element(
        Find.Find,
        None if search_id is None else Element(Find.SearchId, value=search_id),
        element(Find.ExecuteSearch, *criteria),
    )
    response = (await phone.command(request, Find.Status)).first(Find.Response)
    assert response is not None
    return response


async def _refusal(phone: EasClient, *criteria: Element, search_id: str | None = "s1") -> int | None:
    with pytest.raises(Refused) as refused:
        await _find(phone, *criteria, search_id=search_id)
    return refused.value.status


@pytest.mark.parametrize("version", [version for version in ANNOUNCED if version < Version.V16_1])
async def test_before_16_1_there_is_no_find(w: World, version: Version) -> None:
    with pytest.raises(Refused) as refused:
        await _find(w.client(version=version), _mail(*_lunch()))
    assert refused.value.answer.status == 501


async def test_mail_is_found_with_what_a_list_shows(w: World) -> None:
    found = await w.client(version=Version.V16_1).find("from:bob lunch")
    assert (found.status, found.range, found.total) == (1, "0-0", 1)
    [result] = found.results
    texts = {tag: result.item.text(tag) for tag in result.item.properties}
    texts.pop(Email.DateReceived)
    assert texts == {
        Email.Subject: "Lunch",
        Email.From: '"Bob" <bob@example.net>',
        Email.DisplayTo: "u1@example.test",
        Find.DisplayCc: "Berg, Zoë;tim@x.org",
        Email.Importance: "1",
        Email.Read: "0",
        Email2.IsDraft: "0",
        Find.Preview: "At the Café",
        Find.HasAttachments: "0",
    }
    assert result.collection_id == "inbox"
    assert (await w.client(version=Version.V16_1).fetch("inbox", result.id)).item.subject == "Lunch"


async def test_files_are_told(w: World) -> None:
    [result] = (await w.client(version=Version.V16_1).find("hasattachment:true")).results
    assert result.item.text(Find.HasAttachments) == "1"


async def test_pages_follow_each_other_under_one_id(w: World) -> None:
    phone = w.client(version=Version.V16_1)
    first = await phone.find("example", result_range="0-0")
    second = await phone.find("example", result_range="1-5")
    beyond = await phone.find("example", result_range="2-5")
    assert [(page.range, page.total) for page in (first, second, beyond)] == [("0-0", 2), ("1-1", 2), (None, 2)]
    assert first.results[0].id != second.results[0].id


async def test_a_search_begins_at_0(w: World) -> None:
    phone = w.client(version=Version.V16_1)
    assert (await phone.find("lunch", search_id="new", result_range="1-5")).status == 4
    assert (await phone.find("lunch", search_id="new", result_range="0-0")).status == 1
    assert (await phone.find("lunch", search_id="new", result_range="1-5")).status == 1
    assert (await phone.find("lunch", search_id="other", result_range="1-5")).status == 4


@pytest.mark.parametrize("text", ["nothing like it", "", "  "])
async def test_nothing_found_is_no_result(w: World, text: str) -> None:
    response = await _find(
        w.client(version=Version.V16_1), _mail(Element(Find.FreeText, value=text), leaf(AirSync.Class, "Email"))
    )
    assert response.number(Find.Status) == 1
    assert (response.all(Find.Result), response.number(Find.Total)) == ([], 0)


async def test_folders_are_searched(w: World) -> None:
    phone = w.client(version=Version.V16_1)
    assert (await phone.find("lunch", "inbox", deep=False)).total == 1
    assert (await phone.find("lunch", "archive")).total == 0
    assert (await phone.find("lunch", "0")).total == 1


async def test_an_unknown_folder_asks_for_a_folder_sync(w: World) -> None:
    assert await _refusal(w.client(version=Version.V16_1), _mail(*_lunch(), leaf(AirSync.CollectionId, "nowhere"))) == 3


async def test_people_are_found(w: World) -> None:
    options = element(Find.Options, leaf(Find.Range, "0-5"), empty(Find.Picture))
    criterion = element(Find.GalSearchCriterion, Element(Find.Query, value="user 2"), options)
    response = await _find(w.client(version=Version.V16_1), criterion)
    [result] = response.all(Find.Result)
    properties = result.first(Find.Properties)
    assert properties is not None
    assert properties.text(GAL.EmailAddress) == "u2@example.test"
    picture = properties.first(GAL.Picture)
    assert picture is not None
    assert picture.number(GAL.Status) == 173


@pytest.mark.parametrize("asked", ["", "x", "5-4", "0-1000", "1"])
async def test_a_range_that_is_none_is_refused(w: World, asked: str) -> None:
    assert await _refusal(w.client(version=Version.V16_1), _mail(*_lunch(), range_=asked)) == 2


async def test_the_widest_range_is_taken(w: World) -> None:
    assert (await w.client(version=Version.V16_1).find("lunch", result_range="0-999")).range == "0-0"


@pytest.mark.parametrize(
    ("criteria", "status"),
    [
        ((), 2),
        ((_mail(*_lunch()), element(Find.GalSearchCriterion, Element(Find.Query, value="x"))), 2),
        ((element(Find.MailBoxSearchCriterion),), 103),
        ((element(Find.GalSearchCriterion),), 103),
        ((_mail(leaf(Find.FreeText, "x")),), 103),
        ((_mail(leaf(Find.FreeText, "x"), leaf(AirSync.Class, "Calendar")),), 2),
        ((_mail(*_lunch(), deep=leaf(Find.DeepTraversal, "x")),), 2),
        ((_mail(leaf(Find.FreeText, "a" * (QUERY_CHARS_MAX + 1)), leaf(AirSync.Class, "Email")),), 2),
    ],
)
async def test_a_wrong_criterion_is_refused(w: World, criteria: tuple[Element, ...], status: int) -> None:
    assert await _refusal(w.client(version=Version.V16_1), *criteria) == status


@pytest.mark.parametrize(
    ("search_id", "status"),
    [(None, 103), ("", 2), ("x" * (SEARCH_ID_CHARS_MAX + 1), 2), ("x" * SEARCH_ID_CHARS_MAX, None)],
)
async def test_a_search_has_an_id(w: World, search_id: str | None, status: int | None) -> None:
    if status is None:
        assert (await _find(w.client(version=Version.V16_1), _mail(*_lunch()), search_id=search_id)).number(
            Find.Total
        ) == 1
    else:
        assert await _refusal(w.client(version=Version.V16_1), _mail(*_lunch()), search_id=search_id) == status


async def test_without_what_is_to_be_done_it_is_refused(w: World) -> None:
    with pytest.raises(Refused) as refused:
        await w.client(version=Version.V16_1).command(element(Find.Find, leaf(Find.SearchId, "x")), Find.Status)
    assert refused.value.status == 103
