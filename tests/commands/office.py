"""Nodes of one store in memory, and phones that ask them by whole HTTP requests: for tests of single commands.

An answer that breaks the schema fails the test, whatever it was looking at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eas.context import Services
from eas.dispatch import Dispatcher
from eas.login.sessions import Sessions
from eas.protocol.exchange import EasResponse, HttpRequest
from eas.protocol.versions import Version
from eas.settings import Settings
from eas.sync.hub import Hub
from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from eas.wbxml.encoder import encode
from storage import objects
from storage.account import Account
from storage.account_keys import AccountKeys
from storage.clock import Clock
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.feeds.feed import LocalFeed
from storage.identity import Identity
from storage.log import Writer
from storage.records import Added, Record
from storage.state import State
from tests.support import schema

ACCOUNT = "0" * 32
KEYS = AccountKeys.derive(b"m" * 32, [])
IDENTITY = Identity("anna@example.org", ("a@example.org",), "Anna")
BEGIN = datetime(2024, 5, 1, 12, tzinfo=UTC)


class OpenSessions(Sessions):
    """Everybody is Anna."""

    def __init__(self, account: Account) -> None:
        self.opened = account

    async def account(self, authorization: str, device_id: str, remote: str) -> Account:
        return self.opened

    async def greet(self, authorization: str, remote: str) -> Identity:
        return self.opened.identity


async def submit(sender: str, recipients: list[str], message: bytes) -> None:
    raise AssertionError("nothing is to be sent")


class Office:
    """The store, the time, the settings."""

    def __init__(self) -> None:
        self.objects, self.now, self.settings = MemoryObjects(), BEGIN, Settings()
        self.hubs: list[Hub] = []

    def node(self, identity: Identity = IDENTITY) -> Dispatcher:
        """Return a further node."""
        engine, feed = MemoryEngine(self.objects), LocalFeed()
        clock = Clock(lambda: int(self.now.timestamp() * 1000))

        def make(name: str, header: objects.Header, time: int, records: Sequence[Record]) -> bytes:
            return objects.make_own(name, KEYS.log.log, header, time, records)

        writer = Writer(engine, ACCOUNT, clock, make, delivers=False, published=feed.publish)
        account = Account(engine, ACCOUNT, identity, KEYS, clock, writer)
        self.hubs.append(hub := Hub(feed))
        directory: Any = None  # none of these commands looks anybody up
        services = Services(hub, feed, directory, self.settings, lambda: self.now, submit)
        return Dispatcher(OpenSessions(account), services)

    def close(self) -> None:
        for hub in self.hubs:
            hub.close()


@dataclass
class Phone:
    """Asks one node; `last` is what HTTP said."""

    node: Dispatcher
    version: Version = Version.V16_1
    device: str = "phone1"
    policy_key: str = ""
    last: EasResponse = field(default_factory=EasResponse)

    def of_version(self, version: Version) -> "Phone":
        return replace(self, version=version)

    async def post(self, request: Element) -> Element | None:
        """Return the answer's tree, None for an empty one."""
        name = request.tag.name
        answer = await self.node.answer(
            HttpRequest(
                "POST",
                "/Microsoft-Server-ActiveSync",
                f"Cmd={name}&User=anna&DeviceId={self.device}&DeviceType=SP",
                authorization="Basic YW5uYTp4",
                protocol_version=self.version.text,
                policy_key=self.policy_key,
                body=encode(request),
            )
        )
        assert isinstance(answer, EasResponse)
        assert isinstance(answer.body, bytes)
        self.last = answer
        if not answer.body:
            return None
        root = decode(answer.body)
        assert schema.validate(root, self.version) == []
        return root

    async def ask(self, request: Element) -> Element:
        """Return the answer's tree; there must be one."""
        root = await self.post(request)
        assert root is not None
        return root

    @property
    def account(self) -> Account:
        assert isinstance(self.node.sessions, OpenSessions)
        return self.node.sessions.opened

    async def state(self) -> State:
        """Return everything durable, folded."""
        async with self.account.turn() as state:
            return state

    async def commit(self, *records: Record) -> None:
        """Change the account behind the phone's back."""
        async with self.account.turn():
            await self.account.commit(records)

    async def deliver(self, *items: str, folder: str = "inbox", days_old: int = 0) -> None:
        """Put mails without content into a folder."""
        date = int((BEGIN - timedelta(days=days_old)).timestamp() * 1000)
        await self.commit(*(Added(item, folder, "Email", date, None) for item in items))
