"""Search: in the mailbox and in the address book ([MS-ASCMD] Search).

Mails come newest first, counted exactly; the text is looked for as `eas/finding/mailsearch.py` says.  Nothing is
cached, so RebuildResults asks for what is done anyway.
"""

from dataclasses import dataclass

from eas.commands import found
from eas.commands.found import FoundMail
from eas.commands.ranges import Range
from eas.commands.search_request import EMAIL, GalSearch, MailSearch, StoreFailed, StoreStatus, parse_store
from eas.context import Context
from eas.finding import addressbook, mailsearch
from eas.finding.mailsearch import MailQuery, UnknownFolder, folders_of
from eas.items.email import render_email
from eas.protocol.exchange import EasRequest
from eas.protocol.status import SUCCESS
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, MissingElement, element, leaf
from storage.directories.directory import Entry

TAG = pages.Search


@dataclass(frozen=True, slots=True)
class Searched:
    """What was found: mails or people, from place *first* on, of *total*."""

    status: StoreStatus
    total: int = 0
    first: int = 0
    mails: tuple[FoundMail, ...] | None = None
    people: tuple[Entry, ...] = ()
    wants_picture: bool = False


def parse(root: Element | None, request: EasRequest) -> GalSearch | MailSearch | Searched:
    """Read the request; one that is refused is the answer.  Raises `MissingElement`."""
    store = root.first(TAG.Store) if root is not None else None
    if store is None:
        raise MissingElement(TAG.Store)
    try:
        return parse_store(store, request.version)
    except StoreFailed as failed:
        return Searched(failed.status)


async def handle(context: Context, request: GalSearch | MailSearch | Searched) -> Searched:
    """Search."""
    if isinstance(request, GalSearch):
        return await _people(context, request)
    return await _mails(context, request) if isinstance(request, MailSearch) else request


async def _people(context: Context, request: GalSearch) -> Searched:
    first, last = request.range
    people = await addressbook.search(context.services.directory, request.text, first, last)
    if first and first >= people.total:
        return Searched(StoreStatus.END_OF_RANGE)
    wants_picture = request.wants_picture
    return Searched(StoreStatus.SUCCESS, people.total, first, people=people.found, wants_picture=wants_picture)


async def _mails(context: Context, request: MailSearch) -> Searched:
    async with context.account.turn() as state:
        snapshot = state.snapshot()
    try:
        folders = folders_of(snapshot.folders, request.collection_ids, deep=request.deep)
    except UnknownFolder:
        return Searched(StoreStatus.HIERARCHY_CHANGED)
    if request.clauses is None or not request.wants_mail:
        return Searched(StoreStatus.SUCCESS, mails=())
    query = MailQuery(folders, request.clauses, request.conversation_id, request.after_ms, request.before_ms)
    first, last = request.range
    hits = await mailsearch.search(snapshot, query, last + 1)
    if first and first >= hits.total:
        return Searched(StoreStatus.END_OF_RANGE)
    mails = await found.load(context, snapshot, hits.newest[first:], request.wish)
    return Searched(StoreStatus.SUCCESS, hits.total, first, tuple(mails))


def render(searched: Searched, version: Version) -> Element:
    """Return the answer.  A mailbox in which nothing was found has one empty Result."""
    results = [_mail(mail, version) for mail in searched.mails or ()]
    results += [_person(person, searched.wants_picture) for person in searched.people]
    is_told = searched.status == StoreStatus.SUCCESS
    told = Range(searched.first, searched.first + len(results) - 1) if results else None
    if searched.mails == ():
        results = [Element(TAG.Result)]
    store = element(
        TAG.Store,
        leaf(TAG.Status, searched.status),
        *results,
        leaf(TAG.Range, str(told) if told else None),
        leaf(TAG.Total, searched.total) if is_told else None,
    )
    return element(TAG.Search, leaf(TAG.Status, SUCCESS), element(TAG.Response, store))


def _mail(mail: FoundMail, version: Version) -> Element:
    return element(
        TAG.Result,
        leaf(pages.AirSync.Class, EMAIL),
        leaf(TAG.LongId, mail.server_id),
        leaf(pages.AirSync.CollectionId, mail.folder),
        element(TAG.Properties, *render_email(mail.email, version, mail.body)),
    )


def _person(person: Entry, wants_picture: bool) -> Element:
    return element(TAG.Result, element(TAG.Properties, *addressbook.render_person(person, wants_picture=wants_picture)))
