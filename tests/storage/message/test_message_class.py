"""Message classes by MIME structure."""

import pytest

from storage.message.index import index_message
from tests.support.messages import multipart


def class_of(header: str, *parts: str) -> str:
    body = multipart("b", [part.encode() for part in parts]) if parts else b"x"
    return index_message(f"{header}\r\n\r\n".encode() + body).message_class


def meeting(method: str, content: str = "") -> str:
    calendar = f"Content-Type: text/calendar; method={method}\r\n\r\nBEGIN:VCALENDAR\r\n{content}"
    return class_of("Content-Type: multipart/alternative; boundary=b", "\r\ntext", calendar)


def report(kind: str, *parts: str) -> str:
    return class_of(f"Content-Type: multipart/report; report-type={kind}; boundary=b", "\r\ntext", *parts)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Subject: x", "IPM.Note"),
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "IPM.Note.SMIME"),
        ("Content-Type: application/x-pkcs7-mime; name=smime.p7m", "IPM.Note.SMIME"),
        ("Content-Type: application/pkcs7-mime; smime-type=signed-receipt", "IPM.Note.Receipt.SMIME"),
        ("Content-Class: voice-ca", "IPM.Note.Microsoft.Voicemail.UM.CA"),
    ],
)
def test_classes_of_one_part(header: str, expected: str) -> None:
    assert class_of(header) == expected


def test_a_signed_message_keeps_its_body_and_shows_its_signature() -> None:
    parts = [
        b"\r\nhello",
        b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
    ]
    header = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\r\n\r\n'
    summary = index_message(header + multipart("b", parts))
    assert summary.message_class == "IPM.Note.SMIME.MultipartSigned"
    assert summary.is_smime
    assert summary.preview == "hello"
    assert [part.name for part in summary.attachments] == ["smime.p7s"]
    assert all(part.is_signed for part in summary.parts)


def test_an_encrypted_message_shows_its_content_as_an_attachment() -> None:
    summary = index_message(b"Content-Type: application/pkcs7-mime\r\n\r\nAAAA")
    assert [part.name for part in summary.attachments] == ["smime.p7m"]
    assert (summary.text_part, summary.html_part) == (None, None)


def test_a_signature_of_another_kind_is_an_ordinary_mail() -> None:
    header = 'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b'
    assert class_of(header, "\r\nhello", "Content-Type: application/pgp-signature\r\n\r\nx") == "IPM.Note"


@pytest.mark.parametrize(
    ("method", "content", "expected"),
    [
        ("REQUEST", "", "IPM.Schedule.Meeting.Request"),
        ("cancel", "", "IPM.Schedule.Meeting.Canceled"),
        ("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b", "IPM.Schedule.Meeting.Resp.Pos"),
        ("REPLY", "ATTENDEE;PARTSTAT=TENT\r\n ATIVE:mailto:a@b", "IPM.Schedule.Meeting.Resp.Tent"),
        ("REPLY", 'ATTENDEE;PARTSTAT="DECLINED":mailto:a@b', "IPM.Schedule.Meeting.Resp.Neg"),
        ("REPLY", "", "IPM.Note"),
        ("PUBLISH", "", "IPM.Note"),
        ('""', "METHOD:REQUEST\r\n", "IPM.Schedule.Meeting.Request"),
    ],
)
def test_meetings(method: str, content: str, expected: str) -> None:
    assert meeting(method, content) == expected


@pytest.mark.parametrize("beside", [b"", b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"])
def test_a_calendar_without_a_text_beside_it_can_be_opened(beside: bytes) -> None:
    summary = index_message(beside + b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n")
    assert summary.calendar_part == 0
    assert [part.name for part in summary.attachments] == ["ATT00001.ics"]


def test_the_calendar_of_an_alternative_is_no_attachment() -> None:
    calendar = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"
    data = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + multipart("b", [b"\r\ntext", calendar])
    summary = index_message(data)
    assert summary.calendar_part == 1
    assert not summary.attachments


@pytest.mark.parametrize(
    ("action", "returned", "expected"),
    [
        ("failed", "Subject: x", "REPORT.IPM.NOTE.NDR"),
        ("Delivered", "Subject: x", "REPORT.IPM.NOTE.DR"),
        ("delayed", "Subject: x", "REPORT.IPM.NOTE.DELAYED"),
        ("failed", "Content-Type: application/pkcs7-mime", "REPORT.IPM.NOTE.SMIME.NDR"),
        (
            "failed",
            "Content-Type: multipart/signed; protocol=application/pkcs7-signature",
            "REPORT.IPM.NOTE.SMIME.MULTIPARTSIGNED.NDR",
        ),
        ("failed", "Content-Type: text/calendar; method=REQUEST", "REPORT.IPM.SCHEDULE.MEETING.REQUEST.NDR"),
    ],
)
def test_delivery_reports(action: str, returned: str, expected: str) -> None:
    status = f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: {action}\r\n"
    assert report("delivery-status", status, f"Content-Type: message/rfc822\r\n\r\n{returned}\r\n\r\nx") == expected


@pytest.mark.parametrize(("kind", "expected"), [("displayed", "IPNRN"), ("deleted", "IPNNRN")])
def test_read_reports(kind: str, expected: str) -> None:
    notification = f"Disposition: manual-action/MDN-sent-manually; {kind}\r\n"
    part = f"Content-Type: message/disposition-notification\r\n\r\n{notification}"
    assert report("disposition-notification", part) == f"REPORT.IPM.NOTE.{expected}"
