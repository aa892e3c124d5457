"""Everything random follows from the seed: ids, keys, and (in most histories) a stand-in for sealing that has none.

The stand-in keeps the sizes and the promises of the real one: what was sealed under a key and a name opens under both
and no others, and not when a bit was changed.  It hides nothing, which no law here asks for, and costs a tenth.  The
product has no hook for it: the few functions in which all cryptography ends are replaced for the time of a history.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from storage import account, checkpoint, pages, paths, seal
from storage.collecting import packing
from storage.journal import Journal

TAG_BYTES = Aead.MACBYTES
ROWS_MAX = 5
"""Rows of a page: so that small accounts have several."""
PACKED_MIN = 3
"""Contents of a folder that make a pack."""
CHECKPOINT_RECORDS = 25
"""Records after which the product thinks a checkpoint due: so that collectors write some themselves."""
JOURNAL_ENTRIES = 12
"""Entries that a checkpoint carries on: so that some cursors are older, and all rows are walked for them."""


@contextmanager
def chance(random: Random, *, is_sealed: bool) -> Iterator[None]:
    """Draw ids and keys from *random*, and unless *is_sealed* let a stand-in seal; make pages and journals small."""
    with ExitStack() as stack:
        for owner, name, value in _replaced(random, is_sealed=is_sealed):
            stack.enter_context(patch.object(owner, name, value))
        yield


def _replaced(random: Random, *, is_sealed: bool) -> Iterator[tuple[Any, str, Any]]:
    yield paths, "token_hex", lambda size: random.randbytes(size).hex()
    yield seal, "random", random.randbytes
    yield account, "time", SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    yield packing, "_seconds", lambda: asyncio.get_running_loop().time()
    virtual = SimpleNamespace(CLOCK_BOOTTIME=0, clock_gettime=lambda _: asyncio.get_running_loop().time())
    yield checkpoint, "time", virtual
    yield packing, "BLOBS_MIN", PACKED_MIN
    yield account, "CHECKPOINT_RECORDS", CHECKPOINT_RECORDS
    yield pages, "ROWS_MAX", ROWS_MAX
    _, *others = Journal.trimmed.__defaults__ or ()
    yield Journal.trimmed, "__defaults__", (JOURNAL_ENTRIES, *others)
    if not is_sealed:
        yield seal, "Aead", _StandIn
        yield seal, "SealedBox", _StandInBox
        yield seal, "PublicKey", bytes
        yield seal, "PrivateKey", _StandInPrivate
        yield seal, "_COMPRESS_BYTES_MIN", 1 << 62


class _StandIn:
    """Instead of authenticated encryption: the plain bytes and a keyed hash of them and what they go with."""

    NONCE_SIZE, MACBYTES = Aead.NONCE_SIZE, TAG_BYTES
    _NONCE = bytes(Aead.NONCE_SIZE)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _tag(self, data: bytes, aad: bytes) -> bytes:
        return blake2b(len(aad).to_bytes(8, "big") + aad + data, digest_size=TAG_BYTES, key=self._key).digest()

    def encrypt(self, data: bytes, aad: bytes) -> bytes:
        """Return nonce (always the same), data and tag."""
        return self._NONCE + data + self._tag(data, aad)

    def decrypt(self, sealed: bytes, aad: bytes) -> bytes:
        """Undo `encrypt`; raises as the real one does."""
        data = sealed[self.NONCE_SIZE : -TAG_BYTES]
        if sealed[: self.NONCE_SIZE] != self._NONCE or sealed[-TAG_BYTES:] != self._tag(data, aad):
            raise CryptoError("not genuine")
        return data


class _StandInPrivate(bytes):
    """A private key, whose public half is itself."""

    @classmethod
    def generate(cls) -> "_StandInPrivate":
        return cls(seal.new_key())

    @property
    def public_key(self) -> bytes:
        return bytes(self)


class _StandInBox:
    """Instead of a box to a public key: 48 bytes that tell whose it is and what is in it, and the content."""

    def __init__(self, key: bytes) -> None:
        self._key = bytes(key)

    def _head(self, plain: bytes) -> bytes:
        return blake2b(plain, digest_size=48, key=self._key).digest()

    def encrypt(self, plain: bytes) -> bytes:
        """Return a box."""
        return self._head(plain) + plain

    def decrypt(self, box: bytes) -> bytes:
        """Undo `encrypt`; raises as the real one does."""
        if box[:48] != self._head(box[48:]):
            raise CryptoError("not for this key")
        return box[48:]
