"""The Email class in answers: [MS-ASEMAIL] elements, and the bodies and attachments of [MS-ASAIRS].

The Microsoft schemas let ApplicationData hold anything in any number.  Here an element comes once, and an item that a
phone shall show has what phones cannot do without: DateReceived (iOS shows the time of the Sync instead), Body, Read,
MessageClass.
"""

from eas.wbxml.element import Element
from eas.wbxml.pages import AirSyncBase, Calendar, ComposeMail, Email, Email2, ItemOperations, MeetingResponse, Tasks
from tests.support.schema_language import any_order, many, maybe, one, sequence, some
from tests.support.schema_leaves import (
    BASE64,
    BINARY,
    COMPACT,
    DASHED,
    DOUBLE,
    FLAG,
    INT,
    NON_EMPTY,
    SHORT,
    TEXT,
    integer,
    one_of,
    text,
)
from tests.support.schema_rules import at_least_one_of, text_of

ADDRESSES_LONGEST = 32768
BCC_LONGEST = 1024
CATEGORIES_MOST = 300
UID_LONGEST = 300


def _cut_has_a_size(body: Element) -> str | None:
    """AOSP parses EstimatedDataSize of every cut body and crashes when there is none."""
    if text_of(body, AirSyncBase.Truncated) == "1" and not body.has(AirSyncBase.EstimatedDataSize):
        return "Truncated without EstimatedDataSize"
    return None


