"""What IMAP servers say is read in all its forms."""

import pytest

from eas.transfer.imap_answers import fetched, internal_date, listed, personal_prefix, quoted
from eas.transfer.marks import Marks


def test_lists_are_read() -> None:
    lines = [
        b'(\\HasNoChildren \\Sent) "/" Sent',
        b'(\\Noselect) NIL "a \\"b\\" \\\\c"',
        (b'() "." {5}', b"x (y)"),
        b"",
        None,
        b"nonsense",
    ]
    boxes = list(listed(lines))
    assert [(box.raw, box.separator) for box in boxes] == [(b"Sent", b"/"), (b'a "b" \\c', b""), (b"x (y)", b".")]
    assert boxes[0].attributes == {b"\\hasnochildren", b"\\sent"}
    assert [quoted(box.raw) for box in boxes] == [b'"Sent"', b'"a \\"b\\" \\\\c"', b'"x (y)"']


def test_messages_are_read_whatever_stands_behind_the_literal() -> None:
    lines = [
        (b"1 (UID 5 BODY[] {3}", b"abc"),
        b")",
        (b"2 (BODY[] {1}", b"d"),
        b' UID 7 FLAGS (\\Seen $Forwarded Work) INTERNALDATE " 1-Feb-2020 10:00:00 +0130" RFC822.SIZE 9)',
        b"3 (FLAGS (\\Deleted))",
        b"4 (UID 9 FLAGS (\\Deleted))",
        None,
    ]
    messages = list(fetched(lines))
    assert [(message.uid, literal) for message, literal in messages] == [(5, b"abc"), (7, b"d"), (9, None)]
    assert messages[1][0].marks == Marks(read=True, forwarded=True, categories=("Work",))
    assert messages[1][0].size_bytes == 9
    assert messages[1][0].date_ms == 1_580_545_800_000
    assert messages[2][0].marks == Marks(deleted=True)


@pytest.mark.parametrize(
    "date", ["32-Jan-2020 10:00:00 +0000", "01-Foo-2020 10:00:00 +0000", "01-Jan-2020 10:00:00 +9999", "x"]
)
def test_a_date_that_cannot_be_is_none(date: str) -> None:
    assert internal_date(f'1 (INTERNALDATE "{date}")'.encode()) is None


@pytest.mark.parametrize(
    ("line", "prefix"), [(b'(("INBOX." ".")) NIL NIL', b"INBOX."), (b'(("" "/")) NIL NIL', b""), (b"NIL NIL NIL", b"")]
)
def test_the_prefix_of_ones_own_mailboxes_is_read(line: bytes, prefix: bytes) -> None:
    assert personal_prefix(line) == prefix
