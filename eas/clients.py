"""Which client is this, and what does it need: oddities as data, each with its reason.  No other module names a client.

The table is read from the top; the first row whose patterns match counts.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """How to treat a client.  The defaults suit one that follows the specification."""

    name: str = "standard"
    answer_seconds: float = 8.0
    """An answer that could be longer stops here and says MoreAvailable."""
    answer_bytes: int = 1 << 20
    upserts: bool = True
    """Whether an Add of an item that it has is a change to it; else it gets a Delete before."""
    takes_own_moves: bool = True
    """Whether the Delete and Add of its own MoveItems are to be told to it."""


STANDARD = Client()

_TABLE: tuple[tuple[str, str, Client], ...] = (
    # AOSP's parser inserts every Add: an item that it has would be there twice (clients.md of the field's servers).
    (r"android.*", r"android(-mail)?/.*-eas-.*", Client("aosp", upserts=False)),
    # Outlook 2013 and later has a moved item at once, and shows it twice if the target folder brings it again.
    (r"windowsoutlook.*", r".*", Client("outlook", takes_own_moves=False)),
)
_COMPILED = tuple((re.compile(kind, re.I), re.compile(agent, re.I), client) for kind, agent, client in _TABLE)


def client_of(device_type: str, user_agent: str) -> Client:
    """Return how to treat the client that names itself so."""
    for kind, agent, client in _COMPILED:
        if kind.fullmatch(device_type) and agent.fullmatch(user_agent):
            return client
    return STANDARD
