"""The answer to Sync: [MS-ASCMD] Sync, response.

Microsoft's schema leaves the order below Collection open; phones do not: Outlook and Windows Phone want SyncKey,
CollectionId, Status, then MoreAvailable before any Commands.  iOS crashes on empty Collections, Windows Phone trips
over empty Responses, Outlook 2021 stalls on a Status above Collections.
"""

from eas.wbxml.element import Element
from eas.wbxml.pages import AirSync, AirSyncBase
from tests.support import schema_email
from tests.support.schema_language import ByPage, Loose, any_order, many, maybe, one, sequence, some
from tests.support.schema_leaves import COMPACT, EMPTY, IDENTIFIER, NON_EMPTY, integer, status
from tests.support.schema_rules import at_least_one_of, at_most_one_of, distinct, fails, needs, only_with, text_of

STATUS = status(1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16)
SYNC_KEY = IDENTIFIER

# Classes without a table of their own: elements of these pages, whatever they hold.
OTHER_CLASSES = {
    page: Loose(frozenset({page, "AirSyncBase", *more}))
    for page, *more in (
        ("Calendar", "MeetingResponse"),
        ("Contacts", "Contacts2"),
        ("Tasks",),
        ("Notes",),
        ("DocumentLibrary",),
    )
}
FULL_DATA = ByPage(OTHER_CLASSES, schema_email.FULL)
PARTIAL_DATA = ByPage(OTHER_CLASSES, schema_email.PARTIAL)
WHOLE_DATA = ByPage(OTHER_CLASSES, schema_email.WHOLE)
STORED_DATA = ByPage(OTHER_CLASSES, schema_email.STORED)


def _starts_empty(collection: Element) -> str | None:
    """The key 0 ends a relationship: nothing may come with it."""
    if text_of(collection, AirSync.SyncKey) == "0" and (
        collection.has(AirSync.Commands) or collection.has(AirSync.Responses)
    ):
        return "items under the key 0"
    return None


def _limit_needs_its_status(sync: Element) -> str | None:
    if sync.has(AirSync.Limit) != (text_of(sync, AirSync.Status) in ("14", "15")):
        return "Limit belongs to Status 14 and 15, and they to it"
    return None


COMMANDS = any_order(
    many(
        AirSync.Add,
        sequence(one(AirSync.ServerId, IDENTIFIER), one(AirSync.ApplicationData, FULL_DATA)),
    ),
    many(
        AirSync.Change,
        sequence(
            maybe(AirSync.Class, NON_EMPTY, since=140),
            one(AirSync.ServerId, IDENTIFIER),
            one(AirSync.ApplicationData, PARTIAL_DATA),
        ),
    ),
    many(
        AirSync.Delete,
        sequence(maybe(AirSync.Class, NON_EMPTY, since=140), one(AirSync.ServerId, IDENTIFIER)),
    ),
    many(AirSync.SoftDelete, sequence(one(AirSync.ServerId, IDENTIFIER))),
)
RESPONSES = any_order(
    many(
        AirSync.Add,
        sequence(
            maybe(AirSync.Class, NON_EMPTY, since=140),
            one(AirSync.ClientId, IDENTIFIER),
            maybe(AirSync.ServerId, IDENTIFIER),
            one(AirSync.Status, STATUS),
            maybe(AirSync.ApplicationData, STORED_DATA, since=160),
            rules=(needs(AirSync.Status, 1, AirSync.ServerId),),
        ),
    ),
    many(
        AirSync.Change,
        sequence(
            maybe(AirSync.Class, NON_EMPTY, since=140),
            one(AirSync.ServerId, IDENTIFIER),
            maybe(AirSyncBase.InstanceId, COMPACT),
            one(AirSync.Status, STATUS),
            maybe(AirSync.ApplicationData, STORED_DATA, since=160),
        ),
    ),
    many(
        AirSync.Delete,
        sequence(
            one(AirSync.ServerId, IDENTIFIER), maybe(AirSyncBase.InstanceId, COMPACT), one(AirSync.Status, STATUS)
        ),
    ),
    many(
        AirSync.Fetch,
        sequence(
            one(AirSync.ServerId, IDENTIFIER),
            one(AirSync.Status, STATUS),
            maybe(AirSync.ApplicationData, WHOLE_DATA),
            rules=(
                needs(AirSync.Status, 1, AirSync.ApplicationData),
                only_with(AirSync.Status, (1,), AirSync.ApplicationData),
            ),
        ),
    ),
)
COLLECTION = sequence(
    maybe(AirSync.Class, NON_EMPTY, until=120),
    one(AirSync.SyncKey, SYNC_KEY),
    one(AirSync.CollectionId, IDENTIFIER),
    one(AirSync.Status, STATUS),
    maybe(AirSync.MoreAvailable, EMPTY),
    maybe(AirSync.Responses, RESPONSES),
    maybe(AirSync.Commands, COMMANDS),
    rules=(_starts_empty, *(only_with(AirSync.Status, (1,), tag) for tag in (AirSync.Commands, AirSync.MoreAvailable))),
)
SYNC = sequence(
    maybe(AirSync.Status, STATUS),
    maybe(AirSync.Limit, integer(1, 100_000)),
    maybe(
        AirSync.Collections,
        sequence(some(AirSync.Collection, COLLECTION), rules=(distinct(AirSync.Collection, AirSync.CollectionId),)),
    ),
    rules=(
        at_least_one_of(AirSync.Status, AirSync.Collections),
        at_most_one_of(AirSync.Status, AirSync.Collections),
        fails(AirSync.Status),
        _limit_needs_its_status,
    ),
)
