"""Header text: folding, encoded words (RFC 2047) and raw 8-bit bytes to plain Unicode."""

import re
from binascii import Error, a2b_base64, a2b_qp

from storage.message.charsets import to_text

HEADER_TEXT_BYTES_MAX = 64 * 1024  # what is read of one field; nobody shows more

_FOLD = re.compile(rb"\r?\n[ \t]?|\r(?!\n)")
# The text may hold spaces, which RFC 2047 forbids and senders write; it ends at the next question mark, so that no
# text is scanned twice.
_WORD = re.compile(rb"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*)\?=")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CHUNK = re.compile(rb"[^=]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def decode_text(raw: bytes) -> str:
    """The text of an unstructured field: unfolded, decoded, without control characters, stripped.  Never raises."""
    if not raw:
        return ""
    raw = raw[:HEADER_TEXT_BYTES_MAX]
    if b"\n" in raw or b"\r" in raw:
        raw = _FOLD.sub(b" ", raw)
    text = decode_words(raw) if b"=?" in raw else to_text(raw)
    return (text if text.isprintable() else _CONTROL.sub(" ", text)).strip()


def decode_words(raw: bytes) -> str:
    """Decode the encoded words of *raw*; neighbours of one charset are joined first: some senders cut characters."""
    pieces: list[str] = []
    pending, charset, position = b"", "", 0
    for match in _WORD.finditer(raw):
        between = raw[position : match.start()]
        label = match[1].decode("latin-1").lower()
        if pending and (label != charset or between.strip()):
            pieces.append(to_text(pending, charset))
            pending = b""
        if between.strip() or (between and position == 0):
            pieces.append(to_text(between))
        pending += _unword(match[2], match[3])
        charset, position = label, match.end()
    if pending:
        pieces.append(to_text(pending, charset))
    pieces.append(to_text(raw[position:]))
    return "".join(pieces)


def _unword(encoding: bytes, text: bytes) -> bytes:
    return a2b_qp(text, header=True) if encoding in b"qQ" else decode_base64(text)


def decode_base64(raw: bytes) -> bytes:
    """Decode base64 that may lack its padding or hold foreign bytes.  Never raises; a lone last one is dropped."""
    padding = raw.find(b"=")
    if padding < 0 or not raw[padding:].strip(b"=\r\n\t "):
        try:
            return a2b_base64(raw)  # passes over foreign bytes by itself
        except Error:
            pass
    # Chunks were encoded one by one and then joined: the decoder would stop at the first padding.
    chunks = (_NOT_BASE64.sub(b"", match[0]) for match in _CHUNK.finditer(raw))
    return b"".join(map(_decode_chunk, chunks))


def _decode_chunk(chunk: bytes) -> bytes:
    if len(chunk) % 4 == 1:
        chunk = chunk[:-1]
    return a2b_base64(chunk + b"=" * (-len(chunk) % 4))
