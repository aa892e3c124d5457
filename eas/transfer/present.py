"""What lies in a folder already, by its bytes: so that an import adds no second copy of what came another way.

Sizes come of rows, without a request for a content; a content is read only if something of its size is to be added.
"""

import hashlib

from eas.transfer.line_ends import PIECE_BYTES, Buffer
from storage.account import Account
from storage.engine import Damaged, NotFound
from storage.seal import SealError
from storage.state import State
from storage.views import BOTTOM, TOP

ITEMS_AT_ONCE = 512


def digest_of(content: Buffer) -> bytes:
    """Return a hash of a whole message."""
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(content), PIECE_BYTES):
        digest.update(content[start : start + PIECE_BYTES])
    return digest.digest()


class Present:
    """The contents of one folder; each answers for one message only."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._unread: dict[int, list[str]] = {}
        self._digests: dict[bytes, int] = {}

    async def look(self, state: State, folder: str) -> None:
        """Note what is in *folder*."""
        ids = sorted(floor.item for floor in await state.floors(folder, BOTTOM, TOP))  # so that each page is read once
        for start in range(0, len(ids), ITEMS_AT_ONCE):
            for item in (await state.items(ids[start : start + ITEMS_AT_ONCE])).values():
                self._unread.setdefault(item.size_bytes, []).append(item.id)

    async def take(self, state: State, size_bytes: int, digest: bytes) -> bool:
        """Tell whether a content of this hash is there that did not answer before."""
        for content in (await state.contents(self._unread.pop(size_bytes, ()))).values():
            there = hashlib.blake2b(digest_size=16)
            try:
                async for piece in self._account.stream(content):
                    there.update(piece)
            except (NotFound, Damaged, SealError):  # then another copy is welcome
                continue
            self._digests[there.digest()] = self._digests.get(there.digest(), 0) + 1
        if not self._digests.get(digest):
            return False
        self._digests[digest] -= 1
        return True
