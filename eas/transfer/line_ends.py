"""CRLF in the store, LF in files: both ways, piece by piece, however the pieces are cut."""

import mmap
import re
import tempfile
from collections.abc import Iterable
from typing import TypeAlias

Buffer: TypeAlias = bytes | mmap.mmap

HELD_BYTES_MAX = 1 << 20
"""A longer message goes through a temporary file: memory stays bounded."""
PIECE_BYTES = 1 << 20
_BARE_LF = re.compile(rb"(?<!\r)\n")


class ToCrlf:
    """Makes each bare LF a CRLF, as delivery does; a bare CR stays."""

    def __init__(self) -> None:
        self._ends_in_cr = False

    def feed(self, piece: bytes) -> bytes:
        """Return the next bytes."""
        if not piece:
            return b""
        if piece.count(b"\n") != piece.count(b"\r\n"):
            begins_in_lf = self._ends_in_cr and piece.startswith(b"\n")
            fed = _BARE_LF.sub(b"\r\n", piece)
            fed = fed[1:] if begins_in_lf else fed
        else:
            fed = piece
        self._ends_in_cr = piece.endswith(b"\r")
        return fed


def gathered(pieces: Iterable[bytes]) -> Buffer:
    """Return all *pieces* as one buffer: in memory, or mapped from a file without a name."""
    held: list[bytes] = []
    size = 0
    pieces = iter(pieces)
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > HELD_BYTES_MAX:
            break
    else:
        return b"".join(held)
    with tempfile.TemporaryFile() as file:
        file.writelines(held)
        held.clear()
        file.writelines(pieces)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def to_crlf(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Yield *pieces* with CRLF for each line end."""
    converter = ToCrlf()
    return map(converter.feed, pieces)
