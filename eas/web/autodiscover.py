"""Autodiscover: where ActiveSync is, for phones that know an address and a password ([MS-ASCMD] Autodiscover).

Two forms.  The old one, XML over POST, needs a login and names the account's own address, whatever address was asked
for: people log in with aliases.  The new one, JSON over GET, needs none; it gives the same answer for every address and
so tells nobody which there are.  Neither redirects.
"""

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog

from eas.login.sessions import LoginRefused, Sessions
from eas.protocol.exchange import EasResponse, HttpRequest
from eas.settings import Settings
from eas.web import autodiscover_xml
from storage.engine import EngineError
from storage.errors import DirectoryUnavailable

RETRY_AFTER_SECONDS = "30"
QUERY_CHARS_MAX = 2048
ADDRESS_CHARS_MAX = 320
_EAS_PATH, _XML_PATH = "/Microsoft-Server-ActiveSync", "/autodiscover/autodiscover.xml"
_JSON_PATH = "/autodiscover/autodiscover.json"
_HOST = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?", re.IGNORECASE)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Autodiscover:
    """Answers Autodiscover requests (`eas.wire.server.Answerer`)."""

    sessions: Sessions
    settings: Settings
    now: Callable[[], datetime]
    """Aware UTC."""

    async def answer(self, request: HttpRequest) -> EasResponse:
        """Answer a request in either form."""
        url = self._url(request)
        if unquote(request.path).lower().startswith(_JSON_PATH):
            return EasResponse(400) if url is None else _json_answer(request, url)
        try:
            identity = await self.sessions.greet(request.authorization, request.remote)
        except LoginRefused as refused:
            return refused.response
        except (DirectoryUnavailable, EngineError) as error:
            _log.warning("autodiscover.unavailable", error=repr(error))
            return EasResponse(503, {"Retry-After": RETRY_AFTER_SECONDS})
        if url is None:
            return EasResponse(400)
        try:
            # Some phones post nothing and mean the account that they log in to.
            if request.body or request.method != "POST":
                autodiscover_xml.check_request(request.body)
        except autodiscover_xml.BadRequest as bad:
            error_id = zlib.crc32(request.host.encode())
            return _xml(autodiscover_xml.error(bad.code, self.now(), error_id))
        return _xml(autodiscover_xml.settings(identity.address, identity.display_name, url))

    def _url(self, request: HttpRequest) -> str | None:
        """Return where ActiveSync is: as the settings say, else under the name that was asked; None for no name.

        Phones are told of nothing but HTTPS: without TLS here there is a proxy that has it.  But who asks for this
        machine by its own name has come without one.
        """
        if self.settings.url:
            url = self.settings.url.rstrip("/")
            return url if urlsplit(url).path else url + _EAS_PATH
        if not _HOST.fullmatch(request.host):
            return None
        is_http = not request.is_tls and _LOOPBACK.fullmatch(request.host)
        return f"{'http' if is_http else 'https'}://{request.host}{_EAS_PATH}"


def _xml(body: bytes) -> EasResponse:
    return EasResponse(body=body, content_type="text/xml")


def _json_answer(request: HttpRequest, url: str) -> EasResponse:
    """Answer `?Email=…&Protocol=…`; the address may stand behind `/v1.0/` in the path instead."""
    if request.method != "GET":
        return EasResponse(405, {"Allow": "GET"})
    query = {name.lower(): value for name, value in reversed(_pairs(request.raw_query))}  # the first counts
    in_path = unquote(request.path)[len(_JSON_PATH) :].strip("/")
    address = query.get("email") or in_path.rpartition("/")[2]
    if not 0 < len(address) <= ADDRESS_CHARS_MAX or not all(address.rpartition("@")):
        return _json(400, ErrorCode="InvalidParameter", ErrorMessage="Email must be an address.")
    protocol = query.get("protocol", "")
    match protocol.lower():
        case "activesync":
            return _json(200, Protocol="ActiveSync", Url=url)
        case "autodiscoverv1":
            parts = urlsplit(url)
            return _json(200, Protocol="AutodiscoverV1", Url=f"{parts.scheme}://{parts.netloc}{_XML_PATH}")
        case "":
            return _json(400, ErrorCode="MandatoryParameterMissing", ErrorMessage="Protocol is missing.")
        case _:
            return _json(400, ErrorCode="ProtocolNotSupported", ErrorMessage="Protocol must be ActiveSync.")


def _pairs(raw_query: str) -> list[tuple[str, str]]:
    return parse_qsl(raw_query[:QUERY_CHARS_MAX], keep_blank_values=True, errors="replace")


def _json(status: int, **members: str) -> EasResponse:
    return EasResponse(status, body=json.dumps(members).encode(), content_type="application/json")
