"""The client's searches: Search for the mailbox and the address list, Find from 16.1 on."""

from dataclasses import dataclass
from datetime import datetime

from eas.protocol.datatypes import dashed
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, Email, Find, Search
from eas.wbxml.tag import Tag
from tests.support.commanding import Commanding, Refused
from tests.support.mailbox import Item
from tests.support.sync_requests import BodyPreference


@dataclass(frozen=True, slots=True)
class Found:
    """One result of a search: `id` is a LongId from Search, a ServerId from Find."""

    id: str
    collection_id: str
    item: Item


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, and how much there is in all."""

    status: int
    results: tuple[Found, ...]
    range: str | None
    total: int | None


class SearchCommands(Commanding):
    """Commands that find items."""

    async def search(
        self,
        text: str,
        collection_id: str | None = None,
        *,
        result_range: str | None = "0-99",
        since: datetime | None = None,
        before: datetime | None = None,
        deep: bool = True,
        body: BodyPreference | None = None,
    ) -> SearchResult:
        """Search the mailbox for *text* in one folder (and below, if *deep*) or in all, as AOSP does."""
        page = Search
        query = element(
            page.And,
            leaf(AirSync.Class, "Email"),
            leaf(AirSync.CollectionId, collection_id),
            leaf(page.FreeText, text),
            _limit(page.GreaterThan, since),
            _limit(page.LessThan, before),
        )
        options = element(
            page.Options,
            empty(page.RebuildResults),
            empty(page.DeepTraversal) if deep else None,
            leaf(page.Range, result_range),
            None if body is None else body.render(),
        )
        return await self._search("Mailbox", element(page.Query, query), options)

    async def search_gal(self, text: str, *, result_range: str | None = "0-99") -> SearchResult:
        """Search the address list."""
        query = Element(Search.Query, value=text)
        return await self._search("GAL", query, element(Search.Options, leaf(Search.Range, result_range)))

    async def _search(self, store: str, query: Element, options: Element) -> SearchResult:
        page = Search
        request = element(page.Search, element(page.Store, leaf(page.Name, store), query, options))
        response = (await self.command(request, page.Status)).first(page.Response)
        if response is None:
            raise Refused(self.answered(), None)
        found = response.all(page.Store)[0]
        results = [_found(one, page.LongId, page.Properties) for one in found.all(page.Result) if one.children]
        return SearchResult(
            found.number(page.Status),
            tuple(results),
            found.text_or(page.Range, None),
            found.number_or(page.Total, None),
        )

    async def find(
        self,
        text: str,
        collection_id: str | None = None,
        *,
        search_id: str = "b1f5e1d2-0000-4000-8000-000000000001",
        result_range: str | None = "0-99",
        deep: bool = True,
    ) -> SearchResult:
        """Find mail (16.1) by a query in Microsoft's keyword language, page by page under one *search_id*."""
        page = Find
        query = element(
            page.Query,
            leaf(page.FreeText, text),
            leaf(AirSync.Class, "Email"),
            leaf(AirSync.CollectionId, collection_id),
        )
        options = element(page.Options, leaf(page.Range, result_range), empty(page.DeepTraversal) if deep else None)
        request = element(
            page.Find,
            leaf(page.SearchId, search_id),
            element(page.ExecuteSearch, element(page.MailBoxSearchCriterion, query, options)),
        )
        response = (await self.command(request, page.Status)).first(page.Response)
        if response is None:
            raise Refused(self.answered(), None)
        return SearchResult(
            response.number(page.Status),
            tuple(_found(one, AirSync.ServerId, page.Properties) for one in response.all(page.Result)),
            response.text_or(page.Range, None),
            response.number_or(page.Total, None),
        )


def _limit(tag: Tag, moment: datetime | None) -> Element | None:
    if moment is None:
        return None
    return element(tag, empty(Email.DateReceived), leaf(Search.Value, dashed(moment)))


def _found(result: Element, key: Tag, properties: Tag) -> Found:
    item = Item(result.text_or(key, ""), {})
    item.update(result.first(properties))
    return Found(item.server_id, result.text_or(AirSync.CollectionId, ""), item)
