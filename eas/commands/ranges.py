"""The Range of Search, Find and ItemOperations: `m-n`, both included, from 0 ([MS-ASCMD] Range)."""

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"\s*([0-9]{1,19})\s*-\s*([0-9]{1,19})\s*", re.ASCII)


class BadRange(Exception):
    """The text is no range, or one that ends before it begins."""


class Range(NamedTuple):
    """From *first* to *last*, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def parse_range(text: str) -> Range:
    """Return the range.  Raises `BadRange`."""
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise BadRange(text[:64])
    return Range(int(match[1]), int(match[2]))
