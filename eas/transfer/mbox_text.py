"""The text of an mbox: From_ lines, quoting as "mboxrd" does, and the header lines that hold marks.

Before each message of ours stand `Status`, `X-Status`, `X-Keywords` and last `X-Petit-Bleu: <date ms> <size>`: with
that line the block is known as ours, and what a reader takes away is what the writer put there, to the byte.
"""

import re
from datetime import UTC, datetime

from eas.transfer.keywords import FORWARDED, categories_of, keyword_of
from eas.transfer.marks import Marks, milliseconds

ENVELOPE = b"From petitbleu "
"""What our own From_ lines begin with."""
FROM_LINE = re.compile(rb"From (?:.* )?[A-Z][a-z]{2} +\d{1,2} +\d\d:\d\d(?::\d\d)?\b.*\d{4}")
"""Of whatever program: a month, a day, a time and a year make it one.  Text that happens to begin so is quoted."""
HEADER_BYTES_MAX = 256 << 10
"""Of a message whose marks are looked for; what follows is text."""
HELD_BYTES_MAX = 64 << 10
"""Of a line whose end has not come yet."""

_QUOTED = re.compile(rb"(?m)^(>*From )")
_UNQUOTED = re.compile(rb"(?m)^>(>*From )")
_OURS = re.compile(
    rb"Status: (?P<status>[A-Z]*)\n(?:X-Status: (?P<more>[A-Z]*)\n)?(?:X-Keywords: (?P<words>[^\n]*)\n)?"
    rb"X-Petit-Bleu: (?P<date>\d{1,15}) (?P<size>\d{1,15})\n"
)
_MARKING = re.compile(
    rb"(?im)^(?P<name>status|x-status|x-keywords|x-uid|x-imap|x-imapbase|x-mozilla-status2?|x-mozilla-keys|x-petit-bleu):"
    rb"[ \t]*(?P<value>[^\n]*(?:\n[ \t][^\n]*)*)\n"
)
_DATE = re.compile(
    rb"([A-Z][a-z]{2}) +(\d{1,2}) +(\d\d):(\d\d)(?::(\d\d))?(?: +[A-Z]{3,4})? +(\d{4})(?: +([+-]\d{4}))?"
)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class Quoter:
    """Message → mbox: LF for CRLF, a `>` before whatever could be taken for a From_ line.

    Pieces may be cut anywhere.
    """

    def __init__(self) -> None:
        self._held = b""
        self._is_mid_line = False

    def feed(self, piece: bytes) -> bytes:
        """Return the next bytes; what may still become part of something is held back."""
        text = self._held + piece
        end = text.rfind(b"\n") + 1
        if len(text) - end > HELD_BYTES_MAX:
            end = len(text) - text.endswith(b"\r")
        self._held = text[end:]
        return self._quoted(text[:end])

    def finish(self) -> bytes:
        """Return the rest, with a line end if there was none, and the empty line that ends a message."""
        rest = self._quoted(self._held)
        return rest + (b"\n\n" if self._is_mid_line else b"\n")

    def _quoted(self, text: bytes) -> bytes:
        if not text:
            return b""
        start = text.find(b"\n") + 1 or len(text) if self._is_mid_line else 0
        self._is_mid_line = not text.endswith(b"\n")
        return (text[:start] + _QUOTED.sub(rb">\1", text[start:])).replace(b"\r\n", b"\n")


def from_line(date_ms: int) -> bytes:
    """Return the line that begins a message."""
    date = datetime.fromtimestamp(date_ms / 1000, UTC)
    return ENVELOPE + date.strftime("%a %b ").encode() + f"{date.day:2d} {date:%H:%M:%S} {date.year:04d}\n".encode()


def marking_lines(marks: Marks, date_ms: int, size_bytes: int) -> bytes:
    """Return the header lines for *marks*, and for what the form of an mbox does not keep."""
    more = {"A": marks.answered, "F": marks.flagged, "T": marks.draft}
    words = [FORWARDED] * marks.forwarded + [keyword_of(name) for name in marks.categories]
    return (
        f"Status: {'R' if marks.read else ''}O\n"
        + f"X-Status: {''.join(letter for letter, is_set in more.items() if is_set)}\n"
        + (f"X-Keywords: {' '.join(words)}\n" if words else "")
        + f"X-Petit-Bleu: {date_ms} {size_bytes}\n"
    ).encode()


def date_of(line: bytes) -> int | None:
    """Return the time that a From_ line gives, or None.  Without a zone it counts as UTC."""
    match = _DATE.search(line)
    if match is None or match[1] not in _MONTHS:
        return None
    month, day, hour, minute, second, year, zone = match.groups()
    try:
        date = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    offset = 0
    if zone:
        offset = (int(zone[1:3]) * 3600 + int(zone[3:5]) * 60) * (-1 if zone[:1] == b"-" else 1)
    return milliseconds(date) - offset * 1000


def read_marks(header: bytes) -> tuple[Marks, int | None, int | None]:
    """Return what a message's header says: marks, and of our own blocks the time and the size."""
    ours = _OURS.match(header)
    if ours:
        words = (ours["words"] or b"").decode("ascii", "replace").split()
        return _marks(ours["status"] + (ours["more"] or b""), words, 0), int(ours["date"]), int(ours["size"])
    keywords: list[str] = []
    letters, mozilla = b"", 0
    for field in _MARKING.finditer(header):
        name, value = field["name"].lower(), field["value"]
        if name in (b"status", b"x-status"):
            letters += value.strip().upper()
        elif name == b"x-mozilla-status":
            mozilla = int(value.strip(), 16) if re.fullmatch(rb"[0-9A-Fa-f]{4}", value.strip()) else 0
        elif name in (b"x-keywords", b"x-mozilla-keys"):
            keywords += value.decode("utf-8", "replace").split()
    return _marks(letters, keywords, mozilla), None, None


def _marks(letters: bytes, keywords: list[str], mozilla: int) -> Marks:
    """*mozilla*: 1 read, 2 answered, 4 flagged, 8 deleted, 0x1000 forwarded."""
    return Marks(
        read=b"R" in letters or bool(mozilla & 1),
        answered=b"A" in letters or bool(mozilla & 2),
        forwarded=FORWARDED in keywords or bool(mozilla & 0x1000),
        flagged=b"F" in letters or bool(mozilla & 4),
        draft=b"T" in letters,
        deleted=b"D" in letters or bool(mozilla & 8),
        categories=categories_of(keywords),
    )


def without_marks(header: bytes) -> bytes:
    """Return a header without the lines that hold marks."""
    ours = _OURS.match(header)
    return header[ours.end() :] if ours else _MARKING.sub(b"", header)


def is_internal(header: bytes) -> bool:
    """Tell whether it is no mail, but what a mail program keeps for itself at the beginning of an mbox."""
    return b"FOLDER INTERNAL DATA" in header and re.search(rb"(?im)^x-imap(base)?:", header) is not None


def unquoted(text: bytes) -> bytes:
    """Undo the quoting in a text of whole lines."""
    return _UNQUOTED.sub(rb"\1", text)
