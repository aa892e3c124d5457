"""What a command's `handle` is given: whose request it is, and what it may use.  And what it may return: a wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from eas.clients import Client
from eas.protocol.versions import Version
from eas.sending.met import Met
from eas.settings import Settings
from eas.sync.hub import Hub, Outcome
from storage.account import Account
from storage.directories.directory import Directory
from storage.feeds.feed import Feed

S = TypeVar("S")


class CommandFailed(Exception):
    """The command as a whole is refused with a Status of its own, or (101 and above) a common one.

    Up to 12.1 a common one is told as the HTTP code that stands for it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Services:
    """What all requests share."""

    hub: Hub
    feed: Feed
    directory: Directory
    settings: Settings
    now: Callable[[], datetime]
    """Aware UTC."""
    submit: "Submit"
    unfinished: "set[asyncio.Task[None]]" = field(default_factory=set)
    """What goes on after its request was answered; kept here, so that it is not forgotten in its midst."""
    met: Met = field(default_factory=Met)
    """Since when intents to send are known here."""


@dataclass(frozen=True, slots=True)
class Context:
    """One request's surroundings.  Small: a wait keeps it."""

    account: Account
    device: str
    """The device's id, in small letters."""
    device_type: str
    version: Version
    client: Client
    deadline: float
    """When the answer should leave, on the event loop's clock: send less rather than later."""
    services: Services


@dataclass(frozen=True, slots=True)
class Wait(Generic[S]):
    """Instead of an answer: wait for news, and then make one.

    *resume* is all that is kept of the request: it must not hold trees, bodies or frames.
    """

    seconds: int
    folders: tuple[str, ...]
    hierarchy: bool
    resume: Callable[["Context", Outcome], Awaitable[S]]


Submit = Callable[[str, list[str], bytes], Awaitable[None]]
"""Hand a message over to be sent: envelope sender, recipients, bytes.  Raises as `eas/mail/submission.py` says."""
