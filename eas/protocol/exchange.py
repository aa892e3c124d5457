"""One request and its answer, as everything below the web framework sees them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from eas.protocol.versions import Version

CONTENT_TYPE_WBXML: Final = "application/vnd.ms-sync.wbxml"
CONTENT_TYPE_MULTIPART: Final = "application/vnd.ms-sync.multipart"


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
