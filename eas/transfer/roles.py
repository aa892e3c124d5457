"""Which folder of a mail program is which default folder of ours."""

from collections.abc import Sequence

from eas.transfer.source import Found
from storage.folders import ARCHIVE, DEFAULTS, DRAFTS, INBOX, JUNK, SENT, TRASH

SPECIAL_USE = {
    rb"\sent": SENT.id,
    rb"\trash": TRASH.id,
    rb"\drafts": DRAFTS.id,
    rb"\junk": JUNK.id,
    rb"\archive": ARCHIVE.id,
}
"""Attributes of RFC 6154."""

COMMON_NAMES = {
    SENT.id: "sent/sent items/sent mail/sent messages/gesendet/gesendete objekte/gesendete elemente/envoyés/"
    "messages envoyés/éléments envoyés/enviados/posta inviata/verzonden items",
    TRASH.id: "trash/deleted items/deleted messages/deleted/bin/papierkorb/gelöschte objekte/gelöschte elemente/"
    "corbeille/éléments supprimés/papelera/cestino/prullenbak",
    DRAFTS.id: "drafts/draft/entwürfe/brouillons/borradores/bozze/concepten",
    JUNK.id: "junk/junk email/junk e-mail/spam/bulk mail/courrier indésirable/correo no deseado",
    ARCHIVE.id: "archive/archives/archiv",
}
_OURS = {default.name.casefold(): default.id for default in DEFAULTS}
_HOLD_MAIL = {INBOX.id, *COMMON_NAMES, "outbox"}


def assign(folders: Sequence[Found]) -> dict[tuple[str, ...], str]:
    """Return `{path: id of a default folder}`; each of them is at most one folder's.

    What the source itself says goes first, then our own names, then those that mail programs use.  So a folder "Sent"
    beside one that is called "Sent Items" stays a folder of its own.
    """
    assigned: dict[tuple[str, ...], str] = {}
    taken: set[str] = set()

    def take(folder: Found, role: str | None) -> None:
        if role in _HOLD_MAIL and role not in taken and folder.path not in assigned:
            taken.add(role)
            assigned[folder.path] = role

    tops = [folder for folder in folders if len(folder.path) == 1]
    for folder in tops:
        take(folder, INBOX.id if folder.path[0].casefold() == "inbox" else None)
    for folder in folders:
        take(folder, folder.role)
    for folder in tops:
        take(folder, _OURS.get(folder.path[0].casefold()))
    for role, names in COMMON_NAMES.items():
        for name in names.split("/"):
            for folder in tops:
                if folder.path[0].casefold() == name:
                    take(folder, role)
    return assigned
