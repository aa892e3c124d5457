"""Sync requests as phones write them: the order of [MS-ASCMD] Sync (request), which a server may insist on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eas.protocol.datatypes import dashed
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email, Email2, Tasks
from eas.wbxml.tag import Tag

PLAIN, HTML, MIME = 1, 2, 4


@dataclass(frozen=True, slots=True)
class BodyPreference:
    """How a body is wanted; `truncation_size` in bytes, None for all of it."""

    type: int = HTML
    truncation_size: int | None = None
    all_or_none: bool | None = None
    preview: int | None = None

    def render(self, tag: Tag = AirSyncBase.BodyPreference) -> Element:
        """Write it, or with another *tag* as BodyPartPreference (14.1)."""
        return element(
            tag,
            leaf(AirSyncBase.Type, self.type),
            leaf(AirSyncBase.TruncationSize, self.truncation_size),
            leaf(AirSyncBase.AllOrNone, self.all_or_none),
            leaf(AirSyncBase.Preview, self.preview),
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What a phone wants to see of a collection."""

    filter_type: int | None = None
    bodies: tuple[BodyPreference, ...] = ()
    body_part: BodyPreference | None = None
    mime_support: int | None = None
    mime_truncation: int | None = None
    conflict: int | None = None
    class_name: str | None = None

    def render(self) -> Element:
        """Write the block."""
        return element(
            AirSync.Options,
            leaf(AirSync.FilterType, self.filter_type),
            leaf(AirSync.Class, self.class_name),
            leaf(AirSync.Conflict, self.conflict),
            leaf(AirSync.MIMESupport, self.mime_support),
            leaf(AirSync.MIMETruncation, self.mime_truncation),
            *(body.render() for body in self.bodies),
            None if self.body_part is None else self.body_part.render(AirSyncBase.BodyPartPreference),
        )


# AOSP's wish: the whole folder, HTML of at most 200,000 bytes.
AS_ANDROID = Options(filter_type=0, bodies=(BodyPreference(HTML, 200_000),))


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """One Collection of a request; None leaves an element out."""

    collection_id: str
    sync_key: str
    options: Options | None = None
    commands: tuple[Element, ...] = ()
    window_size: int | None = None
    get_changes: bool | None = None
    deletes_as_moves: bool | None = None
    conversation_mode: bool | None = None

    def render(self) -> Element:
        """Write the Collection.  GetChanges 1 is an empty tag, as AOSP and iOS write it."""
        changes = empty(AirSync.GetChanges) if self.get_changes else leaf(AirSync.GetChanges, self.get_changes)
        return element(
            AirSync.Collection,
            leaf(AirSync.SyncKey, self.sync_key),
            leaf(AirSync.CollectionId, self.collection_id),
            leaf(AirSync.DeletesAsMoves, self.deletes_as_moves),
            changes,
            leaf(AirSync.WindowSize, self.window_size),
            leaf(AirSync.ConversationMode, self.conversation_mode),
            None if self.options is None else self.options.render(),
            element(AirSync.Commands, *self.commands) if self.commands else None,
        )


def sync_request(
    collections: Sequence[CollectionRequest],
    *,
    wait: int | None = None,
    heartbeat: int | None = None,
    window_size: int | None = None,
    partial: bool = False,
) -> Element:
    """Write a Sync; *wait* in minutes, *heartbeat* in seconds."""
    return element(
        AirSync.Sync,
        element(AirSync.Collections, *(one.render() for one in collections)) if collections else None,
        leaf(AirSync.Wait, wait),
        leaf(AirSync.HeartbeatInterval, heartbeat),
        leaf(AirSync.WindowSize, window_size),
        empty(AirSync.Partial) if partial else None,
    )


def change(server_id: str, *data: Element | None, send: bool = False) -> Element:
    """Change an item; *send*: send the draft now (16.0)."""
    return element(
        AirSync.Change,
        leaf(AirSync.ServerId, server_id),
        empty(Email2.Send) if send else None,
        element(AirSync.ApplicationData, *data),
    )


def add(client_id: str, *data: Element | None, send: bool = False) -> Element:
    """Add an item."""
    return element(
        AirSync.Add,
        leaf(AirSync.ClientId, client_id),
        empty(Email2.Send) if send else None,
        element(AirSync.ApplicationData, *data),
    )


def delete(server_id: str) -> Element:
    """Delete an item."""
    return element(AirSync.Delete, leaf(AirSync.ServerId, server_id))


def fetch(server_id: str) -> Element:
    """Fetch an item whole."""
    return element(AirSync.Fetch, leaf(AirSync.ServerId, server_id))


def read(server_id: str, is_read: bool = True) -> Element:
    """Mark an item as read or unread."""
    return change(server_id, leaf(Email.Read, is_read))


def categories(server_id: str, names: Iterable[str]) -> Element:
    """Set an item's categories (14.0)."""
    return change(server_id, element(Email.Categories, *(leaf(Email.Category, name) for name in names)))


def flag(server_id: str, start: datetime | None = None, due: datetime | None = None) -> Element:
    """Flag an item for follow-up, with AOSP's four dates when *start* is given."""
    start_text = None if start is None else dashed(start)
    due_text = start_text if due is None else dashed(due)
    return change(
        server_id,
        element(
            Email.Flag,
            leaf(Email.Status, 2),
            leaf(Email.FlagType, "FollowUp"),
            leaf(Tasks.StartDate, start_text),
            leaf(Tasks.UtcStartDate, start_text),
            leaf(Tasks.DueDate, due_text),
            leaf(Tasks.UtcDueDate, due_text),
        ),
    )


def unflag(server_id: str) -> Element:
    """Take an item's flag away, by the empty tag that AOSP sends."""
    return change(server_id, empty(Email.Flag))
