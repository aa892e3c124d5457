"""Traces of words in bytes: as they are, in any case, encoded as mail and files encode, and within compressed data."""

import base64
import quopri
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import zstandard

UNPACKED_MAX: Final = 1 << 22
ZSTD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"
ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


def found_in(data: bytes, words: Sequence[str], secrets: Sequence[bytes] = ()) -> set[str]:
    """Return those of *words* of which *data* has a trace, and the hexadecimal form of those of *secrets*."""
    found: set[str] = set()
    for piece in (data, data.replace(b"\r\n", b"").replace(b"\n", b""), *_unpacked(data)):
        folded = piece.lower()
        for word in words:
            if any(form in piece for form in _exact(word)) or any(form in folded for form in _folded(word)):
                found.add(word)
        found |= {secret.hex() for secret in secrets if any(form in folded for form in _of_secret(secret))}
    return found


def _exact(word: str) -> Iterator[bytes]:
    """Yield what must be met letter by letter."""
    for text in {word, word.lower(), word.upper()}:
        raw = text.encode()
        for lead in range(3):  # base64 of a longer text shows the word in one of three ways
            whole = base64.b64encode(bytes(lead) + raw)
            yield whole[-(-lead * 4 // 3) + (lead > 0) : -4 if len(whole) > 8 else None]


def _folded(word: str) -> Iterator[bytes]:
    """Yield what may be met in any case."""
    for text in {word, word.casefold()}:
        yield text.lower().encode()
        yield text.lower().encode("utf-16-le")
        yield text.lower().encode("utf-16-be")
        with suppress(UnicodeEncodeError):
            yield text.lower().encode("latin-1")
        yield quopri.encodestring(text.lower().encode()).strip().lower()
        yield quote(text.lower()).lower().encode()
    for text in {word, word.lower(), word.upper()}:
        yield text.encode().hex().encode()


def _of_secret(secret: bytes) -> Iterator[bytes]:
    yield secret.lower()
    yield secret.hex().encode()
    yield base64.b64encode(secret).lower()[:-4]


def _unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what opens as compressed, wherever in *data* it begins."""
    for magic in (ZSTD, GZIP, *ZLIB):
        place = data.find(magic)
        while place >= 0:
            with suppress(zstandard.ZstdError, zlib.error, MemoryError):
                rest = data[place : place + UNPACKED_MAX]
                if magic == ZSTD:
                    yield zstandard.ZstdDecompressor().decompressobj().decompress(rest)
                else:
                    yield zlib.decompressobj(wbits=47).decompress(rest, UNPACKED_MAX)
            place = data.find(magic, place + 1)


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder by their path from it, with what is in them; their names are part of it."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        yield name, name.encode()
        if path.is_file() and not path.is_symlink():
            yield name, path.read_bytes()