BODY = sequence(  # [MS-ASAIRS] Body
    one(AirSyncBase.Type, integer(1, 4)),
    maybe(AirSyncBase.EstimatedDataSize, integer(0, INT)),
    maybe(AirSyncBase.Truncated, FLAG),
    maybe(AirSyncBase.Data, TEXT),
    maybe(AirSyncBase.Preview, text(0, 255)),
    rules=(_cut_has_a_size,),
)
FETCHED_BODY = sequence(*BODY.children, maybe(ItemOperations.Part, integer(1, INT)), rules=BODY.rules)
BODY_PART = sequence(  # [MS-ASAIRS] BodyPart
    one(AirSyncBase.Status, one_of("1", "176")),
    one(AirSyncBase.Type, integer(1, 4)),
    one(AirSyncBase.EstimatedDataSize, integer(0, INT)),
    maybe(AirSyncBase.Truncated, FLAG),
    maybe(AirSyncBase.Data, TEXT),
    maybe(AirSyncBase.Preview, text(0, 255)),
)
ATTACHMENTS = sequence(  # [MS-ASAIRS] Attachments; without name, reference and size AOSP drops the attachment
    some(
        AirSyncBase.Attachment,
        any_order(
            one(AirSyncBase.DisplayName, NON_EMPTY),
            one(AirSyncBase.FileReference, NON_EMPTY),
            one(AirSyncBase.Method, one_of("1", "5", "6")),
            one(AirSyncBase.EstimatedDataSize, integer(0, INT)),
            maybe(AirSyncBase.ContentId, NON_EMPTY),
            maybe(AirSyncBase.ContentLocation, NON_EMPTY),
            maybe(AirSyncBase.IsInline, FLAG),
            maybe(Email2.UmAttDuration, integer(0, INT)),
            maybe(Email2.UmAttOrder, integer(0, INT)),
        ),
    ),
)
STORED_ATTACHMENTS = sequence(  # the answer to attachments that the client added
    some(
        AirSyncBase.Attachment,
        any_order(one(AirSyncBase.ClientId, NON_EMPTY), one(AirSyncBase.FileReference, NON_EMPTY)),
    ),
)
LOCATION = any_order(  # [MS-ASAIRS] Location
    *(
        maybe(tag, TEXT)
        for tag in (
            AirSyncBase.DisplayName,
            AirSyncBase.Annotation,
            AirSyncBase.Street,
            AirSyncBase.City,
            AirSyncBase.State,
            AirSyncBase.Country,
            AirSyncBase.PostalCode,
            AirSyncBase.LocationUri,
        )
    ),
    *(
        maybe(tag, DOUBLE)
        for tag in (
            AirSyncBase.Latitude,
            AirSyncBase.Longitude,
            AirSyncBase.Accuracy,
            AirSyncBase.Altitude,
            AirSyncBase.AltitudeAccuracy,
        )
    ),
)
RECURRENCE = sequence(  # [MS-ASEMAIL] Recurrence
    one(Email.Type, integer(0, 6)),
    one(Email.Interval, integer(1, 999)),
    maybe(Email.Until, COMPACT),
    maybe(Email.Occurrences, integer(1, 999)),
    maybe(Email.WeekOfMonth, integer(1, 5)),
    maybe(Email.DayOfMonth, integer(1, 31)),
    maybe(Email.DayOfWeek, integer(1, 127)),
    maybe(Email.MonthOfYear, integer(1, 12)),
    maybe(Email2.CalendarType, integer(0, 23)),
    maybe(Email2.IsLeapMonth, FLAG),
    maybe(Email2.FirstDayOfWeek, integer(0, 6)),
)
FORWARDEES = sequence(
    some(
        ComposeMail.Forwardee,
        any_order(one(ComposeMail.ForwardeeEmail, NON_EMPTY), maybe(ComposeMail.ForwardeeName, TEXT)),
    ),
    may_be_empty=True,
)
MEETING_REQUEST = sequence(  # [MS-ASEMAIL] MeetingRequest: the order is fixed
    maybe(Email.AllDayEvent, FLAG),
    maybe(Email.StartTime, DASHED),
    one(Email.DtStamp, DASHED),
    maybe(Email.EndTime, DASHED),
    maybe(Email.InstanceType, integer(0, 3), until=141),
    maybe(Email.InstanceType, integer(0, 4), since=160),
    maybe(Email.Location, text(0, ADDRESSES_LONGEST)),
    maybe(AirSyncBase.Location, LOCATION),
    maybe(Email.Organizer, NON_EMPTY),
    maybe(Email.RecurrenceId, DASHED),
    maybe(Email.Reminder, integer(0, SHORT)),
    maybe(Email.ResponseRequested, FLAG),
    maybe(Email.Recurrences, sequence(one(Email.Recurrence, RECURRENCE))),
    maybe(Email.Sensitivity, integer(0, 3)),
    maybe(Email.BusyStatus, integer(0, 3), until=141),
    maybe(Email.BusyStatus, integer(0, 4), since=160),
    one(Email.TimeZone, BASE64),
    one(Email.GlobalObjId, BASE64, until=141),
    maybe(Email.DisallowNewTimeProposal, FLAG),
    maybe(Email2.MeetingMessageType, integer(0, 6)),
    one(Calendar.UID, text(1, UID_LONGEST), since=160),
    maybe(MeetingResponse.ProposedStartTime, COMPACT),
    maybe(MeetingResponse.ProposedEndTime, COMPACT),
    maybe(ComposeMail.Forwardees, FORWARDEES),
)
FLAGGED = any_order(  # [MS-ASEMAIL] Flag: empty when the item has none
    maybe(Tasks.Subject, TEXT),
    maybe(Email.Status, integer(0, 2)),
    maybe(Email.FlagType, TEXT),
    maybe(Tasks.DateCompleted, DASHED),
    maybe(Email.CompleteTime, DASHED),
    maybe(Tasks.StartDate, DASHED),
    maybe(Tasks.DueDate, DASHED),
    maybe(Tasks.UtcStartDate, DASHED),
    maybe(Tasks.UtcDueDate, DASHED),
    maybe(Tasks.ReminderSet, FLAG),
    maybe(Tasks.ReminderTime, DASHED),
    maybe(Tasks.OrdinalDate, DASHED),
    maybe(Tasks.SubOrdinalDate, TEXT),
    may_be_empty=True,
)
CATEGORIES = sequence(many(Email.Category, TEXT, at_most=CATEGORIES_MOST), may_be_empty=True)

