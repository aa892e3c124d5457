"""Dates and booleans as text ([MS-ASDTYPE] dateTime, Compact DateTime, boolean)."""

import re
from datetime import UTC, datetime
from typing import Final

_TIME: Final = r"(?P<fraction>\.[0-9]{1,9})?Z?"
_DASHED: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})" + _TIME)
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})" + _TIME)


class BadDateTime(ValueError):
    """The text is a date in neither form, or one that no calendar has."""


def dashed(moment: datetime) -> str:
    """Return `2024-01-02T03:04:05.000Z`: most dates.  *moment* must be aware; milliseconds are cut, not rounded."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z".rjust(24, "0")


def compact(moment: datetime) -> str:
    """Return `20240102T030405Z`: the dates of the Calendar page.  *moment* must be aware."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}".rjust(16, "0")


def parse_datetime(text: str) -> datetime:
    """Return the aware moment of a date in either form, whichever the element asks for: clients mix them up.

    Fractions of a second and the Z may be missing; all is UTC.  Raises `BadDateTime`.
    """
    match = _DASHED.fullmatch(text.strip()) or _COMPACT.fullmatch(text.strip())
    if match is None:
        raise BadDateTime(text)
    year, month, day, hour, minute, second = (int(field) for field in match.groups()[:6])
    microsecond = int((match["fraction"] or ".").ljust(7, "0")[1:7])
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, UTC)
    except ValueError as error:
        raise BadDateTime(text) from error


def boolean(text: str) -> bool:
    """Return the truth of "0" and "1"; an element without text means 1.  Raises ValueError for anything else."""
    if text not in ("0", "1", ""):
        raise ValueError(text)
    return text != "0"
