"""What a phone writes of a draft from 16.0 on ([MS-ASEMAIL] To, Cc, Bcc …, [MS-ASAIRS] Attachments)."""

from dataclasses import dataclass
from typing import Final

from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from eas.wbxml.pages import Tag

EMAIL, EMAIL2, BASE = pages.Email, pages.Email2, pages.AirSyncBase

TEXT_CHARS_MAX: Final = 32768  # [MS-ASEMAIL] To, From
NAME_CHARS_MAX: Final = 1024
FILES_MAX: Final = 200
"""Attachments that one command adds, and that it removes."""
PLAIN, HTML, MIME = 1, 2, 4
LIGHT: Final = (EMAIL.Read, EMAIL.Flag, EMAIL.Categories)
"""Elements that are the same in a draft as in any mail (`eas.items.flag`)."""

_TEXTS: Final[dict[Tag, str]] = {
    EMAIL.To: "to",
    EMAIL.Cc: "cc",
    EMAIL2.Bcc: "bcc",
    EMAIL.ReplyTo: "reply_to",
    EMAIL.Subject: "subject",
}
_WITH_MIME: Final = (EMAIL.Importance, BASE.Attachments, BASE.Body)


class BadDraft(Exception):
    """The draft breaks the rules: item Status 6."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is added; `client_id` is how the answer names it."""

    client_id: str
    name: str
    content: bytes
    content_type: str = ""
    content_id: str = ""
    content_location: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class DraftChanges:
    """What is new; what is left out stays as it is."""

    texts: dict[str, str]
    """Of `to`, `cc`, `bcc`, `reply_to`, `subject` those that are given."""
    importance: int | None = None
    body_type: int | None = None
    """None: the body stays."""
    body: bytes = b""
    files: tuple[NewFile, ...] = ()
    removed: tuple[str, ...] = ()
    """FileReferences."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the message changes."""
        return self == DraftChanges({})

    def removed_paths(self, server_id: str) -> list[str]:
        """Return the paths of the attachments that are to go.  Raises `BadDraft` for those of another item."""
        paths = []
        for reference in self.removed:
            of_item, _, path = reference.rpartition(":")
            if of_item != server_id:
                raise BadDraft("FileReference of another item")
            paths.append(path)
        return paths


def parse_draft(data: Element | None) -> DraftChanges:
    """Read ApplicationData, but for what is LIGHT.  Raises `BadDraft`."""
    found = heavy_of(data)
    try:
        body, attachments = found.first(BASE.Body), found.first(BASE.Attachments)
        body_type = body.number(BASE.Type) if body is not None else None
        if body_type not in (None, PLAIN, HTML, MIME):
            raise BadDraft(f"Body of Type {body_type}")
        allowed = _WITH_MIME if body_type == MIME else (*_WITH_MIME, *_TEXTS)
        for child in found.children:
            if child.tag not in allowed:
                raise BadDraft(child.tag.name)
        importance = found.number_or(EMAIL.Importance, None)
        if importance not in (None, 0, 1, 2):
            raise BadDraft(f"Importance {importance}")
        return DraftChanges(
            {_TEXTS[child.tag]: _text(child, TEXT_CHARS_MAX) for child in found.children if child.tag in _TEXTS},
            importance,
            body_type,
            body.opaque_or(BASE.Data, b"") if body is not None else b"",
            _files(attachments),
            _removed(attachments),
        )
    except (MissingElement, InvalidValue) as error:
        raise BadDraft(str(error)) from error


def light_of(data: Element | None) -> Element:
    """Return ApplicationData with what is LIGHT alone."""
    return element(pages.AirSync.ApplicationData, *(child for child in _children(data) if child.tag in LIGHT))


def heavy_of(data: Element | None) -> Element:
    """Return ApplicationData without what is LIGHT."""
    return element(pages.AirSync.ApplicationData, *(child for child in _children(data) if child.tag not in LIGHT))


def _children(data: Element | None) -> list[Element]:
    return data.children if data is not None else []


def _text(child: Element, longest: int) -> str:
    text = child.as_text()
    if len(text) > longest:
        raise BadDraft(f"{child.tag.name} of {len(text)} characters")
    return text


def _files(attachments: Element | None) -> tuple[NewFile, ...]:
    if attachments is None:
        return ()
    if any(child.tag not in (BASE.Add, BASE.Delete) for child in attachments.children):
        raise BadDraft("Attachments")
    added = attachments.all(BASE.Add)
    if len(added) > FILES_MAX:
        raise BadDraft("too many attachments")
    for each in added:
        for child in each.children:
            if child.tag is not BASE.Content:
                _text(child, NAME_CHARS_MAX)
    return tuple(
        NewFile(
            each.text(BASE.ClientId),
            each.text(BASE.DisplayName),
            each.opaque(BASE.Content),
            each.text_or(BASE.ContentType, ""),
            each.text_or(BASE.ContentId, ""),
            each.text_or(BASE.ContentLocation, ""),
            each.flag_or(BASE.IsInline, default=False),
        )
        for each in added
    )


def _removed(attachments: Element | None) -> tuple[str, ...]:
    removed = attachments.all(BASE.Delete) if attachments is not None else []
    if len(removed) > FILES_MAX:
        raise BadDraft("too many attachments")
    return tuple(each.text(BASE.FileReference) for each in removed)


def render_stored(
    conversation_id: bytes, conversation_index: bytes, references: list[tuple[str, str]]
) -> list[Element]:
    """Return what the answer to a stored draft says of it: *references* are ClientId and FileReference of new files."""
    files = [
        element(BASE.Attachment, leaf(BASE.ClientId, client_id), leaf(BASE.FileReference, reference))
        for client_id, reference in references
    ]
    wanted = [
        leaf(EMAIL2.ConversationId, conversation_id or None),
        leaf(EMAIL2.ConversationIndex, conversation_index or None),
        element(BASE.Attachments, *files) if files else None,
    ]
    return [found for found in wanted if found is not None]
