"""Secrets that are printed once and typed by hand: the recovery key and app passwords.

Both use the base32 letters (A to Z, 2 to 7) in groups, and are read whatever the case, spaces and dashes.  A recovery
key is 128 random bits and a checksum of 32, so that a slip of the pen is told from a wrong key, and so that no common
password is taken for one.
"""

import re
from base64 import b32decode, b32encode
from hashlib import blake2b
from secrets import token_bytes

_GROUP = 4
_KEY_BYTES = 16
_CHECK_BYTES = 4
_RECOVERY_LETTERS = 32
_APP_BYTES = 10  # 80 bits, 16 letters: typed on a phone's keyboard; Argon2 makes each guess dear
TYPED_CHARS_MAX = 128
_BETWEEN = re.compile(r"[\s\-\u2010-\u2015]+")  # phones turn dashes into longer ones
_LOOK_ALIKES = str.maketrans("018", "OIB")  # digits that base32 does not have


def new_recovery_key() -> str:
    """Return a fresh recovery key, as it is printed: 8 groups of 4 letters."""
    key = token_bytes(_KEY_BYTES)
    return _grouped(b32encode(key + _check(key)).decode())


def parse_recovery_key(text: str) -> str | None:
    """Return a typed recovery key as it was printed; None if it is not one."""
    if len(text) > TYPED_CHARS_MAX:
        return None
    letters = _BETWEEN.sub("", text).upper().translate(_LOOK_ALIKES)
    if len(letters) != _RECOVERY_LETTERS:
        return None
    try:
        data = b32decode(letters)
    except ValueError:
        return None
    if data[_KEY_BYTES:] != _check(data[:_KEY_BYTES]):
        return None
    return _grouped(letters)


def new_app_password() -> str:
    """Return a fresh app password, as it is shown: 4 groups of 4 small letters and digits."""
    return _grouped(b32encode(token_bytes(_APP_BYTES)).decode().lower())


def plain_app_password(text: str) -> str:
    """Return what counts of a typed app password: without case, spaces and dashes."""
    return _BETWEEN.sub("", text).lower()


def _check(key: bytes) -> bytes:
    return blake2b(key, digest_size=_CHECK_BYTES, person=b"recovery key").digest()


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))
