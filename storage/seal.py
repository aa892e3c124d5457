"""Authenticated encryption of bytes, and the keyed hashes that go with it.

Every sealed object is XChaCha20-Poly1305 over (perhaps compressed) plain bytes, with its first bytes and *its own
name* as associated data: an object that was moved, renamed, swapped or changed in any bit does not open.  Nonces are
random; 24 bytes make that safe for any number of objects under one key.

    under a key           0x01  compression  nonce (24)  text and tag (16 more than the plain)
    under one of several  0x03  compression  epoch (2)  nonce (24)  text and tag
    to a public key       0x02  compression  sealed box (80) of a fresh key  nonce (24)  text and tag

Compression is 0 (none) or 1 (a zstd frame that states its size).  A new layout gets a new first byte.  This module is
the only one of the store that imports cryptography; `chunks.py` makes long contents readable from the middle.
"""

from collections.abc import Iterable
from hashlib import blake2b

import zstandard
from argon2.low_level import Type, hash_secret_raw
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import Aead
from nacl.utils import random

KEY_BYTES = 32
PLAIN_BYTES_MAX = 64 * 1024 * 1024
"""How much an object may open to, unless the caller says less: a bomb is refused before anything is allocated."""
RECORD_LEVEL = 1
"""zstd level for records and checkpoints: written often, read soon."""
BODY_LEVEL = 3
"""zstd level for contents: written once, kept for years."""
SEAL_OVERHEAD_BYTES = 2 + Aead.NONCE_SIZE + Aead.MACBYTES
"""By how much `seal` without compression makes bytes longer."""

_UNDER_KEY = 1
_TO_PUBLIC_KEY = 2
_OF_EPOCH = 3
_OF_EPOCH_HEADER_BYTES = 4
_PLAIN, _ZSTD = 0, 1
_BOX_BYTES = KEY_BYTES + 48
_PURPOSE_BYTES_MAX = blake2b.PERSON_SIZE
_COMPRESS_BYTES_MIN = 64  # below, a zstd frame gains nothing


class SealError(Exception):
    """The object *name* does not open: damaged, swapped, of another key, of an unknown format, or too large."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def new_key() -> bytes:
    """Return 32 random bytes."""
    return random(KEY_BYTES)


def new_key_pair() -> tuple[bytes, bytes]:
    """Return a private and its public X25519 key, 32 bytes each."""
    private = PrivateKey.generate()
    return bytes(private), bytes(private.public_key)


def public_key_of(private_key: bytes) -> bytes:
    """Return the public half of an X25519 key."""
    return bytes(PrivateKey(private_key).public_key)


def seal(key: bytes, name: str, plain: bytes, *, compress: bool, level: int = RECORD_LEVEL) -> bytes:
    """Seal *plain* as the object *name*.  Compression that gains nothing is left out."""
    form, body = _pack(plain, compress, level)
    return _encrypt(key, bytes((_UNDER_KEY, form)), b"", name, body)


def open_(key: bytes, name: str, data: bytes, *, size_max: int = PLAIN_BYTES_MAX) -> bytes:
    """Return what was sealed as *name*.  Raises `SealError`, also for more than *size_max* bytes of plain."""
    return _decrypt(key, _header(_UNDER_KEY, name, data), 2, name, data, size_max)


def seal_of_epoch(key: bytes, epoch: int, name: str, plain: bytes, *, compress: bool) -> bytes:
    """Seal *plain* as `seal` does, with the *epoch* of the key in clear before it.  The first is not mentioned."""
    if epoch == 1:
        return seal(key, name, plain, compress=compress)
    form, body = _pack(plain, compress, RECORD_LEVEL)
    return _encrypt(key, bytes((_OF_EPOCH, form)) + epoch.to_bytes(2, "big"), b"", name, body)


def epoch_of(data: bytes) -> int:
    """Return the epoch that an object of `seal_of_epoch` names; its first four bytes will do."""
    if data[:1] != bytes((_OF_EPOCH,)):
        return 1
    return int.from_bytes(data[2:_OF_EPOCH_HEADER_BYTES], "big")


def open_of_epoch(key: bytes, name: str, data: bytes) -> bytes:
    """Return what `seal_of_epoch` sealed; *key* is that of its epoch.  Raises `SealError` as `open_` does."""
    if data[:1] != bytes((_OF_EPOCH,)):
        return open_(key, name, data)
    return _decrypt(key, bytes(data[:_OF_EPOCH_HEADER_BYTES]), _OF_EPOCH_HEADER_BYTES, name, data, PLAIN_BYTES_MAX)


def seal_to(public_key: bytes, name: str, plain: bytes, *, compress: bool, level: int = RECORD_LEVEL) -> bytes:
    """Seal *plain* as the object *name* so that only holders of the private key open it; anybody may seal."""
    form, body = _pack(plain, compress, level)
    key = new_key()
    box = SealedBox(PublicKey(public_key)).encrypt(key)
    return _encrypt(key, bytes((_TO_PUBLIC_KEY, form)), box, name, body)


def open_sealed(private_keys: Iterable[bytes], name: str, data: bytes, *, size_max: int = PLAIN_BYTES_MAX) -> bytes:
    """Return what `seal_to` sealed, for the first of *private_keys* that fits.  Raises `SealError` as `open_` does."""
    header = _header(_TO_PUBLIC_KEY, name, data)
    start = 2 + _BOX_BYTES
    for private_key in private_keys:
        try:
            key = SealedBox(PrivateKey(private_key)).decrypt(data[2:start])
        except CryptoError:  # of another key, perhaps an older one
            continue
        if len(key) == KEY_BYTES:  # the sender is anybody: he may have boxed something else
            return _decrypt(key, header, start, name, data, size_max)
    raise SealError(name, "no private key opens it")


def is_sealed_to_public_key(data: bytes) -> bool:
    """Say which of the two layouts an object has, and so who may have made it; says nothing of its being genuine."""
    return data[:1] == bytes((_TO_PUBLIC_KEY,))


def derive(master: bytes, purpose: str, context: bytes = b"") -> bytes:
    """Return the 32-byte key for *purpose* (1 to 16 printable ASCII characters) and *context* under *master*."""
    person = purpose.encode("ascii")
    if not 0 < len(person) <= _PURPOSE_BYTES_MAX or not purpose.isprintable():
        raise ValueError(f"not a purpose: {purpose!r}")
    return blake2b(context, digest_size=KEY_BYTES, key=_checked(master), person=person).digest()


def keyed_hash(key: bytes, *parts: bytes | memoryview, size: int = 16) -> bytes:
    """Return a hash of 1 to 64 bytes that only holders of *key* can make.

    Each part counts with its length: other parts never give the same input, however they join.  Serves as a MAC, too.
    """
    digest = blake2b(digest_size=size, key=_checked(key))
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def stretch(secret: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Return the 32-byte key that Argon2id makes of *secret*: slow and large on purpose, to be run in a thread."""
    return hash_secret_raw(secret, salt, passes, memory_kib, lanes, KEY_BYTES, Type.ID)


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:  # the text must not show the key
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return key


