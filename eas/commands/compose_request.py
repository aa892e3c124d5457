"""The request of SendMail, SmartReply and SmartForward, in both its forms ([MS-ASCMD] SendMail, SmartForward).

Up to 12.1 the body is the message and the query says the rest; from 14.0 on it is all in the tree.
"""

from dataclasses import dataclass

from eas.context import CommandFailed
from eas.protocol.datatypes import BadDateTime, parse_datetime
from eas.protocol.exchange import EasRequest
from eas.protocol.status import Common
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement

TAG, BASE = pages.ComposeMail, pages.AirSyncBase

CLIENT_ID_MAX = 40  # [MS-ASCMD] ClientId (SendMail, SmartForward, and SmartReply)
ID_MAX = 64  # [MS-ASCMD] FolderId, ItemId
LONG_ID_MAX = 256  # [MS-ASCMD] LongId
FORWARDEES_MAX = 1000
_WBXML_START = b"\x03\x01\x6a"


@dataclass(frozen=True, slots=True)
class Source:
    """The item that is answered or forwarded."""

    item: str
    """Its id without the folder, which may have changed since the phone last looked."""
    is_occurrence: bool = False
    """Whether one occurrence of a series is meant."""


@dataclass(frozen=True, slots=True)
class Forwardees:
    """Who gets an item that is forwarded without a message (16.0), and the text for them."""

    mailboxes: tuple[tuple[str, str], ...]
    """Name and address of each."""
    body_type: int = 1
    body: str = ""


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """What is to be sent, and of which item it speaks."""

    command: str
    client_id: str
    """ "" below 14.0."""
    mime: bytes
    is_saved: bool
    source: Source | None = None
    replaces_mime: bool = False
    """Whether `mime` is complete: nothing of the source is to be added."""
    forwardees: Forwardees | None = None


def parse_compose(root: Element | None, request: EasRequest) -> ComposeRequest:
    """Read the request.  Raises `MissingElement`, `InvalidValue`, and `CommandFailed` with a common Status."""
    is_smart = request.command != "SendMail"
    if root is None:
        return _parse_query(request, is_smart=is_smart)
    client_id = root.text(TAG.ClientId)
    if not 0 < len(client_id) <= CLIENT_ID_MAX:
        raise InvalidValue(TAG.ClientId, client_id)
    if root.text_or(TAG.AccountId, ""):
        raise CommandFailed(Common.INVALID_ACCOUNT_ID)  # the primary account has none, and there is no other
    if root.text_or(pages.RightsManagement.TemplateID, ""):
        raise CommandFailed(Common.IRM_FEATURE_DISABLED)  # not to be sent without the protection it asks for
    source = _parse_source(root) if is_smart else None
    forwardees = _parse_forwardees(root, request) if request.command == "SmartForward" else None
    return ComposeRequest(
        request.command,
        client_id,
        root.opaque(TAG.Mime) if forwardees is None else b"",
        root.flag_or(TAG.SaveInSentItems, default=False),
        source,
        is_smart and root.flag_or(TAG.ReplaceMime, default=False),
        forwardees,
    )


def _parse_query(request: EasRequest, *, is_smart: bool) -> ComposeRequest:
    if not request.body or request.body.startswith(_WBXML_START):
        raise CommandFailed(Common.INVALID_CONTENT)
    source = None
    if is_smart:
        source = _source(
            request.collection_id or "", request.item_id or "", request.long_id or "", request.occurrence or ""
        )
    return ComposeRequest(request.command, "", request.body, request.save_in_sent, source)


def _parse_source(root: Element) -> Source:
    found = root.first(TAG.Source)
    if found is None:
        raise MissingElement(TAG.Source)
    return _source(
        found.text_or(TAG.FolderId, ""),
        found.text_or(TAG.ItemId, ""),
        found.text_or(TAG.LongId, ""),
        found.text_or(TAG.InstanceId, ""),
    )


def _source(folder_id: str, item_id: str, long_id: str, instance: str) -> Source:
    """Return the item that the ids mean; both a LongId and an ItemId name folder and item."""
    if long_id and (folder_id or item_id or instance):
        raise CommandFailed(Common.INVALID_COMBINATION_OF_IDS)
    if not long_id and not item_id:
        raise MissingElement(TAG.ItemId)
    if len(long_id) > LONG_ID_MAX or len(item_id) > ID_MAX or len(folder_id) > ID_MAX:
        raise CommandFailed(Common.INVALID_IDS)
    if instance:
        try:
            parse_datetime(instance)
        except BadDateTime as error:
            raise CommandFailed(Common.INVALID_DATE_TIME) from error
    item = (long_id or item_id).partition(":")[2]
    if not item:
        raise CommandFailed(Common.ITEM_NOT_FOUND)
    return Source(item, bool(instance))


def _parse_forwardees(root: Element, request: EasRequest) -> Forwardees | None:
    """Return whom the server itself is to write to ([MS-ASCMD] Forwardees, 16.0)."""
    found, body = root.first(TAG.Forwardees), root.first(BASE.Body)
    if request.version < Version.V16_0 or (found is None and body is None):
        return None
    if any(map(root.has, (TAG.Mime, TAG.SaveInSentItems, TAG.ReplaceMime))):
        raise CommandFailed(Common.INVALID_MIME_BODY_COMBINATION)
    try:
        mailboxes = tuple(
            (each.text_or(TAG.ForwardeeName, ""), each.text(TAG.ForwardeeEmail))
            for each in (found.all(TAG.Forwardee) if found is not None else ())
        )
        body_type = body.number(BASE.Type) if body is not None else 1
        text = body.text_or(BASE.Data, "") if body is not None else ""
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(Common.INVALID_SMART_FORWARD_PARAMETERS) from error
    if not 0 < len(mailboxes) <= FORWARDEES_MAX or body_type not in (1, 2):
        raise CommandFailed(Common.INVALID_SMART_FORWARD_PARAMETERS)
    return Forwardees(mailboxes, body_type, text)
