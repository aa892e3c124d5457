"""Address lists of header fields (RFC 5322 3.4), as people write them.

The raw field is split first and its names are decoded afterwards: a decoded name may hold a comma.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from storage.message.words import HEADER_TEXT_BYTES_MAX, decode_text

SHOWN_CHARACTERS_MAX = 32768  # [MS-ASEMAIL] To, From: the longest value

_PLAIN = re.compile(rb"\s*([^\s<>()\",;:@\\]+@[^\s<>()\",;:@\\]+)\s*")
_NAMED = re.compile(rb'\s*(?:"([^"\\<>]*)"|([^"\\<>(),;:@]*?))\s*<([^\s<>()",;:@\\]+@[^\s<>()",;:@\\]+)>\s*')
# A quotation that is not closed reaches to the end and is then read again without quotes: nothing is scanned often.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|\([^()]*\)|<[^<>]*>|[,;:]|[^",;:<>()]+|.', re.DOTALL)
_SIMPLE_BYTES_MAX = 200  # of a field that is tried as one plain mailbox: the pattern is quadratic in white space
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPACE = re.compile(r"\s+")


class Address(NamedTuple):
    """One mailbox: the decoded name, and local@domain as written.  Either may be empty, not both."""

    name: str
    address: str

    def __str__(self) -> str:
        """The mailbox in the form of RFC 5322, with the name in Unicode."""
        if not self.name:
            return self.address
        quoted = '"' + self.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{quoted} <{self.address}>" if self.address else quoted

    @property
    def shown(self) -> str:
        """The name, or the address where there is none."""
        return self.name or self.address


def parse_addresses(raw: bytes, limit: int = HEADER_TEXT_BYTES_MAX) -> list[Address]:
    """The mailboxes of a raw field, groups opened, separated by commas or semicolons.  Never raises.

    Entries without an address are kept when they have a name, so that a list shows what the field says.
    """
    raw = raw[:limit]
    if len(raw) <= _SIMPLE_BYTES_MAX:
        if match := _PLAIN.fullmatch(raw):
            return [Address("", _address(match[1]))]
        if match := _NAMED.fullmatch(raw):
            return [Address(decode_text(match[1] or match[2] or b""), _address(match[3]))]
    return _Parser().parse(raw)


class _Parser:
    """Collects the pieces of one mailbox until a separator ends it."""

    def __init__(self) -> None:
        self.found: list[Address] = []
        self.names: list[bytes] = []  # what stood before the next mailbox without an address: `Doe, John <j@d>`
        self._begin()

    def _begin(self) -> None:
        self.phrase: list[bytes] = []
        self.has_at = False
        self.comment = b""
        self.angle: bytes | None = None

    def parse(self, raw: bytes) -> list[Address]:
        self._read(raw)
        self._end()
        self._flush()
        return self.found

    def _read(self, raw: bytes) -> None:
        for match in _TOKEN.finditer(raw):
            token = match[0]
            if token[:1] == b'"' and (len(token) == 1 or token[-1:] != b'"'):
                self._read(token.replace(b'"', b" "))
            else:
                self._take(token)

    def _take(self, token: bytes) -> None:
        kind = token[:1]
        if token in (b",", b";"):
            self._end()
            if token == b";":
                self._flush()
        elif token == b":" and self.angle is None and not self.has_at:
            self._begin()  # the name of a group
        elif kind == b"<" and token.endswith(b">"):
            self.angle = token[1:-1]
        elif kind == b"(" and len(token) > 1:
            self.comment = token[1:-1]
        elif kind == b'"':
            self._append(_ESCAPED.sub(rb"\1", token[1:-1]))
        elif token not in (b"<", b">"):
            self._append(token)

    def _append(self, piece: bytes) -> None:
        self.phrase.append(piece)
        self.has_at = self.has_at or b"@" in piece

    def _end(self) -> None:
        phrase = b"".join(self.phrase).strip()
        if self.angle is not None:
            name = b", ".join([*self.names, phrase]) if phrase else b""
            if not phrase:
                self._flush()
            self.names.clear()
            self._add(name or self.comment, self.angle)
        elif b"@" in phrase:
            self._flush()
            before, _, last = phrase.rpartition(b" ")
            if b"@" in last:
                self._add(before or self.comment, last)
            else:
                self._add(self.comment, b"".join(phrase.split()))
        elif phrase:
            self.names.append(phrase)
        self._begin()

    def _flush(self) -> None:
        for name in self.names:
            self._add(name, b"")
        self.names.clear()

    def _add(self, name: bytes, address: bytes) -> None:
        mailbox = Address(_SPACE.sub(" ", decode_text(name)), _address(address))
        if mailbox.name or mailbox.address:
            self.found.append(mailbox)


def _address(raw: bytes) -> str:
    """The address without white space and without a source route (`<@a,@b:local@domain>`)."""
    text = "".join(decode_text(raw).split())
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2]
    return text


def show(mailboxes: Iterable[Address], separator: str = ", ") -> str:
    """The list as text; whole mailboxes only, up to `SHOWN_CHARACTERS_MAX`."""
    return join_bounded((str(mailbox) for mailbox in mailboxes), separator)


def join_bounded(texts: Iterable[str], separator: str) -> str:
    """Join as many as fit into `SHOWN_CHARACTERS_MAX`."""
    chosen, length = [], 0
    for text in texts:
        length += len(text) + len(separator)
        if length > SHOWN_CHARACTERS_MAX:
            break
        chosen.append(text)
    return separator.join(chosen)
