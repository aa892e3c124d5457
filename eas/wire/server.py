"""HTTP: requests become `HttpRequest`, answers become bytes; routes, limits, and the orderly stop.

What an answer is, others decide (`Answerer`); how a connection waits for one, `lobby` and `dormant` know.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

import structlog
from aiohttp import web

from eas.protocol.exchange import EasResponse, Held, HttpRequest
from eas.wire import answer as http_answer
from eas.wire import body as http_body
from eas.wire.handler import Parked
from eas.wire.listeners import Listener, files_max, listen
from eas.wire.lobby import Lobby
from eas.wire.request import Proxies, UnknownExpectation, read_request, split_target
from eas.wire.send import send

log = structlog.get_logger(__name__)

BUSY_SECONDS = 30  # Retry-After, when request bodies fill the memory meant for them
STOP_SECONDS = 5.0
_SPARE_FILES = 256  # file descriptors kept for everything that is not a phone

_EAS = frozenset({"microsoft-server-activesync", "microsoft-server-activesync/default.eas"})
_EAS_METHODS = frozenset({"OPTIONS", "POST"})
_AUTODISCOVER = frozenset({"autodiscover/autodiscover.xml"})
_AUTODISCOVER_JSON = "autodiscover/autodiscover.json"  # may be followed by a version and an address
_AUTODISCOVER_METHODS = frozenset({"GET", "POST"})
_REFUSALS: dict[type[Exception], int] = {
    http_body.BodyTooLarge: 413,
    http_body.BodyTooSlow: 408,
    http_body.BodyMalformed: 400,
    http_body.UnknownEncoding: 415,
    http_body.BodiesFull: 503,
    web.RequestPayloadError: 400,
    UnknownExpectation: 417,
}


class Answerer(Protocol):
    """What answers requests."""

    async def answer(self, request: HttpRequest) -> EasResponse | Held:
        """Return the answer, or who will give it later.  Never raises for a fault of the client."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Who answers for which path, and *other* for every path that is neither; None: such a path is answered 404."""

    eas: Answerer
    autodiscover: Answerer
    other: Answerer | None = None

    def find(self, path: str) -> tuple[Answerer | None, frozenset[str] | None]:
        """Return who answers, and the methods it knows (None: that is its own business).

        Phones spell the path in any case, with a slash at its end, or with the page of old.
        """
        name = unquote(path).strip("/").lower()
        if name in _EAS:
            return self.eas, _EAS_METHODS
        if name in _AUTODISCOVER or (name + "/").startswith(_AUTODISCOVER_JSON + "/"):
            return self.autodiscover, _AUTODISCOVER_METHODS
        return self.other, None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server."""

    body_max_bytes: int = 64 * 1024 * 1024
    """The longest request body, inflated: a mail with its attachments."""
    bodies_max_bytes: int = 256 * 1024 * 1024
    """All request bodies together that are being read or worked on."""
    connections_max: int | None = None
    """Connections at a time; None: as many as the file descriptors of the process allow."""
    keepalive_seconds: float = 600.0
    """How long a connection may be idle.  It costs two kilobytes; a new one costs the phone a TLS handshake."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""


class Server:
    """The HTTP side of one process."""

    def __init__(self, routes: Routes, limits: Limits | None = None) -> None:
        self._routes = routes
        self._limits = limits or Limits()
        self._proxies = Proxies(self._limits.trusted_proxies)
        self._intake = http_body.Intake(self._limits.body_max_bytes, self._limits.bodies_max_bytes)
        self._lobby: Lobby | None = None
        self._servers: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return self._lobby.connections if self._lobby else 0

    @property
    def held(self) -> int:
        """How many requests are held."""
        return self._lobby.held if self._lobby else 0

    async def start(self, listeners: Sequence[Listener], *, shares_ports: bool = False) -> list[tuple[str, int]]:
        """Listen, and return the addresses with their real ports, in the order of *listeners*.

        A host name with several addresses gives several, for port 0 each with a port of its own.  *shares_ports*: other
        processes listen on the same ports, and the kernel deals connections out among them.  Raises OSError when an
        address is not to be had; then none is listened on.  Raises `handler.AiohttpChanged`.
        """
        self._lobby = Lobby(
            self._answer,
            connections_max=self._limits.connections_max or files_max() - _SPARE_FILES,
            keepalive_seconds=self._limits.keepalive_seconds,
        )
        addresses: list[tuple[str, int]] = []
        try:
            for listener in listeners:
                servers, bound = await listen(listener, self._lobby, shares_port=shares_ports)
                self._servers += servers
                addresses += bound
        except BaseException:
            await self.stop(0.0)
            raise
        return addresses

    async def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Accept no more; abandon and close what is held, so that phones ask elsewhere; let what runs finish."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._lobby is not None:
            await self._lobby.stop(grace_seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: what aiohttp calls."""
        clock = asyncio.get_running_loop().time
        started = clock()
        lobby = self._lobby
        assert lobby is not None  # noqa: S101  # a request came through it
        accepts_gzip = http_answer.accepts_gzip(request.headers.get("Accept-Encoding", ""))
        answer, is_refused = await self._respond(request)
        if not isinstance(answer, EasResponse):
            log.debug("http.held")
            return Parked(lobby, answer, accepts_gzip=accepts_gzip)
        closes = is_refused or lobby.is_stopping
        response = await send(request, answer, accepts_gzip=accepts_gzip, closes=closes)
        log.debug("http.answered", method=request.method, status=answer.status, seconds=clock() - started)
        return response

    async def _respond(self, request: web.BaseRequest) -> tuple[EasResponse | Held, bool]:
        """Return the answer, and whether the request was refused half read, so that the connection must end."""
        path, _ = split_target(request.raw_path)
        answerer, methods = self._routes.find(path)
        if answerer is None:
            return EasResponse(status=404), False
        if methods is not None and request.method not in methods:
            return EasResponse(status=501, headers={"Allow": ", ".join(sorted(methods))}), False
        with http_body.Body(self._intake) as body:
            try:
                read = await read_request(request, body, self._proxies)
            except tuple(_REFUSALS) as error:
                status = _REFUSALS[type(error)]
                log.info("http.refused", status=status, cause=type(error).__name__)
                headers = {"Retry-After": str(BUSY_SECONDS)} if status == 503 else {}
                return EasResponse(status=status, headers=headers), True
            try:
                return await answerer.answer(read), False
            except Exception:
                log.exception("http.failed")
                return EasResponse(status=500), False
