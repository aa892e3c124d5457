"""Writes a Maildir++, so that a second run adds what is new and a killed one leaves nothing that counts.

A file's unique part is `<seconds>.<item>.petitbleu`: what is there is found by its name.  A message is written below
`tmp`, synced, dated, and only then renamed into `cur`.  A mail that was moved or marked since the last run is renamed.
"""

import os
import re
from pathlib import Path

from eas.transfer.keywords import keyword_of
from eas.transfer.maildir_names import (
    KEYWORDS_FILE,
    KEYWORDS_MAX,
    NAME_BYTES_MAX,
    folder_name,
    info_of,
    read_keywords,
    unique_of,
)
from eas.transfer.marks import Marks
from eas.transfer.target import TargetFailed, Written

_OURS = re.compile(r"[0-9]+\.(?P<item>[0-9a-z]{1,64})\.petitbleu")


class MaildirTarget:
    """A directory that becomes a Maildir++; see `Target`."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._known: dict[str, Path] = {}
        self._keywords: dict[Path, list[str]] = {}
        self._directory = top

    def open(self) -> None:
        """See `Target.open`."""
        self._top.mkdir(parents=True, exist_ok=True)
        for directory in (self._top, *sorted(self._top.glob(".*/"))):
            for part in ("cur", "new"):
                for name in _listed(directory / part):
                    if ours := _OURS.fullmatch(unique_of(name)):
                        self._known[ours["item"]] = directory / part / name

    def folder(self, path: tuple[str, ...]) -> None:
        """See `Target.folder`."""
        is_inbox = [name.casefold() for name in path] == ["inbox"]
        name = "" if is_inbox else folder_name(path)
        if len(os.fsencode(name)) > NAME_BYTES_MAX:
            raise TargetFailed(
                f"the folder {'/'.join(path)!r} has too long a name for a Maildir: rename it, or use mbox"
            )
        self._directory = self._top / name
        for part in ("tmp", "new", "cur"):  # `cur` last: with it the directory counts as a Maildir
            (self._directory / part).mkdir(parents=True, exist_ok=True)
        if not is_inbox:
            (self._directory / "maildirfolder").touch()

    def has(self, item: str, marks: Marks, date_ms: int) -> bool:
        """See `Target.has`.  What was moved or marked since is renamed."""
        known = self._known.get(item)
        if known is None:
            return False
        wanted = self._directory / "cur" / self._name(item, marks, date_ms)
        if known != wanted:
            try:
                known.rename(wanted)
            except FileNotFoundError:  # somebody removed or marked it meanwhile
                return False
            self._known[item] = wanted
        return True

    def write(self, item: str, marks: Marks, date_ms: int, size_bytes: int) -> Written:
        """See `Target.write`."""
        name = self._name(item, marks, date_ms)
        temporary, wanted = self._directory / "tmp" / unique_of(name), self._directory / "cur" / name
        file = temporary.open("wb")

        def end() -> None:
            file.flush()
            os.fsync(file.fileno())
            file.close()
            os.utime(temporary, ns=(date_ms * 1_000_000, date_ms * 1_000_000))
            temporary.rename(wanted)
            self._known[item] = wanted

        def give_up() -> None:
            file.close()
            temporary.unlink(missing_ok=True)

        return Written(lambda piece: _all(file.write(piece)), end, give_up)

    def flush(self) -> None:
        """See `Target.flush`: the directory's entries."""
        for part in ("cur",):
            descriptor = os.open(self._directory / part, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """See `Target.close`."""
        if self._directory.exists():
            self.flush()

    def _name(self, item: str, marks: Marks, date_ms: int) -> str:
        return f"{date_ms // 1000}.{item}.petitbleu{info_of(self._lettered(marks), self._words(marks))}"

    def _lettered(self, marks: Marks) -> Marks:
        categories = tuple(keyword_of(category) for category in marks.categories)
        return Marks(marks.read, marks.answered, marks.forwarded, marks.flagged, marks.draft, categories=categories)

    def _words(self, marks: Marks) -> list[str]:
        """Return the folder's keywords, those of *marks* among them as long as letters last."""
        file = self._directory / KEYWORDS_FILE
        words = self._keywords.get(self._directory)
        if words is None:
            words = read_keywords(file.read_text("utf-8", "replace")) if file.exists() else [""] * KEYWORDS_MAX
            self._keywords[self._directory] = words
        new = [word for word in map(keyword_of, marks.categories) if word not in words]
        for word in new:
            if "" in words:
                words[words.index("")] = word
        if new:
            file.write_text("".join(f"{number} {word}\n" for number, word in enumerate(words) if word), "utf-8")
        return words


def _all(_written: int) -> None:
    """A buffered file takes all or raises."""


def _listed(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
