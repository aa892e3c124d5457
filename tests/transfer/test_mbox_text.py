"""mboxes as many programs write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.transfer.marks import Marks
from eas.transfer.mbox_source import MboxSource
from eas.transfer.mbox_text import Quoter, date_of, from_line
from eas.transfer.source import SourceFailed
from tests.transfer.boxes import imported, mails, new_account

FOREIGN = b"""From MAILER-DAEMON Thu Jan  1 00:00:00 1970
From: Mail System Internal Data <MAILER-DAEMON@x>
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
X-IMAP: 1 2

This text is part of the internal format.

From anna@example.org Fri Mar  8 16:30:00 2024 +0100
Subject: one
Status: RO
X-Status: AF
X-UID: 7
X-Keywords: $Forwarded Work
  Home

>From the beginning
From here on no separator: no date.

From - Fri Mar  8 16:30:01 2024
X-Mozilla-Status: 0003
X-Mozilla-Status2: 00000000
Subject: two

text
From anna@example.org Fri Mar  8 16:30:00 2024

From x Fri Mar  8 16:30:02 2024
Status: D
Subject: deleted

text
"""


async def test_a_foreign_mbox_is_read(tmp_path: Path) -> None:
    (tmp_path / "Old mail").write_bytes(FOREIGN)
    account = new_account()
    done = await imported(account, MboxSource(tmp_path / "Old mail"))
    assert (done.added, done.deleted, done.failed) == (2, 1, [])
    one, two = sorted(await mails(account), key=lambda mail: mail.date_ms)
    assert one.path == two.path == ("Old mail",)
    assert one.marks == Marks(
        read=True, answered=True, flagged=True, categories=("Home", "Work")
    )  # answered and forwarded: the first is kept
    assert one.date_ms == 1_709_911_800_000
    assert one.content == (b"Subject: one\r\n\r\nFrom the beginning\r\nFrom here on no separator: no date.\r\n")
    assert two.marks == Marks(read=True, answered=True)
    assert two.content == b"Subject: two\r\n\r\ntext\r\nFrom anna@example.org Fri Mar  8 16:30:00 2024\r\n"


async def test_directories_in_each_other_are_folders(tmp_path: Path) -> None:
    text = b"From x Fri Mar  8 16:30:02 2024\nSubject: a\n\nb\n\n"
    for name in ("Inbox", "Sent", "Lists.sbd/Python", "Lists.sbd/Python.sbd/Ideas", "Work/a.mbox", "Work.mbox"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    (tmp_path / "Inbox.msf").write_text("// no mbox")
    account = new_account()
    await imported(account, MboxSource(tmp_path))
    assert {mail.path for mail in await mails(account)} == {
        ("Inbox",),
        ("Sent Items",),
        ("Lists", "Python"),
        ("Lists", "Python", "Ideas"),
        ("Work",),
        ("Work", "a"),
    }


def test_what_is_no_mbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"Subject: a\n\nb\n")
    for path in (tmp_path, tmp_path / "x"):
        with pytest.raises(SourceFailed):
            MboxSource(path).folders()


@pytest.mark.parametrize(
    ("line", "date_ms"),
    [
        (b"From x Thu Jan  1 00:00:01 1970\n", 1000),
        (b"From x Thu Jan 01 00:01 1970\n", 60_000),
        (b"From x Thu Jan  1 00:00:01 UTC 1970\n", 1000),
        (b"From x Thu Jan  1 01:00:01 1970 +0100\n", 1000),
        (b"From x Thu Foo  1 00:00:01 1970\n", None),
        (b"From x Thu Feb 31 00:00:01 1970\n", None),
        (b"From x\n", None),
    ],
)
def test_dates_of_from_lines_are_read(line: bytes, date_ms: int | None) -> None:
    assert date_of(line) == date_ms


@given(st.integers(0, 253_402_300_799))
def test_our_own_from_lines_are_read(second: int) -> None:
    assert date_of(from_line(second * 1000)) == second * 1000


@given(st.lists(st.sampled_from([b"From ", b">", b"\r\n", b"\r", b"x", b"F", b"rom "]), max_size=30))
def test_quoting_does_not_depend_on_how_the_text_is_cut(parts: list[bytes]) -> None:
    whole = Quoter()
    pieces = Quoter()
    text = b"".join(parts)
    expected = whole.feed(text) + whole.finish()
    assert b"".join(pieces.feed(text[at : at + 1]) for at in range(len(text))) + pieces.finish() == expected
