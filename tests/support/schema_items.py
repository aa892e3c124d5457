"""The answers that hand out single items: [MS-ASCMD] ItemOperations, Search, Find; and those of sending."""

from eas.wbxml.element import Element
from eas.wbxml.pages import (
    GAL,
    AirSync,
    AirSyncBase,
    ComposeMail,
    DocumentLibrary,
    Email,
    Email2,
    Find,
    ItemOperations,
    Search,
)
from tests.support import schema_email
from tests.support.schema_language import ByPage, any_order, many, maybe, one, sequence
from tests.support.schema_leaves import (
    BASE64,
    BINARY,
    DASHED,
    FLAG,
    IDENTIFIER,
    INT,
    LONG_ID,
    NON_EMPTY,
    RANGE_OF_BYTES,
    RANGE_OF_RESULTS,
    TEXT,
    integer,
    one_of,
    status,
    text,
)
from tests.support.schema_rules import exactly_one_of, fails, needs, only_with, text_of, together
from tests.support.schema_sync import OTHER_CLASSES

OPERATION_STATUS = status(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 105, 155, 156)
FILE = any_order(  # an attachment: bytes in base64, or a part of a multipart answer
    maybe(AirSyncBase.ContentType, NON_EMPTY),
    maybe(ItemOperations.Range, RANGE_OF_BYTES),
    maybe(ItemOperations.Total, integer(0, INT)),
    maybe(ItemOperations.Data, BASE64),
    maybe(ItemOperations.Part, integer(1, INT)),
    maybe(ItemOperations.Version, DASHED),
    rules=(
        exactly_one_of(ItemOperations.Data, ItemOperations.Part),
        together(ItemOperations.Range, ItemOperations.Total),
    ),
)


def _names_what_was_asked(fetch: Element) -> str | None:
    """The reference of the request comes back, so that the phone finds the answer among others."""
    item = fetch.has(AirSync.CollectionId) and fetch.has(AirSync.ServerId)
    others = (Search.LongId, DocumentLibrary.LinkId, AirSyncBase.FileReference)
    if text_of(fetch, ItemOperations.Status) == "1" and item + sum(map(fetch.has, others)) != 1:
        return "must name one item, as the request did"
    return None


ITEM_OPERATIONS = sequence(
    one(ItemOperations.Status, OPERATION_STATUS),
    maybe(
        ItemOperations.Response,
        sequence(
            many(
                ItemOperations.Move,
                any_order(one(ItemOperations.Status, OPERATION_STATUS), one(ItemOperations.ConversationId, BINARY)),
            ),
            many(
                ItemOperations.EmptyFolderContents,
                sequence(one(ItemOperations.Status, OPERATION_STATUS), one(AirSync.CollectionId, IDENTIFIER)),
            ),
            many(
                ItemOperations.Fetch,
                sequence(
                    one(ItemOperations.Status, OPERATION_STATUS),
                    maybe(AirSync.CollectionId, IDENTIFIER),
                    maybe(AirSync.ServerId, IDENTIFIER),
                    maybe(Search.LongId, LONG_ID),
                    maybe(AirSync.Class, NON_EMPTY),
                    maybe(DocumentLibrary.LinkId, NON_EMPTY),
                    maybe(AirSyncBase.FileReference, TEXT),
                    maybe(
                        ItemOperations.Properties,
                        ByPage({**OTHER_CLASSES, "ItemOperations": FILE}, schema_email.FETCHED),
                    ),
                    rules=(
                        needs(ItemOperations.Status, 1, ItemOperations.Properties),
                        only_with(ItemOperations.Status, (1,), ItemOperations.Properties),
                        _names_what_was_asked,
                    ),
                ),
            ),
        ),
    ),
)
GAL_TEXTS = (
    GAL.DisplayName,
    GAL.Phone,
    GAL.Office,
    GAL.Title,
    GAL.Company,
    GAL.Alias,
    GAL.FirstName,
    GAL.LastName,
    GAL.HomePhone,
    GAL.MobilePhone,
    GAL.EmailAddress,
)
PERSON = any_order(
    *(maybe(tag, TEXT) for tag in GAL_TEXTS),
    maybe(GAL.Picture, sequence(one(GAL.Status, status(1, 173, 174, 175)), maybe(GAL.Data, BASE64))),
)


def _results_are_counted(store: Element) -> str | None:
    """Android 4 shows nothing without Range and Total; an empty Result stands for no match."""
    full = [result for result in store.all(Search.Result) if result.children]
    if full and not (store.has(Search.Range) and store.has(Search.Total)):
        return "results without Range and Total"
    return None


SEARCH = sequence(
    one(Search.Status, status(1, 3)),
    maybe(
        Search.Response,
        sequence(
            one(
                Search.Store,
                sequence(
                    one(Search.Status, status(1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14)),
                    many(
                        Search.Result,
                        sequence(
                            maybe(AirSync.Class, NON_EMPTY),
                            maybe(Search.LongId, LONG_ID),
                            maybe(AirSync.CollectionId, IDENTIFIER),
                            maybe(
                                Search.Properties,
                                ByPage({**OTHER_CLASSES, "GAL": PERSON}, schema_email.FOUND),
                            ),
                            may_be_empty=True,
                        ),
                    ),
                    maybe(Search.Range, RANGE_OF_RESULTS),
                    maybe(Search.Total, integer(0, INT)),
                    rules=(_results_are_counted,),
                ),
            )
        ),
    ),
    rules=(needs(Search.Status, 1, Search.Response), only_with(Search.Status, (1,), Search.Response)),
)
FOUND_MAIL = any_order(
    maybe(Email.Subject, TEXT),
    maybe(Email.DateReceived, DASHED),
    maybe(Email.DisplayTo, TEXT),
    maybe(Find.DisplayCc, TEXT),
    maybe(Find.DisplayBcc, TEXT),
    maybe(Email.Importance, integer(0, 2)),
    maybe(Email.Read, FLAG),
    maybe(Email2.IsDraft, FLAG),
    maybe(Find.Preview, text(0, 255)),
    maybe(Find.HasAttachments, FLAG),
    maybe(Email.From, TEXT),
)
FIND = sequence(
    one(Find.Status, status(1, 2, 3)),
    maybe(
        Find.Response,
        sequence(
            maybe(ItemOperations.Store, one_of("Mailbox", "GAL")),
            one(Find.Status, status(1, 2, 4)),
            many(
                Find.Result,
                sequence(
                    maybe(AirSync.Class, NON_EMPTY),
                    maybe(AirSync.ServerId, IDENTIFIER),
                    maybe(AirSync.CollectionId, IDENTIFIER),
                    one(Find.Properties, ByPage({"GAL": PERSON}, FOUND_MAIL)),
                ),
            ),
            maybe(Find.Range, RANGE_OF_RESULTS),
            maybe(Find.Total, integer(0, INT)),
        ),
    ),
    rules=(needs(Find.Status, 1, Find.Response), only_with(Find.Status, (1,), Find.Response)),
)
SENT = sequence(one(ComposeMail.Status, status()), rules=(fails(ComposeMail.Status),))  # success is an empty answer
