"""The client's commands about single items: ItemOperations, GetAttachment."""

import base64
from dataclasses import dataclass

from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, ItemOperations, Search
from eas.wbxml.tag import Tag
from tests.support.commanding import Commanding, Refused
from tests.support.mailbox import Item
from tests.support.sync_requests import HTML, BodyPreference


@dataclass(frozen=True, slots=True)
class Fetched:
    """An item that was fetched; with a `status` other than 1 it is empty.  `parts` are those of a multipart."""

    status: int
    item: Item
    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, or the part of it that `range` ("m-n", both included) names; `total` is its size in bytes."""

    status: int
    content_type: str
    data: bytes
    range: str | None = None
    total: int | None = None


class ItemCommands(Commanding):
    """Commands that bring single items and files, and empty folders."""

    async def fetch(
        self,
        collection_id: str = "",
        server_id: str = "",
        *,
        long_id: str | None = None,
        body: BodyPreference | None = BodyPreference(HTML),  # noqa: B008  frozen
        mime_support: int | None = None,
        multipart: bool = False,
    ) -> Fetched:
        """Fetch an item whole, by its folder and id, or by the *long_id* of a search."""
        place = (
            [leaf(AirSync.CollectionId, collection_id), leaf(AirSync.ServerId, server_id)]
            if long_id is None
            else [leaf(Search.LongId, long_id)]
        )
        options = element(
            ItemOperations.Options,
            leaf(AirSync.MIMESupport, mime_support),
            None if body is None else body.render(),
        )
        found = await self._fetch(*place, options if options.children else None, multipart=multipart)
        item = Item(server_id or long_id or "", {})
        item.update(found.first(ItemOperations.Properties))
        return Fetched(found.number(ItemOperations.Status), item, self.answered().parts)

    async def attachment(
        self, file_reference: str, *, byte_range: str | None = None, multipart: bool = False
    ) -> Attachment:
        """Fetch a file by ItemOperations (12.0), inline or as a part."""
        wanted = None if byte_range is None else element(ItemOperations.Options, leaf(ItemOperations.Range, byte_range))
        found = await self._fetch(leaf(AirSyncBase.FileReference, file_reference), wanted, multipart=multipart)
        status, properties = found.number(ItemOperations.Status), found.first(ItemOperations.Properties)
        if properties is None:
            return Attachment(status, "", b"")
        part = properties.number_or(ItemOperations.Part, None)
        return Attachment(
            status,
            properties.text_or(AirSyncBase.ContentType, ""),
            base64.b64decode(properties.text(ItemOperations.Data)) if part is None else self.answered().parts[part - 1],
            properties.text_or(ItemOperations.Range, None),
            properties.number_or(ItemOperations.Total, None),
        )

    async def get_attachment(self, name: str) -> Attachment:
        """Fetch a file by GetAttachment (up to 12.1).  Raises `Refused`."""
        answer = await self.post("GetAttachment", attachment_name=name)
        if answer.status != 200:
            raise Refused(answer, None)
        return Attachment(1, answer.headers.get("Content-Type", ""), answer.body)

    async def empty_folder(self, collection_id: str, *, with_subfolders: bool = False) -> int:
        """Empty a folder, and return the Status of that."""
        page = ItemOperations
        options = element(page.Options, empty(page.DeleteSubFolders)) if with_subfolders else None
        operation = element(page.EmptyFolderContents, leaf(AirSync.CollectionId, collection_id), options)
        return (await self._operate(operation, page.EmptyFolderContents, False)).number(page.Status)

    async def _fetch(self, *fields: Element | None, multipart: bool) -> Element:
        page = ItemOperations
        return await self._operate(element(page.Fetch, leaf(page.Store, "Mailbox"), *fields), page.Fetch, multipart)

    async def _operate(self, operation: Element, tag: Tag, multipart: bool) -> Element:
        root = await self.command(
            element(ItemOperations.ItemOperations, operation), ItemOperations.Status, multipart=multipart
        )
        response = root.first(ItemOperations.Response)
        if response is None or response.children[0].tag is not tag:
            raise Refused(self.answered(), root.number(ItemOperations.Status))
        return response.children[0]
