"""A header block: where it ends, and its fields as raw bytes.  Nothing is decoded until it is asked for."""

import re
from mmap import mmap

from storage.message.words import decode_text

Buffer = bytes | bytearray | mmap

HEADER_BYTES_MAX = 256 * 1024  # what is read of one block; its real end is found however long it is
FIELDS_MAX = 2000
_WINDOW_BYTES = 64 * 1024

# A field and its continuation lines.  A line without a colon belongs to no field and is passed over.
_FIELD = re.compile(rb"^([!-9;-~]{1,256})[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_FIRST_LINE = re.compile(rb"[!-9;-~]{1,256}[ \t]*:|From |>From ")
_FOREIGN_LINE = re.compile(rb"^(?![ \t]|[!-9;-~]{1,256}[ \t]*:|>?From )", re.MULTILINE)


class Headers:
    """The fields of one block in their order; names in lower case."""

    __slots__ = ("_first", "fields")

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.fields = fields
        self._first = dict(reversed(fields))

    def first(self, name: bytes) -> bytes:
        """The raw value of the first field of that name; b"" when there is none."""
        return self._first.get(name, b"")

    def all(self, name: bytes) -> list[bytes]:
        """The raw values of all fields of that name."""
        return [value for field, value in self.fields if field == name]

    def text(self, name: bytes) -> str:
        """The decoded text of the first field of that name."""
        return decode_text(self.first(name))


def read_headers(data: Buffer, start: int = 0, end: int | None = None) -> tuple[Headers, int]:
    """Read the block at *start*; the second value is the offset at which the content begins."""
    end = len(data) if end is None else end
    content = content_start(data, start, end)
    block = bytes(data[start : min(content, start + HEADER_BYTES_MAX)])
    return Headers(parse_fields(block)), content


def parse_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a block, at most `FIELDS_MAX`."""
    fields = []
    for match in _FIELD.finditer(block):
        fields.append((match[1].lower(), match[2].rstrip()))
        if len(fields) == FIELDS_MAX:
            break
    return fields


def content_start(data: Buffer, start: int, end: int) -> int:
    """The offset after the empty line that ends the block at *start*.

    A text that does not begin like a header has none.  Where no empty line comes, the first line that is no field
    begins the content.
    """
    head = bytes(data[start : min(start + 300, end)])
    for line_end in (b"\r\n", b"\n"):
        if head.startswith(line_end):
            return start + len(line_end)
    if not _FIRST_LINE.match(head):
        return start
    for window_end in (min(start + _WINDOW_BYTES, end), end):  # in a mail of one kind the other is nowhere
        crlf = data.find(b"\n\r\n", start, window_end)
        bare = data.find(b"\n\n", start, window_end if crlf < 0 else crlf + 1)
        if bare >= 0:
            return bare + 2
        if crlf >= 0:
            return crlf + 3
    block = bytes(data[start : min(end, start + HEADER_BYTES_MAX)])
    foreign = _FOREIGN_LINE.search(block)
    return end if foreign is None else start + foreign.start()
