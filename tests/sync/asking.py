"""Requests to Sync that a well-bred phone would not write, and mails of any age."""

from datetime import UTC, datetime, timedelta

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync
from storage.account import Account
from storage.message.index import index_message
from storage.records import Added
from tests.support.client import EasClient

TAG = AirSync
INBOX, TRASH, ARCHIVE = "inbox", "trash", "archive"


def mail(subject: str, text: str = "Hello", extra: str = "") -> bytes:
    """Return a message; the subject makes it unique."""
    lines = f"From: a@example.net\r\nTo: u1@example.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n{extra}"
    return f"{lines}\r\n{text}\r\n".encode()


async def put(account: Account, subject: str, *, days_old: float = 0, folder: str = INBOX, data: bytes = b"") -> str:
    """Let a mail lie in a folder since some days; return its ServerId."""
    data = data or mail(subject)
    content = await account.store(data, index_message(data).pack())
    date = datetime.now(UTC) - timedelta(days=days_old)
    item = f"{int(date.timestamp() * 1000):012x}{subject:>08}"[:20].replace(" ", "0")
    async with account.turn():
        await account.commit([Added(item, folder, "Email", int(date.timestamp() * 1000), content)])
    return f"{folder}:{item}"


def collection(*children: Element | None, key: str | None = None, folder: str = INBOX) -> Element:
    """Return a Collection with its two first elements, and *children*."""
    return element(TAG.Collection, leaf(TAG.SyncKey, key or "0"), leaf(TAG.CollectionId, folder), *children)


def sync(*collections: Element, beside: tuple[Element | None, ...] = ()) -> Element:
    """Return a Sync of *collections*."""
    return element(TAG.Sync, element(TAG.Collections, *collections), *beside)


async def ask(phone: EasClient, root: Element | None) -> Element | None:
    """Post it; return the root of the answer, None for an empty one."""
    answer = await phone.post("Sync", root)
    assert answer.status == 200
    return answer.root


async def root_status(phone: EasClient, root: Element | None) -> int:
    """Return the Status at the root of the answer."""
    answered = await ask(phone, root)
    assert answered is not None
    return answered.number(TAG.Status)


async def statuses(phone: EasClient, root: Element) -> dict[str, int]:
    """Return the Status of each collection of the answer."""
    answered = await ask(phone, root)
    assert answered is not None
    holder = answered.first(TAG.Collections)
    assert holder is not None
    return {one.text(TAG.CollectionId): one.number(TAG.Status) for one in holder.children}
