"""The tree of a MIME message, found by searching boundaries; nothing is decoded and nothing is copied but headers.

Whatever the bytes are, the leaves come out in order, lie inside the message, and are at most `PARTS_MAX`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from storage.message.headers import Buffer, Headers, read_headers
from storage.message.parameters import parse_field

DEPTH_MAX = 50  # a multipart below it is one leaf
PARTS_MAX = 500  # what follows in a multipart is one leaf
DELIMITERS_MAX = 20_000  # places that look like one, in the whole message; what follows them is not divided

_BOUNDARY_BYTES_MAX = 200  # RFC 2046 5.1.1 allows 70
_SNIFFED_BYTES = 1024
_DELIMITER_END = re.compile(rb"(--)?[ \t]*(\r?\n|\Z)")
_SNIFF = re.compile(rb"(?:\A|\n)--([^\s-][^\r\n]{0,69}?)[ \t]*\r?\n[A-Za-z-]{1,40}:")


@dataclass(frozen=True, slots=True)
class Container:
    """A multipart on the way from the root to a leaf."""

    subtype: str  # "mixed", "alternative" …
    path: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that is not divided further, with what its header says."""

    path: str
    headers: Headers
    content_type: str
    parameters: dict[str, str]
    header_start: int
    start: int
    end: int
    containers: tuple[Container, ...]  # from the root down


def split(data: Buffer) -> tuple[Headers, int, list[Leaf]]:
    """The header of the message, the offset of its content, and the leaves of its tree."""
    end = len(data)
    headers, start = read_headers(data, 0, end)
    walk = _Walk(data)
    walk.part(headers, 0, start, end, "", (), "text/plain")
    return headers, start, walk.leaves


class _Walk:
    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.leaves: list[Leaf] = []
        self.delimiters = 0

    def part(
        self,
        headers: Headers,
        header_start: int,
        start: int,
        end: int,
        path: str,
        containers: tuple[Container, ...],
        default_type: str,
    ) -> None:
        content_type, parameters = parse_field(headers.first(b"content-type"))
        if "/" not in content_type:
            content_type = {"text": "text/plain", "html": "text/html"}.get(content_type, default_type)
        if content_type.startswith("multipart/"):
            boundary, first = self._boundary(parameters, start, end)
            if boundary and len(containers) < DEPTH_MAX:
                before = len(self.leaves)
                subtype = content_type.removeprefix("multipart/")
                self._children(boundary, first, end, path, (*containers, Container(subtype, path, parameters)))
                if len(self.leaves) > before:
                    return  # else there was a closing delimiter alone
            content_type = "text/plain"
        leaf = Leaf(path or "1", headers, content_type, parameters, header_start, start, end, containers)
        self.leaves.append(leaf)

    def _boundary(self, parameters: dict[str, str], start: int, end: int) -> tuple[bytes, int]:
        """The boundary that the content really has, and where it begins; the declared one, else what looks like one.

        b"" where there is none.
        """
        declared = parameters.get("boundary", "").encode()
        if 0 < len(declared) <= _BOUNDARY_BYTES_MAX:
            for found, _, _ in self._delimiters(declared, start, end):
                return declared, found
        match = _SNIFF.search(bytes(self.data[start : min(start + _SNIFFED_BYTES, end)]))
        return (match[1], start + match.start(1) - 2) if match else (b"", start)

    def _delimiters(self, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Where each delimiter line begins and ends, and whether it is the closing one."""
        wanted = b"--" + boundary
        position = start
        while self.delimiters < DELIMITERS_MAX and (found := self.data.find(wanted, position, end)) >= 0:
            self.delimiters += 1
            position = found + len(wanted)
            if found > start and self.data[found - 1 : found] != b"\n":
                continue
            line = bytes(self.data[position : min(position + 100, end)])
            match = _DELIMITER_END.match(line)
            if match:
                position += match.end()
                yield found, position, match[1] is not None

    def _children(self, boundary: bytes, start: int, end: int, path: str, containers: tuple[Container, ...]) -> None:
        default = "message/rfc822" if containers[-1].subtype == "digest" else "text/plain"
        begin: int | None = None
        number = 0
        for found, after, is_last in self._delimiters(boundary, start, end):
            if begin is not None:
                number += 1
                self._child(begin, self._before_line_end(begin, found), f"{path}.{number}", containers, default)
            begin = None if is_last else after
            if is_last:
                break
            if len(self.leaves) >= PARTS_MAX - 1:
                break
        if begin is not None and (
            begin < end or not number
        ):  # the closing delimiter is missing, or there are too many parts
            self._child(begin, end, f"{path}.{number + 1}", containers, default)

    def _child(self, begin: int, end: int, path: str, containers: tuple[Container, ...], default: str) -> None:
        path = path.removeprefix(".")
        if len(self.leaves) >= PARTS_MAX:
            return
        headers, start = read_headers(self.data, begin, end)
        self.part(headers, begin, min(start, end), end, path, containers, default)

    def _before_line_end(self, begin: int, found: int) -> int:
        """The line end before a delimiter belongs to the delimiter (RFC 2046 5.1.1)."""
        if found - 1 >= begin:
            found -= 1
            if found - 1 >= begin and self.data[found - 1 : found] == b"\r":
                found -= 1
        return found
