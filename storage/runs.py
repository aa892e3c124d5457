"""Ranges of packs, brought together: neighbours are read with what lies between them, in one request.

On an object store a request takes as long as some hundreds of kilobytes do, so a small gap costs less than a second
request.  What is read for nothing is bounded all the same: memory is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

GAP_BYTES_MAX = 32 << 10
"""A longer gap is not read over,"""
GAPS_BYTES_MAX = 1 << 20
"""nor is any once so much was read for nothing."""
RUN_BYTES_MAX = 1 << 20
"""No request brings more, unless a single range is longer."""


class Wanted(NamedTuple):
    """Bytes of a pack; *place* is the caller's, to know them by."""

    pack: str
    start: int
    size: int
    place: int


@dataclass(slots=True)
class Run:
    """Bytes to be read in one request."""

    pack: str
    start: int
    size: int
    parts: list[Wanted] = field(default_factory=list)
    """The ranges inside it."""


def runs(wanted: Iterable[Wanted]) -> list[Run]:
    """Return the requests that bring *wanted*: each range lies inside one of them."""
    found: list[Run] = []
    gaps_left = GAPS_BYTES_MAX
    for part in sorted(wanted):
        run = found[-1] if found else None
        end = part.start + part.size
        if run is not None and run.pack == part.pack:
            gap = max(part.start - run.start - run.size, 0)
            size = max(end - run.start, run.size)
            if gap <= min(GAP_BYTES_MAX, gaps_left) and size <= max(RUN_BYTES_MAX, run.size):
                gaps_left -= gap
                run.size = size
                run.parts.append(part)
                continue
        found.append(Run(part.pack, part.start, part.size, [part]))
    return found
