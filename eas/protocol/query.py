"""The query of a request, in both its forms ([MS-ASHTTP] Plain Text Query Value, Base64-Encoded Query Value).

Queries are read from the raw request target: a framework that has decoded one already has made a blank of the `+` of
base64.  A plain query names its parameters; all else is taken for base64, in either alphabet, padded or not.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from eas.protocol.versions import Version, command_coded, command_named, version_of_number

QUERY_MAX: Final = 4096  # characters, of either form
DEVICE_ID_MAX: Final = 32  # [MS-ASHTTP] DeviceId; of bytes, when it is not text, which makes 64 hex digits
DEVICE_TYPE_MAX: Final = 32

_PLAIN: Final = re.compile(r"(?:[^&]*&)*(?:cmd|user|deviceid|devicetype)=", re.IGNORECASE)
_PRINTABLE: Final = re.compile(r"[ -~]+")
_ALPHANUMERIC: Final = re.compile(rb"[A-Za-z0-9]+")
_URL_SAFE_TO_STANDARD: Final = str.maketrans("-_", "+/")

# [MS-ASHTTP] Command Parameters: tags of the base64 form
_ATTACHMENT_NAME, _COLLECTION_ID, _ITEM_ID, _LONG_ID, _OCCURRENCE, _OPTIONS, _USER = 0, 1, 3, 4, 6, 7, 8
_SAVE_IN_SENT: Final = 0x01
_ACCEPT_MULTIPART: Final = 0x02


@dataclass(frozen=True, slots=True)
class Query:
    """What a query says.  `version` is None in a plain one: there the headers say version, policy key and multipart."""

    command: str
    device_id: str
    device_type: str
    user: str = ""
    version: Version | None = None
    policy_key: int | None = None
    locale: int | None = None
    attachment_name: str | None = None
    collection_id: str | None = None
    item_id: str | None = None
    long_id: str | None = None
    occurrence: str | None = None
    save_in_sent: bool = False
    accept_multipart: bool = False


class UnreadableQuery(Exception):
    """The query is neither of the two forms, or one of them cut short."""


class BadDevice(Exception):
    """The device id or the device type is missing, too long or not printable.  `version` is None in a plain query."""

    def __init__(self, command: str, version: Version | None, value: str) -> None:
        super().__init__(value)
        self.command = command
        self.version = version


class BadDeviceId(BadDevice):
    """[MS-ASCMD] Common Status Code 108."""


class BadDeviceType(BadDevice):
    """[MS-ASCMD] Common Status Code 109."""


def parse_query(raw: str) -> Query:
    """Read the part of the request target after `?`.

    Raises `UnreadableQuery`; `versions.UnknownVersion` and `versions.UnknownCommand`; `BadDeviceId`, `BadDeviceType`.
    """
    if len(raw) > QUERY_MAX:
        raise UnreadableQuery(f"over {QUERY_MAX} characters")
    raw = raw.encode("utf-8", "replace").decode()  # a target that is not UTF-8 comes with surrogates from the framework
    return _parse_plain(raw) if _PLAIN.match(raw) else _parse_base64(raw)


def build_plain(query: Query) -> str:
    """Return the plain query of *query*; version, policy key and multipart go into headers."""
    parameters = {
        "Cmd": query.command,
        "User": query.user,
        "DeviceId": query.device_id,
        "DeviceType": query.device_type,
        "AttachmentName": query.attachment_name,
        "CollectionId": query.collection_id,
        "ItemId": query.item_id,
        "LongId": query.long_id,
        "Occurrence": query.occurrence,
        "SaveInSent": "T" if query.save_in_sent else None,
    }
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value is not None)


def build_base64(query: Query, device_id: bytes | None = None) -> str:
    """Return the base64 query of *query*, which must have a version; *device_id* for one that is not text."""
    raw_id = query.device_id.encode() if device_id is None else device_id
    key = b"" if query.policy_key is None else query.policy_key.to_bytes(4, "little")
    options = (_SAVE_IN_SENT if query.save_in_sent else 0) | (_ACCEPT_MULTIPART if query.accept_multipart else 0)
    parameters = (
        (_ATTACHMENT_NAME, query.attachment_name),
        (_COLLECTION_ID, query.collection_id),
        (_ITEM_ID, query.item_id),
        (_LONG_ID, query.long_id),
        (_OCCURRENCE, query.occurrence),
        (_OPTIONS, chr(options) if options else None),
        (_USER, query.user or None),
    )
    head = bytes((query.version or 0, command_named(query.command).code)) + (query.locale or 0).to_bytes(2, "little")
    fields = b"".join(_field(field) for field in (raw_id, key, query.device_type.encode()))
    rest = b"".join(bytes((tag,)) + _field(value.encode()) for tag, value in parameters if value is not None)
    return b64encode(head + fields + rest).decode()


def _field(value: bytes) -> bytes:
    return bytes((len(value),)) + value


def _parse_plain(raw: str) -> Query:
    parameters: dict[str, str] = {}
    for pair in raw.split("&"):
        name, _, value = pair.partition("=")
        parameters.setdefault(name.lower(), unquote(value))  # of a parameter given twice, the first counts
    if "cmd" not in parameters:
        raise UnreadableQuery("no Cmd")
    return _checked(
        Query(
            command_named(parameters["cmd"]).name,
            parameters.get("deviceid", ""),
            parameters.get("devicetype", ""),
            parameters.get("user", ""),
            attachment_name=parameters.get("attachmentname"),
            collection_id=parameters.get("collectionid"),
            item_id=parameters.get("itemid"),
            long_id=parameters.get("longid"),
            occurrence=parameters.get("occurrence"),
            save_in_sent=parameters.get("saveinsent", "").upper() == "T",
        ),
        len(parameters.get("deviceid", "")),
    )


def _parse_base64(raw: str) -> Query:
    data = _decode_base64(raw)
    try:
        version_number, code, locale = data[0], data[1], int.from_bytes(data[2:4], "little")
        raw_id, position = _read_field(data, 4)
        raw_key, position = _read_field(data, position)
        raw_type, position = _read_field(data, position)
        parameters: dict[int, bytes] = {}
        while position < len(data):
            tag = data[position]
            value, position = _read_field(data, position + 1)
            parameters.setdefault(tag, value)
    except IndexError as error:
        raise UnreadableQuery("base64 query is cut short") from error
    if len(raw_key) not in (0, 4):
        raise UnreadableQuery(f"policy key of {len(raw_key)} bytes")
    texts = {tag: value.decode("utf-8", "replace") for tag, value in parameters.items()}
    options = int.from_bytes(parameters.get(_OPTIONS, b"")[:1], "little")  # Nine sends the byte 00, others none
    return _checked(
        Query(
            command_coded(code).name,
            raw_id.decode() if _ALPHANUMERIC.fullmatch(raw_id) else raw_id.hex(),
            raw_type.decode("ascii", "replace"),
            texts.get(_USER, ""),
            version_of_number(version_number),
            int.from_bytes(raw_key, "little") if raw_key else None,
            locale,
            texts.get(_ATTACHMENT_NAME),
            texts.get(_COLLECTION_ID),
            texts.get(_ITEM_ID),
            texts.get(_LONG_ID),
            texts.get(_OCCURRENCE),
            bool(options & _SAVE_IN_SENT),
            bool(options & _ACCEPT_MULTIPART),
        ),
        len(raw_id),
    )


def _decode_base64(raw: str) -> bytes:
    text = unquote(raw).translate(_URL_SAFE_TO_STANDARD).rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise UnreadableQuery("neither parameters nor base64") from error


def _read_field(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the field whose length is the byte at *position*, and where the next begins.  Raises IndexError."""
    end = position + 1 + data[position]
    if end > len(data):
        raise IndexError(end)
    return data[position + 1 : end], end


def is_device_id(text: str) -> bool:
    """Say whether a phone may call itself so."""
    return len(text.encode()) <= DEVICE_ID_MAX and _PRINTABLE.fullmatch(text) is not None


def _checked(query: Query, device_id_size: int) -> Query:
    if device_id_size > DEVICE_ID_MAX or not _PRINTABLE.fullmatch(query.device_id):
        raise BadDeviceId(query.command, query.version, query.device_id)
    if len(query.device_type) > DEVICE_TYPE_MAX or not _PRINTABLE.fullmatch(query.device_type):
        raise BadDeviceType(query.command, query.version, query.device_type)
    return query
