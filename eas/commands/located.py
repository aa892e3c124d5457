"""Finding what a request names: an item by its ServerId or LongId, a file by its FileReference.

All three begin with the folder: they are of use as long as the item rests there.
"""

from dataclasses import dataclass

from eas.mail.attachment_file import AttachmentFile, open_attachment
from storage.account import Account
from storage.items import Item
from storage.message.summary import Summary
from storage.records import Content
from storage.state import State


class NotThere(Exception):
    """The item is gone, or was never there."""


class NoSuchFile(Exception):
    """The item is there and has no such part, or the reference is none."""


@dataclass(frozen=True, slots=True)
class Located:
    """A mail and where it rests."""

    item: Item
    folder: str
    content: Content
    summary: Summary


async def located(state: State, server_id: str) -> Located:
    """Return the mail of that ServerId.  Raises `NotThere`."""
    folder, _, item_id = server_id.partition(":")
    item = await state.item(item_id)
    if item is None or not folder or state.folders.resting_place(item).folder != folder:
        raise NotThere(server_id)
    content = (await state.contents([item_id])).get(item_id)
    if content is None or content.summary is None:
        raise NotThere(server_id)
    return Located(item, folder, content, Summary.unpack(content.summary))


async def located_file(account: Account, state: State, file_reference: str) -> AttachmentFile:
    """Return the file of that FileReference.  Raises `NotThere`, `NoSuchFile`, `EngineError`, `SealError`."""
    server_id, _, path = file_reference.rpartition(":")
    if ":" not in server_id:
        raise NoSuchFile(file_reference)
    mail = await located(state, server_id)
    part = mail.summary.part(path)
    if part is None:
        raise NoSuchFile(file_reference)
    return await open_attachment(account, mail.content, part)