def _header(form: int, name: str, data: bytes) -> bytes:
    if len(data) < 2:
        raise SealError(name, "cut short")
    if data[0] != form:
        raise SealError(name, f"format {data[0]} where {form} is due")
    return bytes(data[:2])


def _encrypt(key: bytes, header: bytes, box: bytes, name: str, body: bytes) -> bytes:
    return header + box + Aead(_checked(key)).encrypt(body, header + name.encode())


def _decrypt(key: bytes, header: bytes, start: int, name: str, data: bytes, size_max: int) -> bytes:
    aead = Aead(_checked(key))
    if len(data) < start + Aead.NONCE_SIZE + Aead.MACBYTES:
        raise SealError(name, "cut short")
    try:
        body = aead.decrypt(bytes(data[start:]), header + name.encode())
    except CryptoError as error:
        raise SealError(name, "damaged, swapped, or sealed with another key") from error
    return _unpack(header[1], name, body, size_max)


def _pack(plain: bytes, compress: bool, level: int) -> tuple[int, bytes]:
    if compress and len(plain) >= _COMPRESS_BYTES_MIN:
        frame = zstandard.ZstdCompressor(level=level).compress(plain)
        if len(frame) < len(plain):
            return _ZSTD, frame
    return _PLAIN, plain


def _unpack(form: int, name: str, body: bytes, size_max: int) -> bytes:
    if form == _ZSTD:
        return _expand(name, body, size_max)
    if form != _PLAIN:
        raise SealError(name, f"unknown compression {form}")
    if len(body) > size_max:
        raise SealError(name, f"{len(body)} bytes where at most {size_max} are due")
    return body


def _expand(name: str, frame: bytes, size_max: int) -> bytes:
    # The library allocates what the frame claims, whatever max_output_size says: so the claim is checked first.
    try:
        size = zstandard.get_frame_parameters(frame).content_size
        if size > size_max:  # a frame that does not state its size claims 2**64 - 1
            raise SealError(name, f"{size} bytes where at most {size_max} are due")
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=size_max, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise SealError(name, "its compression is damaged") from error
