"""Mail on its way out: the phone's bytes, the right sender and recipients, nothing smuggled in."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.compose import NoRecipient, Outgoing, TooManyRecipients, UnreadableMime, outgoing
from eas.mail.outgoing import RECIPIENTS_MAX
from storage.message.headers import HEADER_BYTES_MAX
from storage.message.index import index_message

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
OWN = ("ann@a.example", "info@a.example")
COMPLETE = (
    b"From: Ann <ann@a.example>\r\nTo: Bob <bob@b.example>\r\nX-Odd:  kept \r\n\tas is\r\n"
    b"Date: Mon, 20 Nov 2023 10:00:00 +0000\r\nMessage-ID: <1@phone>\r\nSubject: x\r\n\r\nbody  \r\n=20\r\n"
)


def sent(mime: bytes) -> Outgoing:
    return outgoing(mime, OWN, NOW, "<new@a.example>")


def to(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", "body", ""]).encode()


def test_a_complete_message_goes_out_byte_by_byte() -> None:
    result = sent(COMPLETE)
    assert result.message == result.copy == COMPLETE
    assert result.envelope_from == "ann@a.example"
    assert result.recipients == ("bob@b.example",)
    assert result.message_id == "<1@phone>"


def test_missing_fields_are_added_at_the_end() -> None:
    result = sent(to("From: ann@a.example", "To: bob@b.example"))
    assert result.message == to(
        "From: ann@a.example",
        "To: bob@b.example",
        "Date: Mon, 06 May 2024 07:08:09 +0000",
        "Message-ID: <new@a.example>",
    )
    assert result.message_id == "<new@a.example>"


def test_bcc_is_a_recipient_and_stays_in_the_copy_alone() -> None:
    result = sent(to("From: ann@a.example", "Bcc: c@c.example,\r\n d@d.example", "To: bob@b.example"))
    assert result.recipients == ("bob@b.example", "c@c.example", "d@d.example")
    assert b"Bcc" not in result.message
    assert b"c@c.example" not in result.message
    assert b"Bcc: c@c.example,\r\n d@d.example\r\n" in result.copy


def test_recipients_come_once_from_all_fields() -> None:
    result = sent(to("To: B <b@b.example>, b@B.example", "To: c@c.example", "Cc: b@b.example, Friends: d@d.example;"))
    assert result.recipients == ("b@b.example", "c@c.example", "d@d.example")


def test_semicolons_are_taken_and_written_as_commas() -> None:
    result = sent(to("To: Bob <b@b.example>; c@c.example;", "Cc: D <d@d.example>;e@e.example"))
    assert result.recipients == ("b@b.example", "c@c.example", "d@d.example", "e@e.example")
    assert b'To: "Bob" <b@b.example>, c@c.example\r\n' in result.message
    assert b'Cc: "D" <d@d.example>, e@e.example\r\n' in result.message


def test_entries_without_address_are_named() -> None:
    assert sent(to("To: Bob, c@c.example")).unusable == ('"Bob"',)


@pytest.mark.parametrize(
    "lines", [["Subject: x"], ["To: "], ["To: Bob"], ["To: undisclosed-recipients:;"], ["Cc: <>", "To: a@"]]
)
def test_nobody_to_send_to_is_refused(lines: list[str]) -> None:
    with pytest.raises(NoRecipient):
        sent(to(*lines))


@pytest.mark.parametrize(
    "mime",
    [
        b"",
        b"\r\n\r\nbody",
        b"no header here",
        b"\0\1\2",
        b"To: a@b.example\r\nX: " + b"x" * HEADER_BYTES_MAX + b"\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(mime: bytes) -> None:
    with pytest.raises(UnreadableMime):
        sent(mime)


def test_one_recipient_too_many_is_refused() -> None:
    several = [f"To: r{n}@b.example" for n in range(RECIPIENTS_MAX)]
    assert len(sent(to(*several)).recipients) == RECIPIENTS_MAX
    with pytest.raises(TooManyRecipients):
        sent(to(*several, "Bcc: one@more.example"))


@pytest.mark.parametrize(
    ("from_", "expected", "envelope"),
    [
        ("From: INFO@a.example", "INFO@a.example", "INFO@a.example"),
        ("From: Ann Berger <boss@evil.example>", '"Ann Berger" <ann@a.example>', "ann@a.example"),
        ("From: boss@evil.example, Info <info@a.example>", '"Info" <info@a.example>', "info@a.example"),
        ("From: ann@a.example\r\nFrom: boss@evil.example", "ann@a.example", "ann@a.example"),
        ("From: =?utf-8?q?J=C3=B6rg?= <x@evil.example>", '"Jörg" <ann@a.example>', "ann@a.example"),
        ("X: no from", "ann@a.example", "ann@a.example"),
        ("From: nonsense", '"nonsense" <ann@a.example>', "ann@a.example"),
    ],
)
def test_from_is_an_address_of_the_account(from_: str, expected: str, envelope: str) -> None:
    result = sent(to(from_, "To: b@b.example"))
    assert index_message(result.message).from_ == expected
    assert result.message.count(b"From:") == 1
    assert result.envelope_from == envelope


def test_a_foreign_sender_is_removed() -> None:
    assert b"Sender" not in sent(to("From: ann@a.example", "Sender: x@evil.example", "To: b@b.example")).message
    assert b"Sender" in sent(to("From: ann@a.example", "Sender: info@a.example", "To: b@b.example")).message


def test_a_name_cannot_smuggle_in_a_field() -> None:
    result = sent(to("From: =?utf-8?q?A=0D=0ABcc=3A_x=40evil.example?= <x@evil.example>", "To: b@b.example"))
    assert result.recipients == ("b@b.example",)
    assert b"\nBcc" not in result.message


@pytest.mark.parametrize(
    "address", ["a@b\r\nRCPT", "a b@c", "a@b>", "<a@b", "a@", "@b", "a@b,c@d", "a\0@b", "x" * 320 + "@b"]
)
def test_recipients_are_addresses_only(address: str) -> None:
    try:
        result = sent(to(f"To: <{address}>, ok@b.example"))
    except NoRecipient:
        return
    for recipient in result.recipients:
        assert not set(recipient) & set(" \r\n\0<>,;")


@pytest.mark.parametrize("ending", [b"\n", b"\r"])
def test_bare_line_ends_become_crlf(ending: bytes) -> None:
    result = sent(COMPLETE.replace(b"\r\n", ending))
    assert result.message == COMPLETE


def test_a_header_that_ends_in_bare_line_feeds_is_mended() -> None:
    signed = b"From: ann@a.example\r\nTo: b@b.example\r\nContent-Type: text/plain\n\nsigned text"
    assert sent(signed).message.endswith(b"\r\n\r\nsigned text\r\n")


@given(st.binary(max_size=400))
def test_any_bytes_go_out_or_are_refused(mime: bytes) -> None:
    try:
        result = sent(b"To: b@b.example\r\n" + mime)
    except (UnreadableMime, NoRecipient, TooManyRecipients):
        return
    header = result.message.partition(b"\r\n\r\n")[0].lower()
    assert b"\nbcc" not in b"\n" + header
    assert b"\n" not in result.message.replace(b"\r\n", b"")
    assert result.envelope_from.lower() in OWN
    again = sent(result.message)
    assert (again.message, again.recipients) == (result.message, again.recipients)
