"""Undoing a transfer encoding piece by piece: the bytes of `storage.message.transfer.decode_part`, in bounded memory.

Pure: bytes in, bytes out; it does not matter where the pieces are cut.
"""

from binascii import a2b_base64, a2b_qp
from typing import Protocol

LINE_BYTES_MAX = 64 * 1024
"""A line of quoted-printable longer than this is decoded in parts."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = bytes(set(range(256)) - set(_ALPHABET))
_QUAD = 4


class Decoder(Protocol):
    """Decodes one part."""

    def feed(self, piece: bytes) -> bytes:
        """Return what *piece* completes."""

    def finish(self) -> bytes:
        """Return what was left."""


class Identity:
    """No encoding: 7bit, 8bit, binary, and what nobody knows."""

    def feed(self, piece: bytes) -> bytes:
        """Return *piece*."""
        return piece

    def finish(self) -> bytes:
        """Return nothing."""
        return b""


class Base64:
    """Base64, foreign bytes passed over; several encodings may stand one behind the other, each with its padding."""

    def __init__(self) -> None:
        self._left = b""  # fewer than four characters of the alphabet

    def feed(self, piece: bytes) -> bytes:
        """See `Decoder`."""
        *ended, last = piece.split(b"=")
        decoded = [self._characters(run) + self.finish() for run in ended]
        decoded.append(self._characters(last))
        return b"".join(decoded)

    def _characters(self, run: bytes) -> bytes:
        characters = self._left + run.translate(None, _FOREIGN)
        whole = len(characters) // _QUAD * _QUAD
        self._left = characters[whole:]
        return a2b_base64(characters[:whole])

    def finish(self) -> bytes:
        """See `Decoder`.  A lone last character is dropped."""
        left, self._left = self._left, b""
        return a2b_base64(left + b"=" * (_QUAD - len(left))) if len(left) > 1 else b""


class QuotedPrintable:
    """Quoted-printable, decoded line by line."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, piece: bytes) -> bytes:
        """See `Decoder`."""
        data = self._left + piece
        end = data.rfind(b"\n") + 1
        if not end and len(data) > LINE_BYTES_MAX:  # no line end for long: then at least not within an escape
            end = next((at for at in range(len(data), len(data) - 8, -1) if b"=" not in data[at - 2 : at]), len(data))
        self._left = data[end:]
        return a2b_qp(data[:end])

    def finish(self) -> bytes:
        """See `Decoder`."""
        left, self._left = self._left, b""
        return a2b_qp(left)


def decoder_of(encoding: str) -> Decoder:
    """Return a new decoder of that Content-Transfer-Encoding, in small letters."""
    if encoding == "base64":
        return Base64()
    return QuotedPrintable() if encoding == "quoted-printable" else Identity()
