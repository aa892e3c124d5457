"""Sync's answer ([MS-ASCMD] Sync): typed → tree.  Pure."""

from dataclasses import dataclass, field
from enum import IntEnum

from eas.protocol.versions import Version
from eas.sync.delta import Act
from eas.wbxml import pages
from eas.wbxml.element import Element, element, empty, leaf

TAG = pages.AirSync


class SyncStatus(IntEnum):
    """[MS-ASCMD] Status (Sync)."""

    SUCCESS = 1
    INVALID_SYNC_KEY = 3
    PROTOCOL_ERROR = 4
    SERVER_ERROR = 5
    CONVERSION = 6
    CONFLICT = 7
    NOT_FOUND = 8
    CANNOT_COMPLETE = 9
    HIERARCHY_CHANGED = 12
    INCOMPLETE = 13
    WAIT_RANGE = 14
    TOO_MANY = 15
    RETRY = 16


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one client command: `tag` is Add, Change, Delete or Fetch."""

    tag: pages.Tag
    status: int
    client_id: str | None = None
    server_id: str | None = None
    data: list[Element] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the device is told to do; `data` are the children of ApplicationData."""

    act: Act
    server_id: str
    data: list[Element] | None = None


@dataclass(slots=True)
class CollectionAnswer:
    """What is said of one collection."""

    sync_key: str
    collection_id: str
    status: int = SyncStatus.SUCCESS
    class_name: str | None = None
    more: bool = False
    replies: list[Reply] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """The answer; without collections it is an empty body, unless `status` says what is wrong with the whole."""

    collections: tuple[CollectionAnswer, ...] = ()
    status: int | None = None
    limit: int | None = None


_ACTS = {Act.ADD: TAG.Add, Act.CHANGE: TAG.Change, Act.DELETE: TAG.Delete, Act.SOFT_DELETE: TAG.SoftDelete}


def render(answer: SyncAnswer, version: Version) -> Element | None:
    """Write the answer; None is the empty body that says "nothing new"."""
    if answer.status is not None:
        return element(TAG.Sync, leaf(TAG.Status, answer.status), leaf(TAG.Limit, answer.limit))
    if not answer.collections:
        return None
    collections = (_collection(collection, version) for collection in answer.collections)
    return element(TAG.Sync, element(TAG.Collections, *collections))


def _collection(answer: CollectionAnswer, version: Version) -> Element:
    # MoreAvailable before Commands and Responses: some clients read it only there.
    return element(
        TAG.Collection,
        leaf(TAG.Class, answer.class_name) if version < Version.V12_1 else None,
        leaf(TAG.SyncKey, answer.sync_key),
        leaf(TAG.CollectionId, answer.collection_id),
        leaf(TAG.Status, answer.status),
        empty(TAG.MoreAvailable) if answer.more else None,
        element(TAG.Responses, *map(_reply, answer.replies)) if answer.replies else None,
        element(TAG.Commands, *map(_told, answer.told)) if answer.told else None,
    )


def _reply(reply: Reply) -> Element:
    return element(
        reply.tag,
        leaf(TAG.ClientId, reply.client_id),
        leaf(TAG.ServerId, reply.server_id),
        leaf(TAG.Status, reply.status),
        element(TAG.ApplicationData, *reply.data) if reply.data is not None else None,
    )


def _told(told: Told) -> Element:
    data = element(TAG.ApplicationData, *told.data) if told.data is not None else None
    return element(_ACTS[told.act], leaf(TAG.ServerId, told.server_id), data)
