"""What was promised: mails that were taken, and changes that a phone was told are done."""

from dataclasses import dataclass, field
from zlib import crc32

from tests.soak.letters import Letter


@dataclass(slots=True)
class Promise:
    """Of an item that one phone alone changes: how it must be in the end; None where nothing was changed."""

    folder: str | None = None
    is_read: bool | None = None
    is_flagged: bool | None = None
    is_erased: bool = False


@dataclass(slots=True)
class Ledger:
    """The book of a soak."""

    phones_each: int
    """Phones of an account."""
    letters: dict[str, Letter] = field(default_factory=dict)
    """What Postfix took from outside, by token."""
    sent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """What phones sent, and were told is sent: token → account it came from, account it went to."""
    left: set[str] = field(default_factory=set)
    """What a phone still has in its outbox: perhaps it went out, perhaps not."""
    asked_again: set[str] = field(default_factory=set)
    """Of those, the ones whose first answer did not come: one of them may have gone out once more (ARCHITECTURE 4)."""
    promises: dict[tuple[int, str], Promise] = field(default_factory=dict)

    def is_changed_by(self, token: str, place: int) -> bool:
        """Tell whether that phone of an account, counting from 0, may change an item.

        A quarter is everybody's: of those only the last one counts, so that nothing can be promised.
        """
        return self._owner(token) in (place, self.phones_each)

    def is_own(self, token: str, place: int) -> bool:
        """Tell whether that phone, and no other, may change an item."""
        return self._owner(token) == place

    def promise(self, account: int, token: str) -> Promise:
        """Return what to write a promise into; into nowhere, for what is everybody's."""
        if self._owner(token) == self.phones_each:
            return Promise()
        return self.promises.setdefault((account, token), Promise())

    def expected(self, account: int) -> set[str]:
        """Return the tokens of all mails that must have come to an account."""
        taken = {letter.token for letter in self.letters.values() if account in letter.accounts}
        return taken | {token for token, (_, to) in self.sent.items() if to == account}

    def copies(self, account: int) -> set[str]:
        """Return the tokens of what lies in its Sent Items."""
        return {token for token, (sender, _) in self.sent.items() if sender == account}

    def _owner(self, token: str) -> int:
        number = crc32(token.encode())
        return self.phones_each if number % 4 == 0 else number // 4 % self.phones_each
