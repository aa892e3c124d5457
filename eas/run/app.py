"""One process of the server, wired together: store, hub, sessions, dispatcher, HTTP and LMTP; and its orderly end."""

import asyncio
import gc
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from eas.context import Services, Submit
from eas.dispatch import Dispatcher
from eas.login.sessions import Sessions
from eas.run.collecting import Collecting
from eas.run.housekeeping import Housekeeping
from eas.settings import Settings
from eas.sync.hub import Hub
from eas.web.autodiscover import Autodiscover
from eas.wire.listeners import Listener
from eas.wire.server import Answerer, Limits, Routes, Server
from lmtp.cli import LoggingObserver, postal_server
from lmtp.observer import Observer
from lmtp.server import Server as LmtpServer
from lmtp.settings import Settings as LmtpSettings
from storage.delivery import Recipient
from storage.store import Store

STOP_SECONDS = 3.8
"""How long what runs may go on when the process is told to end; all in all it has five seconds."""
CLOSE_SECONDS = 0.5
"""How long the store may take to close: whatever is durable is so already."""
_GC_THRESHOLDS = (10_000, 20, 100)  # the oldest generation is large and stays: looking through it costs a third of CPU

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class App:
    """What runs in one process."""

    store: Store
    settings: Settings
    lmtp_settings: LmtpSettings
    submit: Submit
    lmtp_observer: Observer | None = None
    collect_seconds: int = 3600
    hub: Hub = field(init=False)
    sessions: Sessions = field(init=False)
    housekeeping: Housekeeping = field(init=False)
    collecting: Collecting = field(init=False)
    answerer: Answerer = field(init=False)
    """Answers ActiveSync requests; may be wrapped before `start`."""
    autodiscover: Autodiscover = field(init=False)
    http: Server = field(init=False)
    lmtp: LmtpServer[Recipient] = field(init=False)

    def __post_init__(self) -> None:
        self.hub = Hub(self.store.feed)
        self.sessions = Sessions(self.store, self.settings.session_seconds, self.hub.is_waited_for)
        self.housekeeping = Housekeeping(self.store, self.sessions, self.hub)
        self.collecting = Collecting(self.store, self.collect_seconds)
        services = Services(
            self.hub, self.store.feed, self.store.directory, self.settings, lambda: datetime.now(UTC), self.submit
        )
        self.answerer = Dispatcher(self.sessions, services)
        self.autodiscover = Autodiscover(self.sessions, self.settings, services.now)
        self.lmtp = postal_server(self.store, self.lmtp_settings, self.lmtp_observer or LoggingObserver())

    async def start(
        self, listeners: Sequence[Listener], lmtp_sockets: Sequence[socket.socket], *, shares_ports: bool = False
    ) -> list[tuple[str, int]]:
        """Serve; return the HTTP addresses with their real ports.  Raises OSError when one is not to be had."""
        limits = Limits(body_max_bytes=self.settings.body_bytes_max, trusted_proxies=self.settings.trusted_proxies)
        self.http = Server(Routes(self.answerer, self.autodiscover), limits)
        addresses = await self.http.start(listeners, shares_ports=shares_ports)
        await self.lmtp.start(lmtp_sockets)
        self.housekeeping.start()
        self.collecting.start()
        return addresses

    async def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Accept no more, close what is held, let what runs finish, then close the store."""
        await asyncio.gather(self.http.stop(grace_seconds), self.lmtp.close(grace_seconds))
        await asyncio.gather(self.housekeeping.close(), self.collecting.close())
        await self.sessions.close()
        self.hub.close()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.store.close()
        except TimeoutError:
            _log.warning("store.not_closed", seconds=CLOSE_SECONDS)


def tune_collector() -> None:
    """Keep the collector of cycles from walking, again and again, what stays for ever.  Called once all is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
