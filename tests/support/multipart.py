"""The multipart form of an ItemOperations answer ([MS-ASCMD] Delivery of Content Requested by Fetch)."""

import struct

PARTS_MAX = 1000


def split(body: bytes) -> tuple[list[bytes], list[str]]:
    """Return the parts, the WBXML document first, and what is wrong with the table that stands before them."""
    if len(body) < 12:
        return [b""], ["multipart: shorter than a table of one part"]
    (count,) = struct.unpack_from("<I", body)
    start = 4 + 8 * count
    if not 1 <= count <= PARTS_MAX or len(body) < start:
        return [b""], [f"multipart: {count} parts in {len(body)} bytes"]
    table = list(struct.iter_unpack("<II", body[4:start]))
    faults = []
    for offset, size in table:
        if offset != start:
            faults.append(f"multipart: a part begins at {offset}, the one before ends at {start}")
        start = offset + size
    if start != len(body):
        faults.append(f"multipart: ends at {start} of {len(body)} bytes")
    return [body[offset : offset + size] for offset, size in table], faults
