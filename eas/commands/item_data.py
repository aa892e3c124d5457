"""The bytes of an ItemOperations answer: within the document as base64, or behind it as parts; big files as a stream.

A document with a big file in it is never whole in memory: it is encoded with a mark where the base64 goes, cut at the
marks, and sent with the files between.  Sizes are exact, so the answer still has a length.
"""

from binascii import b2a_base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from eas.mail.attachment_file import AttachmentFile
from eas.protocol.exchange import CONTENT_TYPE_MULTIPART, EasResponse
from eas.protocol.multipart import multipart_header
from eas.wbxml import pages
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode

TAG = pages.ItemOperations
WHOLE_BYTES_MAX = 2 << 20
"""Up to here the pieces of an answer are joined: such a one can be compressed, and repeated."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """*size* bytes of a file, from *start*."""

    file: AttachmentFile
    start: int
    size: int

    @property
    def data(self) -> bytes | None:
        """The bytes, where they are at hand."""
        return None if self.file.data is None else self.file.data[self.start : self.start + self.size]

    @property
    def unread(self) -> "FileSlice":
        """The same, without the bytes at hand."""
        return replace(self, file=replace(self.file, data=None))

    def stream(self) -> AsyncIterator[bytes]:
        """Yield the bytes."""
        return self.file.stream(self.start, self.size)


Source = bytes | FileSlice


@dataclass(slots=True)
class DataSink:
    """Where the data of an answer go."""

    is_multipart: bool
    mark: str
    """A text that occurs nowhere: random."""
    sources: list[Source] = field(default_factory=list)

    def part(self, source: Source) -> int:
        """Take the next part of a multipart answer and return its number."""
        self.sources.append(source)
        return len(self.sources)

    def data(self, piece: FileSlice) -> Element:
        """Return the element that brings *piece*: Part or Data."""
        source: Source = piece if piece.data is None else piece.data
        if self.is_multipart:
            return Element(TAG.Part, value=str(self.part(source)))
        if isinstance(source, bytes):
            return Element(TAG.Data, value=b2a_base64(source, newline=False).decode())
        self.sources.append(source)
        return Element(TAG.Data, value=self.mark)

    def answer(self, root: Element) -> Element | EasResponse:
        """Return the answer whose document is *root*."""
        if self.is_multipart:
            return self._multipart(encode(root))
        return self._inline(encode(root)) if self.sources else root

    def _multipart(self, document: bytes) -> EasResponse:
        head = multipart_header([len(document), *map(_size, self.sources)]) + document
        size = len(head) + sum(map(_size, self.sources))
        joined = [source for source in self.sources if isinstance(source, bytes)]
        if len(joined) == len(self.sources) and size <= WHOLE_BYTES_MAX:
            return EasResponse(body=head + b"".join(joined), content_type=CONTENT_TYPE_MULTIPART)
        return EasResponse(body=_parts(head, self.sources), content_type=CONTENT_TYPE_MULTIPART, size=size)

    def _inline(self, document: bytes) -> EasResponse:
        pieces = document.split(self.mark.encode())
        size = sum(map(len, pieces)) + sum((_size(source) + 2) // 3 * 4 for source in self.sources)
        return EasResponse(body=_between(pieces, self.sources), size=size)


def _size(source: Source) -> int:
    return len(source) if isinstance(source, bytes) else source.size


async def _parts(head: bytes, sources: list[Source]) -> AsyncIterator[bytes]:
    yield head
    for source in sources:
        async for piece in _pieces(source):
            yield piece


async def _between(pieces: list[bytes], sources: list[Source]) -> AsyncIterator[bytes]:
    yield pieces[0]
    for piece, source in zip(pieces[1:], sources, strict=True):
        left = b""
        async for data in _pieces(source):
            left += data
            whole = len(left) // 3 * 3
            yield b2a_base64(left[:whole], newline=False)
            left = left[whole:]
        yield b2a_base64(left, newline=False) + piece


async def _pieces(source: Source) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    async for piece in source.stream():
        yield piece
