"""What an import reads from: folders, and letters in them whose bytes come when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eas.transfer.line_ends import Buffer
from eas.transfer.marks import Marks


class SourceFailed(Exception):
    """Nothing more can be read; says why, for whoever typed the command."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A letter that cannot be read, and why; *is_gone*: it was removed while we were looking."""

    why: str
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of a source, not read yet."""

    where: str
    """For people."""
    key: object
    """For the source alone."""
    marks: Marks
    date_ms: int | None
    """When it came, if the source knows."""
    size_bytes: int
    identity: str = ""
    """What names this very message for ever, where the source has such a thing; else its bytes do."""


INBOX_PATH = ("INBOX",)


def path_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the path of folder *names*, from the top: the Inbox is one, however it is written."""
    return (*INBOX_PATH, *names[1:]) if names and names[0].casefold() == "inbox" else tuple(names)


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of a source.  Two of one path become one folder."""

    path: tuple[str, ...]
    """As `path_of` says."""
    key: object = field(compare=False)
    role: str = ""
    """The id of the default folder that it is (`inbox`, `sent` …), if the source says so."""
    total: int | None = None
    """How many letters are in it, if that is known beforehand."""


class Source(Protocol):
    """Blocks: called in a thread, one call at a time.  Everything raises `SourceFailed`, OSError."""

    left_out: list[str]
    """What was not taken, for people."""

    def folders(self) -> list[Found]:
        """Return all folders."""
        ...

    def letters(self, folder: Found) -> Iterator[Letter]:
        """Yield the letters of a folder, in an order that stays the same."""
        ...

    def load(self, letters: Sequence[Letter]) -> list[Buffer | Unreadable]:
        """Return the bytes of *letters* of one folder, with CRLF line ends."""
        ...

    def close(self) -> None:
        """Let go of everything; also while another thread is in a call, which then fails."""
        ...
