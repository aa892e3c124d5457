"""Which sends are the same message: by what a phone calls it, by its Message-ID, by the bytes of the request.  Pure.

Some clients give every attempt a new ClientId, and below 14.0 there is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.clock import stamp_ms
from storage.sends import KEPT_MS, Intent, Key, Send, Sends

ALIKE_MS = 86_400_000
"""For how long the same Message-ID, or the same bytes, are taken for a retry under another ClientId."""


@dataclass(frozen=True, slots=True)
class Name:
    """By what a message is known when it comes again."""

    id: str
    """The send id: device, and what the phone calls the message."""
    scope: str
    """Sends whose id begins so may be the same message under another id."""
    digest: bytes
    """Of the request: two with one digest are one message."""
    remembered_ms: int = KEPT_MS
    """For how long the id names this message."""


def current_id(sends: Sends, name: Name, now_ms: int) -> str:
    """Return the send id, another one when that of *name* is that of a message sent long ago."""
    send_id = name.id
    while (send := sends.by_id.get(send_id)) and send.taken and _latest_ms(send) < now_ms - name.remembered_ms:
        send_id += "'"
    return send_id


def _latest_ms(send: Send) -> int:
    return max((stamp_ms(intent.time) for intent in send.intents.values()), default=0)


def was_sent(sends: Sends, send_id: str) -> bool:
    """Tell whether the message was sent under this very id."""
    send = sends.by_id.get(send_id)
    return send is not None and send.taken


def was_sent_alike(sends: Sends, name: Name, message_id: str, now_ms: int) -> bool:
    """Tell whether the message was sent within a day, under whatever id."""
    return any(
        send.taken and stamp_ms(intent.time) >= now_ms - ALIKE_MS
        for send, _, intent in sends.alike(name.scope, message_id, name.digest)
    )


def open_intents(sends: Sends, name: Name, send_id: str, message_id: str) -> Iterator[tuple[Key, Intent]]:
    """Yield the intents without outcome of this message, under whatever id."""
    same = sends.by_id.get(send_id)
    if same is not None:
        yield from same.open.items()
    for other, key, intent in sends.alike(name.scope, message_id, name.digest):
        if other is not same and key not in other.outcomes:
            yield key, intent
