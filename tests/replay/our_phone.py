"""What our own client is made to do, so that it can be captured: every command, as phones of the field send them."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP

from eas.protocol.versions import Version
from eas.wbxml.pages import AirSyncBase
from tests.support.client import EasClient
from tests.support.drafts import Draft, DraftFile
from tests.support.mailbox import Folder
from tests.support.sync_requests import HTML, MIME, PLAIN, BodyPreference, categories, delete, flag, read, unflag

INBOX, DRAFTS, TRASH, SENT = 2, 3, 4, 5
LETTER, ANSWER_ME, WELCOME = "A letter on thin blue paper", "Answer me", "Welcome to Petit Bleu"
RINGS_AFTER_SECONDS = 0.5
HEARTBEAT_SECONDS = 120


async def use(phone: EasClient, deliver: Callable[[str], None]) -> None:
    """Do everything once.  *deliver* brings a mail into the Inbox."""
    await _set_up(phone)
    inbox = await phone.sync_all(phone.mailbox.of_type(INBOX), window_size=2)
    await _look(phone, inbox)
    await _change(phone, inbox)
    await _send(phone, inbox)
    if phone.version >= Version.V16_0:
        await _draft(phone)
    await _wait(phone, inbox, deliver)
    await _search(phone, inbox)
    await _tidy(phone, inbox)


async def _set_up(phone: EasClient) -> None:
    version = phone.version
    await phone.options()
    phone.version = version
    await phone.folder_sync()
    await phone.provision()
    await phone.folder_sync()
    await phone.user_addresses()
    await phone.oof()


async def _look(phone: EasClient, inbox: Folder) -> None:
    letter = inbox.find(LETTER)
    place = inbox.collection_id, letter.server_id
    await phone.fetch(*place, body=BodyPreference(HTML, 400))
    await phone.fetch(*place, body=BodyPreference(PLAIN))
    await phone.fetch(*place, body=BodyPreference(MIME), mime_support=2, multipart=True)
    reference = letter.attachments[0].text(AirSyncBase.FileReference)
    await phone.attachment(reference)
    await phone.attachment(reference, byte_range="0-99")


async def _change(phone: EasClient, inbox: Folder) -> None:
    answer_me = inbox.find(ANSWER_ME).server_id
    for command in (read(answer_me), flag(answer_me), unflag(answer_me)):
        await phone.sync(inbox.collection_id, [command])
    if phone.version >= Version.V14_0:
        await phone.sync(inbox.collection_id, [categories(answer_me, ["Blue", "Letters"])])
    await phone.sync(inbox.collection_id)  # nothing has changed: the empty answer
    created = await phone.folder_create("Voyages")
    await phone.folder_update(created, "Reisen")
    await phone.move([(answer_me, inbox.collection_id, created)])
    await phone.sync_all(inbox.collection_id)
    moved = (await phone.sync_all(created)).find(ANSWER_ME)
    await phone.move([(moved.server_id, created, inbox.collection_id)])
    await phone.sync_all(inbox.collection_id)
    await phone.folder_delete(created)
    await phone.estimate(inbox.collection_id)


async def _send(phone: EasClient, inbox: Folder) -> None:
    welcome = inbox.find(WELCOME).server_id
    await phone.send_mail(_message("From our own client", "Hello."), client_id="send-1")
    await phone.send_mail(_message("From our own client", "Hello."), client_id="send-1")  # the answer was lost: again
    await phone.smart_reply(_message("Re: Welcome", "Thank you."), inbox.collection_id, welcome, client_id="reply-1")
    await phone.smart_forward(_message("Fwd: Welcome", "Look."), inbox.collection_id, welcome, client_id="forward-1")
    await phone.sync_all(phone.mailbox.of_type(SENT))
    await phone.sync_all(inbox.collection_id)  # LastVerbExecuted


async def _draft(phone: EasClient) -> None:
    drafts = phone.mailbox.of_type(DRAFTS)
    await phone.sync_all(drafts)
    file = DraftFile("file-1", "note.txt", b"A note.\r\n", "text/plain")
    draft = Draft(to="u2@example.test", subject="A draft", body="First words.", files=(file,))
    stored = await phone.draft_add(drafts, draft, client_id="draft-1")
    await phone.draft_change(drafts, stored.server_id, Draft(subject="A draft, changed", body="Second words."))
    await phone.draft_send(drafts, stored.server_id)
    await phone.sync_all(drafts)


async def _wait(phone: EasClient, inbox: Folder, deliver: Callable[[str], None]) -> None:
    async def meanwhile(subject: str) -> None:
        await asyncio.sleep(RINGS_AFTER_SECONDS)
        await asyncio.to_thread(deliver, subject)

    await asyncio.gather(phone.ping([inbox.collection_id], HEARTBEAT_SECONDS), meanwhile("Rings a Ping"))
    await phone.sync_all(inbox.collection_id)
    await asyncio.gather(phone.ping(), meanwhile("Rings an empty Ping"))
    await phone.sync_all(inbox.collection_id)
    is_old = phone.version < Version.V14_0
    waiting = phone.sync(
        inbox.collection_id, wait=2 if is_old else None, heartbeat=None if is_old else HEARTBEAT_SECONDS
    )
    await asyncio.gather(waiting, meanwhile("Ends a Sync that waits"))


async def _search(phone: EasClient, inbox: Folder) -> None:
    found = await phone.search("Welcome", inbox.collection_id, body=BodyPreference(PLAIN, 100))
    await phone.fetch(long_id=found.results[0].id)
    await phone.search("there is nothing like this")
    await phone.search_gal("User")
    if phone.version >= Version.V16_1:
        await phone.find("Welcome", inbox.collection_id)


async def _tidy(phone: EasClient, inbox: Folder) -> None:
    await phone.sync(inbox.collection_id, [delete(inbox.find(ANSWER_ME).server_id)], deletes_as_moves=True)
    trash = await phone.sync_all(phone.mailbox.of_type(TRASH))
    await phone.empty_folder(trash.collection_id)
    await phone.sync_all(trash.collection_id)
    await phone.sync(inbox.collection_id, sync_key="0")
    await phone.sync(inbox.collection_id, sync_key="made up")


def _message(subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "u1@example.test", "u2@example.test", subject
    message["Date"] = "Sat, 31 Jan 2026 10:00:00 +0000"
    message["Message-ID"] = f"<{subject.lower().replace(' ', '.').replace(':', '')}@example.test>"
    message.set_content(text + "\n")
    return message.as_bytes(policy=SMTP)
