"""The bytes of an answer, read as the strictest public client reads them.

AOSP's reader takes a value as exactly one STR_I and then END, knows OPAQUE for two elements only, and refuses any
string table.  From `eas.wbxml` come only the tokens of the elements that are OPAQUE: this is a second opinion.
"""

from dataclasses import dataclass, field

from eas.wbxml.pages import Email2, ItemOperations
from eas.wbxml.tag import Tag

HEADER = b"\x03\x01\x6a\x00"  # [MS-ASWBXML] version 1.3, public identifier 1, UTF-8, no string table
SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3
ATTRIBUTES, CONTENT = 0x80, 0x40
TOKEN_FIRST = 0x05
PAGE_LAST = 25
RETIRED_PAGE = 3
DEPTH_MAX = 16  # the deepest answer of the schemas has 11 levels
CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\r\n")
BINARY_TAGS: tuple[Tag, ...] = (Email2.ConversationId, Email2.ConversationIndex, ItemOperations.ConversationId)
BINARY = frozenset((tag.page, tag.token) for tag in BINARY_TAGS)


class _BrokenError(Exception):
    """The one reason that ends the reading."""


@dataclass(slots=True)
class _Open:
    """An open element: where it is, and what it has held so far."""

    tag: tuple[int, int]
    values: int = 0
    elements: int = 0


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int = len(HEADER)
    page: int = 0
    open: list[_Open] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def fault(self, reason: str) -> None:
        self.found.append(f"byte {self.at}: {reason}")

    def read(self) -> None:
        """Read one document, root to END."""
        while True:
            if self.at >= len(self.data):
                raise _BrokenError("ends within the document")
            token = self.data[self.at]
            if token == SWITCH_PAGE:
                self.switch()
            elif token == END:
                self.close()
            elif token in (STR_I, OPAQUE):
                self.value(token)
            elif token & ATTRIBUTES or token & 0x3F < TOKEN_FIRST:
                raise _BrokenError(f"token {token:02x} is not for ActiveSync")
            else:
                self.element(token)
            if not self.open and token not in (SWITCH_PAGE, STR_I, OPAQUE):
                break
        if self.at != len(self.data):
            self.fault(f"{len(self.data) - self.at} bytes after the root's END")

    def switch(self) -> None:
        if self.open and self.open[-1].values:
            self.fault("SWITCH_PAGE between a value and its END")
        if self.at + 1 >= len(self.data):
            raise _BrokenError("SWITCH_PAGE without a page")
        self.page = self.data[self.at + 1]
        if self.page > PAGE_LAST or self.page == RETIRED_PAGE:
            raise _BrokenError(f"code page {self.page} is unknown")
        self.at += 2

    def close(self) -> None:
        if not self.open:
            raise _BrokenError("END without an element")
        self.open.pop()
        self.at += 1

    def element(self, token: int) -> None:
        if self.open:
            if self.open[-1].values:
                self.fault("an element beside a value")
            self.open[-1].elements += 1
        if token & CONTENT:
            self.open.append(_Open((self.page, token & 0x3F)))
            if len(self.open) > DEPTH_MAX:
                raise _BrokenError(f"deeper than {DEPTH_MAX}")
        self.at += 1

    def value(self, token: int) -> None:
        if not self.open:
            raise _BrokenError("a value outside of the root")
        holder = self.open[-1]
        if holder.elements:
            self.fault("a value beside an element")
        if holder.values:
            self.fault("a second value in one element")
        holder.values += 1
        if token == STR_I:
            self.string()
        else:
            self.opaque(holder)

    def string(self) -> None:
        end = self.data.find(0, self.at + 1)
        if end < 0:
            raise _BrokenError("STR_I without its NUL")
        raw = self.data[self.at + 1 : end]
        try:
            raw.decode()
        except UnicodeDecodeError:
            self.fault("text is not UTF-8")
        if CONTROLS.intersection(raw):
            self.fault("text with control characters")
        self.at = end + 1

    def opaque(self, holder: _Open) -> None:
        if holder.tag not in BINARY:
            self.fault(f"OPAQUE in an element of text (page {holder.tag[0]}, token {holder.tag[1]:02x})")
        size, at = 0, self.at + 1
        for at in range(self.at + 1, min(self.at + 6, len(self.data))):
            size = size << 7 | self.data[at] & 0x7F
            if self.data[at] < 0x80:
                break
        else:
            raise _BrokenError("OPAQUE without an end to its length")
        self.at = at + 1 + size
        if self.at > len(self.data):
            raise _BrokenError("OPAQUE longer than the document")


def check_bytes(data: bytes) -> list[str]:
    """Return what a strict reader would refuse in a WBXML document, with the place; nothing when all is well."""
    if not data.startswith(HEADER):
        return [f"byte 0: begins with {data[:4].hex(' ')}, not {HEADER.hex(' ')}"]
    reader = _Reader(data)
    try:
        reader.read()
    except _BrokenError as broken:
        reader.fault(str(broken))
    return reader.found
