"""The client's sending: SendMail, SmartReply, SmartForward; WBXML from 14.0 on, the message itself before."""

from uuid import uuid4

from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import ComposeMail
from eas.wbxml.tag import Tag
from tests.support.answers import Answer
from tests.support.commanding import Commanding
from tests.support.transport import Parameters

SEND_TIMEOUT_SECONDS = 60.0


class MailCommands(Commanding):
    """Commands that send.  They return the answer: `is_empty` is success, else there is a Status or an HTTP status."""

    async def send_mail(self, mime: bytes, *, save: bool = True, client_id: str | None = None) -> Answer:
        """Send a message; *save* a copy in Sent Items; *client_id* again means the same message again."""
        return await self._send(ComposeMail.SendMail, mime, None, {}, save=save, client_id=client_id)

    async def smart_reply(
        self,
        mime: bytes,
        folder_id: str = "",
        item_id: str = "",
        *,
        long_id: str | None = None,
        instance_id: str | None = None,
        replace_mime: bool = False,
        save: bool = True,
        client_id: str | None = None,
    ) -> Answer:
        """Reply to an item, which the server quotes unless *replace_mime*."""
        source, query = _source(folder_id, item_id, long_id, instance_id)
        return await self._send(
            ComposeMail.SmartReply, mime, source, query, save=save, client_id=client_id, replace_mime=replace_mime
        )

    async def smart_forward(
        self,
        mime: bytes,
        folder_id: str = "",
        item_id: str = "",
        *,
        long_id: str | None = None,
        instance_id: str | None = None,
        replace_mime: bool = False,
        save: bool = True,
        client_id: str | None = None,
    ) -> Answer:
        """Forward an item, which the server adds with its attachments unless *replace_mime*."""
        source, query = _source(folder_id, item_id, long_id, instance_id)
        return await self._send(
            ComposeMail.SmartForward, mime, source, query, save=save, client_id=client_id, replace_mime=replace_mime
        )

    async def _send(
        self,
        command: Tag,
        mime: bytes,
        source: Element | None,
        query: Parameters,
        *,
        save: bool,
        client_id: str | None,
        replace_mime: bool = False,
    ) -> Answer:
        if self.version <= Version.V12_1:
            if save:
                query["save_in_sent"] = "T"
            return await self.post(command.name, mime, timeout=SEND_TIMEOUT_SECONDS, **query)
        request = element(
            command,
            leaf(ComposeMail.ClientId, client_id or uuid4().hex),
            source,
            empty(ComposeMail.SaveInSentItems) if save else None,
            empty(ComposeMail.ReplaceMime) if replace_mime else None,
            leaf(ComposeMail.Mime, mime),
        )
        return await self.post(command.name, request, timeout=SEND_TIMEOUT_SECONDS)


def _source(folder_id: str, item_id: str, long_id: str | None, instance_id: str | None) -> tuple[Element, Parameters]:
    """Name the item that is answered: as an element for 14.0 and later, and as a query for before."""
    if long_id is not None:
        return element(ComposeMail.Source, leaf(ComposeMail.LongId, long_id)), {"long_id": long_id}
    source = element(
        ComposeMail.Source,
        leaf(ComposeMail.FolderId, folder_id),
        leaf(ComposeMail.ItemId, item_id),
        leaf(ComposeMail.InstanceId, instance_id),
    )
    query = Parameters(item_id=item_id, collection_id=folder_id)
    if instance_id is not None:
        query["occurrence"] = instance_id
    return source, query
