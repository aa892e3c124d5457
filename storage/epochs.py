"""Keys by epoch.  Each new master key of an account begins one, counted from 1, and every sealed object names its own.

Objects are written under the newest epoch.  Those of older ones stay readable until nothing is sealed under their keys
(`keyring/rotation.py`).  An object of a *newer* epoch says that somebody changed the master key since these keys were
unlocked: they have to be unlocked again (`StaleKeys`).  But whoever can write to the store can write any number into a
header, so it is first looked whether there is such an epoch; if not, the object is refused like any other damage.
"""

from collections.abc import Mapping

from storage.engine import Unavailable
from storage.seal import SealError

FIRST_EPOCH = 1
EPOCH_MAX = 255
"""A checkpoint's header has one byte for it."""


class UnknownEpoch(Exception):
    """The object *name* says to be of a newer epoch than these keys."""

    def __init__(self, name: str, epoch: int) -> None:
        super().__init__(f"{name}: of key epoch {epoch}")
        self.name = name
        self.epoch = epoch


class StaleKeys(Unavailable):
    """The account's master key was changed since these keys were unlocked: unlock them again."""


class EpochKeys:
    """The keys of one purpose.  Shared by all who use them, so that all learn of a new epoch at once."""

    __slots__ = ("_epoch", "_key", "_older", "_refused")  # an idle account has several: no table without need

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._epoch = max(keys, default=FIRST_EPOCH)
        self._key = keys.get(self._epoch)
        older = {epoch: key for epoch, key in keys.items() if epoch != self._epoch}
        self._older: Mapping[int, bytes] | None = older or None
        self._refused: set[str] | None = None

    @classmethod
    def first(cls, key: bytes) -> "EpochKeys":
        """Return the keys of an account that has had no other yet."""
        return cls({FIRST_EPOCH: key})

    @property
    def epoch(self) -> int:
        """The newest epoch, under which objects are written."""
        return self._epoch

    @property
    def current(self) -> bytes:
        """The key of the newest epoch.  Raises KeyError where there is none."""
        if self._key is None:
            raise KeyError(self._epoch)
        return self._key

    @property
    def epochs(self) -> list[int]:
        """All epochs, the oldest first."""
        return sorted([*(self._older or ()), *([] if self._key is None else [self._epoch])])

    def of(self, epoch: int, name: str) -> bytes:
        """Return the key of *epoch*, for the object *name*.  Raises `UnknownEpoch` for a newer one, `SealError`."""
        key = self._key if epoch == self._epoch else (self._older or {}).get(epoch)
        if key is not None:
            return key
        if epoch > self._epoch and name not in (self._refused or ()):
            raise UnknownEpoch(name, epoch)
        raise SealError(name, f"of key epoch {epoch}, for which there is no key")

    def refuse(self, name: str) -> None:
        """Take *name* for damaged from now on: there is no such epoch as it says."""
        self._refused = {*(self._refused or ()), name}

    def take(self, newer: "EpochKeys") -> None:
        """Hold what *newer* holds."""
        self._epoch, self._key, self._older, self._refused = newer._epoch, newer._key, newer._older, None
