"""Reads Maildirs: one alone, Maildir++ (`.Lists.Python`), or directories inside each other."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eas.transfer import keywords
from eas.transfer.line_ends import PIECE_BYTES, Buffer, gathered, to_crlf
from eas.transfer.maildir_names import KEYWORDS_FILE, folder_path, marks_of_name, read_keywords, unique_of
from eas.transfer.marks import bounded
from eas.transfer.source import Found, Letter, SourceFailed, Unreadable, path_of

_PARTS = ("cur", "new")
_INSIDE = {"cur", "new", "tmp"}
DEPTH_MAX = 50


@dataclass(frozen=True, slots=True)
class _File:
    directory: Path
    unique: str
    name: str


class MaildirSource:
    """The Maildirs at and below a directory."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self.left_out: list[str] = []

    def folders(self) -> list[Found]:
        """See `Source.folders`.  The directory itself, if it is a Maildir, is the Inbox."""
        found = [
            Found(path, directory, total=sum(len(_files(directory / part)) for part in _PARTS))
            for path, directory in self._maildirs(self._top, ())
        ]
        if not found:
            raise SourceFailed(f"{self._top} holds no Maildir: no directory with `cur` in it")
        return found

    def _maildirs(self, directory: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
        if (directory / "cur").is_dir():
            yield path_of(folder_path(parts) or ("INBOX",)), directory
        if len(parts) >= DEPTH_MAX:
            return
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False) and entry.name not in _INSIDE:
                yield from self._maildirs(directory / entry.name, (*parts, entry.name))

    def letters(self, folder: Found) -> Iterator[Letter]:
        """See `Source.letters`; oldest first, as far as names tell."""
        directory = folder.key
        assert isinstance(directory, Path)  # noqa: S101  # `folders` put it there
        words = _keywords(directory)
        files = [(name, part) for part in _PARTS for name in _files(directory / part)]
        for name, part in sorted(files):
            path = directory / part / name
            try:
                status = path.stat()
            except FileNotFoundError:  # renamed meanwhile: `load` would look for it, but its marks changed, too
                continue
            marks = marks_of_name(name, words)
            date_ms = bounded(status.st_mtime_ns // 1_000_000)
            yield Letter(str(path), _File(directory, unique_of(name), name), marks, date_ms, status.st_size)

    def load(self, letters: Sequence[Letter]) -> list[Buffer | Unreadable]:
        """See `Source.load`."""
        return [self._load(letter.key) for letter in letters]

    @staticmethod
    def _load(key: object) -> Buffer | Unreadable:
        assert isinstance(key, _File)  # noqa: S101
        path = _found(key)
        if path is None:
            return Unreadable("is gone", is_gone=True)
        try:
            with path.open("rb") as file:
                return gathered(to_crlf(iter(lambda: file.read(PIECE_BYTES), b"")))
        except FileNotFoundError:
            return Unreadable("is gone", is_gone=True)
        except OSError as error:
            return Unreadable(error.strerror or str(error))

    def close(self) -> None:
        """See `Source.close`."""


def _found(key: _File) -> Path | None:
    """Return where the message is: mail programs rename files when marks change."""
    for part in _PARTS:
        path = key.directory / part / key.name
        if path.exists():
            return path
    for part in _PARTS:
        for name in _files(key.directory / part):
            if unique_of(name) == key.unique:
                return key.directory / part / name
    return None


def _files(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(directory) if entry.name[0] != "." and entry.is_file()]
    except FileNotFoundError:
        return []


def _keywords(directory: Path) -> list[str]:
    try:
        words = read_keywords((directory / KEYWORDS_FILE).read_text("utf-8", "replace"))
    except OSError:
        return []
    return [next(iter(keywords.categories_of([word])), "") for word in words]
