"""A mail's flag ([MS-ASEMAIL] Flag): what a client may set, checked, and how it is told again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.protocol.datatypes import BadDateTime, dashed, parse_datetime
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue, element, leaf
from eas.wbxml.pages import Tag

EMAIL, TASKS = pages.Email, pages.Tasks

CLEARED, COMPLETE, ACTIVE = 0, 1, 2
TEXT_CHARS_MAX = 1024
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)

_DATES: tuple[tuple[str, Tag], ...] = (
    ("date_completed", TASKS.DateCompleted),
    ("complete_time", EMAIL.CompleteTime),
    ("start", TASKS.StartDate),
    ("due", TASKS.DueDate),
    ("utc_start", TASKS.UtcStartDate),
    ("utc_due", TASKS.UtcDueDate),
    ("reminder_time", TASKS.ReminderTime),
    ("ordinal", TASKS.OrdinalDate),
)
_TEXTS: tuple[tuple[str, Tag], ...] = (
    ("subject", TASKS.Subject),
    ("flag_type", EMAIL.FlagType),
    ("sub_ordinal", TASKS.SubOrdinalDate),
)


class BadFlag(Exception):
    """The flag breaks the rules: item Status 6."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that is set; a cleared one is None."""

    status: int
    texts: dict[str, str]
    dates: dict[str, datetime]
    reminder_set: bool = False

    def pack(self) -> dict[str, Any]:
        """Return plain values, for a record."""
        dates = {name: (date - _EPOCH) // _MILLISECOND for name, date in self.dates.items()}
        return {"status": self.status, "texts": self.texts, "dates": dates, "reminder": self.reminder_set}

    @classmethod
    def unpack(cls, packed: dict[str, Any] | None) -> "Flag | None":
        """Undo `pack`; nothing is no flag."""
        if not packed:
            return None
        dates = {name: _EPOCH + ms * _MILLISECOND for name, ms in packed["dates"].items()}
        return cls(packed["status"], packed["texts"], dates, packed["reminder"])


def parse_flag(found: Element, previous: Flag | None) -> Flag | None:
    """Return the flag that a client sets, None for a cleared one.  Raises `BadFlag`.

    Without a Status it is an update: the properties given replace those of *previous*.  One that is given without a
    value, as phones do that send every element there is, is taken away.
    """
    if not found.children:
        return None
    try:
        status = found.number_or(EMAIL.Status, None)
        given = {name: found.text_or(tag, None) for name, tag in (*_TEXTS, *_DATES)}
        texts = {name: text[:TEXT_CHARS_MAX] for name, _ in _TEXTS if (text := given[name])}
        dates = {name: parse_datetime(text) for name, _ in _DATES if (text := given[name])}
        reminder = found.flag_or(TASKS.ReminderSet, default=None)
    except (InvalidValue, BadDateTime) as error:
        raise BadFlag(str(error)) from error
    if status == CLEARED:
        return None
    if status is None:
        if previous is None:
            raise BadFlag("an update of no flag")
        kept = {name for name, text in given.items() if text is None}
        texts |= {name: text for name, text in previous.texts.items() if name in kept}
        dates |= {name: date for name, date in previous.dates.items() if name in kept}
        status = previous.status
        reminder = previous.reminder_set if reminder is None else reminder
    flag = Flag(status, texts, dates, bool(reminder))
    _check(flag)
    return flag


def _check(flag: Flag) -> None:
    dates = flag.dates
    if flag.status not in (COMPLETE, ACTIVE):
        raise BadFlag(f"Status {flag.status}")
    if flag.status == COMPLETE and not {"complete_time", "date_completed"} <= dates.keys():
        raise BadFlag("complete, but not when")
    if flag.status == ACTIVE and "flag_type" not in flag.texts:
        raise BadFlag("no FlagType")
    given = {"start", "due", "utc_start", "utc_due"} & dates.keys()
    if given and len(given) < 4:  # all four or none ([MS-ASEMAIL] Flag)
        raise BadFlag("some of the four dates only")
    if given and (dates["due"] < dates["start"] or dates["utc_due"] < dates["utc_start"]):
        raise BadFlag("due before it starts")
    if flag.reminder_set and "reminder_time" not in dates:
        raise BadFlag("a reminder without a time")


def render_flag(flag: Flag | None) -> Element:
    """Return the Flag element, empty when there is no flag."""
    if flag is None:
        return element(EMAIL.Flag)
    return element(
        EMAIL.Flag,
        leaf(TASKS.Subject, flag.texts.get("subject")),
        leaf(EMAIL.Status, flag.status),
        leaf(EMAIL.FlagType, flag.texts.get("flag_type")),
        *(leaf(tag, dashed(flag.dates[name])) for name, tag in _DATES if name in flag.dates),
        leaf(TASKS.SubOrdinalDate, flag.texts.get("sub_ordinal")),
        leaf(TASKS.ReminderSet, flag.reminder_set or None),
    )
