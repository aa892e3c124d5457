"""The answers that speak of folders and of where items are: [MS-ASCMD] FolderSync and its siblings, GetItemEstimate,
MoveItems, Ping.
"""

from eas.wbxml.element import Element
from eas.wbxml.pages import FolderHierarchy, GetItemEstimate, Move, Ping
from tests.support.schema_language import many, maybe, one, sequence, some
from tests.support.schema_leaves import IDENTIFIER, INT, NON_EMPTY, integer, status, text
from tests.support.schema_rules import at_least_one_of, distinct, if_and_only_if, needs, text_of

FOLDER_NAME_LONGEST = 256
SINGLE_TYPES = frozenset(map(str, (*range(2, 12), 19)))  # a second Inbox makes phones start anew


def _count_is_right(changes: Element) -> str | None:
    count = text_of(changes, FolderHierarchy.Count)
    listed = sum(child.tag is not FolderHierarchy.Count for child in changes.children)
    return None if count is None or count == str(listed) else f"Count {count}, but {listed} changes"


def _default_folders_are_single(changes: Element) -> str | None:
    types = [text_of(folder, FolderHierarchy.Type) for folder in changes.all(FolderHierarchy.Add)]
    double = {kind for kind in types if kind in SINGLE_TYPES and types.count(kind) > 1}
    return f"two folders of type {', '.join(sorted(map(str, double)))}" if double else None


FOLDER = sequence(
    one(FolderHierarchy.ServerId, IDENTIFIER),
    one(FolderHierarchy.ParentId, IDENTIFIER),
    one(FolderHierarchy.DisplayName, text(1, FOLDER_NAME_LONGEST)),
    one(FolderHierarchy.Type, integer(1, 18), until=121),
    one(FolderHierarchy.Type, integer(1, 19), since=140),  # 19, the recipient cache, came with 14.0
)
FOLDER_SYNC = sequence(
    one(FolderHierarchy.Status, status(1, 6, 9, 10, 11, 12)),
    maybe(FolderHierarchy.SyncKey, IDENTIFIER),
    maybe(
        FolderHierarchy.Changes,
        sequence(
            maybe(FolderHierarchy.Count, integer(0, INT)),
            many(FolderHierarchy.Update, FOLDER),
            many(FolderHierarchy.Delete, sequence(one(FolderHierarchy.ServerId, IDENTIFIER))),
            many(FolderHierarchy.Add, FOLDER),
            rules=(
                _count_is_right,
                _default_folders_are_single,
                distinct(FolderHierarchy.Add, FolderHierarchy.ServerId),
                distinct(FolderHierarchy.Update, FolderHierarchy.ServerId),
            ),
        ),
    ),
    rules=if_and_only_if(FolderHierarchy.Status, 1, FolderHierarchy.SyncKey, FolderHierarchy.Changes),
)
FOLDER_CREATE = sequence(
    one(FolderHierarchy.Status, status(1, 2, 3, 5, 6, 9, 10, 11, 12)),
    maybe(FolderHierarchy.SyncKey, IDENTIFIER),
    maybe(FolderHierarchy.ServerId, IDENTIFIER),
    rules=if_and_only_if(FolderHierarchy.Status, 1, FolderHierarchy.SyncKey, FolderHierarchy.ServerId),
)
FOLDER_DELETE = sequence(
    one(FolderHierarchy.Status, status(1, 3, 4, 6, 9, 10, 11)),
    maybe(FolderHierarchy.SyncKey, IDENTIFIER),
    rules=if_and_only_if(FolderHierarchy.Status, 1, FolderHierarchy.SyncKey),
)
FOLDER_UPDATE = sequence(
    one(FolderHierarchy.Status, status(1, 2, 3, 4, 5, 6, 9, 10, 11)),
    maybe(FolderHierarchy.SyncKey, IDENTIFIER),
    rules=if_and_only_if(FolderHierarchy.Status, 1, FolderHierarchy.SyncKey),
)
ESTIMATE_STATUS = status(1, 2, 3, 4)
GET_ITEM_ESTIMATE = sequence(
    maybe(GetItemEstimate.Status, ESTIMATE_STATUS),
    many(
        GetItemEstimate.Response,
        sequence(
            one(GetItemEstimate.Status, ESTIMATE_STATUS),
            maybe(
                GetItemEstimate.Collection,
                sequence(
                    maybe(GetItemEstimate.Class, NON_EMPTY, until=120),
                    one(GetItemEstimate.CollectionId, IDENTIFIER),
                    maybe(GetItemEstimate.Estimate, integer(0, INT)),
                ),
            ),
            rules=(needs(GetItemEstimate.Status, 1, GetItemEstimate.Collection),),
        ),
    ),
    rules=(at_least_one_of(GetItemEstimate.Status, GetItemEstimate.Response),),
)
MOVE_STATUS = status(1, 2, 3, 4, 5, 7)
MOVE_ITEMS = sequence(
    maybe(Move.Status, MOVE_STATUS),
    many(
        Move.Response,
        sequence(
            one(Move.SrcMsgId, IDENTIFIER),
            one(Move.Status, MOVE_STATUS),
            maybe(Move.DstMsgId, IDENTIFIER),
            rules=if_and_only_if(Move.Status, 3, Move.DstMsgId),
        ),
    ),
    rules=(at_least_one_of(Move.Status, Move.Response),),
)
PING = sequence(
    one(Ping.Status, status(1, 2, 3, 4, 5, 6, 7, 8)),
    maybe(Ping.Folders, sequence(some(Ping.Folder, IDENTIFIER))),
    maybe(Ping.MaxFolders, integer(1, INT)),
    maybe(Ping.HeartbeatInterval, integer(1, INT)),
    rules=(
        *if_and_only_if(Ping.Status, 2, Ping.Folders),
        *if_and_only_if(Ping.Status, 5, Ping.HeartbeatInterval),
        *if_and_only_if(Ping.Status, 6, Ping.MaxFolders),
    ),
)
