"""Reads mboxes: a file, or a directory of them (`Lists.mbox` beside `Lists/`, or `Lists` beside `Lists.sbd/`)."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from eas.transfer.line_ends import PIECE_BYTES, Buffer, gathered, to_crlf
from eas.transfer.mbox_text import (
    FROM_LINE,
    HEADER_BYTES_MAX,
    date_of,
    is_internal,
    read_marks,
    unquoted,
    without_marks,
)
from eas.transfer.names import read_name
from eas.transfer.names import unquoted as plain_name
from eas.transfer.source import Found, Letter, SourceFailed, Unreadable, path_of

LINE_BYTES = 64 << 10
DEPTH_MAX = 50
_ENDINGS = (".mbox", ".sbd")


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    start: int
    """After the From_ line."""
    end: int
    size_bytes: int | None
    """Of the message as it was, if its writer was ours."""


class MboxSource:
    """One mbox, or all at and below a directory."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self.left_out: list[str] = []

    def folders(self) -> list[Found]:
        """See `Source.folders`."""
        if not self._top.is_dir():
            with self._top.open("rb") as file:
                if not _is_mbox(file):
                    raise SourceFailed(f"{self._top} is no mbox: it does not begin with `From `")
            return [Found(path_of((_name(self._top),)), self._top)]
        found = [Found(path_of(path), file) for path, file in self._mboxes(self._top, ())]
        if not found:
            raise SourceFailed(f"{self._top} holds no mbox")
        return found

    def _mboxes(self, directory: Path, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            inner = Path(entry.path)
            if entry.is_dir():
                if len(path) < DEPTH_MAX:
                    yield from self._mboxes(inner, (*path, _name(inner)))
            elif entry.is_file():
                with inner.open("rb") as file:
                    if _is_mbox(file):
                        yield (*path, _name(inner)), inner

    def letters(self, folder: Found) -> Iterator[Letter]:
        """See `Source.letters`; in the order of the file."""
        path = folder.key
        assert isinstance(path, Path)  # noqa: S101  # `folders` put it there
        with path.open("rb") as file:
            for number, (line, start, end, header) in enumerate(_messages(file), 1):
                if is_internal(header):
                    continue
                marks, date_ms, size_bytes = read_marks(header)
                place = _Place(path, start, end, size_bytes)
                yield Letter(f"{path}, message {number}", place, marks, date_ms or date_of(line), end - start)

    def load(self, letters: Sequence[Letter]) -> list[Buffer | Unreadable]:
        """See `Source.load`."""
        loaded: list[Buffer | Unreadable] = []
        for letter in letters:
            place = letter.key
            assert isinstance(place, _Place)  # noqa: S101
            try:
                with place.path.open("rb") as file:
                    pieces = _pieces(file, place)
                    is_ours = place.size_bytes is not None  # then each LF was a CRLF, also one after a CR
                    content = gathered((p.replace(b"\n", b"\r\n") for p in pieces) if is_ours else to_crlf(pieces))
            except OSError as error:
                loaded.append(Unreadable(error.strerror or str(error)))
                continue
            if place.size_bytes is not None and len(content) == place.size_bytes + 2:
                content = content[: place.size_bytes] if isinstance(content, bytes) else _cut(content, place.size_bytes)
            loaded.append(content)
        return loaded

    def close(self) -> None:
        """See `Source.close`."""


def _name(path: Path) -> str:
    name = path.name
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    return read_name(plain_name(name).encode("utf-8", "surrogateescape")) if "%" not in name else plain_name(name)


def _is_mbox(file: BinaryIO) -> bool:
    """Tell whether *file* begins as an mbox does; an empty one is one."""
    line = file.readline(LINE_BYTES)
    return not line or FROM_LINE.match(line) is not None


def _messages(file: BinaryIO) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Yield each message: its From_ line, where it begins and ends (without the empty line), and its header."""
    line, at = file.readline(LINE_BYTES), 0
    header: list[bytes] = []
    envelope, start, end, held = b"", 0, 0, 0
    is_header, after_empty, is_begin = False, True, True
    while line:
        if is_begin and after_empty and line.startswith(b"From ") and FROM_LINE.match(line):
            if envelope:
                yield envelope, start, max(start, end), b"".join(header)
            envelope, header, is_header, held = line, [], True, 0
            start = end = at + len(line)
        else:
            is_empty = is_begin and line in (b"\n", b"\r\n")
            if is_header:
                is_header = not is_empty and held + len(line) <= HEADER_BYTES_MAX
                if is_header:
                    header.append(line)
                    held += len(line)
            # The empty line that ends a message is not of it; one more is.
            end = at if is_empty else at + len(line)
            after_empty = is_empty
        at += len(line)
        is_begin = line.endswith(b"\n")
        line = file.readline(LINE_BYTES)
    if envelope:
        yield envelope, start, max(start, end), b"".join(header)


def _pieces(file: BinaryIO, place: _Place) -> Iterator[bytes]:
    """Yield the message without marks and quoting, in pieces of whole lines where lines have an end in time."""
    file.seek(place.start)
    left = place.end - place.start
    held = file.read(min(left, HEADER_BYTES_MAX))
    left -= len(held)
    head, empty, rest = _divided(held)
    yield unquoted(without_marks(head)) + empty
    held, is_begin = rest, head.endswith(b"\n") or bool(empty)
    while held or left:
        piece = file.read(min(left, PIECE_BYTES))
        left -= len(piece)
        held += piece
        cut = (held.rfind(b"\n") + 1 or len(held)) if left and piece else len(held)
        text, held = held[:cut], held[cut:]
        first = 0 if is_begin else text.find(b"\n") + 1 or len(text)
        yield text[:first] + unquoted(text[first:])
        is_begin = text.endswith(b"\n")
        if not piece and left:  # the file was cut meanwhile
            return


def _divided(text: bytes) -> tuple[bytes, bytes, bytes]:
    for empty in (b"\n\n", b"\r\n\r\n"):
        head, found, rest = text.partition(empty)
        if found:
            half = len(empty) // 2
            return head + empty[:half], empty[half:], rest
    return text, b"", b""


def _cut(content: Buffer, size_bytes: int) -> Buffer:
    return gathered(bytes(content[at : min(at + PIECE_BYTES, size_bytes)]) for at in range(0, size_bytes, PIECE_BYTES))
