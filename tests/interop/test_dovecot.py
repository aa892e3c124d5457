"""Import from Debian's Dovecot: folders, marks, dates and bytes, once, over TLS that is verified."""

import imaplib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eas.transfer import imap_source
from eas.transfer.imap_connection import Server
from eas.transfer.imap_source import ImapSource
from eas.transfer.maildir_target import MaildirTarget
from eas.transfer.marks import Marks
from eas.transfer.source import SourceFailed
from storage.account import Account
from storage.records import Set
from storage.views import BOTTOM, TOP
from tests.eas.test_cli import Run, _logging_as_before, config, run, site
from tests.interop.dovecot import PASSWORD, USER, Dovecot, append, running_dovecot
from tests.interop.programs import free_ports
from tests.support.messages import mixed_message
from tests.transfer.boxes import Mail, exported, imported, mails, make_folder, new_account, put

__all__ = ["_logging_as_before", "config", "run", "site"]
pytestmark = pytest.mark.interop

BIG = b"Subject: big\r\n\r\n" + b"A line of text that is not short.\r\n" * 100_000
UMLAUT = "Entw&APw-rfe"


@pytest.fixture(scope="module", params=["", "INBOX."])
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with running_dovecot(prefix=request.param) as dovecot:
        yield dovecot


@pytest.fixture
def client(dovecot: Dovecot) -> Iterator[imaplib.IMAP4]:
    """The user's own mail program, on empty mailboxes."""
    client = dovecot.client()
    kept = ("INBOX", f"{dovecot.prefix}Alles", f"{dovecot.prefix}Sent-Kasten")
    for line in client.list()[1]:
        assert isinstance(line, bytes)
        name = line.decode().rpartition(' "." ')[2].strip('"')
        if name in kept:
            if client.select(f'"{name}"')[1] != [b"0"]:
                client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.close()
        else:
            client.delete(f'"{name}"')
    yield client
    client.logout()


async def brought(dovecot: Dovecot, account: Account, **changes: object) -> tuple[int, int]:
    """Import everything; return how many were added, and how many were there."""
    source = ImapSource(dovecot.server(**changes))
    try:
        done = await imported(account, source)
        assert done.failed == []
        return done.added, done.known
    finally:
        source.close()


async def test_folders_marks_dates_and_bytes_come_over_once(dovecot: Dovecot, client: imaplib.IMAP4) -> None:
    at = dovecot.prefix
    plain = mixed_message(1)
    append(client, "INBOX", plain, r"(\Seen \Flagged)")
    append(client, "INBOX", b"Subject: x\r\n\r\nbody", r"(\Answered \Draft $Forwarded Work=20only)")
    append(client, f"{at}Sent-Kasten", BIG, r"(\Seen)", 1_500_000_000)
    append(client, f"{at}{UMLAUT}.A&-B", b"Subject: y\r\n\r\n", "($Forwarded)")
    append(client, f"{at}Trash", b"Subject: z\r\n\r\n")
    append(client, "INBOX", b"Subject: deleted\r\n\r\n", r"(\Deleted)")
    account = new_account()
    assert await brought(dovecot, account) == (5, 0)
    at_ms = 1_600_000_000_000
    work = Marks(answered=True, draft=True, categories=("Work only",))
    found = await mails(account)
    assert {mail.path: mail.content for mail in found}[("Sent Items",)] == BIG
    assert set(found) == {
        Mail(("Inbox",), Marks(read=True, flagged=True), at_ms, plain),
        Mail(("Inbox",), work, at_ms, b"Subject: x\r\n\r\nbody"),
        Mail(("Sent Items",), Marks(read=True), 1_500_000_000_000, BIG),
        Mail(("Entwürfe", "A&B"), Marks(forwarded=True), at_ms, b"Subject: y\r\n\r\n"),
        Mail(("Deleted Items",), Marks(), at_ms, b"Subject: z\r\n\r\n"),
    }
    assert await brought(dovecot, account) == (0, 5)
    append(client, "INBOX", b"Subject: new\r\n\r\n")
    assert await brought(dovecot, account) == (1, 5)


