"""Which conversation a message belongs to, and its place in it.

Without MAPI the thread is what the headers name: Thread-Index of Outlook and Exchange carries an id of 16 bytes; for
all others the root of References is hashed, so that every message of a thread finds the same id by itself, in any
order.
"""

import re
from binascii import Error, a2b_base64
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from storage.message.headers import Headers

INDEX_BYTES_MAX = 22 + 5 * 100  # levels beyond it are cut

_MESSAGE_ID = re.compile(rb"<[^<>\s]{1,996}>")
_PREFIX = re.compile(
    r"\s*(?:(?:re|r|aw|antw|antwort|sv|vs|odp|rif|res|réf|fw|fwd|wg|tr|vl|vb|rv|enc|i|doorst|ynt|ilt|回复|转发|答复)"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\))?\s?[:：]\s*)+",
    re.IGNORECASE,
)
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MAPI_HEADER_BYTES = 22  # reserved 01, five bytes of time, GUID


def message_ids(raw: bytes) -> list[bytes]:
    """The ids of a Message-ID, In-Reply-To or References field, with angle brackets, in their order."""
    return _MESSAGE_ID.findall(raw)


def thread_topic(subject: str) -> str:
    """The subject without reply and forward prefixes ([MS-ASEMAIL] ThreadTopic)."""
    match = _PREFIX.match(subject)
    return subject[match.end() :].strip() if match else subject


def thread_index(headers: Headers) -> bytes:
    """The decoded Thread-Index when it has the form of MAPI, else b""."""
    try:
        index = a2b_base64(headers.first(b"thread-index"))
    except Error:
        return b""
    return index[:INDEX_BYTES_MAX] if len(index) >= _MAPI_HEADER_BYTES and index[0] == 1 else b""


def conversation_id(headers: Headers) -> bytes:
    """16 bytes, equal for all messages of a thread; zeros when nothing names one."""
    index = thread_index(headers)
    if index:
        return index[6:_MAPI_HEADER_BYTES]
    for name in (b"references", b"in-reply-to", b"message-id"):
        ids = message_ids(headers.first(name))
        if ids:
            return blake2b(ids[0], digest_size=16, person=b"conversation").digest()
    identifying = b"\n".join(value for name, value in headers.fields if name in (b"from", b"date", b"subject"))
    return blake2b(identifying, digest_size=16, person=b"conversation").digest() if identifying else bytes(16)


def conversation_index(headers: Headers, date: datetime | None) -> bytes:
    """The index as EAS sends it: five bytes of time, then five for each level; neither reserved byte nor GUID.

    Without a Thread-Index the message's own date stands alone: bits 55 to 16 of its FILETIME, the form that most
    indices in the wild have.
    """
    index = thread_index(headers)
    if index:
        levels = index[_MAPI_HEADER_BYTES:]
        return index[1:6] + levels[: len(levels) // 5 * 5]
    if date is None:
        return bytes(5)
    filetime = max((date - _FILETIME_EPOCH) // timedelta(microseconds=1), 0) * 10
    return filetime.to_bytes(8, "big")[1:6]
