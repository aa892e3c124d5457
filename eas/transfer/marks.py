"""What was done with a mail, as every mail program keeps it, and as an item's values."""

from dataclasses import dataclass
from datetime import datetime

from eas.items.flag import ACTIVE, Flag
from storage.items import Item
from storage.records import Value

REPLIED, REPLIED_ALL, FORWARDED = 1, 2, 3  # [MS-ASEMAIL] LastVerbExecuted
FLAG_TYPE = "Flag for follow up"
DATE_MS_MAX = 253_402_300_799_000
"""The end of the year 9999."""
CATEGORIES_MAX = 300
CATEGORY_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one mail.  A phone knows of the last verb only: of answered and forwarded, answered is kept."""

    read: bool = False
    answered: bool = False
    forwarded: bool = False
    flagged: bool = False
    draft: bool = False
    deleted: bool = False
    """Marked to be removed, but still there: such a mail is left behind."""
    categories: tuple[str, ...] = ()


def marks_of(item: Item) -> Marks:
    """Return the marks of an item."""
    verb, flag = item.value("verb"), Flag.unpack(item.value("flag"))
    last = verb[0] if verb else 0
    return Marks(
        read=bool(item.value("read", False)),
        answered=last in (REPLIED, REPLIED_ALL),
        forwarded=last == FORWARDED,
        flagged=flag is not None and flag.status == ACTIVE,
        draft=bool(item.value("draft", False)),
        categories=tuple(item.value("categories", ()) or ()),
    )


def values_of(marks: Marks, date_ms: int) -> dict[str, Value]:
    """Return what an item comes with; *date_ms* stands for the time of an answer, which nobody else keeps."""
    values: dict[str, Value] = {}
    if marks.read:
        values["read"] = True
    if marks.answered or marks.forwarded:
        values["verb"] = [REPLIED if marks.answered else FORWARDED, date_ms]
    if marks.flagged:
        values["flag"] = Flag(ACTIVE, {"flag_type": FLAG_TYPE}, {}).pack()
    if marks.draft:
        values["draft"] = True
    categories = [name for name in marks.categories if 0 < len(name) <= CATEGORY_CHARS_MAX]
    if categories:
        values["categories"] = categories[:CATEGORIES_MAX]
    return values


def milliseconds(date: datetime) -> int:
    """Return an aware time in milliseconds since 1970, within what a phone can show."""
    return bounded(int(date.timestamp() * 1000))


def bounded(date_ms: int) -> int:
    """Return the nearest time between 1970 and 9999."""
    return max(0, min(date_ms, DATE_MS_MAX))
