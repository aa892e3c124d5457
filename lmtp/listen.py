"""Listening sockets.  Opened before processes fork or privileges drop, and then given to `lmtp.server`."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable

from lmtp.settings import TcpAddress, UnixAddress, parse_listen

BACKLOG = 128


def open_sockets(listen: Iterable[str], *, reuse_port: bool = False) -> list[socket.socket]:
    """Bind and listen on each address of `Settings.listen`.  Raises OSError, and then leaves none open.

    With *reuse_port* several processes may each open the same TCP address, and the kernel spreads connections.
    """
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for text in listen:
            address = parse_listen(text)
            new = _open_unix(address) if isinstance(address, UnixAddress) else _open_tcp(address, reuse_port)
            for sock in new:
                opened.enter_context(sock)
            sockets.extend(new)
        opened.pop_all()
    return sockets


def _open_tcp(address: TcpAddress, reuse_port: bool) -> list[socket.socket]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_server(where[:2], family=family, backlog=BACKLOG, reuse_port=reuse_port))
            for family, where in dict.fromkeys((entry[0], entry[4]) for entry in found)
        ]
        opened.pop_all()
    return sockets


def _open_unix(address: UnixAddress) -> list[socket.socket]:
    """Bind beside the path, set the mode, then rename: never open to others, and a dead server's socket is replaced."""
    _refuse_if_alive(address.path)
    beside = f"{address.path}.{os.getpid()}"
    with contextlib.ExitStack() as opened:
        sock = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        sock.bind(beside)
        os.chmod(beside, address.mode)
        sock.listen(BACKLOG)
        os.rename(beside, address.path)
        opened.pop_all()
    return [sock]


def _refuse_if_alive(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return
    raise OSError(errno.EADDRINUSE, "another server listens", path)
