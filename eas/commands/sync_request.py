"""Sync's request ([MS-ASCMD] Sync): tree → typed.  Pure."""

from dataclasses import dataclass
from typing import Any

from eas.commands.options import SYNTAX, Options, parse_options
from eas.context import CommandFailed
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.sync.synckey import START
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, MissingElement

TAG = pages.AirSync

COMMANDS_MAX = 200
"""Add, Change, Delete and Fetch of one request; above it Status 4, as Exchange does."""
WINDOW_DEFAULT = 100
WINDOW_MAX = 512
CLIENT_ID_MAX = 64
ID_CHARS_MAX = 64
"""Of a SyncKey or CollectionId, which are remembered; longer ones are Status 4."""
_ORDER = (
    TAG.SyncKey,
    TAG.CollectionId,
    TAG.Supported,
    TAG.DeletesAsMoves,
    TAG.GetChanges,
    TAG.WindowSize,
    TAG.ConversationMode,
    TAG.Options,
    TAG.Commands,
)
"""The children of Collection, in the order that the specification demands."""


@dataclass(frozen=True, slots=True)
class Command:
    """One Add, Change, Delete or Fetch; `data` is its ApplicationData."""

    tag: pages.Tag
    client_id: str = ""
    server_id: str = ""
    send: bool = False
    data: Element | None = None


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """What is asked of one collection."""

    sync_key: str
    collection_id: str
    deletes_as_moves: bool = True
    get_changes: bool = True
    window_size: int = WINDOW_DEFAULT
    options: Options | None = None
    commands: tuple[Command, ...] = ()
    has_commands: bool = False
    """Whether there was a Commands element: the answer must not be empty then."""
    class_name: str | None = None

    def pack(self) -> list[Any]:
        """Return what an empty or partial request repeats, as plain values."""
        return [self.sync_key, self.collection_id, self.deletes_as_moves, self.get_changes, self.window_size]


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A Sync.  `collections` None: there was no Collections element."""

    collections: tuple[CollectionRequest, ...] | None
    wait_seconds: int | None = None
    is_wait_in_minutes: bool = False
    window_size: int | None = None
    is_partial: bool = False
    is_empty: bool = False

    def pack(self) -> list[Any]:
        """Return what an empty or partial request repeats, as plain values."""
        collections = [collection.pack() for collection in self.collections or ()]
        return [collections, self.wait_seconds, self.is_wait_in_minutes, self.window_size]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "SyncRequest":
        """Undo `pack`."""
        collections, wait_seconds, in_minutes, window_size = packed
        return cls(tuple(CollectionRequest(*values) for values in collections), wait_seconds, in_minutes, window_size)


def parse(root: Element | None, request: EasRequest) -> SyncRequest:
    """Read the request.  Raises `CommandFailed` with Status 4 where it breaks the protocol."""
    if root is None:
        return SyncRequest(None, is_empty=True)
    try:
        return _parse(root, request.version)
    except (MissingElement, InvalidValue) as error:
        raise CommandFailed(SYNTAX) from error


def _parse(root: Element, version: Version) -> SyncRequest:
    container = root.first(TAG.Collections)
    is_partial = root.has(TAG.Partial)
    listed = container.all(TAG.Collection) if container is not None else []
    collections = tuple(_collection(found, version) for found in listed) if container is not None else None
    wait, heartbeat = root.first(TAG.Wait), root.first(TAG.HeartbeatInterval)
    if wait is not None and heartbeat is not None:
        raise CommandFailed(SYNTAX)
    if collections is None and not (is_partial and (wait or heartbeat or root.has(TAG.WindowSize))):
        raise CommandFailed(SYNTAX)
    if collections is not None:
        _check_ids(collections)
    seconds: int | None = None
    if wait is not None:
        seconds = wait.as_number() * 60
    elif heartbeat is not None:
        seconds = heartbeat.as_number()
    window = root.number_or(TAG.WindowSize, None)
    return SyncRequest(collections, seconds, wait is not None, window, is_partial)


def _check_ids(collections: tuple[CollectionRequest, ...]) -> None:
    ids = [collection.collection_id for collection in collections]
    if len(set(ids)) < len(ids):
        raise CommandFailed(SYNTAX)
    if sum(len(collection.commands) for collection in collections) > COMMANDS_MAX:
        raise CommandFailed(SYNTAX)


def _collection(found: Element, version: Version) -> CollectionRequest:
    _check_order(found)
    sync_key, collection_id = found.text(TAG.SyncKey), found.text(TAG.CollectionId)
    if max(len(sync_key), len(collection_id)) > ID_CHARS_MAX:
        raise CommandFailed(SYNTAX)
    given = found.flag_or(TAG.GetChanges, default=None)
    if sync_key == START and given:
        raise CommandFailed(SYNTAX)
    container = found.first(TAG.Commands)
    commands = tuple(map(_command, container.children)) if container is not None else ()
    fetches = any(command.tag is TAG.Fetch for command in commands)
    # Clients of old send Fetch without GetChanges 0 and cannot take changes then.
    get_changes = given if given is not None else not fetches
    window = found.number_or(TAG.WindowSize, WINDOW_DEFAULT)
    if window < 0:
        raise CommandFailed(SYNTAX)
    return CollectionRequest(
        sync_key,
        collection_id,
        found.flag_or(TAG.DeletesAsMoves, default=True),
        get_changes,
        window if 0 < window <= WINDOW_MAX else WINDOW_MAX,
        parse_options(found.all(TAG.Options), version),
        commands if sync_key != START else (),
        container is not None and sync_key != START,
        found.text_or(TAG.Class, None),
    )


def _check_order(found: Element) -> None:
    places = [_ORDER.index(child.tag) for child in found.children if child.tag in _ORDER]
    if places != sorted(places):
        raise CommandFailed(SYNTAX)


def _command(found: Element) -> Command:
    if found.tag not in (TAG.Add, TAG.Change, TAG.Delete, TAG.Fetch):
        raise CommandFailed(SYNTAX)
    data = found.first(TAG.ApplicationData)
    if found.tag is TAG.Add:
        client_id = found.text(TAG.ClientId)
        if not 0 < len(client_id) <= CLIENT_ID_MAX or data is None:
            raise CommandFailed(SYNTAX)
        return Command(found.tag, client_id, "", found.has(pages.Email2.Send), data)
    if found.tag is TAG.Change and data is None and not found.has(pages.Email2.Send):
        raise CommandFailed(SYNTAX)
    return Command(found.tag, "", found.text(TAG.ServerId), found.has(pages.Email2.Send), data)
