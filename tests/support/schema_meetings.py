"""The answers about meetings and people: [MS-ASCMD] MeetingResponse, ResolveRecipients, ValidateCert."""

from eas.wbxml.pages import MeetingResponse, ResolveRecipients, ValidateCert
from tests.support.schema_language import any_order, many, maybe, one, sequence
from tests.support.schema_leaves import BASE64, DASHED, IDENTIFIER, INT, NON_EMPTY, TEXT, integer, status, text
from tests.support.schema_rules import exactly_one_of, fails

RECIPIENT_LONGEST = 256
CERTIFICATE_STATUS = status(*range(1, 18))

MEETING_RESPONSE = sequence(
    maybe(MeetingResponse.Status, status(), since=140),
    many(
        MeetingResponse.Result,
        sequence(
            maybe(MeetingResponse.RequestId, IDENTIFIER),
            one(MeetingResponse.Status, status(1, 2, 3, 4)),
            maybe(MeetingResponse.CalendarId, IDENTIFIER),
            maybe(MeetingResponse.InstanceId, DASHED),
        ),
    ),
    rules=(exactly_one_of(MeetingResponse.Status, MeetingResponse.Result), fails(MeetingResponse.Status)),
)
AVAILABILITY = sequence(
    one(ResolveRecipients.Status, status(1, 160, 161, 162, 163)), maybe(ResolveRecipients.MergedFreeBusy, NON_EMPTY)
)
CERTIFICATES = sequence(
    one(ResolveRecipients.Status, status(1, 7, 8)),
    maybe(ResolveRecipients.CertificateCount, integer(0, INT)),
    maybe(ResolveRecipients.RecipientCount, integer(0, INT)),
    many(ResolveRecipients.Certificate, BASE64),
    maybe(ResolveRecipients.MiniCertificate, BASE64),
)
PICTURE = any_order(
    one(ResolveRecipients.Status, status(1, 173, 174, 175)),
    maybe(ResolveRecipients.Data, BASE64),
)
RESOLVE_RECIPIENTS = sequence(
    one(ResolveRecipients.Status, status(1, 5, 6)),
    many(
        ResolveRecipients.Response,
        sequence(
            one(ResolveRecipients.To, text(0, RECIPIENT_LONGEST)),
            one(ResolveRecipients.Status, status(1, 2, 3, 4)),
            maybe(ResolveRecipients.RecipientCount, integer(0, INT)),
            many(
                ResolveRecipients.Recipient,
                sequence(
                    one(ResolveRecipients.Type, integer(1, 2)),
                    one(ResolveRecipients.DisplayName, TEXT),
                    one(ResolveRecipients.EmailAddress, NON_EMPTY),
                    maybe(ResolveRecipients.Availability, AVAILABILITY),
                    maybe(ResolveRecipients.Certificates, CERTIFICATES),
                    maybe(ResolveRecipients.Picture, PICTURE),
                ),
            ),
        ),
    ),
)
VALIDATE_CERT = sequence(
    one(ValidateCert.Status, CERTIFICATE_STATUS),
    many(ValidateCert.Certificate, sequence(one(ValidateCert.Status, CERTIFICATE_STATUS))),
)
