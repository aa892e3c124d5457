"""What a Search asks for ([MS-ASCMD] Search: Store, Query, Options)."""

from dataclasses import dataclass
from enum import IntEnum

from eas.commands.ranges import BadRange, Range, parse_range
from eas.commands.wishes import BadWish, parse_wish
from eas.finding.words import Clause, QueryTooComplex, parse_words
from eas.mail.email_item import Wish
from eas.protocol.datatypes import BadDateTime, parse_datetime
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement

TAG, SYNC = pages.Search, pages.AirSync
RESULTS_MAX = 1000
"""What can be reached: ranges end at 999."""
RANGE_DEFAULT = Range(0, 99)
FOLDERS_MAX = 1000
EMAIL = "Email"


class StoreStatus(IntEnum):
    """[MS-ASCMD] Status (Search): of the Store."""

    SUCCESS = 1
    INVALID_REQUEST = 2
    NOT_FOUND = 6
    TOO_COMPLEX = 8
    HIERARCHY_CHANGED = 11
    END_OF_RANGE = 12


class StoreFailed(Exception):
    """The store cannot be searched so."""

    def __init__(self, status: StoreStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class GalSearch:
    """A search in the address book."""

    text: str
    range: Range
    wants_picture: bool = False


@dataclass(frozen=True, slots=True)
class MailSearch:
    """A search in the mailbox.  *clauses* None: a text was given that says nothing, and nothing matches it."""

    range: Range
    collection_ids: tuple[str, ...] = ()
    deep: bool = False
    wants_mail: bool = True
    """Whether mail is among the classes to be found."""
    clauses: tuple[Clause, ...] | None = ()
    conversation_id: bytes | None = None
    after_ms: int | None = None
    before_ms: int | None = None
    wish: Wish | None = None
    """Which body to send; None: none was asked for."""


def parse_store(store: Element, version: Version) -> GalSearch | MailSearch:
    """Read the Store.  Raises `StoreFailed`."""
    name = store.text_or(TAG.Name, "").replace(" ", "").lower()
    query, options = store.first(TAG.Query), store.first(TAG.Options) or Element(TAG.Options)
    if name == "documentlibrary":
        raise StoreFailed(StoreStatus.NOT_FOUND)
    if query is None or name not in ("gal", "mailbox"):
        raise StoreFailed(StoreStatus.INVALID_REQUEST)
    try:
        if name == "gal":
            wants_picture = version >= Version.V14_1 and options.has(TAG.Picture)
            return GalSearch(query.as_text(), _range(options), wants_picture)
        return _mail_search(query, options, version)
    except QueryTooComplex as error:
        raise StoreFailed(StoreStatus.TOO_COMPLEX) from error
    except (BadDateTime, BadRange, BadWish, InvalidValue, MissingElement) as error:
        raise StoreFailed(StoreStatus.INVALID_REQUEST) from error


def _range(options: Element) -> Range:
    if not options.has(TAG.Range):
        return RANGE_DEFAULT
    first, last = parse_range(options.text(TAG.Range))
    if first >= RESULTS_MAX:
        raise StoreFailed(StoreStatus.END_OF_RANGE)
    return Range(first, min(last, RESULTS_MAX - 1))


def _mail_search(query: Element, options: Element, version: Version) -> MailSearch:
    both = _the_and(query)
    classes = [found.as_text() for found in both.all(SYNC.Class)]
    collections = tuple(found.as_text() for found in both.all(SYNC.CollectionId))
    if len(collections) > FOLDERS_MAX:
        raise StoreFailed(StoreStatus.TOO_COMPLEX)
    if both.has(TAG.ConversationId) and version < Version.V14_0:
        raise StoreFailed(StoreStatus.INVALID_REQUEST)
    clauses: tuple[Clause, ...] | None = ()
    if both.has(TAG.FreeText):
        text = both.text(TAG.FreeText)
        clauses = parse_words(text) if text.strip() else None
    wish = parse_wish(options)
    return MailSearch(
        _range(options),
        collections,
        options.flag_or(TAG.DeepTraversal, default=False),
        not classes or EMAIL in classes,
        clauses,
        both.opaque_or(TAG.ConversationId, None),
        _limit(both, TAG.GreaterThan),
        _limit(both, TAG.LessThan),
        wish if wish.preferences else None,
    )


_CONDITIONS = (SYNC.Class, SYNC.CollectionId, TAG.FreeText, TAG.ConversationId, TAG.GreaterThan, TAG.LessThan)


def _the_and(query: Element) -> Element:
    """Return the one And of *query*, which holds conditions only.

    Anything else from the same vocabulary is too complex ([MS-ASCMD] Status 8), elements of an item are an error.
    """
    vocabulary = (*_CONDITIONS, TAG.And, TAG.Or, TAG.EqualTo)
    inner = [found for child in query.children if child.tag is TAG.And for found in child.children]
    strange = [found for found in inner if found.tag not in _CONDITIONS]
    strange += [child for child in query.children if child.tag is not TAG.And]
    if any(found.tag not in vocabulary for found in strange) or not query.children:
        raise StoreFailed(StoreStatus.INVALID_REQUEST)
    if strange or len(query.children) != 1:
        raise StoreFailed(StoreStatus.TOO_COMPLEX)
    return query.children[0]


def _limit(conditions: Element, tag: pages.Tag) -> int | None:
    """Return the moment of a GreaterThan or LessThan, in milliseconds since 1970."""
    limit = conditions.first(tag)
    if limit is None:
        return None
    if not limit.has(pages.Email.DateReceived):
        raise MissingElement(pages.Email.DateReceived)
    return int(parse_datetime(limit.text(TAG.Value)).timestamp() * 1000)
