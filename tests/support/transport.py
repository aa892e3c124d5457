"""HTTP as a phone speaks it: one request out, one examined answer back.  No command is known here but OPTIONS."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypedDict, Unpack

import aiohttp
from yarl import URL

from eas.protocol.versions import Version, parse_version
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode
from tests.support.answers import COMPOSE_COMMANDS, WBXML_TYPE, Answer, Request, examine
from tests.support.query import base64_query, plain_query

PATH = "/Microsoft-Server-ActiveSync"
TIMEOUT_SECONDS = 30.0  # AOSP's for a command
PARAMETER_NAMES: dict[str, str] = {
    "attachment_name": "AttachmentName",
    "collection_id": "CollectionId",
    "item_id": "ItemId",
    "long_id": "LongId",
    "occurrence": "Occurrence",
    "save_in_sent": "SaveInSent",
}


@dataclass(frozen=True, slots=True)
class Device:
    """Who the client says it is."""

    id: str = "androidc1234567890"
    type: str = "Android"
    user_agent: str = "Android/8.0.0-EAS-2.0"


class Parameters(TypedDict, total=False):
    """The parameters of a query ([MS-ASHTTP] Command-Specific URI Parameters)."""

    attachment_name: str
    collection_id: str
    item_id: str
    long_id: str
    occurrence: str
    save_in_sent: str


class Transport:
    """A phone's HTTP connection to one account.  `policy_key` 0 is a phone that was never provisioned."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        version: Version = Version.V14_1,
        device: Device | None = None,
        base64_form: bool = False,
        gzip: bool = True,
        verify: bool = False,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Take the server's *url*, with or without the path.  *verify*: whether a known authority must have signed."""
        self.url = URL(url) if URL(url).path.strip("/") else URL(url).with_path(PATH)
        self.user = user
        self.password = password
        self.version = version
        self.device = device or Device()
        self.base64_form = base64_form
        self.gzip = gzip
        self.policy_key: int | None = 0
        self.last: Answer | None = None
        self._verify = verify
        self._session = session
        self._owned: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session, if it is this client's own."""
        if self._owned is not None:
            await self._owned.close()
            self._owned = None

    async def options(self) -> tuple[Version, ...]:
        """Ask which versions there are, and take the highest, as phones do."""
        answer = await self._exchange(
            Request("OPTIONS", self.version, None, False, False), "OPTIONS", self.url, {}, None
        )
        if answer.status != 200:
            return ()
        versions = tuple(parse_version(text) for text in answer.headers["MS-ASProtocolVersions"].split(","))
        self.version = max(versions)
        return versions

    async def post(
        self,
        command: str,
        root: Element | bytes | None = None,
        *,
        multipart: bool = False,
        timeout: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        **parameters: Unpack[Parameters],
    ) -> Answer:
        """Post one command and return its examined answer.

        *root* as bytes is sent as it is: a message up to 12.1, or WBXML that this client would never write.
        *parameters* are those of the query, in snake case: `collection_id`, `item_id`, `save_in_sent="T"` …
        *headers* replace the client's own; an empty value takes a header away.  Raises `InvalidAnswer`.
        """
        body = encode(root) if isinstance(root, Element) else root
        asked = Request(command, self.version, root if isinstance(root, Element) else None, self.gzip, multipart)
        named = {PARAMETER_NAMES[name]: str(value) for name, value in parameters.items()}
        sent = self._headers(command, body, multipart) | dict(headers or {})
        url = self.url.with_query(None)
        query = self._query(command, named, multipart)
        target = URL(f"{url}?{query}", encoded=True)
        return await self._exchange(asked, "POST", target, {k: v for k, v in sent.items() if v}, body, timeout)

    def _query(self, command: str, parameters: Mapping[str, str], multipart: bool) -> str:
        if not self.base64_form:
            return plain_query(command, self.user, self.device.id, self.device.type, parameters)
        return base64_query(
            command,
            self.version,
            self.user,
            self.device.id,
            self.device.type,
            self.policy_key or None,
            parameters,
            multipart=multipart,
        )

    def _headers(self, command: str, body: bytes | None, multipart: bool) -> dict[str, str]:
        headers = {}
        if body:
            raw_mail = command in COMPOSE_COMMANDS and self.version <= Version.V12_1
            headers["Content-Type"] = "message/rfc822" if raw_mail else WBXML_TYPE
        if not self.base64_form:  # the query has them
            headers["MS-ASProtocolVersion"] = self.version.text
            if self.policy_key is not None and command != "Ping":
                headers["X-MS-PolicyKey"] = str(self.policy_key)
            if multipart:
                headers["MS-ASAcceptMultiPart"] = "T"
        return headers

    async def _exchange(
        self,
        asked: Request,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Answer:
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        own = {"Authorization": f"Basic {credentials}", "User-Agent": self.device.user_agent}
        if asked.offers_gzip:
            own["Accept-Encoding"] = "gzip"
        async with self._sessions().request(
            method,
            url,
            data=body,
            headers={**own, **headers},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            allow_redirects=False,
            ssl=self._verify,
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            raw = await response.read()
            self.last = examine(asked, response.status, response.headers, raw)
        return self.last

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is not None:
            return self._session
        if self._owned is None:
            connector = aiohttp.TCPConnector(limit=0)  # held Pings must not wait for each other
            self._owned = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self._owned
