"""Drafts, which synchronise both ways from 16.0 on ([MS-ASCMD] Sync, [MS-ASEMAIL] Send)."""

from dataclasses import dataclass

from eas.commands.sync_acts import Acts
from eas.commands.sync_request import Command, SyncRequest
from eas.commands.sync_response import SyncStatus
from eas.context import Context
from eas.protocol.versions import Version
from eas.wbxml import pages
from storage.folders import DRAFTS, Folder

TAG = pages.AirSync


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the drafts that the request said to send, by ClientId or ServerId."""

    statuses: dict[str, int]


NOTHING_SENT = Sent({})


def is_draft_command(version: Version, folder: Folder, command: Command) -> bool:
    """Tell whether *command* adds or changes a draft."""
    return version >= Version.V16_0 and folder.id == DRAFTS.id and command.tag in (TAG.Add, TAG.Change)


async def run(acts: Acts, command: Command, sent: Sent) -> None:
    """Carry out an Add or Change of a draft."""
    acts.reply(command, SyncStatus.CONVERSION)


async def send(context: Context, request: SyncRequest) -> Sent:
    """Send the drafts that *request* says to send, before its turn: submission may take long."""
    return NOTHING_SENT
