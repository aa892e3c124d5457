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
    """Return `{path: id of a default folder}`.

    What is called as ours are, and what the source itself says, goes there.  Names that mail programs use count only
    where nothing else is that folder: a folder "Sent" beside one that is called "Sent Items" stays what it is.
    """
    tops = [folder for folder in folders if len(folder.path) == 1]
    assigned = {folder.path: _OURS[name] for folder in tops if (name := folder.path[0].casefold()) in _OURS}
    assigned |= {one.path: one.role for one in folders if one.role in _HOLD_MAIL and one.path not in assigned}
    assigned = {path: role for path, role in assigned.items() if role in _HOLD_MAIL}
    taken = set(assigned.values())
    for role, names in COMMON_NAMES.items():
        for name in names.split("/"):
            for folder in tops:
                if role not in taken and folder.path not in assigned and folder.path[0].casefold() == name:
                    assigned[folder.path] = role
                    taken.add(role)
    return assigned
