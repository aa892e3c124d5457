"""Bodies and attachments as every class has them from 12.0 on ([MS-ASAIRS])."""

from dataclasses import dataclass
from typing import Protocol

from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf

TAG = pages.AirSyncBase


class BodyLike(Protocol):
    """A body ready to be written (`eas.mail.body_plan.Body`)."""

    @property
    def type(self) -> int: ...  # noqa: D102
    @property
    def estimated_data_size(self) -> int: ...  # noqa: D102
    @property
    def truncated(self) -> bool: ...  # noqa: D102
    @property
    def data(self) -> str | None: ...  # noqa: D102
    @property
    def preview(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment of an item; the size is that of the decoded file, in bytes."""

    display_name: str
    file_reference: str
    method: int
    size_bytes: int
    content_id: str = ""
    content_location: str = ""
    is_inline: bool = False


def render_body(body: BodyLike, version: Version, part: int | None = None) -> Element:
    """Return the Body element, its children in their fixed order; *part*: its data go apart, in a multipart answer."""
    return element(
        TAG.Body,
        leaf(TAG.Type, body.type),
        leaf(TAG.EstimatedDataSize, body.estimated_data_size),
        leaf(TAG.Truncated, 1 if body.truncated else None),
        leaf(TAG.Data, body.data) if part is None else None,
        leaf(pages.ItemOperations.Part, part),
        leaf(TAG.Preview, body.preview) if version >= Version.V14_0 else None,
    )


def render_attachments(attachments: tuple[Attachment, ...]) -> Element | None:
    """Return the Attachments element, or None: an empty one is not allowed."""
    return element(TAG.Attachments, *map(_attachment, attachments)) if attachments else None


def _attachment(attachment: Attachment) -> Element:
    return element(
        TAG.Attachment,
        leaf(TAG.DisplayName, attachment.display_name),
        leaf(TAG.FileReference, attachment.file_reference),
        leaf(TAG.Method, attachment.method),
        leaf(TAG.EstimatedDataSize, attachment.size_bytes),
        leaf(TAG.ContentId, attachment.content_id or None),
        leaf(TAG.ContentLocation, attachment.content_location or None),
        leaf(TAG.IsInline, 1 if attachment.is_inline else None),
    )
