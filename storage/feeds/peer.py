"""What one process of the machine's feed sends to one other, and the datagrams it sends.

A datagram is msgpack: [[account, writer, n], …], or nil for `News.rescan`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import msgpack

from storage.feeds.feed import News

DATAGRAM_NEWS_MAX = 64
DATAGRAM_BYTES_MAX = 16 << 10  # a longer one is not ours
HELD_NEWS_MAX = 1024  # more become `News.rescan`
_PATH_BYTES_MAX = 100  # sun_path holds 108 with its end; see unix(7)
_RESCAN: bytes = msgpack.packb(None)

Batch = dict[tuple[str, str], int]
"""(account, writer) → highest n."""


class PeerGone(Exception):
    """The process of this socket has ended; `is_dead`: without taking the socket with it."""

    def __init__(self, is_dead: bool) -> None:
        super().__init__()
        self.is_dead = is_dead


class Peer:
    """A process that is to hear our news, and what it has not heard.

    Each peer has a socket of ours: what waits in its buffer counts against the sender's, and one that does not read
    would else keep us from sending to the others.
    """

    def __init__(self, folder: SocketFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._socket: socket.socket | None = None
        self._held: Batch | None = {}  # None: everything

    @property
    def is_waiting(self) -> bool:
        """Whether something is held that did not leave yet."""
        return self._held != {}

    def hold(self, news: Mapping[tuple[str, str], int]) -> None:
        """Add news to what is to be sent."""
        if self._held is not None:
            merge(self._held, news)
            if len(self._held) > HELD_NEWS_MAX:
                self._held = None

    def send(self) -> None:
        """Send what is held, as far as the peer's buffer takes it.  Raises `PeerGone`, or OSError to try later."""
        try:
            if self._socket is None:
                self._socket = self._folder.connect(self._name)
            while held := self._held:
                keys = list(held)[:DATAGRAM_NEWS_MAX]
                self._socket.send(encode({key: held[key] for key in keys}))
                for key in keys:
                    del held[key]
            if held is None:
                self._socket.send(_RESCAN)
                self._held = {}
        except BlockingIOError:
            return
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise PeerGone(isinstance(error, ConnectionRefusedError)) from error

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()


class SocketFolder:
    """A folder of sockets; connects to them and binds them by paths that are short enough, however deep it lies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def bind(self, name: str) -> socket.socket:
        """Return a new socket that receives what others send to *name*."""
        return self._open(name, socket.socket.bind)

    def connect(self, name: str) -> socket.socket:
        """Return a new socket that sends to *name*."""
        return self._open(name, socket.socket.connect)

    def names(self) -> list[str]:
        """Return the names of the sockets."""
        return [name for name in os.listdir(self._descriptor) if name.endswith(".sock")]

    def remove(self, name: str) -> None:
        """Remove a socket."""
        os.unlink(name, dir_fd=self._descriptor)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._descriptor)

    def _open(self, name: str, attach: Callable[[socket.socket, str], None]) -> socket.socket:
        path = str(self._path / name)
        if len(os.fsencode(path)) > _PATH_BYTES_MAX:
            path = f"/proc/self/fd/{self._descriptor}/{name}"
        new = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            attach(new, path)
        except BaseException:
            new.close()
            raise
        return new


def merge(batch: Batch, news: Mapping[tuple[str, str], int]) -> None:
    """Add *news* to *batch*."""
    for key, n in news.items():
        batch[key] = max(n, batch.get(key, 0))


def encode(news: Mapping[tuple[str, str], int]) -> bytes:
    """Return the datagram; what no datagram can say becomes `News.rescan`."""
    try:
        datagram: bytes = msgpack.packb([(*key, n) for key, n in news.items()])
    except (ValueError, OverflowError):  # not Unicode, over 64 bits
        return _RESCAN
    return datagram if len(datagram) <= DATAGRAM_BYTES_MAX else _RESCAN


def decode(datagram: bytes) -> list[News]:
    """Return what a datagram says; nothing if it is garbage."""
    if len(datagram) > DATAGRAM_BYTES_MAX:
        return []
    try:
        message = msgpack.unpackb(datagram)
    except (ValueError, TypeError):  # whatever msgpack raises is one of them
        return []
    if message is None:
        return [News.rescan]
    return [News(*item) for item in message if _is_news(item)] if isinstance(message, list) else []


def _is_news(item: object) -> bool:
    match item:
        case [str(), str(), int()]:
            return True
    return False
