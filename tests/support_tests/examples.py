"""Right answers, written out, for tests that change one thing in them."""

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email, Email2, FolderHierarchy, Ping


def mail(subject: str = "Lunch", *more: Element | None) -> Element:
    """An ApplicationData with what a new mail needs."""
    return element(
        AirSync.ApplicationData,
        leaf(Email.From, '"Ann" <ann@example.test>'),
        leaf(Email.Subject, subject),
        leaf(Email.DateReceived, "2024-01-02T03:04:05.000Z"),
        leaf(Email.Read, False),
        element(
            AirSyncBase.Body,
            leaf(AirSyncBase.Type, 1),
            leaf(AirSyncBase.EstimatedDataSize, 5),
            leaf(AirSyncBase.Data, "Noon?"),
        ),
        leaf(Email.MessageClass, "IPM.Note"),
        *more,
    )


CONVERSATION = (
    leaf(Email2.ConversationId, b"0123456789abcdef"),
    leaf(Email2.ConversationIndex, b"\x01\x02\x03\x04\x05"),
)


def added(server_id: str, data: Element | None = None) -> Element:
    """An Add from the server."""
    return element(AirSync.Add, leaf(AirSync.ServerId, server_id), data or mail())


def changed(server_id: str, *data: Element | None) -> Element:
    """A Change from the server."""
    return element(AirSync.Change, leaf(AirSync.ServerId, server_id), element(AirSync.ApplicationData, *data))


def removed(server_id: str, tag: str = "Delete") -> Element:
    """A Delete or SoftDelete from the server."""
    return element(getattr(AirSync, tag), leaf(AirSync.ServerId, server_id))


def responded(tag: str, status: int, *, client_id: str | None = None, server_id: str | None = None) -> Element:
    """A child of Responses."""
    return element(
        getattr(AirSync, tag),
        leaf(AirSync.ClientId, client_id),
        leaf(AirSync.ServerId, server_id),
        leaf(AirSync.Status, status),
    )


def synced(
    key: str,
    *commands: Element,
    collection_id: str = "5",
    status: int = 1,
    more: bool = False,
    responses: tuple[Element, ...] = (),
) -> Element:
    """A Sync answer for one collection."""
    collection = element(
        AirSync.Collection,
        leaf(AirSync.SyncKey, key),
        leaf(AirSync.CollectionId, collection_id),
        leaf(AirSync.Status, status),
        Element(AirSync.MoreAvailable) if more else None,
        element(AirSync.Responses, *responses) if responses else None,
        element(AirSync.Commands, *commands) if commands else None,
    )
    return element(AirSync.Sync, element(AirSync.Collections, collection))


def folder(server_id: str, name: str, folder_type: int, tag: str = "Add") -> Element:
    """A folder in an answer to FolderSync."""
    return element(
        getattr(FolderHierarchy, tag),
        leaf(FolderHierarchy.ServerId, server_id),
        leaf(FolderHierarchy.ParentId, "0"),
        leaf(FolderHierarchy.DisplayName, name),
        leaf(FolderHierarchy.Type, folder_type),
    )


def hierarchy(key: str, *changes: Element) -> Element:
    """An answer to FolderSync."""
    return element(
        FolderHierarchy.FolderSync,
        leaf(FolderHierarchy.Status, 1),
        leaf(FolderHierarchy.SyncKey, key),
        element(FolderHierarchy.Changes, leaf(FolderHierarchy.Count, len(changes)), *changes),
    )


PING_OVER = element(Ping.Ping, leaf(Ping.Status, 1))
