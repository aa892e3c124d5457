"""Content-Type and Content-Disposition: the value and its parameters, with RFC 2231 and RFC 2047 undone."""

import re
from urllib.parse import unquote_to_bytes

from storage.message.charsets import to_text
from storage.message.words import decode_text

FIELD_BYTES_MAX = 16 * 1024
PARAMETERS_MAX = 200

# A quotation that is not closed reaches to the end, so that nothing is scanned twice.
_PARAMETER = re.compile(rb';\s*([^\s=;"]{1,100})\s*=\s*(?:"((?:[^"\\]++|\\.)*+)(?:"|\\?\Z)|([^;]*))', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def parse_field(raw: bytes) -> tuple[str, dict[str, str]]:
    """The value in lower case, and the parameters by lower-case name, decoded.  Never raises."""
    raw = raw[:FIELD_BYTES_MAX]
    value, _, _ = raw.partition(b";")
    plain: dict[str, str] = {}
    extended: dict[str, list[tuple[int, bool, bytes]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(raw)):
        if count == PARAMETERS_MAX:
            break
        name = match[1].decode("latin-1").lower()
        content = match[3].strip() if match[2] is None else match[2]
        if "*" in name:
            base, number, is_encoded = _extended_name(name)
            extended.setdefault(base, []).append((number, is_encoded, content))
        else:
            if match[2] is not None and b"\\" in content:
                content = _unescaped(content)
            plain.setdefault(name, decode_text(content))
    for base, segments in extended.items():
        plain[base] = _joined(segments)  # RFC 2231 goes before the plain form that stands beside it for old readers
    return to_text(value).strip().lower(), plain


def _unescaped(content: bytes) -> bytes:
    # Some senders write a Windows path; only quotes and backslashes are ever escaped in earnest.
    return _ESCAPED.sub(lambda match: match[1] if match[1] in b'"\\' else match[0], content)


def _extended_name(name: str) -> tuple[str, int, bool]:
    """Split `name*1*` (RFC 2231 3 and 4) into name, number and whether it is percent-encoded."""
    base, _, rest = name.partition("*")
    number, is_encoded = (rest[:-1], True) if rest.endswith("*") else (rest, not rest)
    return base, int(number) if number.isdecimal() and len(number) < 6 else 0, is_encoded


def _joined(segments: list[tuple[int, bool, bytes]]) -> str:
    segments.sort(key=lambda segment: segment[0])
    charset, data = "", b""
    for index, (_, is_encoded, content) in enumerate(segments):
        if not is_encoded:
            data += content
            continue
        if index == 0 and content.count(b"'") >= 2:
            label, _, content = content.split(b"'", 2)
            charset = label.decode("latin-1")
        data += unquote_to_bytes(content)
    return decode_text(to_text(data, charset).encode())
