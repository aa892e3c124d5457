"""The literal table: a command's name → its module, its root element, the code pages that its request may use.

To add a command: write its module (`parse`, `handle`, `render`), add a line here, a line in `COMPLIANCE.md`.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eas.commands import (
    find,
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_attachment,
    get_item_estimate,
    item_operations,
    move_items,
    ping,
    provision,
    search,
    send_mail,
    settings,
    smart_forward,
    smart_reply,
    sync,
)
from eas.context import Context
from eas.protocol.exchange import EasRequest, EasResponse
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element
from eas.wbxml.pages import Tag


class Module(Protocol):
    """What a command's module is."""

    def parse(self, root: Element | None, request: EasRequest, /) -> Any:
        """Return the typed request.  *root* None: there was no body, or (mail up to 12.1) one that is no WBXML."""

    def handle(self, context: Context, request: Any, /) -> Awaitable[Any]:
        """Do it; return the typed response, or a `Wait`."""

    def render(self, response: Any, version: Version, /) -> Element | EasResponse | None:
        """Return the answer: a tree, something else than WBXML, or None for an empty one."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that this server has."""

    name: str
    module: Module
    root: Tag | None
    status: Tag | None
    """The Status that stands below the root when the command as a whole is refused."""
    pages: frozenset[int]
    """Code pages of which elements may stand in a request."""
    needs_policy: bool = True
    """Whether it waits for provisioning where that is required."""
    empty: bool = False
    """Whether a request without a body means something."""
    mime_until: Version | None = None
    """Up to this version its body is a MIME message."""
    since: Version = Version.V2_5
    """Before this version there is no such command."""


def _pages(*classes: type) -> frozenset[int]:
    return frozenset(tag.page for cls in classes for tag in vars(cls).values() if isinstance(tag, Tag))


_FOLDERS, _PING, _SYNC = pages.FolderHierarchy, pages.Ping, pages.AirSync
_ITEMS = _pages(
    pages.AirSync,
    pages.AirSyncBase,
    pages.Email,
    pages.Email2,
    pages.Calendar,
    pages.Contacts,
    pages.Contacts2,
    pages.Tasks,
    pages.Notes,
    pages.RightsManagement,
)

_COMPOSE = pages.ComposeMail
_COMPOSED = _pages(_COMPOSE, pages.AirSyncBase, pages.RightsManagement)

COMMANDS: Final[dict[str, Command]] = {
    command.name: command
    for command in (
        Command("Sync", sync, _SYNC.Sync, _SYNC.Status, _ITEMS, empty=True),
        Command("Ping", ping, _PING.Ping, _PING.Status, _pages(_PING), needs_policy=False, empty=True),
        Command("FolderSync", folder_sync, _FOLDERS.FolderSync, _FOLDERS.Status, _pages(_FOLDERS)),
        Command("FolderCreate", folder_create, _FOLDERS.FolderCreate, _FOLDERS.Status, _pages(_FOLDERS)),
        Command("FolderUpdate", folder_update, _FOLDERS.FolderUpdate, _FOLDERS.Status, _pages(_FOLDERS)),
        Command("FolderDelete", folder_delete, _FOLDERS.FolderDelete, _FOLDERS.Status, _pages(_FOLDERS)),
        Command("MoveItems", move_items, pages.Move.MoveItems, pages.Move.Status, _pages(pages.Move)),
        Command(
            "ItemOperations",
            item_operations,
            pages.ItemOperations.ItemOperations,
            pages.ItemOperations.Status,
            _ITEMS | _pages(pages.ItemOperations, pages.Search, pages.DocumentLibrary),
        ),
        Command("GetAttachment", get_attachment, None, None, frozenset(), empty=True),
        Command(
            "Search",
            search,
            pages.Search.Search,
            pages.Search.Status,
            _ITEMS | _pages(pages.Search, pages.DocumentLibrary),
        ),
        Command("Find", find, pages.Find.Find, pages.Find.Status, _pages(pages.Find, _SYNC), since=Version.V16_1),
        Command(
            "GetItemEstimate",
            get_item_estimate,
            pages.GetItemEstimate.GetItemEstimate,
            pages.GetItemEstimate.Status,
            _pages(pages.GetItemEstimate, pages.AirSync, pages.AirSyncBase),
        ),
        Command(
            "Settings",
            settings,
            pages.Settings.Settings,
            pages.Settings.Status,
            _pages(pages.Settings, pages.RightsManagement),
        ),
        Command(
            "Provision",
            provision,
            pages.Provision.Provision,
            pages.Provision.Status,
            _pages(pages.Provision, pages.Settings),
            needs_policy=False,
        ),
        Command("SendMail", send_mail, _COMPOSE.SendMail, _COMPOSE.Status, _COMPOSED, mime_until=Version.V12_1),
        Command(
            "SmartForward", smart_forward, _COMPOSE.SmartForward, _COMPOSE.Status, _COMPOSED, mime_until=Version.V12_1
        ),
        Command("SmartReply", smart_reply, _COMPOSE.SmartReply, _COMPOSE.Status, _COMPOSED, mime_until=Version.V12_1),
    )
}
