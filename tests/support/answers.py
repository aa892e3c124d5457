"""An answer, and everything that must hold for it: HTTP, bytes, schema, and that it answers what was asked.

`examine` is the only way to an `Answer`, so nobody can skip a check.  What is demanded is [MS-ASHTTP] Response and what
clients of the field trip over: AOSP takes an answer for empty only by `Content-Length: 0`; iOS 6 waits 80 seconds on an
empty answer that says `Content-Encoding: gzip`; a Sync with commands that is answered by nothing is repeated for ever.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from eas.protocol.versions import Version
from eas.wbxml.decoder import WbxmlError, decode
from eas.wbxml.dump import dump
from eas.wbxml.element import Element
from tests.support.multipart import split
from tests.support.reply_rules import reply_faults
from tests.support.schema import check_bytes, validate

WBXML_TYPE = "application/vnd.ms-sync.wbxml"
MULTIPART_TYPE = "application/vnd.ms-sync.multipart"
BINARY_COMMANDS = frozenset({"GetAttachment"})
COMPOSE_COMMANDS = frozenset({"SendMail", "SmartReply", "SmartForward"})
STATUSES = frozenset({200, 400, 401, 403, 404, 405, 413, 449, 451, 456, 457, 501, 503, 505, 507})
INFLATED_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, as far as it decides which answers are right.  `root` is None for raw or no content."""

    command: str
    version: Version
    root: Element | None
    offers_gzip: bool
    wants_multipart: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has passed every check.  `body` is inflated; `parts` are those of a multipart, the WBXML apart."""

    command: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    root: Element | None
    parts: tuple[bytes, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it is the empty answer that stands for "no change" or "done"."""
        return self.status == 200 and not self.body


class InvalidAnswer(AssertionError):
    """The server said something that it must never say."""

    def __init__(self, request: Request, status: int, faults: list[str], shown: str) -> None:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"{request.command} {request.version.text} answered {status}:\n{lines}\n{shown}")
        self.faults = faults


def examine(request: Request, status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Check an answer and return it.  *raw* are the bytes as they came, still compressed.  Raises `InvalidAnswer`."""
    faults = _http_faults(request, status, headers, raw)
    body = raw
    if headers.get("Content-Encoding") == "gzip" and raw:
        try:
            inflater = zlib.decompressobj(wbits=31)
            body = inflater.decompress(raw, INFLATED_MAX)
            if not inflater.eof or inflater.unused_data:
                faults.append("body is not one whole gzip stream")
        except zlib.error as error:
            faults.append(f"body is no gzip: {error}")
    root: Element | None = None
    parts: list[bytes] = []
    if status == 200 and request.command != "OPTIONS" and request.command not in BINARY_COMMANDS:
        document = body
        if body and request.wants_multipart:
            (document, *parts), part_faults = split(body)
            faults += part_faults
        root, found = _read(request, document)
        faults += found + reply_faults(request.root, root, len(parts))
    if faults:
        shown = dump(root) if root is not None else f"{dict(headers)}\n{body[:400]!r}"
        raise InvalidAnswer(request, status, faults, shown)
    return Answer(request.command, status, headers, body, root, tuple(parts))


def _read(request: Request, document: bytes) -> tuple[Element | None, list[str]]:
    if not document:
        if request.command in COMPOSE_COMMANDS or (request.command == "Sync" and request.version >= Version.V12_1):
            return None, []
        return None, [f"an empty answer to {request.command}"]
    faults = check_bytes(document)
    try:
        root = decode(document)
    except WbxmlError as error:
        return None, [*faults, f"cannot be decoded: {error}"]
    if root.tag.name != request.command:
        faults.append(f"the root is {root.tag.name}")
    return root, faults + validate(root, request.version)


def _http_faults(request: Request, status: int, headers: Mapping[str, str], raw: bytes) -> list[str]:
    faults = []
    if status not in STATUSES and not (status == 500 and request.version <= Version.V12_1):
        faults.append(f"HTTP status {status}: phones of {request.version.text} are told by Status")
    chunked = headers.get("Transfer-Encoding") == "chunked"
    if chunked == ("Content-Length" in headers):
        faults.append("needs either Content-Length or chunks")
    if not raw and headers.get("Content-Length") != "0":
        faults.append("empty, but without Content-Length: 0")
    encoding = headers.get("Content-Encoding")
    if encoding is not None and not (encoding == "gzip" and request.offers_gzip and raw):
        faults.append(f"Content-Encoding {encoding} of {len(raw)} bytes, gzip offered: {request.offers_gzip}")
    return faults + (_success_faults(request, headers, raw) if status == 200 else _failure_faults(status, headers, raw))


def _success_faults(request: Request, headers: Mapping[str, str], raw: bytes) -> list[str]:
    faults = []
    if "private" not in headers.get("Cache-Control", ""):
        faults.append("Cache-Control is not private")
    if not headers.get("MS-Server-ActiveSync"):
        faults.append("MS-Server-ActiveSync is missing: some clients know a server by it")
    if request.command == "OPTIONS":
        return faults + _options_faults(headers, raw)
    content_type = headers.get("Content-Type", "")
    if request.command in BINARY_COMMANDS:
        return faults if content_type or not raw else [*faults, "Content-Type is missing"]
    wanted = MULTIPART_TYPE if request.wants_multipart and raw else WBXML_TYPE
    return faults if content_type == wanted else [*faults, f"Content-Type is {content_type!r}, not {wanted}"]


def _options_faults(headers: Mapping[str, str], raw: bytes) -> list[str]:
    faults = ["OPTIONS with a body"] if raw else []
    for name in ("MS-ASProtocolVersions", "MS-ASProtocolCommands"):
        values = headers.get(name, "").split(",")
        if "" in values or any(" " in value for value in values):
            faults.append(f"{name} {headers.get(name)!r}: AOSP needs a list with commas and without blanks")
    versions = headers.get("MS-ASProtocolVersions", "").split(",")
    if versions != sorted(versions, key=lambda text: [int(digits) for digits in text.split(".") if digits.isdigit()]):
        faults.append("versions do not ascend: AOSP takes the last that it knows")
    return faults


def _failure_faults(status: int, headers: Mapping[str, str], raw: bytes) -> list[str]:
    needed = {401: "WWW-Authenticate", 451: "X-MS-Location", 503: "Retry-After"}.get(status)
    faults = [f"{needed} is missing"] if needed is not None and not headers.get(needed) else []
    if status == 401 and not headers.get("WWW-Authenticate", "Basic").startswith("Basic"):
        faults.append("the challenge is not Basic")
    if status == 401 and raw:
        faults.append("401 with a body: devices choke on HTML")
    return faults
