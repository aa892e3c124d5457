"""What is known of mail that went out: intents and outcomes, so that no retry sends a message twice.

An intent is written before submission and its outcome after it.  An intent without outcome is *open*: some process may
be submitting it, or died while it did.  How long to wait for it is decided above, not here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from storage.clock import stamp_ms
from storage.cursor import Rid
from storage.records import Sending, Sent

KEPT_MS = 2 * 86_400_000
"""How long a finished send is remembered, so that a late retry is known for one."""


Key: TypeAlias = tuple[str, int]
"""An attempt's name: (writer, n) of the commit that holds its intent."""


class Intent(NamedTuple):
    """One attempt to send: when it was written, the message it names, the process that was to submit it."""

    time: int
    message_id: str
    digest: bytes
    process: str


@dataclass(slots=True)
class Send:
    """All attempts of one message."""

    intents: dict[Key, Intent] = field(default_factory=dict)
    outcomes: dict[Key, bool] = field(default_factory=dict)

    @property
    def taken(self) -> bool:
        """Whether submission took the message."""
        return any(self.outcomes.values())

    @property
    def open(self) -> dict[Key, Intent]:
        """The attempts of which no outcome is known."""
        return {key: intent for key, intent in self.intents.items() if key not in self.outcomes}


class Sends:
    """Every send of an account that is still remembered, by its id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Send] = {}

    def offer(self, rid: Rid, record: Sending | Sent) -> None:
        """Take a record: any order, any number of times."""
        send = self.by_id.setdefault(record.send, Send())
        if isinstance(record, Sending):
            send.intents[rid.writer, rid.n] = Intent(rid.time, record.message_id, record.digest, record.process)
        else:
            # Of two outcomes of one attempt the worse claim is the true one: what was taken is not to be sent again.
            known = send.outcomes.get((record.writer, record.n), False)
            send.outcomes[record.writer, record.n] = known or record.taken

    def join(self, other: "Sends") -> None:
        """Take whatever *other* remembers."""
        for send_id, theirs in other.by_id.items():
            send = self.by_id.setdefault(send_id, Send())
            send.intents.update(theirs.intents)
            for key, taken in theirs.outcomes.items():
                send.outcomes[key] = send.outcomes.get(key, False) or taken

    def alike(self, prefix: str, message_id: str, digest: bytes) -> Iterator[tuple[Send, Key, Intent]]:
        """Yield the intents of the same Message-ID or the same bytes, of sends whose id begins with *prefix*."""
        for send_id, send in self.by_id.items():
            if send_id.startswith(prefix):
                for key, intent in send.intents.items():
                    if intent.digest == digest or (message_id and intent.message_id == message_id):
                        yield send, key, intent

    def pack(self, now: int) -> list[Any]:
        """Return what is to be remembered at time *now* (hybrid clock) as positional lists, for a checkpoint."""
        oldest = stamp_ms(now) - KEPT_MS
        return [
            [
                send_id,
                [[*key, *intent] for key, intent in send.intents.items()],
                [[*k, v] for k, v in send.outcomes.items()],
            ]
            for send_id, send in self.by_id.items()
            if not send.intents or max(stamp_ms(intent.time) for intent in send.intents.values()) >= oldest
        ]

    @classmethod
    def unpack(cls, packed: list[Any]) -> "Sends":
        """Undo `pack`."""
        sends = cls()
        for send_id, intents, outcomes in packed:
            sends.by_id[send_id] = Send(
                {(writer, n): Intent(*rest) for writer, n, *rest in intents},
                {(writer, n): taken for writer, n, taken in outcomes},
            )
        return sends

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sends) and self.by_id == other.by_id

    __hash__ = None  # type: ignore[assignment]  # mutable