async def test_what_is_there_is_not_fetched_again(
    dovecot: Dovecot, client: imaplib.IMAP4, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(client, "INBOX", b"Subject: x\r\n\r\n")
    account = new_account()
    assert await brought(dovecot, account) == (1, 0)
    monkeypatch.setattr(ImapSource, "load", None)
    assert await brought(dovecot, account) == (0, 1)


async def test_when_uids_become_invalid_nothing_comes_twice_that_is_in_its_folder(
    dovecot: Dovecot, client: imaplib.IMAP4
) -> None:
    box = f"{dovecot.prefix}Lists"
    for number in range(3):
        append(client, box, b"Subject: %d\r\n\r\n" % number)
    account = new_account()
    assert await brought(dovecot, account) == (3, 0)
    before = client.status(f'"{box}"', "(UIDVALIDITY)")
    client.rename(f'"{box}"', f'"{box}2"')
    client.create(f'"{box}"')
    for number in range(4):
        append(client, box, b"Subject: %d\r\n\r\n" % number)
    client.delete(f'"{box}2"')
    assert client.status(f'"{box}"', "(UIDVALIDITY)") != before
    assert await brought(dovecot, account) == (1, 3)


async def test_what_was_moved_or_removed_here_stays_so(dovecot: Dovecot, client: imaplib.IMAP4) -> None:
    for number in range(3):
        append(client, "INBOX", b"Subject: %d\r\n\r\n" % number)
    account = new_account()
    await brought(dovecot, account)
    async with account.turn() as state:
        first, second, _ = [floor.item for floor in await state.floors("inbox", BOTTOM, TOP)]
        await account.commit([Set(first, "folder", "archive"), Set(second, "folder", None)])
    assert await brought(dovecot, account) == (0, 3)


async def test_many_messages_come_in_parts(
    dovecot: Dovecot, client: imaplib.IMAP4, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_source, "UIDS_AT_ONCE", 7)
    monkeypatch.setattr(imap_source, "LETTERS_AT_ONCE", 3)
    monkeypatch.setattr(imap_source, "PIECE_BYTES", 1000)
    contents = [mixed_message(number)[: 50 * number * number + 900] for number in range(20)]
    for content in contents:
        append(client, "INBOX", content)
    client.select("INBOX")
    client.store("3:8", "+FLAGS", r"(\Deleted)")
    client.close()
    account = new_account()
    assert await brought(dovecot, account) == (14, 0)
    assert sorted(mail.content for mail in await mails(account)) == sorted(contents[:2] + contents[8:])


async def test_a_view_of_other_mailboxes_is_told_and_can_be_left_out(dovecot: Dovecot, client: imaplib.IMAP4) -> None:
    source = ImapSource(dovecot.server())
    try:
        views = [folder.path for folder in source.folders() if source.is_view(folder)]
        assert views == [("Alles",)]
        assert len(source.left_out) == 1
    finally:
        source.close()


def connect(server: Server) -> None:
    source = ImapSource(server)
    try:
        source.folders()
    finally:
        source.close()


@pytest.mark.parametrize("changes", [{"security": "starttls"}, {}])
def test_tls_is_verified(dovecot: Dovecot, changes: dict[str, object]) -> None:
    ports = {"port": dovecot.port} if changes else {}
    connect(dovecot.server(**changes, **ports))
    for wrong in ({"ca_file": None}, {"host": "127.0.0.1"}):
        with pytest.raises(SourceFailed, match="certificate is not to be believed"):
            connect(dovecot.server(**changes, **ports, **wrong))


def test_what_goes_wrong_is_told(dovecot: Dovecot) -> None:
    with pytest.raises(SourceFailed, match=r"localhost: .*AUTHENTICATIONFAILED"):
        connect(dovecot.server(password="wrong"))
    with pytest.raises(SourceFailed, match="no TLS on port"):
        connect(dovecot.server(port=dovecot.port))
    (unused,) = free_ports(1)
    with pytest.raises(SourceFailed, match="Connection refused"):
        connect(dovecot.server(port=unused))
    assert PASSWORD not in repr(dovecot.server())


async def test_a_maildir_of_ours_is_one_that_dovecot_reads(dovecot: Dovecot, tmp_path: Path) -> None:
    """Export, let Dovecot serve it, import it from there: nothing is another than it was."""
    account, other = new_account(), new_account()
    lists = await make_folder(account, "Lists & Ünnötiges")
    inner = await make_folder(account, "Python", lists)
    marks = Marks(read=True, answered=True, flagged=True, draft=True)
    for folder in ("inbox", "sent", lists, inner):
        await put(account, folder, mixed_message(len(folder)), marks, 1_600_000_000_000)
    user = dovecot.folder / "mail" / "exported"
    await exported(account, MaildirTarget(user))
    subprocess.run(["chown", "-R", "nobody:nogroup", str(user)], check=True)
    with (dovecot.folder / "users").open("a") as users:
        users.write("exported:{PLAIN}x\n")
    os.utime(dovecot.folder / "users")
    await brought(dovecot, other, user="exported", password="x")
    assert await mails(other) == await mails(account)


async def test_a_line_that_is_cut_ends_the_import_with_a_reason(dovecot: Dovecot, client: imaplib.IMAP4) -> None:
    append(client, "INBOX", b"Subject: x\r\n\r\n")
    source = ImapSource(dovecot.server())
    folders = source.folders()
    source.close()
    with pytest.raises(SourceFailed):
        list(source.letters(replace(folders[0])))


def test_the_command_takes_both_passwords_and_tells_what_it_did(
    dovecot: Dovecot, client: imaplib.IMAP4, site: Run
) -> None:
    for number in range(3):
        append(client, "INBOX", b"Subject: %d\r\n\r\n" % number)
    append(client, "INBOX", b"Subject: deleted\r\n\r\n", r"(\Deleted)")
    where = ("--imap", f"localhost:{dovecot.tls_port}", "--imap-user", USER, "--imap-ca", str(dovecot.ca_file))
    arguments = ("import", "anna", *where, "--password-stdin", "--imap-password-stdin")
    code, out, error = site(*arguments, stdin=f"geheim\n{PASSWORD}\n")
    assert code == 0
    assert out.endswith(" added, 0 were there, 1 are marked as deleted, 0 could not be taken\n")
    assert error.startswith("left out: Alles: shows what lies in other mailboxes")
    assert "added, 3 were there" in site(*arguments, "--folder", "inbox", stdin=f"geheim\n{PASSWORD}\n")[1]
    code, out, error = site(*arguments, stdin="geheim\nwrong\n")
    assert (code, out, "AUTHENTICATIONFAILED" in error) == (1, "", True)
