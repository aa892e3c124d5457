"""What an IMAP server says, read: lines of LIST and FETCH as `imaplib` hands them out (RFC 3501 7)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from eas.transfer.keywords import FORWARDED, categories_of
from eas.transfer.marks import Marks, milliseconds

Line: TypeAlias = bytes | tuple[bytes, bytes]
"""A line; one with a literal comes as what stands before it, and the literal."""

_LIST = re.compile(rb'\((?P<attributes>[^)]*)\) (?:"(?P<separator>\\?.)"|NIL) (?P<name>.*)', re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_DATE = re.compile(rb'\bINTERNALDATE "( ?\d{1,2}-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"')
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Listed:
    """A mailbox: its name as it must be given to the server, separator (b"": it has no levels), attributes (small)."""

    raw: bytes
    separator: bytes
    attributes: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a FETCH said of a message; what it did not say is None."""

    uid: int
    size_bytes: int | None
    marks: Marks | None
    date_ms: int | None


def listed(lines: Iterable[Line | None]) -> Iterator[Listed]:
    """Yield the mailboxes of an answer to LIST; what is no such line is passed over."""
    for line in lines:
        text, literal = line if isinstance(line, tuple) else (line, None)
        match = _LIST.match(text or b"")
        if match is None:
            continue
        name = match["name"].strip() if literal is None else literal
        quoted = _QUOTED.fullmatch(name) if literal is None else None
        separator = (match["separator"] or b"")[-1:]
        raw = _ESCAPED.sub(rb"\1", quoted[1]) if quoted else name
        yield Listed(raw, separator, frozenset(match["attributes"].lower().split()))


def quoted(raw: bytes) -> bytes:
    """Return a mailbox's name as a command takes it."""
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def personal_prefix(line: bytes | None) -> bytes:
    """Return what the names of one's own mailboxes begin with, from an answer to NAMESPACE (RFC 2342)."""
    match = re.match(rb'\(\("((?:[^"\\]|\\.)*)"', line or b"")
    return _ESCAPED.sub(rb"\1", match[1]) if match else b""


def fetched(lines: Iterable[Line | None]) -> Iterator[tuple[Fetched, bytes | None]]:
    """Yield each message of an answer to FETCH with its literal, if it has one.

    What stands behind a literal comes as a line of its own; it belongs to the message before.
    """
    held: tuple[bytes, bytes | None] | None = None
    for line in lines:
        if isinstance(line, tuple):
            if held is not None:
                yield from _message(*held)
            held = line
        elif line is not None:
            if held is not None and not re.match(rb"\d+ \(", line):
                held = (held[0] + line, held[1])
                continue
            if held is not None:
                yield from _message(*held)
            held = (line, None)
    if held is not None:
        yield from _message(*held)


def _message(text: bytes, literal: bytes | None) -> Iterator[tuple[Fetched, bytes | None]]:
    uid, size, flags = _UID.search(text), _SIZE.search(text), _FLAGS.search(text)
    if uid is not None:  # else it is news that nobody asked for
        marks = None if flags is None else marks_of_flags(flags[1].decode("utf-8", "replace").split())
        yield Fetched(int(uid[1]), int(size[1]) if size else None, marks, internal_date(text)), literal


def marks_of_flags(flags: list[str]) -> Marks:
    """Return the marks that IMAP's flags say; keywords that no program sets by itself are categories."""
    system = {flag.lower() for flag in flags}
    return Marks(
        read="\\seen" in system,
        answered="\\answered" in system,
        forwarded=FORWARDED.lower() in system or "forwarded" in system,
        flagged="\\flagged" in system,
        draft="\\draft" in system,
        deleted="\\deleted" in system,
        categories=categories_of(flags),
    )


def internal_date(text: bytes) -> int | None:
    """Return INTERNALDATE in milliseconds, or None where there is none, or none that can be."""
    match = _DATE.search(text)
    if match is None:
        return None
    date, time, zone = match[1].decode("ascii").split()
    day, month, year = date.split("-")
    hour, minute, second = map(int, time.split(":"))
    try:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
        number = _MONTHS.index(month.lower()) + 1
        return milliseconds(datetime(int(year), number, int(day), hour, minute, second, tzinfo=timezone(offset)))
    except (ValueError, OverflowError):
        return None
