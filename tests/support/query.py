"""The two forms of a request's query, as clients write them ([MS-ASHTTP] Base64-Encoded Query Value, Plain Text)."""

import base64
import struct
from collections.abc import Mapping
from urllib.parse import quote

from eas.protocol.versions import Version

CODES = {
    "Sync": 0,
    "SendMail": 1,
    "SmartForward": 2,
    "SmartReply": 3,
    "GetAttachment": 4,
    "FolderSync": 9,
    "FolderCreate": 10,
    "FolderDelete": 11,
    "FolderUpdate": 12,
    "MoveItems": 13,
    "GetItemEstimate": 14,
    "MeetingResponse": 15,
    "Search": 16,
    "Settings": 17,
    "Ping": 18,
    "ItemOperations": 19,
    "Provision": 20,
    "ResolveRecipients": 21,
    "ValidateCert": 22,
    "Find": 23,
}
PARAMETER_TAGS = {"AttachmentName": 0, "CollectionId": 1, "ItemId": 3, "LongId": 4, "Occurrence": 6}
OPTIONS_TAG, USER_TAG = 7, 8
SAVE_IN_SENT, ACCEPT_MULTIPART = 1, 2
LOCALE = 0x0409  # English, United States


def plain_query(command: str, user: str, device_id: str, device_type: str, parameters: Mapping[str, str]) -> str:
    """Write the form that AOSP and iOS send: the four fixed names first, ':' and '@' as they are."""
    pairs = {"Cmd": command, "User": user, "DeviceId": device_id, "DeviceType": device_type, **parameters}
    return "&".join(f"{name}={quote(value, safe=':@')}" for name, value in pairs.items())


def base64_query(
    command: str,
    version: Version,
    user: str,
    device_id: str,
    device_type: str,
    policy_key: int | None,
    parameters: Mapping[str, str],
    *,
    multipart: bool = False,
) -> str:
    """Write the form of 12.1 and later.  `SaveInSent` in *parameters* becomes a bit of the options byte."""
    key = b"" if policy_key is None else struct.pack("<I", policy_key)
    fields = [bytes((version, CODES[command])), struct.pack("<H", LOCALE)]
    fields += [_sized(device_id.encode("ascii")), _sized(key), _sized(device_type.encode())]
    named = [(PARAMETER_TAGS[name], value.encode()) for name, value in parameters.items() if name != "SaveInSent"]
    options = SAVE_IN_SENT * (parameters.get("SaveInSent") == "T") | ACCEPT_MULTIPART * multipart
    if options:
        named.append((OPTIONS_TAG, bytes((options,))))
    named.append((USER_TAG, user.encode()))
    return base64.b64encode(b"".join(fields + [bytes((tag,)) + _sized(value) for tag, value in named])).decode()


def _sized(value: bytes) -> bytes:
    return bytes((len(value),)) + value
