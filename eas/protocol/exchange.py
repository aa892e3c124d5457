"""One request and its answer, as everything below the web framework sees them."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from eas.protocol.query import Query
from eas.protocol.versions import Version, parse_version

CONTENT_TYPE_WBXML: Final = "application/vnd.ms-sync.wbxml"
CONTENT_TYPE_MULTIPART: Final = "application/vnd.ms-sync.multipart"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as it came, its body whole and inflated.

    `path` and `raw_query` are the two sides of the first `?` of the request target, neither of them decoded: a base64
    query holds `+`, `/` and `=`.  Headers are as sent, "" when absent.  `remote` is the address of the phone (not of a
    trusted proxy), "" when unknown.  `is_tls`: TLS ends in this process.
    """

    method: str
    path: str
    raw_query: str = ""
    authorization: str = ""
    protocol_version: str = ""
    policy_key: str = ""
    accept_multipart: str = ""
    user_agent: str = ""
    content_type: str = ""
    accept_encoding: str = ""
    accept_language: str = ""
    host: str = ""
    body: bytes = b""
    remote: str = ""
    is_tls: bool = False


USER_AGENT_MAX: Final = 256  # characters, of those that are kept
POLICY_KEY_MAX: Final = 0xFFFFFFFF

_WEIGHT_ZERO: Final = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")


@dataclass(frozen=True, slots=True)
class EasRequest:
    """A POST to the ActiveSync endpoint, its query and headers merged, its body not yet decoded.

    `command` is spelled as in `versions.COMMANDS`.  `user` is the query's, for information ("" when it has none): the
    credentials decide.  `device_id` is as the device sent it, or lower-case hex when it sent bytes; compare it without
    regard to case.  `locale` is an LCID.  The ids and `occurrence` are those of the query (2.5 to 12.1).
    """

    command: str
    version: Version
    user: str
    device_id: str
    device_type: str
    policy_key: int | None = None
    locale: int | None = None
    attachment_name: str | None = None
    collection_id: str | None = None
    item_id: str | None = None
    long_id: str | None = None
    occurrence: str | None = None
    save_in_sent: bool = False
    accept_multipart: bool = False
    accept_gzip: bool = False
    user_agent: str = ""
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class EasResponse:
    """The answer to a request.

    `size` is the body's size in bytes where it is known beforehand: for a body of bytes it may be left None.  Readers
    of old need a Content-Length, hence an iterator should come with its size.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = CONTENT_TYPE_WBXML
    size: int | None = None


class Held(Protocol):
    """A request that waits for news (Ping, or Sync with Wait) without a task or a thread of its own."""

    def begin(self, reply: Callable[[EasResponse], None]) -> None:
        """Start to wait; *reply* is called once, from the event loop, when there is an answer."""

    def abandon(self) -> None:
        """Stop waiting, since nobody reads the answer any more; *reply* is not called after that."""


def merge(query: Query, headers: Mapping[str, str], body: bytes) -> EasRequest:
    """Return the request of its parts.  *headers* must not mind the case of names.

    A base64 query says version, policy key and multipart itself, and wins over the headers.  Raises
    `versions.UnknownVersion` for a plain query without a known MS-ASProtocolVersion.
    """
    if query.version is not None:
        version, policy_key, accept_multipart = query.version, query.policy_key, query.accept_multipart
    else:
        version = parse_version(headers.get("MS-ASProtocolVersion", ""))
        policy_key = parse_policy_key(headers.get("X-MS-PolicyKey", ""))
        accept_multipart = headers.get("MS-ASAcceptMultiPart", "").strip().upper() == "T"
    return EasRequest(
        command=query.command,
        version=version,
        user=query.user,
        device_id=query.device_id,
        device_type=query.device_type,
        policy_key=policy_key,
        locale=query.locale,
        attachment_name=query.attachment_name,
        collection_id=query.collection_id,
        item_id=query.item_id,
        long_id=query.long_id,
        occurrence=query.occurrence,
        save_in_sent=query.save_in_sent,
        accept_multipart=accept_multipart,
        accept_gzip=accepts_gzip(headers.get("Accept-Encoding", "")),
        user_agent=headers.get("User-Agent", "")[:USER_AGENT_MAX],
        content_type=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
        body=body,
    )


def parse_policy_key(text: str) -> int | None:
    """Return the key of an X-MS-PolicyKey header, None for one that cannot be ours: such a device has to provision."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(POLICY_KEY_MAX))):
        return None
    key = int(text)
    return key if key <= POLICY_KEY_MAX else None


def accepts_gzip(text: str) -> bool:
    """Tell whether an Accept-Encoding header offers gzip (RFC 9110 12.5.3): named, and not with a weight of zero."""
    codings = (coding.partition(";") for coding in text.lower().split(","))
    return any(name.strip() == "gzip" and not _WEIGHT_ZERO.fullmatch(weight) for name, _, weight in codings)
