"""The keys of an account that is unlocked, one for each purpose and epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage import objects, seal
from storage.epochs import FIRST_EPOCH, EpochKeys


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """What an unlocked account's master key and ring give, for each purpose."""

    log: objects.LogKeys = field(repr=False)
    page: EpochKeys = field(repr=False)
    checkpoint: EpochKeys = field(repr=False)
    ids: bytes = field(repr=False)
    tokens: bytes = field(repr=False)
    """Authenticates what is handed to devices and comes back: sync keys.  Like `ids` the same in all epochs."""

    @classmethod
    def derive(cls, master: bytes, private: Sequence[bytes] = ()) -> "AccountKeys":
        """Derive every purpose's key from the *master* key of a first epoch and its *private* key."""
        privates = dict.fromkeys([FIRST_EPOCH], private[0]) if private else {}
        return cls.of({FIRST_EPOCH: master}, privates, seal.derive(master, "ids"), seal.derive(master, "tokens"))

    @classmethod
    def of(
        cls, masters: Mapping[int, bytes], privates: Mapping[int, bytes], ids: bytes, tokens: bytes
    ) -> "AccountKeys":
        """Derive every purpose's key from the *masters*; these and the *privates* (X25519) are by epoch."""

        def derived(purpose: str) -> EpochKeys:
            return EpochKeys({epoch: seal.derive(master, purpose) for epoch, master in masters.items()})

        log_keys = objects.LogKeys(derived("log"), EpochKeys(privates))
        return cls(log_keys, derived("page"), derived("checkpoint"), ids, tokens)

    @property
    def epoch(self) -> int:
        """The newest epoch, under which everything is written."""
        return self.page.epoch

    def take(self, newer: "AccountKeys") -> None:
        """Hold what *newer* holds, unless it is older."""
        if newer.epoch >= self.epoch:
            for mine, theirs in zip(self._by_epoch(), newer._by_epoch(), strict=True):
                mine.take(theirs)

    def refuse(self, name: str) -> None:
        """Take the object *name* for damaged: there is no such epoch as it says."""
        for keys in self._by_epoch():
            keys.refuse(name)

    def _by_epoch(self) -> tuple[EpochKeys, ...]:
        return self.log.log, self.log.private, self.page, self.checkpoint
