"""Writes mboxes that a killed run leaves whole, and that a second run goes on with.

Beside `Lists.mbox` lies `Lists.mbox.petitbleu`, a log of lines: `begin <size>` before anything is appended to the mbox,
`item <id>` for each message, `end <size>` after both are synced.  A log that does not end in `end` is one whose
run was killed: the mbox is cut back to the last size noted, and the items after it do not count.  An mbox that has
another size than was noted was changed by somebody else: nothing is written to it.
"""

import os
from pathlib import Path
from typing import BinaryIO

from eas.transfer.marks import Marks
from eas.transfer.mbox_text import Quoter, from_line, marking_lines
from eas.transfer.names import quoted
from eas.transfer.target import TargetFailed, Written

LOG_ENDING = ".petitbleu"
NAME_BYTES_MAX = 230


class MboxTarget:
    """A directory of mboxes; see `Target`."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._known: set[str] = set()
        self._pending: list[str] = []
        self._mbox: BinaryIO | None = None
        self._log: BinaryIO | None = None
        self._is_begun = False

    def open(self) -> None:
        """See `Target.open`."""
        self._top.mkdir(parents=True, exist_ok=True)
        for log in sorted(self._top.rglob(f"*.mbox{LOG_ENDING}")):
            self._known.update(_recovered(log))

    def folder(self, path: tuple[str, ...]) -> None:
        """See `Target.folder`."""
        self.close()
        names = [_fit(name) for name in path]
        directory = self._top.joinpath(*names[:-1])
        directory.mkdir(parents=True, exist_ok=True)
        mbox = directory / f"{names[-1]}.mbox"
        log = Path(f"{mbox}{LOG_ENDING}")
        if mbox.exists() and not log.exists() and mbox.stat().st_size:
            raise TargetFailed(f"{mbox} is there, and was not written by an export: choose another directory")
        self._mbox, self._log = mbox.open("ab"), log.open("ab")
        if not self._log.tell():
            self._note(f"end {self._mbox.tell()}")

    def has(self, item: str, _marks: Marks, _date_ms: int) -> bool:
        """See `Target.has`.  Marks and folder stay as they were written."""
        return item in self._known

    def write(self, item: str, marks: Marks, date_ms: int, size_bytes: int) -> Written:
        """See `Target.write`."""
        assert self._mbox is not None  # noqa: S101  # after `folder`
        mbox, quoter = self._mbox, Quoter()
        if not self._is_begun:
            self._note(f"begin {mbox.tell()}")
            self._is_begun = True
        start = mbox.tell()
        mbox.write(from_line(date_ms) + marking_lines(marks, date_ms, size_bytes))

        def end() -> None:
            mbox.write(quoter.finish())
            self._pending.append(item)

        def give_up() -> None:
            mbox.flush()
            mbox.truncate(start)
            mbox.seek(start)

        return Written(lambda piece: _all(mbox.write(quoter.feed(piece))), end, give_up)

    def flush(self) -> None:
        """See `Target.flush`."""
        if self._mbox is None or not self._is_begun:
            return
        self._mbox.flush()
        os.fsync(self._mbox.fileno())
        self._note(*(f"item {item}" for item in self._pending), f"end {self._mbox.tell()}")
        self._known.update(self._pending)
        self._pending, self._is_begun = [], False

    def _note(self, *lines: str) -> None:
        assert self._log is not None  # noqa: S101
        self._log.write("".join(f"{line}\n" for line in lines).encode())
        self._log.flush()
        os.fsync(self._log.fileno())

    def close(self) -> None:
        """See `Target.close`."""
        self.flush()
        for file in (self._mbox, self._log):
            if file is not None:
                file.close()
        self._mbox = self._log = None


def _recovered(log: Path) -> list[str]:
    """Return the items that an mbox holds for certain, and cut off what a killed run left.  Raises `TargetFailed`."""
    mbox = Path(str(log).removesuffix(LOG_ENDING))
    items: list[str] = []
    pending: list[str] = []
    size, kept, at, is_open = 0, 0, 0, False
    for line in log.read_bytes().splitlines(keepends=True):
        at += len(line)
        word, _, value = line.decode("ascii", "replace").rstrip("\n").partition(" ")
        if not line.endswith(b"\n"):
            break
        if word == "item":
            pending.append(value)
        elif word == "begin":
            is_open = True
        elif word == "end" and value.isdigit():
            items, pending, size, kept, is_open = items + pending, [], int(value), at, False
    present = mbox.stat().st_size if mbox.exists() else 0
    if is_open and present >= size:
        os.truncate(mbox, size)
    elif present != size:
        raise TargetFailed(f"{mbox} was changed by another program since it was exported: choose another directory")
    os.truncate(log, kept)
    return items


def _fit(name: str) -> str:
    text = quoted(name)
    if text.lower().endswith((".mbox", ".sbd")):
        text = "%2E".join(text.rpartition(".")[::2])
    if len(text) > NAME_BYTES_MAX:
        raise TargetFailed(f"the folder {name!r} has too long a name for a file: rename it")
    return text


def _all(_written: int) -> None:
    """A buffered file takes all or raises."""
