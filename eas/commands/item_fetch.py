"""Fetch of ItemOperations: an item by its ids, or a file by its reference ([MS-ASCMD] Fetch (ItemOperations))."""

from dataclasses import dataclass, field, replace

import structlog

from eas.commands.item_data import DataSink, FileSlice
from eas.commands.located import NoSuchFile, NotThere, located, located_file
from eas.commands.operation_status import OperationFailed, OperationStatus
from eas.commands.ranges import BadRange, Range, parse_range
from eas.commands.wishes import NATIVE, BadWish, parse_wish
from eas.context import Context
from eas.items.email import Email, render_email
from eas.mail.body import Body
from eas.mail.email_item import Wish, email_of, load_body
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, element, leaf
from eas.wbxml.pages import Tag
from storage.engine import NotFound, Unavailable
from storage.state import State

TAG, BASE = pages.ItemOperations, pages.AirSyncBase
MAILBOX = "mailbox"
REFERENCES = (
    pages.AirSync.CollectionId,
    pages.AirSync.ServerId,
    pages.Search.LongId,
    pages.DocumentLibrary.LinkId,
    BASE.FileReference,
)
"""In the order in which they come back."""
_PLACE = REFERENCES[:2]
LONG_ID, LINK_ID, FILE = REFERENCES[2:]
REFERENCE_CHARS_MAX = 256
"""[MS-ASCMD] LongId; the other references are shorter."""
_FILE_OPTIONS = (TAG.Range, pages.RightsManagement.RightsManagementSupport)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fetch:
    """One Fetch; with a *fault* it fails without a try."""

    references: dict[Tag, str]
    wish: Wish = field(default_factory=Wish)
    wanted: frozenset[Tag] = frozenset()
    """Schema: the properties to send; empty: all."""
    range: Range | None = None
    fault: OperationStatus | None = None

    @property
    def server_id(self) -> str:
        """The ServerId or LongId."""
        return self.references.get(LONG_ID) or self.references[pages.AirSync.ServerId]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to a `Fetch`: a mail, or a slice of a file, or neither."""

    fetch: Fetch
    status: OperationStatus
    email: Email | None = None
    body: Body | None = None
    file: FileSlice | None = None

    @property
    def size_bytes(self) -> int:
        """What it weighs in memory."""
        data = self.body.data if self.body else self.file.data if self.file else None
        return len(data or "")


def parse(fetch: Element, version: Version) -> Fetch:
    """Read a Fetch; what is wrong with it becomes its *fault*."""
    references: dict[Tag, str] = {}
    try:
        for tag in REFERENCES:
            if fetch.has(tag):
                text = fetch.text(tag)
                if len(text) > REFERENCE_CHARS_MAX:
                    raise OperationFailed(OperationStatus.PROTOCOL_ERROR)
                references[tag] = text
        return _parsed(fetch, references, version)
    except OperationFailed as failed:
        return Fetch(references, fault=failed.status)
    except (BadWish, InvalidValue):
        return Fetch(references, fault=OperationStatus.PROTOCOL_ERROR)


def _parsed(fetch: Element, references: dict[Tag, str], version: Version) -> Fetch:
    options = fetch.first(TAG.Options)
    store = fetch.text_or(TAG.Store, "").replace(" ", "").lower()
    if store and store != MAILBOX:
        raise OperationFailed(OperationStatus.UNKNOWN_STORE)
    ways = [tag for tag in references if tag not in _PLACE]
    is_place = all(tag in references for tag in _PLACE)
    repeats = any(len(fetch.all(tag)) > 1 for tag in REFERENCES)
    if not store or repeats or is_place + len(ways) != 1 or (ways and references.keys() & set(_PLACE)):
        raise OperationFailed(OperationStatus.PROTOCOL_ERROR)
    if LINK_ID in references:
        raise OperationFailed(OperationStatus.UNKNOWN_STORE)
    if FILE in references:
        return Fetch(references, range=_file_range(options))
    if options is not None and options.has(TAG.Range):
        raise OperationFailed(OperationStatus.PROTOCOL_ERROR)
    part = options.first(BASE.BodyPartPreference) if options is not None else None
    if part is not None and version >= Version.V14_1 and part.text_or(BASE.Type, "") != "2":
        raise OperationFailed(OperationStatus.BODY_PART_TYPE)
    wish = parse_wish(options)
    schema = options.first(TAG.Schema) if options is not None else None
    wanted = frozenset(child.tag for child in schema.children) if schema is not None else frozenset[Tag]()
    return Fetch(references, wish if wish.preferences else replace(wish, preferences=NATIVE), wanted)


def _file_range(options: Element | None) -> Range | None:
    if options is None:
        return None
    if any(child.tag not in _FILE_OPTIONS for child in options.children):
        raise OperationFailed(OperationStatus.PROTOCOL_ERROR)  # [MS-ASCMD] Options: only Range goes with FileReference
    try:
        return parse_range(options.text(TAG.Range)) if options.has(TAG.Range) else None
    except BadRange as error:
        raise OperationFailed(OperationStatus.INVALID_RANGE) from error


async def run(context: Context, state: State, fetch: Fetch, room_bytes: int) -> Fetched:
    """Fetch from *state*, a snapshot.  With *room_bytes* used up, a mail is refused, and a file read when it is sent.

    Raises `Unavailable`: the phone should repeat the whole command.
    """
    try:
        if fetch.fault is not None:
            raise OperationFailed(fetch.fault)
        if FILE in fetch.references:
            piece = await _file(context, state, fetch)
            return Fetched(fetch, OperationStatus.SUCCESS, file=piece if room_bytes > 0 else piece.unread)
        if room_bytes <= 0:
            raise OperationFailed(OperationStatus.TOO_LARGE)
        return await _mail(context, state, fetch)
    except OperationFailed as failed:
        return Fetched(fetch, failed.status)
    except (NotThere, NotFound):
        return Fetched(fetch, OperationStatus.NOT_FOUND)
    except NoSuchFile:
        return Fetched(fetch, OperationStatus.INVALID_ATTACHMENT)
    except Unavailable:
        raise
    except Exception:
        _log.exception("fetch.item_failed", device=context.device)
        return Fetched(fetch, OperationStatus.CONVERSION_FAILED)


async def _mail(context: Context, state: State, fetch: Fetch) -> Fetched:
    mail = await located(state, fetch.server_id)
    if fetch.references.get(pages.AirSync.CollectionId, mail.folder) != mail.folder:
        raise NotThere(fetch.server_id)
    email = email_of(mail.item, mail.folder, mail.summary)
    body = None
    if not fetch.wanted or BASE.Body in fetch.wanted:
        body = await load_body(context.account, mail.content, mail.summary, fetch.wish, context.version)
    return Fetched(fetch, OperationStatus.SUCCESS, email, body)


async def _file(context: Context, state: State, fetch: Fetch) -> FileSlice:
    file = await located_file(context.account, state, fetch.references[FILE])
    if fetch.range is None:
        return FileSlice(file, 0, file.size_bytes)
    first, last = fetch.range
    if first >= file.size_bytes:
        raise OperationFailed(OperationStatus.INVALID_RANGE)
    return FileSlice(file, first, min(last + 1, file.size_bytes) - first)


def render(fetched: Fetched, version: Version, sink: DataSink) -> Element:
    """Return the Fetch of the response; the data go where *sink* leads them."""
    references = fetched.fetch.references
    properties = None
    if fetched.email is not None:
        properties = _mail_properties(fetched, fetched.email, version, sink)
    elif fetched.file is not None:
        properties = _file_properties(fetched, fetched.file, sink)
    return element(
        TAG.Fetch,
        leaf(TAG.Status, fetched.status),
        *(leaf(tag, references.get(tag) or None) for tag in REFERENCES[:3]),
        leaf(pages.AirSync.Class, "Email" if fetched.email is not None else None),
        *(leaf(tag, references.get(tag)) for tag in REFERENCES[3:]),  # an empty FileReference, too
        properties,
    )


def _mail_properties(fetched: Fetched, email: Email, version: Version, sink: DataSink) -> Element:
    body = fetched.body
    part = sink.part(body.data.encode()) if sink.is_multipart and body is not None and body.data is not None else None
    every = render_email(email, version, body, part)
    wanted = [child for child in every if not fetched.fetch.wanted or child.tag in fetched.fetch.wanted]
    return element(TAG.Properties, *(wanted or every))


def _file_properties(fetched: Fetched, piece: FileSlice, sink: DataSink) -> Element:
    # Range and Total only for whoever asked for a range: iOS 10 gives up on an answer that has them unasked.
    told = Range(piece.start, piece.start + piece.size - 1) if fetched.fetch.range is not None else None
    return element(
        TAG.Properties,
        leaf(BASE.ContentType, piece.file.content_type),
        leaf(TAG.Range, str(told) if told is not None else None),
        leaf(TAG.Total, piece.file.size_bytes if told is not None else None),
        sink.data(piece),
    )
