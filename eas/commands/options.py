"""The Options block of Sync, GetItemEstimate, ItemOperations and Search ([MS-ASCMD] Options (Sync))."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from eas.context import CommandFailed
from eas.mail.body import Preference
from eas.mail.email_item import Wish
from eas.protocol.versions import Version
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue
from storage.views import BOTTOM, Floor

AIRSYNC, BASE = pages.AirSync, pages.AirSyncBase

SYNTAX = 4
"""[MS-ASCMD] Status 4: the request breaks the protocol."""
SMS = "SMS"
PREVIEW_MAX = 255
TRUNCATION_MAX = (1 << 32) - 1
FILTER_MAX = 8
MIME_TRUNCATIONS = (0, 4096, 5120, 7168, 10240, 20480, 51200, 102400, None)
"""[MS-ASCMD] MIMETruncation: the limit in characters for each value; None is none."""
_DAYS = {0: None, 1: 1, 2: 3, 3: 7, 4: 14, 5: 31}
"""[MS-ASCMD] FilterType for mail: days back."""


@dataclass(frozen=True, slots=True)
class Options:
    """One block, which replaces the one before it as a whole."""

    filter_type: int = 0
    server_wins: bool = True
    wish: Wish = field(default_factory=Wish)

    def pack(self) -> list[Any]:
        """Return plain values, for a record: options are remembered until others come."""
        preferences = [[p.type, p.truncation_size, p.all_or_none, p.preview] for p in self.wish.preferences]
        return [self.filter_type, self.server_wins, preferences, self.wish.mime_support, self.wish.mime_truncation]

    @classmethod
    def unpack(cls, packed: list[Any] | None) -> "Options":
        """Undo `pack`; nothing gives the defaults."""
        if packed is None:
            return cls()
        filter_type, server_wins, preferences, mime_support, mime_truncation = packed
        wish = Wish(tuple(Preference(*preference) for preference in preferences), mime_support, mime_truncation)
        return cls(filter_type, server_wins, wish)

    @property
    def whole(self) -> Wish:
        """The wish without its limits: for an item that is asked for by name."""
        unlimited = tuple(replace(preference, truncation_size=None) for preference in self.wish.preferences)
        return Wish(unlimited, self.wish.mime_support)

    @property
    def suits_mail(self) -> bool:
        """Whether the filter is one that mail folders have."""
        return self.filter_type in _DAYS

    def window_start(self, now: datetime) -> Floor:
        """Return where the filter's window begins, rounded down to the day."""
        days = _DAYS.get(self.filter_type)
        if days is None:
            return BOTTOM
        start = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        return Floor(int(start.timestamp() * 1000), "")


def parse_options(blocks: list[Element], version: Version) -> Options | None:
    """Return the options of a collection's *blocks*, None when there is none.  A block for SMS is passed over.

    Raises `CommandFailed` with Status 4 for two blocks of one class, and for values out of range.
    """
    own: Element | None = None
    classes: set[str] = set()
    for block in blocks:
        name = block.text_or(AIRSYNC.Class, "")
        if name in classes:
            raise CommandFailed(SYNTAX)
        classes.add(name)
        if name != SMS:
            own = block
    if len(classes - {SMS}) > 1:
        raise CommandFailed(SYNTAX)
    return None if own is None else _options(own, version)


def _options(block: Element, version: Version) -> Options:
    filter_type = _bounded(block, AIRSYNC.FilterType, 0, FILTER_MAX)
    mime_support = _bounded(block, AIRSYNC.MIMESupport, 0, 2)
    truncation = _bounded(block, AIRSYNC.MIMETruncation, len(MIME_TRUNCATIONS) - 1, len(MIME_TRUNCATIONS) - 1)
    server_wins = _bounded(block, AIRSYNC.Conflict, 1, 1) == 1
    preferences = parse_preferences(block)
    if not block.has(AIRSYNC.MIMESupport) and any(preference.type == 4 for preference in preferences):
        mime_support = 2  # clients ask for Type 4 without it: taken as implied
    return Options(filter_type, server_wins, Wish(preferences, mime_support, MIME_TRUNCATIONS[truncation]))


def _bounded(block: Element, tag: pages.Tag, default: int, highest: int) -> int:
    try:
        value = block.number_or(tag, default)
    except InvalidValue as error:
        raise CommandFailed(SYNTAX) from error
    if not 0 <= value <= highest:
        raise CommandFailed(SYNTAX)
    return value


def parse_preferences(block: Element) -> tuple[Preference, ...]:
    """Return the BodyPreferences of *block*, the first of each Type.  Raises `CommandFailed` with Status 4."""
    found: dict[int, Preference] = {}
    for preference in block.all(BASE.BodyPreference):
        kind = _bounded(preference, BASE.Type, 1, 4)
        if kind == 0:
            raise CommandFailed(SYNTAX)
        size = _bounded(preference, BASE.TruncationSize, TRUNCATION_MAX, TRUNCATION_MAX)
        wanted = Preference(
            kind,
            size if preference.has(BASE.TruncationSize) else None,
            preference.flag_or(BASE.AllOrNone, default=False),
            min(_bounded(preference, BASE.Preview, 0, TRUNCATION_MAX), PREVIEW_MAX),
        )
        found.setdefault(kind, wanted)
    return tuple(found.values())
