"""A server process from its start to its end: what it listens on, how it is told to stop, and several of them.

With several workers the parent opens nothing but sockets that reserve the ports, so that all share them; each worker
opens the store for itself, after the fork.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvloop

from eas.address import written
from eas.context import Submit
from eas.run import workers
from eas.run.app import App, tune_collector
from eas.run.certificates import Encryption, encryption
from eas.run.explained import EXPLAINED, CannotListen, explain
from eas.run.ports import Ports, open_lmtp
from eas.run.workers import Lifeline
from eas.settings import Settings
from eas.wire.listeners import Listener
from lmtp.observer import Observer
from lmtp.settings import Settings as LmtpSettings
from storage.opening import open_store
from storage.settings import Settings as StorageSettings

_log = structlog.get_logger(__name__)


def _unchanged(_app: App) -> None:
    """Put nothing around an app's parts."""


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
    wrap: Callable[[App], None] = field(default=_unchanged)
    """May put something around the app's parts before it starts."""


def serve(site: Site, ports: Ports, count: int, ready: Callable[[], None]) -> int:
    """Run *count* processes on *ports* (of `reserve`) until SIGTERM or SIGINT; return the exit code.

    *ready* is called when all listen.  SIGHUP reads certificates again.  Raises `EXPLAINED`.
    """
    encrypted = encryption(site.eas, site.tls_folder, site.tls_names)
    if count == 1:
        uvloop.run(_run(site, ports, encrypted, ready=ready))
        return 0
    return workers.supervise(count, lambda lifeline: _work(site, ports, encrypted, lifeline), ready)


def _work(site: Site, ports: Ports, encrypted: Encryption, lifeline: Lifeline) -> int:
    """Be one of several workers; return the exit code."""
    try:
        uvloop.run(_run(site, ports, encrypted, ready=lifeline.ready, lifeline=lifeline))
    except EXPLAINED as error:
        print(f"petitbleu: {explain(error)}", file=sys.stderr)
        return 1
    return 0


async def _run(
    site: Site,
    ports: Ports,
    encrypted: Encryption,
    *,
    ready: Callable[[], None],
    lifeline: Lifeline | None = None,
) -> None:
    """Run one process's app until a signal, or until the parent is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, encrypted.read_again)
    if lifeline is not None:
        loop.add_reader(lifeline.descriptor, stop.set)
    store = await open_store(site.storage)
    try:
        app = App(store, site.eas, site.lmtp, site.submit(ports), site.observer, site.storage.collect_seconds)
        site.wrap(app)
        await _listen(app, ports, encrypted)
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


async def _listen(app: App, ports: Ports, encrypted: Encryption) -> None:
    listeners = [
        Listener(*address, tls=context)
        for address, context in (
            (ports.http, None),
            (ports.https, encrypted.https),
            (ports.https_old, encrypted.https_old),
        )
        if address
    ]
    lmtp = [opened for address in ports.lmtp for opened in open_lmtp(written(*address), shares_port=True)]
    lmtp += [opened.dup() for opened in ports.lmtp_unix]
    try:
        await app.start(listeners, lmtp, shares_ports=True)
    except OSError as error:
        raise CannotListen(", ".join(written(one.host, one.port) for one in listeners), error) from error
