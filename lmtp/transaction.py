"""A mail transaction: what MAIL begins and its outcomes, RSET or LHLO end; and the questions that arise in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lmtp.command import Mail
from lmtp.content import ChunkReader, ChunkText, DotReader
from lmtp.spool import Spool

R = TypeVar("R")
"""Whatever the directory makes of an address."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """Is there a mailbox for this address, with room?  `size_bytes` is what the peer declared, 0 if nothing."""

    address: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Delivery(Generic[R]):
    """A whole message.  Every recipient gets a reply, one given twice gets two (RFC 2033 4.2)."""

    client: str
    """What the peer called itself in LHLO."""
    sender: str
    """Empty for a bounce."""
    utf8: bool
    """Envelope and headers may be UTF-8 (RFC 6531)."""
    recipients: tuple[R, ...]
    """What `Session.accept` was given, in order; never empty."""
    spool: Spool
    """The message; open until the delivery is settled."""


class Transaction(Generic[R]):
    """Sender, recipients, and the message as it comes in."""

    __slots__ = ("_new_spool", "_text", "mail", "recipients", "spool")

    def __init__(self, mail: Mail, new_spool: Callable[[], Spool]) -> None:
        self.mail = mail
        self.recipients: list[R] = []
        self.spool: Spool | None = None
        self._new_spool = new_spool
        self._text: ChunkText | None = None

    @property
    def has_chunks(self) -> bool:
        """True from the first BDAT on: DATA and further recipients are too late (RFC 3030)."""
        return self._text is not None

    def read_dotted(self) -> DotReader:
        """DATA: return what takes the message."""
        self.spool = self._new_spool()
        return DotReader(self.spool.write)

    def read_chunk(self, size_bytes: int) -> ChunkReader:
        """BDAT: return what takes the next bytes of the message."""
        if self._text is None:
            self.spool = self._new_spool()
            self._text = ChunkText(self.spool.write)
        return ChunkReader(size_bytes, self._text.write)

    def finish(self) -> Spool:
        """Return the message, now whole."""
        if self.spool is None:
            raise RuntimeError("no message was begun")
        if self._text is not None:
            self._text.flush()
        return self.spool

    def close(self) -> None:
        """Let go of the message."""
        if self.spool is not None:
            self.spool.close()
