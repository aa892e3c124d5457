"""Listening sockets, plain and TLS."""

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eas.wire import tls

_STUCK_MILLISECONDS = 120_000  # a peer that acknowledges nothing, or reads nothing, for so long is dropped (RFC 5482)
_ACCEPT_BATCH = 128  # connections that asyncio accepts at once: what they cost for a moment is taken so often at once
_BACKLOG = 4096
_HANDSHAKE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to listen: *host* "" is every address, port 0 a free one; *tls* None is plain HTTP, behind a proxy."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


async def listen(
    listener: Listener, factory: Callable[[], asyncio.BaseProtocol], *, shares_port: bool
) -> tuple[list[asyncio.Server], list[tuple[str, int]]]:
    """Listen on every address of *listener*; return the servers, and the addresses with their real ports.

    *shares_port*: other processes listen there too (SO_REUSEPORT).  Raises OSError; then none is listened on.
    """
    loop = asyncio.get_running_loop()
    if listener.tls is not None:
        tls.spare_memory()
    servers: list[asyncio.Server] = []
    addresses: list[tuple[str, int]] = []
    try:
        for family, _, _, _, address in await loop.getaddrinfo(
            listener.host or None, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            bound = _bind(family, address, shares_port)
            addresses.append(bound.getsockname()[:2])
            servers.append(await _serve(bound, factory, listener.tls))
    except BaseException:
        for server in servers:
            server.close()
        raise
    return servers, addresses


def files_max() -> int:
    """Raise the soft limit of file descriptors to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    return soft


async def _serve(
    bound: socket.socket, factory: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None
) -> asyncio.Server:
    try:
        server = await asyncio.get_running_loop().create_server(
            factory,
            sock=bound,
            ssl=context,
            backlog=_ACCEPT_BATCH,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if context else None,
        )
    except BaseException:
        bound.close()
        raise
    bound.listen(_BACKLOG)  # the kernel's queue; the loop keeps its own count of how many to take at once
    return server


def _bind(family: int, address: tuple[str | int, ...] | tuple[int, bytes], shares_port: bool) -> socket.socket:
    """Return a bound socket; the options are inherited by what it accepts."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_MILLISECONDS)
        if shares_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
