"""Ids of items and folders: short, stable for ever, made from what stays the same when a request is repeated.

An item's id is 20 characters of base32hex (its order is that of the bytes): three bytes of hour, then nine bytes of a
keyed hash.  The hour makes rows of one time neighbours in a checkpoint's pages; it is a hint for speed and nothing
rests on it.  For a delivery it is read from the topmost Received line, which our own mail system wrote and which is the
same when it delivers again; the sender's Date serves where there is none.
"""

import base64
import re
from collections.abc import Iterator
from datetime import datetime

from storage.blobs import Buffer
from storage.message.index import parse_date
from storage.seal import keyed_hash

_HEAD_BYTES = 8192
_RECEIVED = b"received:"
_DATE = re.compile(rb"^date:", re.IGNORECASE | re.MULTILINE)
_FIELD_END = re.compile(rb"\r?\n(?![ \t])")
_HOUR_MS = 3_600_000


def _id(hour: int, digest: bytes) -> str:
    return _text(max(0, min(hour, (1 << 24) - 1)).to_bytes(3, "big") + digest)


def _text(raw: bytes) -> str:
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


def hour_of_arrival(message: Buffer) -> int:
    """Return the hour (since 1970) that the message itself gives for its arrival; 0 when it gives none."""
    for text in _times(bytes(message[:_HEAD_BYTES])):
        when = parse_date(text.strip())
        if when is not None:
            return int(when.timestamp()) // 3600
    return 0


def _times(head: bytes) -> Iterator[bytes]:
    """Yield what may be the time of arrival.  Every step is a search for a fixed text: no header makes it slow."""
    if head[: len(_RECEIVED)].lower() == _RECEIVED:
        yield _field(head, len(_RECEIVED)).rpartition(b";")[2]
    date = _DATE.search(head)
    if date:
        yield _field(head, date.end())


def _field(head: bytes, start: int) -> bytes:
    end = _FIELD_END.search(head, start)
    return head[start : end.start() if end else len(head)]


def delivered_item(deployment_key: bytes, account: str, message: Buffer) -> str:
    """Return the id of a delivered *message*: the same whenever the same bytes are delivered to *account* again."""
    digest = keyed_hash(deployment_key, b"delivered", account.encode(), memoryview(message), size=9)
    return _id(hour_of_arrival(message), digest)


def own_item(key: bytes, time_ms: int, *parts: str) -> str:
    """Return the id of an item that a request makes: of *parts* that are the same when it is repeated."""
    return _id(time_ms // _HOUR_MS, keyed_hash(key, b"item", *(part.encode() for part in parts), size=9))


def fresh_item(key: bytes, when: datetime, nonce: str) -> str:
    """Return an id for an item that came at *when* by no request: a copy, an import."""
    return own_item(key, int(when.timestamp() * 1000), "fresh", nonce)


def own_folder(key: bytes, *parts: str) -> str:
    """Return the id of a folder that a request makes: of *parts* that are the same when it is repeated."""
    digest = keyed_hash(key, b"folder", *(part.encode() for part in parts), size=5)
    return "f" + _text(digest)