# What every email place knows.  `Send` is a request's; `AccountId` and the voice-mail elements only have a place in a
# Sync (ON_SYNC), and so has what [MS-ASEMAIL] calls the conversation of an item.
SHORT_FORM = (
    maybe(Email.To, text(0, ADDRESSES_LONGEST)),
    maybe(Email.Cc, TEXT),
    maybe(Email.From, text(0, ADDRESSES_LONGEST)),
    maybe(Email.Subject, TEXT),
    maybe(Email.ReplyTo, TEXT),
    maybe(Email.DisplayTo, TEXT),
    maybe(Email.ThreadTopic, TEXT),
    maybe(Email.Importance, integer(0, 2)),
    maybe(Email.MeetingRequest, MEETING_REQUEST),
    maybe(Email.InternetCPID, integer(0, SHORT)),
    maybe(Email.Flag, FLAGGED),
    maybe(Email.ContentClass, NON_EMPTY),
    maybe(Email.Categories, CATEGORIES),
    maybe(AirSyncBase.NativeBodyType, integer(1, 3)),
    maybe(Email2.UmCallerID, TEXT),
    maybe(Email2.UmUserNotes, TEXT),
    maybe(Email2.ConversationId, BINARY),
    maybe(Email2.ConversationIndex, BINARY),
    maybe(Email2.LastVerbExecuted, integer(0, 3)),
    maybe(Email2.LastVerbExecutionTime, DASHED),
    maybe(Email2.ReceivedAsBcc, FLAG),
    maybe(Email2.Sender, TEXT),
    maybe(Email2.Bcc, text(0, BCC_LONGEST)),
    maybe(Email2.IsDraft, FLAG),
)
ON_SYNC = (
    maybe(Email2.UmAttDuration, integer(0, INT)),
    maybe(Email2.UmAttOrder, integer(0, INT)),
    maybe(Email2.AccountId, TEXT),
)
LEAST = (Email.DateReceived, Email.Read, Email.MessageClass)
LEAST_FORMS = (DASHED, FLAG, NON_EMPTY)
ATTACHED = (maybe(AirSyncBase.Attachments, ATTACHMENTS),)
BODIES = (maybe(AirSyncBase.Body, BODY), maybe(AirSyncBase.BodyPart, BODY_PART))

FULL = any_order(  # an item that the phone does not have yet
    *(one(tag, form) for tag, form in zip(LEAST, LEAST_FORMS, strict=True)),
    *SHORT_FORM,
    *ON_SYNC,
    *ATTACHED,
    *BODIES,
    rules=(at_least_one_of(AirSyncBase.Body, AirSyncBase.BodyPart),),
)
WHOLE = any_order(  # the answer to a Fetch: the schemas know no BodyPart there
    *(child for child in FULL.children if child.tag is not AirSyncBase.BodyPart),
    rules=(at_least_one_of(AirSyncBase.Body),),
)
PARTIAL = any_order(*(maybe(tag, form) for tag, form in zip(LEAST, LEAST_FORMS, strict=True)), *FULL.children[3:])
FOUND = any_order(*PARTIAL.children[:3], *SHORT_FORM, *ATTACHED, *BODIES)  # Search
FETCHED = any_order(  # ItemOperations: Schema may have asked for very little
    *PARTIAL.children[:3],
    *SHORT_FORM,
    *ON_SYNC,
    *ATTACHED,
    maybe(AirSyncBase.Body, FETCHED_BODY),
    maybe(AirSyncBase.BodyPart, BODY_PART),
)
STORED = any_order(  # the answer to a draft that the client added or changed
    *PARTIAL.children[:3],
    *SHORT_FORM,
    maybe(AirSyncBase.Attachments, STORED_ATTACHMENTS),
    maybe(AirSyncBase.Body, BODY),
)
