"""`petitbleu lmtpd`: delivery alone, for sites that want a mail path that cannot read mail.

It opens the store, knows addresses and public keys, and never sees a password: what it delivered it cannot open again.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop

from lmtp.delivery import Postman
from lmtp.listen import open_sockets
from lmtp.observer import Observer
from lmtp.reply import Reply
from lmtp.server import Server
from lmtp.settings import Settings
from storage.delivery import Recipient
from storage.logs import set_up_logging
from storage.opening import open_store
from storage.settings import Settings as StorageSettings
from storage.startup import load_configuration, read_deployment_key
from storage.store import Store

DEFAULT_PATH = Path("/etc/petitbleu/petitbleu.toml")
STOP_SECONDS = 4.0
_EXAMPLES = """examples:
  petitbleu lmtpd
  petitbleu lmtpd --config /etc/petitbleu/petitbleu.toml
      listens as section [lmtp] says; more of them may run on one store
"""
_log = structlog.get_logger(__name__)


class CannotListen(OSError):
    """An address is not to be had."""


class LoggingObserver:
    """Logs what comes in (`lmtp.observer.Observer`)."""

    def delivered(self, size_bytes: int, seconds: float, *, junk: bool) -> None:
        """Log a delivery."""
        _log.info("lmtp.delivered", size_bytes=size_bytes, seconds=round(seconds, 4), junk=junk)

    def refused(self, reply: Reply) -> None:
        """Log a refusal."""
        _log.info("lmtp.refused", reply=reply.encode().decode(errors="replace").strip())

    def failed(self, error: Exception) -> None:
        """Log a fault of ours."""
        _log.error("lmtp.failed", exc_info=error)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "lmtpd",
        help="run delivery alone, which needs no private key",
        description="Take mail by LMTP and store it, sealed to the public keys of its recipients; nothing else.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    path = Path(os.environ.get("PETITBLEU_CONFIG") or DEFAULT_PATH)
    parser.add_argument("--config", type=Path, default=path, metavar="FILE", help=f"({DEFAULT_PATH})")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to end."""
    sections = {"storage": StorageSettings, "lmtp": Settings}
    configuration = load_configuration(arguments.config, sections, others=("eas",))
    storage_settings = configuration.of(StorageSettings)
    key = None if storage_settings.log_addresses else read_deployment_key(storage_settings.deployment_key_file)
    set_up_logging(storage_settings.log_level, address_key=key)
    with contextlib.ExitStack() as stack:
        settings = configuration.of(Settings)
        sockets = [stack.enter_context(opened) for text in settings.listen for opened in _opened(text)]
        uvloop.run(_serve(storage_settings, settings, sockets))
    return 0


def postal_server(store: Store, settings: Settings, observer: Observer) -> Server[Recipient]:
    """Return a server that delivers to *store*."""
    postman = Postman(
        store.delivery,
        settings.name,
        now=lambda: datetime.now(UTC),
        new_id=lambda: secrets.token_hex(6),
        observer=observer,
    )
    return Server(settings, postman)


async def _serve(storage_settings: StorageSettings, settings: Settings, sockets: list[socket.socket]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = await open_store(storage_settings)
    try:
        server = postal_server(store, settings, LoggingObserver())
        await server.start(sockets)
        _log.info("lmtpd.ready", listen=settings.listen, pid=os.getpid())
        await stop.wait()
        await server.close(STOP_SECONDS)
    finally:
        await store.close()
    _log.info("lmtpd.stopped", pid=os.getpid())


def _opened(text: str) -> list[socket.socket]:
    try:
        return open_sockets([text])
    except OSError as error:
        raise CannotListen(error.errno, error.strerror or str(error), text) from error
