"""aiohttp's request, read to its end, as an `HttpRequest`."""

import ipaddress
from collections.abc import Sequence

from aiohttp import HttpVersion11, web

from eas.protocol.exchange import HttpRequest
from eas.wire.body import Body

_HEADERS = {  # field of HttpRequest: header
    "authorization": "Authorization",
    "protocol_version": "MS-ASProtocolVersion",
    "policy_key": "X-MS-PolicyKey",
    "accept_multipart": "MS-ASAcceptMultiPart",
    "user_agent": "User-Agent",
    "content_type": "Content-Type",
    "accept_encoding": "Accept-Encoding",
    "accept_language": "Accept-Language",
    "host": "Host",
}


class UnknownExpectation(Exception):
    """An Expect header that asks for something else than 100-continue."""


class Proxies:
    """Who is believed when it says for whom it asks."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """*trusted* are addresses or networks.  Raises ValueError for what is neither."""
        self._networks = [ipaddress.ip_network(network) for network in trusted]

    def remote(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the phone's address: the last one that is not of a trusted proxy, read from the near end.

        *forwarded_for* are the values of all X-Forwarded-For headers; what an untrusted hop wrote is not looked at.
        """
        remote = peer
        if not self._networks:
            return remote
        hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
        while hops and self._is_trusted(remote):
            try:
                remote = str(ipaddress.ip_address(hops.pop()))
            except ValueError:
                break
        return remote

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def split_target(target: str) -> tuple[str, str]:
    """Return path and query of a request target, the query exactly as sent: base64 has `+`, `/` and `=` in it.

    The absolute form (`http://host/path?query`) has scheme and host cut off.
    """
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


async def read_request(request: web.BaseRequest, body: Body, proxies: Proxies) -> HttpRequest:
    """Read *request* with its body.

    Raises `UnknownExpectation`, `aiohttp.web.RequestPayloadError` for broken framing, ConnectionError when the phone
    has left, and what `http_body.Body.read` raises.
    """
    headers = request.headers
    declared = request.content_length
    body.declare(declared or 0)
    if (expected := headers.get("Expect")) is not None and request.version >= HttpVersion11:
        if expected.lower() != "100-continue":
            raise UnknownExpectation
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # aiohttp then still knows that no answer is out
    content = await body.read(request.content, headers.get("Content-Encoding", ""))
    path, raw_query = split_target(request.raw_path)
    return HttpRequest(
        method=request.method,
        path=path,
        raw_query=raw_query,
        body=content,
        remote=proxies.remote(request.remote or "", headers.getall("X-Forwarded-For", ())),
        is_tls=request.transport is not None and request.transport.get_extra_info("sslcontext") is not None,
        **{field: _text(headers.get(header, "")) for field, header in _HEADERS.items()},
    )


def _text(value: str) -> str:
    """Undo aiohttp's surrogates: bytes that are not UTF-8 are taken for Latin-1."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
