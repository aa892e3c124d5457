"""What a node tells the others in one object of its lane: sealed, so that nobody with the bucket reads or forges it.

The plain bytes are msgpack: [[account, writer, n], …] with no entry for "I live", nil for `News.rescan`, and "left"
for a process that has ended in order.  The key comes of the deployment key, and the object's own name is sealed in:
an object of another node, number or deployment does not open.
"""

from dataclasses import dataclass

import msgpack

from storage import seal
from storage.feeds.feed import News
from storage.feeds.peer import Batch

NEWS_MAX = 4096
"""Entries of one object; more become `News.rescan`."""
BYTES_MAX = 1 << 20
"""A longer object is not ours: no more of it is fetched or opened."""
_LEFT = "left"


@dataclass(frozen=True, slots=True)
class Message:
    """What one object says."""

    news: tuple[News, ...] = ()
    is_last: bool = False


def feed_key(deployment_key: bytes) -> bytes:
    """Return the key that all nodes of a deployment seal their lanes with."""
    return seal.derive(deployment_key, "feed")


def pack(key: bytes, name: str, batch: Batch | None) -> bytes:
    """Return the object *name* that tells *batch*; None: anything may have changed."""
    if batch is not None and len(batch) <= NEWS_MAX:
        try:
            plain = msgpack.packb([(*where, n) for where, n in batch.items()])
            if len(plain) <= BYTES_MAX // 2:
                return seal.seal(key, name, plain, compress=True)
        except (ValueError, OverflowError):  # not Unicode, over 64 bits: no object can say it
            pass
    return seal.seal(key, name, msgpack.packb(None), compress=False)


def pack_last(key: bytes, name: str) -> bytes:
    """Return the object *name* after which the lane has no other."""
    return seal.seal(key, name, msgpack.packb(_LEFT), compress=False)


def unpack(key: bytes, name: str, data: bytes) -> Message:
    """Return what an object says.  Raises `SealError` for one that no node of this deployment wrote."""
    try:
        plain = msgpack.unpackb(seal.open_(key, name, data, size_max=BYTES_MAX))
    except (ValueError, TypeError) as error:  # whatever msgpack raises is one of them
        raise seal.SealError(name, "not a message") from error
    match plain:
        case None:
            return Message((News.rescan,))
        case str() if plain == _LEFT:
            return Message(is_last=True)
        case [*items]:
            return Message(tuple(News(*item) for item in items if _is_news(item)))
    raise seal.SealError(name, "not a message")


def _is_news(item: object) -> bool:
    match item:
        case [str(), str(), int()]:
            return True
    return False
