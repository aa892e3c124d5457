"""The ports of a server: taken once, before anything else is done, and then shared by its processes."""

import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from eas.address import parse_address
from eas.run.explained import CannotListen
from eas.settings import Settings
from lmtp.listen import open_sockets
from lmtp.settings import TcpAddress, parse_listen

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens, as (host, port); None for nowhere."""

    http: Address | None
    https: Address | None
    https_old: Address | None
    lmtp: tuple[Address, ...]
    lmtp_unix: tuple[socket.socket, ...] = ()
    """Unix sockets, which several processes share by inheritance."""


def reserve(settings: Settings, lmtp_listen: Iterable[str], stack: ExitStack) -> Ports:
    """Take the ports, free ones for 0, for as long as *stack* is open; connections come to whoever listens there later.

    Raises `CannotListen`, also when another server listens there already.
    """
    http, https, https_old = (
        _taken(stack, parse_address(text)) if text else None
        for text in (settings.http, settings.https, settings.https_old)
    )
    lmtp: list[Address] = []
    unix: list[socket.socket] = []
    for text in lmtp_listen:
        address = parse_listen(text)
        if isinstance(address, TcpAddress):
            lmtp.append(_taken(stack, (address.host, address.port)))
        else:
            unix += [stack.enter_context(opened) for opened in open_lmtp(text)]
    return Ports(http, https, https_old, tuple(lmtp), tuple(unix))


def open_lmtp(text: str, *, shares_port: bool = False) -> list[socket.socket]:
    """Return the listening sockets for one entry of `lmtp.Settings.listen`.  Raises `CannotListen`."""
    try:
        return open_sockets([text], reuse_port=shares_port)
    except OSError as error:
        raise CannotListen(text, error) from error


def _taken(stack: ExitStack, address: Address) -> Address:
    host, port = address
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, where in found:
            with _bound(family, (where[0], port, *where[2:])) as alone:  # fails if anybody listens there
                port = alone.getsockname()[1]
            stack.enter_context(_bound(family, (where[0], port, *where[2:]), socket.SO_REUSEPORT))
    except OSError as error:
        raise CannotListen(f"{host}:{port}", error) from error
    return host, port


def _bound(family: int, address: tuple[str | int, ...], *options: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in (socket.SO_REUSEADDR, *options):
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
