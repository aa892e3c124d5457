"""What ties an answer to its conversation: In-Reply-To, References, Thread-Index."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from eas.mail.header_fields import Block, raw_field
from storage.message.conversation import message_ids, thread_index
from storage.message.headers import read_headers

REFERENCES_MAX = 20  # the root and the newest, as RFC 5322 3.6.4 lets long ones be cut

_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def add_thread_fields(block: Block, original: bytes, now: datetime) -> None:
    """Set what the phone left out; what it wrote stays."""
    headers, _ = read_headers(original)
    ids = [each.decode("ascii", "replace") for each in message_ids(headers.first(b"message-id"))[:1]]
    before = message_ids(headers.first(b"references")) or message_ids(headers.first(b"in-reply-to"))
    references = [each.decode("ascii", "replace") for each in before] + ids
    if len(references) > REFERENCES_MAX:
        references = references[:1] + references[1 - REFERENCES_MAX :]
    if ids and not block.has(b"in-reply-to"):
        block.put(b"in-reply-to", raw_field("In-Reply-To", *ids))
    if references and not block.has(b"references"):
        block.put(b"references", raw_field("References", *references))
    index = thread_index(headers)
    if index and not block.has(b"thread-index"):
        child = b64encode(child_index(index, now)).decode()
        block.put(b"thread-index", raw_field("Thread-Index", *(child[at : at + 60] for at in range(0, len(child), 60))))


def child_index(index: bytes, now: datetime) -> bytes:
    """The index with one level more: the time since the thread's first message, in the units of MAPI, and a byte of
    chance.

    The time in the header is bits 55 to 16 of a FILETIME, below a reserved byte that equals its top byte; where the
    byte after that is 01 it is the top 40 bits (both forms are met).
    """
    begun = int.from_bytes(index[1:6], "big") << 24 if index[1] == 1 else int.from_bytes(index[:6], "big") << 16
    filetime = (now - _FILETIME_EPOCH) // timedelta(microseconds=1) * 10
    delta = max(filetime - begun, 0)
    is_long = delta >> 18 >= 1 << 31
    units = (delta >> (23 if is_long else 18)) & 0x7FFFFFFF
    level = (is_long << 31 | units).to_bytes(4, "big")
    return index + level + blake2b(index + level, digest_size=1).digest()
