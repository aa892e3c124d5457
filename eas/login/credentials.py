"""Name and password from an Authorization header (RFC 7617), as phones send them."""

import binascii
from base64 import b64decode
from dataclasses import dataclass, field

CREDENTIALS_CHARS_MAX = 4096
"""Of the header's base64; longer ones are none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody typed."""

    user: str
    password: str = field(repr=False)


def parse_basic(authorization: str) -> Credentials | None:
    """Return the credentials of a Basic header; None for another scheme, broken ones, or an empty name or password."""
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "basic" or len(token) > CREDENTIALS_CHARS_MAX:
        return None
    try:
        raw = b64decode(token + "=" * (-len(token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, _, password = _text(raw).partition(":")
    return Credentials(user, password) if user.strip() and password else None


def _text(raw: bytes) -> str:
    """Decode as phones encode: UTF-8, or Latin-1 as Windows has it (Outlook); bytes of one are hardly ever the other's.

    Bytes that Windows-1252 does not know are taken for Latin-1, which knows all.
    """
    for charset in ("utf-8", "cp1252"):
        try:
            return raw.decode(charset)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
