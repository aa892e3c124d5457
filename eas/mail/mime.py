"""A message as it may travel inside a string of WBXML: UTF-8 without NUL ([MS-ASAIRS] Body/Data for Type 4).

Most mail is that already and goes out byte by byte.  Else the parts that are not are transfer-encoded anew; what lies
inside a signature is never encoded, for that would break it: RFC 1847 2.1 demands seven bits there anyway.
"""

import re
from base64 import encodebytes

from storage.message.charsets import to_text
from storage.message.index import index_message
from storage.message.summary import Part, Summary
from storage.message.transfer import decode_part

NESTING_MAX = 5  # messages inside messages that are mended

_CUT_CHARACTER = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
_ENCODING_FIELD = re.compile(rb"^content-transfer-encoding[ \t]*:.*(?:\n[ \t].*)*\n?", re.IGNORECASE | re.MULTILINE)


def is_wire_safe(data: bytes) -> bool:
    """Whether *data* is UTF-8 without NUL."""
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def wire_bytes(summary: Summary, data: bytes, nesting: int = 0) -> bytes:
    """The message, or the beginning of it that *data* is, in UTF-8 without NUL; as it is when it is that already."""
    if len(data) < summary.size:
        data = _CUT_CHARACTER.sub(b"", data)
    if is_wire_safe(data):
        return data
    pieces: list[bytes] = []
    done = 0
    for part in summary.parts:
        if part.start >= len(data):
            break
        raw = data[part.start : part.end]
        if part.is_signed or is_wire_safe(raw):
            continue
        pieces.append(_legible(data[done : part.header_start]))
        pieces.extend(_encoded(part, data[part.header_start : part.start], raw, nesting))
        done = min(part.end, len(data))
    pieces.append(_legible(data[done:]))
    return b"".join(pieces)


def _encoded(part: Part, header: bytes, raw: bytes, nesting: int) -> tuple[bytes, bytes]:
    """The header and the content of a part, mended."""
    if part.content_type == "message/rfc822" and part.encoding != "base64":
        if nesting >= NESTING_MAX:
            return _legible(header), _legible(raw)
        return _legible(header), wire_bytes(index_message(raw), raw, nesting + 1)
    field = b"Content-Transfer-Encoding: base64\r\n"
    bare = _ENCODING_FIELD.sub(b"", header)
    # The empty line that ends a header is its last line; without any header there is none yet.
    body = bare.rstrip(b"\r\n")
    header = (body + b"\r\n" if body else b"") + field + b"\r\n"
    content = encodebytes(decode_part(part, raw)).replace(b"\n", b"\r\n")
    return _legible(header), content.removesuffix(b"\r\n")


def _legible(data: bytes) -> bytes:
    """Bytes that cannot be encoded (headers, what stands between parts): UTF-8, line by line, else windows-1252."""
    if is_wire_safe(data):
        return data
    return b"".join(to_text(line).encode() for line in data.splitlines(keepends=True)).replace(b"\0", b"")
