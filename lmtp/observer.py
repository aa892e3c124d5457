"""What may be counted and logged; whoever does so stays outside this package."""

from typing import Protocol

from lmtp.reply import Reply


class Observer(Protocol):
    """Is told what happens.  No addresses, no contents.  Must return soon and not raise."""

    def delivered(self, size_bytes: int, seconds: float, *, junk: bool) -> None:
        """A message is durable in one account, *seconds* after it was whole."""
        ...

    def refused(self, reply: Reply) -> None:
        """A recipient or a deposit got an error."""
        ...

    def failed(self, error: Exception) -> None:
        """Something happened that nobody foresaw: our fault.  The peer was told 451."""
        ...


class Silent:
    """The observer that nobody set."""

    def delivered(self, size_bytes: int, seconds: float, *, junk: bool) -> None:
        """Nothing."""

    def refused(self, reply: Reply) -> None:
        """Nothing."""

    def failed(self, error: Exception) -> None:
        """Nothing."""
