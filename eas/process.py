"""A server process from its start to its end: what it listens on, how it is told to stop, and several of them.

With several workers the parent opens nothing but sockets that reserve the ports, so that all share them; each worker
opens the store for itself, after the fork.
"""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvloop

from eas import tls, workers
from eas.address import is_everywhere, parse_address, written
from eas.app import App, tune_collector
from eas.context import Submit
from eas.explained import EXPLAINED, CannotListen, explain
from eas.listeners import Listener
from eas.settings import Settings
from eas.workers import Lifeline
from lmtp.listen import open_sockets
from lmtp.observer import Observer
from lmtp.settings import Settings as LmtpSettings
from lmtp.settings import TcpAddress, parse_listen
from storage.opening import open_store
from storage.settings import Settings as StorageSettings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens, as (host, port); None for nowhere."""

    http: tuple[str, int] | None
    https: tuple[str, int] | None
    lmtp: tuple[tuple[str, int], ...]
    lmtp_unix: tuple[socket.socket, ...] = ()
    """Unix sockets, which several processes share by inheritance."""


@dataclass(frozen=True, slots=True)
class Site:
    """All settings of a server."""

    storage: StorageSettings
    eas: Settings
    lmtp: LmtpSettings
    submit: Callable[[Ports], Submit]
    tls_folder: Path
    """Where a self-signed certificate is kept."""
    tls_names: tuple[str, ...] = ("localhost",)
    observer: Observer | None = None
    wrap: Callable[[App], None] = field(default=lambda app: None)
    """May put something around the app's parts before it starts."""


def serve(site: Site, ports: Ports, count: int, ready: Callable[[], None]) -> int:
    """Run *count* processes on *ports* (of `reserve`) until SIGTERM or SIGINT; return the exit code.

    *ready* is called when all listen.  Raises `EXPLAINED`.
    """
    context = tls_context(site)
    if count == 1:
        uvloop.run(_run(site, ports, context, ready=ready))
        return 0
    return workers.supervise(count, lambda lifeline: _work(site, ports, context, lifeline), ready)


def _work(site: Site, ports: Ports, context: ssl.SSLContext | None, lifeline: Lifeline) -> int:
    """Be one of several workers; return the exit code."""
    try:
        uvloop.run(_run(site, ports, context, ready=lifeline.ready, lifeline=lifeline))
    except EXPLAINED as error:
        print(f"petitbleu: {explain(error)}", file=sys.stderr)
        return 1
    return 0


def reserve(site: Site, stack: ExitStack) -> Ports:
    """Take the ports, free ones for 0, for as long as *stack* is open; connections are taken by `serve` alone.

    Raises `CannotListen`, also when another server listens there.
    """
    http = _taken(stack, parse_address(site.eas.http)) if site.eas.http else None
    https = _taken(stack, parse_address(site.eas.https)) if site.eas.https else None
    lmtp: list[tuple[str, int]] = []
    unix: list[socket.socket] = []
    for text in site.lmtp.listen:
        address = parse_listen(text)
        if isinstance(address, TcpAddress):
            lmtp.append(_taken(stack, (address.host, address.port)))
        else:
            unix += [stack.enter_context(opened) for opened in _opened(text, reuse_port=False)]
    return Ports(http, https, tuple(lmtp), tuple(unix))


def _taken(stack: ExitStack, address: tuple[str, int]) -> tuple[str, int]:
    host, port = address
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, where in found:
            with _bound(family, (where[0], port, *where[2:])) as alone:  # fails if anybody listens there
                port = alone.getsockname()[1]
            shared = _bound(family, (where[0], port, *where[2:]), socket.SO_REUSEPORT)
            stack.enter_context(shared)
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


def _opened(text: str, *, reuse_port: bool) -> list[socket.socket]:
    try:
        return open_sockets([text], reuse_port=reuse_port)
    except OSError as error:
        raise CannotListen(text, error) from error


def tls_context(site: Site) -> ssl.SSLContext | None:
    """Return the context of the HTTPS listener, with a certificate of our own if none is set."""
    if not site.eas.https:
        return None
    if site.eas.certificate:
        key = Path(site.eas.certificate_key) if site.eas.certificate_key else None
        return tls.server_context([tls.Chain(Path(site.eas.certificate), key)])
    host, _ = parse_address(site.eas.https)
    names = site.tls_names if is_everywhere(host) else (host, *site.tls_names)
    return tls.server_context([tls.self_signed(site.tls_folder, names)])


async def _run(
    site: Site,
    ports: Ports,
    context: ssl.SSLContext | None,
    *,
    ready: Callable[[], None],
    lifeline: Lifeline | None = None,
) -> None:
    """Run one process's app until a signal, or until the parent is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if lifeline is not None:
        loop.add_reader(lifeline.descriptor, stop.set)
    store = await open_store(site.storage)
    try:
        app = App(store, site.eas, site.lmtp, site.submit(ports), site.observer)
        site.wrap(app)
        await _listen(app, ports, context)
    except BaseException:
        await store.close()
        raise
    tune_collector()
    ready()
    _log.info("server.ready", http=ports.http, https=ports.https, lmtp=ports.lmtp, pid=os.getpid())
    await stop.wait()
    if lifeline is not None:
        loop.remove_reader(lifeline.descriptor)
    await app.stop()
    _log.info("server.stopped", pid=os.getpid())


async def _listen(app: App, ports: Ports, context: ssl.SSLContext | None) -> None:
    listeners = [
        Listener(*address, tls=encryption)
        for address, encryption in ((ports.http, None), (ports.https, context))
        if address
    ]
    lmtp = [opened for address in ports.lmtp for opened in _opened(written(*address), reuse_port=True)]
    lmtp += [opened.dup() for opened in ports.lmtp_unix]
    try:
        await app.start(listeners, lmtp, shares_ports=True)
    except OSError as error:
        raise CannotListen(", ".join(written(one.host, one.port) for one in listeners), error) from error
