"""What a site may choose about mail coming in."""

import re
import socket
from dataclasses import dataclass
from typing import Annotated

from storage.toml_tables import Between

SOCKET_MODE = 0o660

_UNIX = re.compile(r"unix:(/[^,]+)(?:,mode=([0-7]{3,4}))?")
_TCP = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\],/]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host name or address, and a port (0: any free one)."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket's path and its permissions."""

    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of incoming mail.

    Raises ValueError for values that cannot work.
    """

    listen: tuple[str, ...] = ("127.0.0.1:2424",)
    """Where Postfix delivers: `host:port`, `[IPv6]:port`, or `unix:/path`, optionally with `,mode=660`.  There is no
    password: whoever reaches it may deliver mail, so keep it on loopback, a private network or a Unix socket."""

    hostname: str = ""
    """The name in the greeting and in Received lines; empty: this machine's."""

    size_bytes_max: Annotated[int, Between(65_536, 1 << 31)] = 52_428_800  # RFC 5321 4.5.3.1.7 wants 64 KiB at least
    """The largest message taken, in bytes.  Keep Postfix's `message_size_limit` at or under it."""

    recipients_max: Annotated[int, Between(100, 100_000)] = 1000  # RFC 5321 4.5.3.1.8 wants 100 at least
    """How many recipients one message may have; the others are asked to come in another transaction."""

    sessions_max: Annotated[int, Between(1, 100_000)] = 500
    """How many connections are held at once; further ones are asked to come back."""

    spool_directory: str = ""
    """Where messages over 1 MiB wait, in unlinked files, until stored; empty: the system's temporary folder."""

    def __post_init__(self) -> None:
        for text in self.listen:
            parse_listen(text)
        if self.hostname and not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", self.hostname):
            raise ValueError(f"not a host name: {self.hostname!r}")

    @property
    def name(self) -> str:
        """The host name to show: the one set, or this machine's."""
        return self.hostname or socket.getfqdn()


def parse_listen(text: str) -> TcpAddress | UnixAddress:
    """Read one entry of `Settings.listen`.  Raises ValueError."""
    if found := _UNIX.fullmatch(text):
        return UnixAddress(found[1], int(found[2], 8) if found[2] else SOCKET_MODE)
    if (found := _TCP.fullmatch(text)) and int(found[3]) <= 65_535:
        return TcpAddress(found[1] or found[2], int(found[3]))
    raise ValueError(f"listen wants host:port or unix:/path[,mode=660], not {text!r}")
