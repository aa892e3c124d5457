"""Runs that were killed: nothing half counts, and the next run goes on."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from eas.transfer import importing
from eas.transfer.line_ends import Buffer
from eas.transfer.maildir_source import MaildirSource
from eas.transfer.marks import Marks
from eas.transfer.mbox_source import MboxSource
from eas.transfer.mbox_target import LOG_ENDING, MboxTarget
from eas.transfer.source import Found, Letter, Unreadable
from eas.transfer.target import Target, TargetFailed, Written
from storage.account import Account
from tests.transfer.boxes import exported, imported, mails, new_account, put, source, target

KINDS = ["maildir", "mbox"]
MAILS = 5


class Killed(BaseException):
    """The end of the process."""


class Dying:
    """A target that dies at some call of `feed`, `end` or `flush`; what is in buffers may have come to the disk."""

    def __init__(self, inner: Target, calls: int) -> None:
        self._inner, self._left = inner, calls

    def _live(self) -> None:
        if self._left == 0:
            raise Killed
        self._left -= 1

    def open(self) -> None:
        self._inner.open()

    def folder(self, path: tuple[str, ...]) -> None:
        self._inner.folder(path)

    def has(self, item: str, marks: Marks, date_ms: int) -> bool:
        return self._inner.has(item, marks, date_ms)

    def write(self, item: str, marks: Marks, date_ms: int, size_bytes: int) -> Written:
        written = self._inner.write(item, marks, date_ms, size_bytes)

        def feed(piece: bytes) -> None:
            written.feed(piece[: len(piece) // 2])
            self._live()
            written.feed(piece[len(piece) // 2 :])

        def end() -> None:
            written.end()
            self._live()

        return Written(feed, end, lambda: None)

    def flush(self) -> None:
        self._live()
        self._inner.flush()

    def close(self) -> None:
        for name in ("_mbox", "_log"):
            if (file := getattr(self._inner, name, None)) is not None:
                file.flush()
                file.close()


async def filled() -> Account:
    account = new_account()
    for number in range(MAILS):
        await put(account, "inbox", b"Subject: %d\r\n\r\nFrom me\r\n" % number + b"x" * 5000, date_ms=1000 * number)
        await put(account, "sent", b"Subject: sent %d\r\n\r\n" % number, date_ms=1000 * number)
    return account


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # who is killed closes no file
@pytest.mark.parametrize("kind", KINDS)
async def test_an_export_that_is_killed_anywhere_goes_on(kind: str, tmp_path: Path) -> None:
    account = await filled()
    whole = await mails(account)
    calls = 0
    while True:
        folder = tmp_path / str(calls)
        try:
            await exported(account, Dying(target(kind, folder), calls))
        except Killed:
            done = await exported(account, target(kind, folder))
            assert done.written + done.known == 2 * MAILS
            other = new_account()
            assert (await imported(other, source(kind, folder))).failed == []
            assert await mails(other) == whole
            calls += 1
        else:
            break
    assert calls > 2 * 2 * MAILS


@pytest.mark.parametrize("change", [b"", b"From x Fri Mar  8 16:30:02 2024\n\nmore\n\n"])
async def test_an_mbox_that_somebody_else_changed_is_left_alone(tmp_path: Path, change: bytes) -> None:
    account = await filled()
    await exported(account, target("mbox", tmp_path))
    mbox = tmp_path / "Inbox.mbox"
    text = mbox.read_bytes() + change if change else mbox.read_bytes()[:-1]
    mbox.write_bytes(text)
    with pytest.raises(TargetFailed, match="was changed by another program"):
        await exported(account, target("mbox", tmp_path))
    assert mbox.read_bytes() == text


async def test_an_mbox_that_no_export_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "Inbox.mbox").write_bytes(b"From x Fri Mar  8 16:30:02 2024\n\nmine\n\n")
    with pytest.raises(TargetFailed, match="was not written by an export"):
        await exported(await filled(), target("mbox", tmp_path))


async def test_a_log_that_was_cut_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    account = await filled()
    await exported(account, target("mbox", tmp_path))
    log = tmp_path / f"Inbox.mbox{LOG_ENDING}"
    whole, mbox = log.read_bytes(), (tmp_path / "Inbox.mbox").read_bytes()
    begin = whole.index(b"begin")
    for cut in range(begin + len(b"begin 0\n"), len(whole)):
        log.write_bytes(whole[:cut])
        (tmp_path / "Inbox.mbox").write_bytes(mbox)
        assert (await exported(account, MboxTarget(tmp_path))).written == MAILS
        assert (tmp_path / "Inbox.mbox").read_bytes() == mbox


class Cut(MaildirSource):
    """A source whose process dies before its letter of a number is read."""

    left = 0

    def load(self, letters: Sequence[Letter]) -> list[Buffer | Unreadable]:
        if self.left < len(letters):
            raise Killed
        self.left -= len(letters)
        return super().load(letters)


async def test_an_import_that_is_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LETTERS_AT_ONCE", 2)
    account = await filled()
    await exported(account, target("maildir", tmp_path))
    for left in range(2 * MAILS + 1):
        other, cut = new_account(), Cut(tmp_path)
        cut.left = left
        with suppress(Killed):
            await imported(other, cut)
        before = sum((await mails(other)).values())
        done = await imported(other, MaildirSource(tmp_path))
        assert (done.known, done.added) == (before, 2 * MAILS - before)
        assert await mails(other) == await mails(account)


class Vanishing(MboxSource):
    """A source of which a file goes while it is read."""

    def letters(self, folder: Found) -> Iterator[Letter]:
        yield from super().letters(folder)
        os.truncate(str(folder.key), 0)


async def test_what_goes_while_it_is_read_is_told(tmp_path: Path) -> None:
    account, other = await filled(), new_account()
    await exported(account, target("mbox", tmp_path))
    done = await imported(other, Vanishing(tmp_path))
    assert done.added == 0
    assert len(done.failed) == 2 * MAILS


async def test_a_mail_that_is_marked_while_it_is_read_is_found(tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    await put(account, "inbox", b"Subject: a\r\n\r\n")
    await exported(account, target("maildir", tmp_path))
    of = MaildirSource(tmp_path)
    inbox = next(folder for folder in of.folders() if folder.path == ("INBOX",))
    letters = list(of.letters(inbox))
    (path,) = (tmp_path / "cur").iterdir()
    path.rename(f"{path}S")
    assert of.load(letters) == [b"Subject: a\r\n\r\n"]
    (tmp_path / "cur" / f"{path.name}S").unlink()
    assert of.load(letters) == [Unreadable("is gone", is_gone=True)]
    assert (await imported(other, of)).added == 0
