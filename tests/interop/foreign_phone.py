"""pyactivesync as a phone: what it is made to do, step by step, and what it must then have.

The steps run in their order, on one account with the demo's mails; `captures/` has what it says meanwhile.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pyactivesync import BodyType, Client, EmailChange, FolderType, OofState, StatusError, SyncItem

INBOX, DRAFTS, TRASH, SENT = 2, 3, 4, 5
USER_MAIL: Final = 12  # [MS-ASCMD] Type (FolderSync); the library's names from 12 on are one off
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.2


@dataclass
class Folder:
    """A collection as this phone has it: subjects by ServerId."""

    id: str
    key: str = "0"
    items: dict[str, SyncItem] = field(default_factory=dict)


class ForeignPhone:
    """One phone of account u1; *deliver* brings a mail with that subject into its Inbox."""

    def __init__(self, server: str, authority: Path, deliver: Callable[[str], None]) -> None:
        """*server* is host:port, *authority* the certificate that signed the server's."""
        self.client: Any = Client(server, "u1@example.test", "pw-u1", device_id="pyactivesync0001")
        session = self.client._transport.session
        session.verify = str(authority)
        session.trust_env = False  # or a bundle named in the environment counts for more
        self.deliver = deliver
        self.folders: dict[int, Folder] = {}

    def sync(self, folder: Folder) -> dict[str, SyncItem]:
        """Synchronise until there is no more, and return all there is."""
        first = folder.key == "0"
        while True:
            result = self.client.sync_folder(folder.id, folder.key)
            folder.key = result.sync_key
            for item in result.added:
                folder.items[item.server_id] = item
            for item in result.changed:
                folder.items[item.server_id].fields.update(item.fields)
            for server_id in result.deleted:
                folder.items.pop(server_id, None)
            if not (result.more_available or first):
                return folder.items
            first = False

    def find(self, folder: Folder, subject: str) -> SyncItem:
        """Return the one mail with that subject, once it is there."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            found = [item for item in self.sync(folder).values() if item.fields.get("Email.Subject") == subject]
            if found or time.monotonic() > end:
                (item,) = found
                return item
            time.sleep(POLL_SECONDS)


def is_provisioned(phone: ForeignPhone) -> None:
    assert int(phone.client.provision()) > 0


def has_folders(phone: ForeignPhone) -> None:
    listed = phone.client.list_folders()
    assert {INBOX, DRAFTS, TRASH, SENT} <= {int(folder.type) for folder in listed}
    phone.folders = {int(folder.type): Folder(folder.id) for folder in listed}


def makes_renames_and_removes_a_folder(phone: ForeignPhone) -> None:
    made = phone.client.create_folder("Voyages", type=FolderType(USER_MAIL))
    phone.client.update_folder(made.id, "Reisen")
    assert ("Reisen", USER_MAIL) in {(one.name, int(one.type)) for one in phone.client.list_folders()}
    phone.client.delete_folder(made.id)
    assert made.id not in {one.id for one in phone.client.list_folders()}


def has_mail(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    items = phone.sync(inbox)
    assert "Welcome to Petit Bleu" in {item.fields["Email.Subject"] for item in items.values()}
    assert phone.client.get_item_estimate(inbox.id, inbox.key) == 0


def fetches_bodies_of_every_type(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    item = phone.find(inbox, "A letter on thin blue paper")
    fetched = {kind: phone.client.fetch_item(inbox.id, item.server_id, body_type=kind).body for kind in _BODIES}
    assert "<h1" in fetched[BodyType.HTML].data
    assert "thin blue paper" in phone.client.fetch_item(inbox.id, item.server_id).fields["Email.Subject"]
    assert "this one is written in HTML" in fetched[BodyType.PLAIN_TEXT].data
    assert fetched[BodyType.MIME].data.count(b"\r\n\r\n") > 1
    assert {kind: body.type for kind, body in fetched.items()} == {kind: kind for kind in _BODIES}


_BODIES: Final = (BodyType.PLAIN_TEXT, BodyType.HTML, BodyType.MIME)


def fetches_an_attachment(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    item = phone.find(inbox, "A letter on thin blue paper")
    (attachment,) = phone.client.fetch_item(inbox.id, item.server_id).attachments
    data = phone.client.fetch_attachment(attachment.file_reference)
    assert data.startswith(b"<svg ")
    assert attachment.display_name == "petit-bleu.svg"


def marks_mail_as_read_and_flags_it(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    item = phone.find(inbox, "Answer me")
    for read, flagged in ((True, True), (False, False)):
        changed = phone.client.apply_email_changes(
            inbox.id, inbox.key, [EmailChange(item.server_id, read=read, flagged=flagged)]
        )
        inbox.key = changed.sync_key
        assert set(changed.statuses.values()) == {"1"}
        fields = phone.client.fetch_item(inbox.id, item.server_id).fields
        assert fields["Email.Read"] == str(int(read))
        assert (fields.get("Email.Status") == "2") == flagged


def keeps_a_draft(phone: ForeignPhone) -> None:
    drafts = phone.folders[DRAFTS]
    phone.sync(drafts)
    message = _message("A draft", "u2@example.test")
    message.add_attachment(b"<svg/>", "image", "svg+xml", filename="draft.svg")
    added = phone.client.create_email_draft(drafts.id, drafts.key, message)
    assert added.status == "1"
    drafts.key = added.sync_key
    fetched = phone.client.fetch_item(drafts.id, added.server_id, body_type=BodyType.PLAIN_TEXT)
    assert fetched.fields["Email.Subject"] == "A draft"
    assert "The text of A draft." in fetched.body.data
    assert [one.display_name for one in fetched.attachments] == ["draft.svg"]


def moves_mail_and_deletes_it(phone: ForeignPhone) -> None:
    inbox, trash = phone.folders[INBOX], phone.folders[TRASH]
    item = phone.find(inbox, "Answer me")
    phone.client.move_item(item.server_id, inbox.id, trash.id)
    moved = phone.find(trash, "Answer me")
    back = phone.client.move_item(moved.server_id, trash.id, inbox.id)
    assert phone.find(inbox, "Answer me").server_id == back
    deleted = phone.client.apply_email_changes(inbox.id, inbox.key, [EmailChange(back, delete=True)])
    inbox.key = deleted.sync_key
    inbox.items.pop(back, None)
    assert phone.find(trash, "Answer me")


def sends_mail(phone: ForeignPhone) -> None:
    phone.client.send_mail(_message("Sent by pyactivesync", "u2@example.test"))
    sent = phone.find(phone.folders[SENT], "Sent by pyactivesync")
    assert "u2@example.test" in sent.fields["Email.To"]


def is_rung(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    phone.sync(inbox)
    with ThreadPoolExecutor(1) as pool:
        ringing = pool.submit(phone.client.ping, inbox.id, heartbeat=60, timeout=70)
        time.sleep(1.0)
        phone.deliver("Rings")
        rung = ringing.result()
    assert (rung.status, rung.changed_folder_ids) == ("2", [inbox.id])
    assert phone.find(inbox, "Rings")


def searches_mail(phone: ForeignPhone) -> None:
    inbox = phone.folders[INBOX]
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    recent = phone.client.search_mailbox(inbox.id, date_received_after=yesterday)
    assert "Rings" in {one["Email.Subject"] for one in recent}
    assert {one["Email.Subject"] for one in phone.client.search_mailbox(inbox.id, free_text="Welcome")} >= {
        "Welcome to Petit Bleu"
    }


def finds_mail_and_people(phone: ForeignPhone) -> None:
    found = phone.client.find_mailbox("Welcome", folder_id=phone.folders[INBOX].id)
    assert "Welcome to Petit Bleu" in {item.fields["Email.Subject"] for item in found.items}
    assert phone.client.find_mailbox("there is nothing like this").items == []
    assert "u2@example.test" in {entry.email_address for entry in phone.client.search_gal("User")}
    people = phone.client.find_gal("User")
    assert any("u2@example.test" in item.fields.values() for item in people.items)


def learns_that_there_is_no_out_of_office_service(phone: ForeignPhone) -> None:
    """It is off, may be switched off, and Status 7 (denied) says that it cannot be switched on."""
    assert phone.client.get_oof().state == OofState.DISABLED
    phone.client.set_oof(OofState.DISABLED)
    with pytest.raises(StatusError) as denied:
        phone.client.set_oof(OofState.ENABLED, reply_message="Gone fishing.")
    assert denied.value.code == "7"


def _message(subject: str, to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "u1@example.test", to, subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message.set_content(f"The text of {subject}.\n")
    return message


STEPS: Final[tuple[Callable[[ForeignPhone], None], ...]] = (
    is_provisioned,
    has_folders,
    makes_renames_and_removes_a_folder,
    has_mail,
    fetches_bodies_of_every_type,
    fetches_an_attachment,
    marks_mail_as_read_and_flags_it,
    keeps_a_draft,
    moves_mail_and_deletes_it,
    sends_mail,
    is_rung,
    searches_mail,
    finds_mail_and_people,
    learns_that_there_is_no_out_of_office_service,
)
