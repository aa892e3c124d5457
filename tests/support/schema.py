"""What an answer may look like: `validate` for the tree, `check_bytes` for what goes over the wire.

The tables are the project's own.  They are as strict as the schemas that Microsoft publishes with its test suites (a
test compares the two where those are at hand) and stricter where a client of the field demands it.  They are looser in
few places, each because the specification's text says more than the schemas:
- Sync: Class below Collection up to 12.0, and GetItemEstimate's likewise (the schemas begin with 12.1);
- Sync: ApplicationData in the answer to a Change, from 16.0 on (references of attachments that a draft was given);
- MeetingResponse: a Status of its own at the root, from 14.0 on, as every command has for errors.
"""

from eas.protocol.versions import Version
from eas.wbxml.element import Element
from eas.wbxml.pages import (
    AirSync,
    ComposeMail,
    Find,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    ResolveRecipients,
    Search,
    Settings,
    ValidateCert,
)
from eas.wbxml.tag import Tag
from tests.support import schema_folders, schema_items, schema_meetings, schema_provision, schema_sync
from tests.support.schema_bytes import check_bytes
from tests.support.schema_language import Content

__all__ = ["ROOTS", "check_bytes", "validate"]

ROOTS: dict[Tag, Content] = {
    AirSync.Sync: schema_sync.SYNC,
    FolderHierarchy.FolderSync: schema_folders.FOLDER_SYNC,
    FolderHierarchy.FolderCreate: schema_folders.FOLDER_CREATE,
    FolderHierarchy.FolderDelete: schema_folders.FOLDER_DELETE,
    FolderHierarchy.FolderUpdate: schema_folders.FOLDER_UPDATE,
    GetItemEstimate.GetItemEstimate: schema_folders.GET_ITEM_ESTIMATE,
    Move.MoveItems: schema_folders.MOVE_ITEMS,
    Ping.Ping: schema_folders.PING,
    ItemOperations.ItemOperations: schema_items.ITEM_OPERATIONS,
    ComposeMail.SendMail: schema_items.SENT,
    ComposeMail.SmartReply: schema_items.SENT,
    ComposeMail.SmartForward: schema_items.SENT,
    Provision.Provision: schema_provision.PROVISION,
    Settings.Settings: schema_provision.SETTINGS,
    Search.Search: schema_items.SEARCH,
    Find.Find: schema_items.FIND,
    MeetingResponse.MeetingResponse: schema_meetings.MEETING_RESPONSE,
    ResolveRecipients.ResolveRecipients: schema_meetings.RESOLVE_RECIPIENTS,
    ValidateCert.ValidateCert: schema_meetings.VALIDATE_CERT,
}


def validate(root: Element, version: Version) -> list[str]:
    """Return what is wrong with an answer, each with its path; nothing when all is well."""
    path = root.tag.name
    content = ROOTS.get(root.tag)
    if content is None:
        return [f"{path}: is no answer to a command ({root.tag!r})"]
    if not root.tag.since <= version <= root.tag.until:
        return [f"{path}: is not in version {version.text}"]
    return content.faults(root, path, version)
