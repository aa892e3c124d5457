"""SyncKeys: the place of a view in the log, authenticated.  The server keeps nothing to look one up by.

    base32hex( writer 8 | n 5 | place 2 | MAC 6 )      34 characters

The MAC binds the key to account, device and folder, so a genuine key whose commit is missing means lost data, and is
reported as that: a store that was rolled back is not obeyed with "start again".
"""

import base64
import binascii

from storage.seal import keyed_hash
from storage.views import ViewId

START = "0"
"""The key with which a device begins."""
_BODY_BYTES = 15
_MAC_BYTES = 6


def encode(key: bytes, device: str, folder: str, view: ViewId) -> str:
    """Return the SyncKey of *view*, made with the account's token *key*."""
    body = bytes.fromhex(view.writer) + view.n.to_bytes(5, "big") + view.place.to_bytes(2, "big")
    return base64.b32hexencode(body + _mac(key, device, folder, body)).decode().rstrip("=").lower()


def decode(key: bytes, device: str, folder: str, text: str) -> ViewId | None:
    """Return the view that a SyncKey names; None for what this account never gave to this device for this folder."""
    try:
        raw = base64.b32hexdecode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    if len(raw) != _BODY_BYTES + _MAC_BYTES or mac != _mac(key, device, folder, body):
        return None
    return ViewId(body[:8].hex(), int.from_bytes(body[8:13], "big"), int.from_bytes(body[13:15], "big"))


def _mac(key: bytes, device: str, folder: str, body: bytes) -> bytes:
    return keyed_hash(key, b"synckey", device.encode(), folder.encode(), body, size=_MAC_BYTES)
