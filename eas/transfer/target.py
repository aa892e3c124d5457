"""What an export writes to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from eas.transfer.marks import Marks


class TargetFailed(Exception):
    """It cannot be written as asked; says why, for whoever typed the command."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message on its way: pieces, then `end`, or `give_up`."""

    feed: Callable[[bytes], None]
    end: Callable[[], None]
    """The message counts from now on, or after the next `flush`."""
    give_up: Callable[[], None]


class Target(Protocol):
    """Folders of mail in files.  Everything raises `TargetFailed`, OSError."""

    def open(self) -> None:
        """Make the place if need be, and see what is there."""
        ...

    def folder(self, path: tuple[str, ...]) -> None:
        """Let what follows go into folder *path*, which is made if need be."""
        ...

    def has(self, item: str, marks: Marks, date_ms: int) -> bool:
        """Tell whether the item is there already, in whatever folder."""
        ...

    def write(self, item: str, marks: Marks, date_ms: int, size_bytes: int) -> Written:
        """Begin a message."""
        ...

    def flush(self) -> None:
        """Make what was written durable."""
        ...

    def close(self) -> None:
        """`flush`, and let go of everything."""
        ...
