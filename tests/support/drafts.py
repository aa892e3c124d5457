"""Drafts as a phone of 16.0 writes them ([MS-ASCMD] Sync, [MS-ASEMAIL] Drafts)."""

from dataclasses import dataclass

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSyncBase, Email, Email2
from tests.support.sync_requests import PLAIN, add, change


@dataclass(frozen=True, slots=True)
class DraftFile:
    """A file that is attached to a draft; `client_id` is how the answer names it."""

    client_id: str
    name: str
    content: bytes
    content_type: str | None = None
    content_id: str | None = None

    def render(self) -> Element:
        """Write the Add below Attachments."""
        return element(
            AirSyncBase.Add,
            leaf(AirSyncBase.ClientId, self.client_id),
            leaf(AirSyncBase.Content, self.content),
            leaf(AirSyncBase.DisplayName, self.name),
            leaf(AirSyncBase.Method, 1),
            leaf(AirSyncBase.ContentType, self.content_type),
            leaf(AirSyncBase.ContentId, self.content_id),
            None if self.content_id is None else leaf(AirSyncBase.IsInline, True),
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft; None leaves an element out, which keeps what the server has."""

    to: str | None = None
    cc: str | None = None
    bcc: str | None = None
    subject: str | None = None
    body: str | None = None
    body_type: int = PLAIN
    importance: int | None = None
    files: tuple[DraftFile, ...] = ()
    removed_files: tuple[str, ...] = ()

    def data(self) -> tuple[Element | None, ...]:
        """Write the children of ApplicationData."""
        files = [file.render() for file in self.files]
        files += [
            element(AirSyncBase.Delete, leaf(AirSyncBase.FileReference, reference)) for reference in self.removed_files
        ]
        body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, self.body_type), leaf(AirSyncBase.Data, self.body))
        return (
            leaf(Email.To, self.to),
            leaf(Email.Cc, self.cc),
            leaf(Email2.Bcc, self.bcc),
            leaf(Email.Subject, self.subject),
            leaf(Email.Importance, self.importance),
            None if self.body is None else body,
            element(AirSyncBase.Attachments, *files) if files else None,
        )

    def add(self, client_id: str, *, send: bool = False) -> Element:
        """Write the command that makes the draft; *send*: and sends it."""
        return add(client_id, *self.data(), send=send)

    def change(self, server_id: str, *, send: bool = False) -> Element:
        """Write the command that changes the draft; *send*: and sends it."""
        return change(server_id, *self.data(), send=send)
