"""Find: mail and people, by short properties, page by page; from 16.1 on ([MS-ASCMD] Find).

A search is known by its SearchId: its first request must begin at 0, later ones of the same id may go on from
anywhere.  So the id of the device's last search is remembered.
"""

from dataclasses import dataclass
from enum import IntEnum

from eas.commands import found
from eas.commands.found import FoundMail
from eas.commands.ranges import BadRange, Range, parse_range
from eas.context import CommandFailed, Context
from eas.finding import addressbook, mailsearch
from eas.finding.mailsearch import MailQuery, UnknownFolder, folders_of
from eas.finding.words import Clause, QueryTooComplex, parse_words
from eas.protocol.datatypes import dashed
from eas.protocol.exchange import EasRequest
from eas.protocol.status import SUCCESS
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from storage.directories.directory import Entry
from storage.message.addresses import parse_addresses
from storage.records import DeviceSet
from storage.state import State

TAG, SYNC, EMAIL, EMAIL2 = pages.Find, pages.AirSync, pages.Email, pages.Email2
CLASS = "Email"
RANGE_DEFAULT = Range(0, 99)
LAST_MAX = 999
SEARCH_ID_CHARS_MAX = 64
PREVIEW_CHARS_MAX = 255
REMEMBERED = "find"


class FindStatus(IntEnum):
    """[MS-ASCMD] Status (Find)."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    HIERARCHY_CHANGED = 3
    NOT_FROM_ZERO = 4


@dataclass(frozen=True, slots=True)
class Find:
    """What to find: *clauses* of mails, or the *text* of people.  *clauses* None: nothing that any mail matches."""

    search_id: str
    range: Range
    text: str | None = None
    clauses: tuple[Clause, ...] | None = ()
    collection_id: str = ""
    deep: bool = False
    wants_picture: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; *status* is that of the Response."""

    status: FindStatus
    store: str
    total: int = 0
    first: int = 0
    mails: tuple[FoundMail, ...] = ()
    people: tuple[Entry, ...] = ()
    wants_picture: bool = False


def parse(root: Element | None, request: EasRequest) -> Find:
    """Read the request.  Raises `MissingElement`, and `CommandFailed` with Status 2."""
    if root is None:
        raise MissingElement(TAG.SearchId)
    search_id = root.text(TAG.SearchId)
    execute = root.first(TAG.ExecuteSearch)
    if execute is None:
        raise MissingElement(TAG.ExecuteSearch)
    mail, gal = execute.first(TAG.MailBoxSearchCriterion), execute.first(TAG.GalSearchCriterion)
    criterion = mail or gal
    if not 0 < len(search_id) <= SEARCH_ID_CHARS_MAX or criterion is None or (mail is not None and gal is not None):
        raise CommandFailed(FindStatus.INVALID_REQUEST)
    query, options = criterion.first(TAG.Query), criterion.first(TAG.Options) or Element(TAG.Options)
    if query is None:
        raise MissingElement(TAG.Query)
    try:
        if criterion is gal:
            return Find(search_id, _range(options), query.as_text(), wants_picture=options.has(TAG.Picture))
        return _mail(search_id, query, options)
    except (BadRange, InvalidValue, QueryTooComplex) as error:
        raise CommandFailed(FindStatus.INVALID_REQUEST) from error


def _mail(search_id: str, query: Element, options: Element) -> Find:
    if query.text(SYNC.Class) != CLASS:
        raise CommandFailed(FindStatus.INVALID_REQUEST)
    text = query.text_or(TAG.FreeText, None)
    return Find(
        search_id,
        _range(options),
        clauses=() if text is None else parse_words(text) if text.strip() else None,
        collection_id=query.text_or(SYNC.CollectionId, ""),
        deep=options.flag_or(TAG.DeepTraversal, default=False),
    )


def _range(options: Element) -> Range:
    if not options.has(TAG.Range):
        return RANGE_DEFAULT
    asked = parse_range(options.text(TAG.Range))
    if asked.last > LAST_MAX:
        raise BadRange(str(asked))
    return asked


async def handle(context: Context, request: Find) -> Findings:
    """Find.  Raises `CommandFailed` with Status 3 for a folder that is not there."""
    store = "Mailbox" if request.text is None else "GAL"
    async with context.account.turn() as state:
        if not await _is_begun(context, state, request):
            return Findings(FindStatus.NOT_FROM_ZERO, store)
        snapshot = state.snapshot()
    first, last = request.range
    if request.text is not None:
        people = await addressbook.search(context.services.directory, request.text, first, last)
        wants_picture = request.wants_picture
        return Findings(
            FindStatus.SUCCESS, store, people.total, first, people=people.found, wants_picture=wants_picture
        )
    collections = (request.collection_id,) if request.collection_id else ()
    try:
        folders = folders_of(snapshot.folders, collections, deep=request.deep)
    except UnknownFolder as error:
        raise CommandFailed(FindStatus.HIERARCHY_CHANGED) from error
    if request.clauses is None:
        return Findings(FindStatus.SUCCESS, store)
    hits = await mailsearch.search(snapshot, MailQuery(folders, request.clauses), last + 1)
    mails = await found.load(context, snapshot, hits.newest[first:], None)
    return Findings(FindStatus.SUCCESS, store, hits.total, first, tuple(mails))


async def _is_begun(context: Context, state: State, request: Find) -> bool:
    """Remember a search that begins; tell whether one that goes on had begun."""
    known = state.devices.get(context.device, REMEMBERED)
    if known != request.search_id and request.range.first == 0:
        await context.account.commit([DeviceSet(context.device, REMEMBERED, request.search_id)])
        return True
    return bool(known == request.search_id)


def render(findings: Findings, version: Version) -> Element:
    """Return the answer."""
    results = [_result(mail) for mail in findings.mails]
    results += [
        element(
            TAG.Result,
            element(TAG.Properties, *addressbook.render_person(person, wants_picture=findings.wants_picture)),
        )
        for person in findings.people
    ]
    told = Range(findings.first, findings.first + len(results) - 1) if results else None
    response = element(
        TAG.Response,
        leaf(pages.ItemOperations.Store, findings.store),
        leaf(TAG.Status, findings.status),
        *results,
        leaf(TAG.Range, str(told) if told else None),
        leaf(TAG.Total, findings.total) if findings.status == FindStatus.SUCCESS else None,
    )
    return element(TAG.Find, leaf(TAG.Status, SUCCESS), response)


def _result(mail: FoundMail) -> Element:
    email = mail.email
    properties = element(
        TAG.Properties,
        leaf(EMAIL.Subject, email.subject),
        leaf(EMAIL.DateReceived, dashed(email.date_received)),
        leaf(EMAIL.DisplayTo, email.display_to),
        leaf(TAG.DisplayCc, _names(email.cc) or None),
        leaf(TAG.DisplayBcc, _names(email.bcc) or None),
        leaf(EMAIL.Importance, email.importance),
        leaf(EMAIL.Read, email.read),
        leaf(EMAIL2.IsDraft, email.is_draft),
        leaf(TAG.Preview, mail.summary.preview[:PREVIEW_CHARS_MAX]),
        leaf(TAG.HasAttachments, bool(email.attachments)),
        leaf(EMAIL.From, email.from_),
    )
    return element(
        TAG.Result,
        leaf(SYNC.Class, CLASS),
        leaf(SYNC.ServerId, mail.server_id),
        leaf(SYNC.CollectionId, mail.folder),
        properties,
    )


def _names(addresses: str) -> str:
    """Return the names of a list of addresses, as DisplayTo has them."""
    return ";".join(address.shown for address in parse_addresses(addresses.encode()))
