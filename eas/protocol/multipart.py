"""The multipart answer of ItemOperations ([MS-ASCMD] ItemOperations, Content-Type application/vnd.ms-sync.multipart).

Numbers are unsigned, 32 bits, little-endian: the count of parts; for each its offset from the first byte of the body
and its length; then the parts, back to back.  Part 0 is the WBXML document, the others are raw bytes in the order of
their `ItemOperations:Part` numbers.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

PARTS_MAX: Final = 1024  # an ItemOperations of 100 fetches has 101
SIZE_MAX: Final = 0xFFFFFFFF

_COUNT: Final = Struct("<I")
_PLACE: Final = Struct("<II")


class MultipartError(ValueError):
    """The bytes, or the sizes, do not make a multipart answer."""


def multipart_header(sizes: Sequence[int]) -> bytes:
    """Return what goes before parts of these sizes in bytes, so that the parts can be streamed behind it."""
    if not 1 <= len(sizes) <= PARTS_MAX:
        raise MultipartError(f"{len(sizes)} parts")
    offset = _COUNT.size + _PLACE.size * len(sizes)
    if offset + sum(sizes) > SIZE_MAX:
        raise MultipartError("over 4 GiB")
    header = [_COUNT.pack(len(sizes))]
    for size in sizes:
        header.append(_PLACE.pack(offset, size))
        offset += size
    return b"".join(header)


def encode_multipart(parts: Sequence[bytes]) -> bytes:
    """Return the whole body.  Raises `MultipartError` for no part and for too many."""
    return multipart_header([len(part) for part in parts]) + b"".join(parts)


def decode_multipart(data: bytes) -> list[bytes]:
    """Return the parts of a body.  Raises `MultipartError` for places outside the body."""
    if len(data) < _COUNT.size:
        raise MultipartError("no count")
    (count,) = _COUNT.unpack_from(data)
    if not 1 <= count <= PARTS_MAX or len(data) < _COUNT.size + _PLACE.size * count:
        raise MultipartError(f"{count} parts")
    parts = []
    for index in range(count):
        offset, size = _PLACE.unpack_from(data, _COUNT.size + _PLACE.size * index)
        if offset + size > len(data):
            raise MultipartError(f"part {index} ends outside the body")
        parts.append(data[offset : offset + size])
    return parts
