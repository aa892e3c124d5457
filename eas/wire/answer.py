"""An `EasResponse` in the words of HTTP: reason, headers, compression, and the bytes of a whole head.

Pure: `server` writes answers through the web framework, `dormant` writes them itself, and both take from here what
must be the same for a phone whichever way its answer came.
"""

import gzip
import http.client
import time
from email.utils import formatdate
from functools import lru_cache

from eas.protocol.exchange import CONTENT_TYPE_WBXML, EasResponse

SERVER = "Petit Bleu"  # no version: it helps nobody but an attacker
MS_SERVER_ACTIVESYNC = "16.1"  # [MS-ASHTTP] MS-Server-ActiveSync; several clients know a server by its presence


GZIP_BYTES_MIN = 64
"""Bodies up to this size leave as they are: a Status, the ring of a Ping.  Gzip's own 18 bytes would make them longer,
and hundreds of rings leave at once.  Whatever is longer is compressed, since the client asked for it."""
THREAD_BYTES_MIN = 64 * 1024
"""Bodies above this size are compressed in a thread: 64 KB take about two milliseconds."""
_GZIP_LEVEL = 5
_COMPRESSIBLE = ("application/vnd.ms-sync", "application/json", "application/xml", "text/")

_REASONS = {  # the words of [MS-ASHTTP] for codes that are not of HTTP's own registry
    449: "Retry after sending a PROVISION command",
    451: "Redirect",
    456: "Blocked",
    457: "Password expired",
}


def reason(status: int) -> str:
    """Return the reason phrase of *status*; old clients show it, none parses it."""
    return _REASONS.get(status) or http.client.responses.get(status, "Unknown")


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header offers gzip; a weight of zero refuses it (RFC 9110 12.5.3)."""
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def is_worth_gzip(response: EasResponse) -> bool:
    """Whether compressing would help.

    Never an empty body (iOS 6 waits for eighty seconds before a compressed nothing), nor a stream, nor an attachment,
    which mostly is compressed already.
    """
    return (
        isinstance(response.body, bytes)
        and len(response.body) > GZIP_BYTES_MIN
        and response.content_type.startswith(_COMPRESSIBLE)
        and not any(name.lower() == "content-encoding" for name in response.headers)
    )


def compress(body: bytes) -> bytes:
    """Return *body* as one gzip member; without a time, so that equal answers are equal bytes."""
    return gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)


@lru_cache(maxsize=2)
def _date(now: int) -> str:
    """Return the Date of a second; thousands of answers may leave in one."""
    return formatdate(now, usegmt=True)


def headers(response: EasResponse, *, size: int | None, is_gzipped: bool = False) -> dict[str, str]:
    """Return all headers of the answer but those of the connection itself.  *size* None: the length is not known.

    The content type is there for empty bodies too: a framework's own default upset devices.
    """
    given = {
        "Content-Type": response.content_type or CONTENT_TYPE_WBXML,
        "Cache-Control": "private",
        "MS-Server-ActiveSync": MS_SERVER_ACTIVESYNC,
        "Server": SERVER,
        "Date": _date(int(time.time())),
    }
    if is_gzipped:
        given["Content-Encoding"] = "gzip"
    if size is not None:
        given["Content-Length"] = str(size)
    given.update(response.headers)
    return given


def head(status: int, fields: dict[str, str], *, is_http10: bool, keeps_alive: bool) -> bytes:
    """Return status line and headers, with the empty line.  Raises ValueError for a line break within a header."""
    lines = [f"HTTP/1.{0 if is_http10 else 1} {status} {reason(status)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    if is_http10 and keeps_alive:
        lines.append("Connection: keep-alive")
    elif not is_http10 and not keeps_alive:
        lines.append("Connection: close")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header must not hold a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
