"""Autodiscover's documents: plain XML over POST ([MS-ASCMD] Autodiscover).  Pure.

A request is a few hundred bytes.  Whatever could make a reader work for a stranger (a DTD, and with it entities) ends
the reading; what is left is bounded by its size.
"""

import re
from datetime import datetime
from xml.parsers import expat
from xml.sax.saxutils import escape

REQUEST_BYTES_MAX = 8192
INVALID_REQUEST = 600
NO_PROVIDER = 601
MESSAGES = {INVALID_REQUEST: "Invalid Request", NO_PROVIDER: "Provider is not available"}

_FRAME = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_MOBILESYNC = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 2.2 Characters


class BadRequest(Exception):
    """The request is refused with an ErrorCode: 600 it breaks the rules, 601 it asks for what is not ActiveSync."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Reader:
    """Collects the texts that count, by the path of local names; the namespace differs between clients."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.requests = 0
        self._path: list[str] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self, data: bytes) -> None:
        """Read the whole document.  Raises `BadRequest`."""
        try:
            self._parser.Parse(data, True)
        except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two: an encoding it does not have
            raise BadRequest(INVALID_REQUEST) from error

    def _doctype(self, name: str, system: str | None, public: str | None, has_internal: bool) -> None:
        raise BadRequest(INVALID_REQUEST)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(" ")[2])
        path = "/".join(self._path)
        self.requests += path == "Autodiscover/Request"
        if path in self.texts:  # given twice: the first counts
            self._path[-1] = ""
        else:
            self.texts[path] = ""

    def _end(self, name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        path = "/".join(self._path)
        if path in self.texts:
            self.texts[path] += text


def check_request(body: bytes) -> None:
    """Raise `BadRequest` unless *body* asks once, for ActiveSync.  Who is meant, the credentials say."""
    if len(body) > REQUEST_BYTES_MAX:
        raise BadRequest(INVALID_REQUEST)
    reader = _Reader()
    reader.read(body)
    address = reader.texts.get("Autodiscover/Request/EMailAddress", "").strip()
    schema = reader.texts.get("Autodiscover/Request/AcceptableResponseSchema", "").strip()
    if reader.requests != 1 or not schema:
        raise BadRequest(INVALID_REQUEST)
    if schema.lower() != _MOBILESYNC:
        raise BadRequest(NO_PROVIDER)
    if not address:
        raise BadRequest(INVALID_REQUEST)


def settings(address: str, display_name: str, url: str) -> bytes:
    """Return the answer: *url* is where ActiveSync is for *address*."""
    name = f"<DisplayName>{_written(display_name)}</DisplayName>" if display_name else ""
    return _document(
        f'<Response xmlns="{_MOBILESYNC}"><Culture>en:us</Culture>'
        f"<User>{name}<EMailAddress>{_written(address)}</EMailAddress></User>"
        "<Action><Settings><Server><Type>MobileSync</Type>"
        f"<Url>{_written(url)}</Url><Name>{_written(url)}</Name>"
        "</Server></Settings></Action></Response>"
    )


def error(code: int, now: datetime, error_id: int) -> bytes:
    """Return the answer to a request that no provider takes; *error_id* is unsigned."""
    time = f"{now:%H:%M:%S}.{now.microsecond:06}0"
    return _document(
        f'<Response><Error Time="{time}" Id="{error_id}"><ErrorCode>{code}</ErrorCode>'
        f"<Message>{MESSAGES[code]}</Message><DebugData/></Error></Response>"
    )


def _document(inner: str) -> bytes:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<Autodiscover xmlns="{_FRAME}">{inner}</Autodiscover>'
    return text.encode()


def _written(text: str) -> str:
    return escape(_UNWRITABLE.sub("", text))
