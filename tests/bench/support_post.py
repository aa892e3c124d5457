"""Mail for a server that is measured, by LMTP."""

import socket
from secrets import token_hex
from typing import Final

from eas.demo.site import address

_MESSAGE: Final = (
    b"From: Friend <friend@example.net>\r\nTo: u@example.test\r\nSubject: Ring %d\r\n"
    b"Message-ID: <%b@example.net>\r\nDate: Mon, 01 Jan 2024 08:00:00 +0000\r\n\r\n" + b"Did it ring?\r\n" * 100
)


class Post:
    """A connection to LMTP that waits before the last byte of a message."""

    def __init__(self, lmtp: tuple[str, int]) -> None:
        self._socket = socket.create_connection(lmtp)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        self._reply()
        self._say(b"LHLO bench.test\r\n")
        self._count = 0

    def prepare(self, account: int) -> None:
        """Send a message but for its last byte."""
        self._count += 1
        self._say(b"MAIL FROM:<friend@example.net>\r\n")
        self._say(b"RCPT TO:<%b>\r\n" % address(account).encode())
        self._say(b"DATA\r\n")
        self._socket.sendall(_MESSAGE % (self._count, token_hex(8).encode()) + b".\r")

    def finish(self) -> None:
        """Send the last byte."""
        self._socket.sendall(b"\n")

    def delivered(self) -> None:
        if not (reply := self._reply()).startswith(b"250"):
            raise AssertionError(reply)

    def deliver(self, account: int) -> None:
        """Deliver a message."""
        self.prepare(account)
        self.finish()
        self.delivered()

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def _say(self, line: bytes) -> None:
        self._socket.sendall(line)
        if (reply := self._reply())[:1] not in b"23":
            raise AssertionError(reply)

    def _reply(self) -> bytes:
        while (line := self._replies.readline())[3:4] == b"-":
            pass
        return line
