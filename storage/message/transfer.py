"""From the encoded bytes of one part to its content and its text; and their sizes, without decoding what is big."""

from binascii import a2b_qp

from storage.message.charsets import to_text
from storage.message.headers import Buffer
from storage.message.summary import Part
from storage.message.words import decode_base64

EXACT_BYTES_MAX = 1024 * 1024  # a text above it is counted by its encoded size
_LINE_BYTES_MAX = 1000  # RFC 5322 2.1.1 allows 998
_TAIL_BYTES = 80


def decode_part(part: Part, raw: bytes) -> bytes:
    """Undo the transfer encoding of *raw*, the bytes of the part or a beginning of them.  Never raises."""
    if part.encoding == "base64":
        return decode_base64(raw)
    if part.encoding == "quoted-printable":
        return a2b_qp(raw)  # leaves what is no escape as it is
    return raw


def part_text(part: Part, raw: bytes) -> str:
    """The text of a part, as it is written (line ends, NULs); lone surrogates never occur.  Never raises.

    *raw* may be a beginning of the part: a character cut at its end is dropped.
    """
    return to_text(decode_part(part, raw), part.charset, is_cut=len(raw) < part.size)


def decoded_size(data: Buffer, part: Part) -> int:
    """Bytes after transfer decoding: exact for texts up to `EXACT_BYTES_MAX` and for base64 in equal lines."""
    if part.encoding == "base64" and not part.content_type.startswith("text/"):
        return base64_size(data, part.start, part.size)
    if part.encoding in ("base64", "quoted-printable") and part.size <= EXACT_BYTES_MAX:
        return len(decode_part(part, bytes(data[part.start : part.end])))
    if part.encoding == "base64":
        return base64_size(data, part.start, part.size)
    return part.size


def base64_size(data: Buffer, start: int, size: int) -> int:
    """The decoded size of *size* base64 bytes at *start*, from the length of the first line and the padding."""
    tail = bytes(data[max(start, start + size - _TAIL_BYTES) : start + size])
    stripped = tail.rstrip(b"\r\n\t ")
    size -= len(tail) - len(stripped)
    padding = min(len(stripped) - len(stripped.rstrip(b"=")), 2)
    line_end = data.find(b"\n", start, start + min(size, _LINE_BYTES_MAX))
    if line_end >= 0:
        line = line_end + 1 - start
        ending = 2 if data[line_end - 1 : line_end] == b"\r" else 1
        size -= (size // line) * ending
    return max(size * 3 // 4 - padding, 0)


def crlf_utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8 when each of its line ends is CRLF."""
    data = text.encode()
    pairs = data.count(b"\r\n")
    return len(data) + data.count(b"\n") + data.count(b"\r") - 2 * pairs
