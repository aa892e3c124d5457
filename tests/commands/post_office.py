"""Nodes of one service in memory, with an account and a mail server that takes what it is told to take."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eas.clients import client_of
from eas.commands.table import COMMANDS
from eas.context import Context, Services
from eas.dispatch import answer_for
from eas.protocol.exchange import EasRequest, EasResponse
from eas.protocol.versions import Version
from eas.sending.met import Met
from eas.settings import Settings
from eas.sync.hub import Hub
from eas.wbxml.decoder import decode
from eas.wbxml.element import Element
from storage.account import Account
from storage.directories.directory import Entry, Mailbox
from storage.engine import Engine
from storage.feeds.feed import Hub as Machine
from storage.feeds.feed import LocalFeed
from storage.folders import INBOX
from storage.items import Item
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.records import Added, Record
from storage.store import Store
from storage.views import BOTTOM, TOP
from tests.storage.vaults import PASSWORD, SECRET, World

ANNA = Mailbox("anna@example.org", ("a.smith@example.net",), display_name="Anna Smith")
DEVICE = "androidc1"


class OneUser:
    """A directory."""

    async def resolve(self, address: str) -> Mailbox:
        return ANNA

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        return (ANNA,)

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        return (SECRET,)

    async def search(self, words: Sequence[str] | str, limit: int) -> list[Entry]:
        return []


@dataclass
class MailServer:
    """What was submitted: sender, recipients, message.  `errors` are raised instead, one each time."""

    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    tried: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, sender: str, recipients: list[str], message: bytes) -> None:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        await asyncio.sleep(0)
        self.tried.append(message)
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append((sender, recipients, message))


@dataclass
class Office:
    """The service: what all nodes share."""

    world: World = field(default_factory=World)
    server: MailServer = field(default_factory=MailServer)
    machine: Machine = field(default_factory=Machine)
    passed_seconds: float = 0.0

    async def open(self, engine: Engine | None = None) -> "Node":
        """Start a process, the first of which makes the account."""
        feed = LocalFeed(self.machine)
        engine = engine or self.world.engine()
        store = Store(engine, OneUser(), self.world.node(engine), feed, self.world.wall)
        if not self.world.objects.keys:
            await Store(self.world.engine(), OneUser(), self.world.vault, feed, self.world.wall).create(ANNA, PASSWORD)
        account, _ = await store.unlock(ANNA.address, PASSWORD)
        met = Met(lambda: self.passed_seconds)
        services = Services(Hub(feed), feed, store.directory, Settings(), self.now, self.server, met=met)
        return Node(self, store, account, services)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.world.wall.ms / 1000, UTC)

    def pass_time(self, **units: float) -> None:
        """Let time pass, for clocks of all kinds: `minutes=11`."""
        self.set_forward(**units)
        self.passed_seconds += timedelta(**units).total_seconds()

    def set_forward(self, **units: float) -> None:
        """Set the wall clock forward, though no time passed."""
        self.world.wall.ms += int(timedelta(**units).total_seconds() * 1000)


@dataclass
class Node:
    """One process."""

    office: Office
    store: Store
    account: Account
    services: Services

    def die(self) -> None:
        """Leave the feed, as a dead process does: others know."""
        self.services.feed.close()

    def context(self, version: Version = Version.V14_1, device: str = DEVICE) -> Context:
        deadline = asyncio.get_running_loop().time() + 60
        return Context(self.account, device, "Android", version, client_of("Android", ""), deadline, self.services)

    async def ask(self, request: EasRequest, root: Element | None) -> EasResponse:
        """Let a command answer, as the dispatcher does after decoding."""
        command = COMMANDS[request.command]
        try:
            context = self.context(request.version, request.device_id)
            result = await command.module.handle(context, command.module.parse(root, request))
        except Exception as error:
            return answer_for(error, command, request)
        assert command.module.render(result, request.version) is None
        return EasResponse()

    async def post(self, command: str, root: Element, version: Version = Version.V14_1, device: str = DEVICE) -> int:
        """Ask by a tree, and return the Status."""
        return status_of(await self.ask(EasRequest(command, version, "", device, "Android"), root))

    async def put(self, data: bytes, folder: str = INBOX.id, item: str = "00000000000000000001") -> str:
        """Let a mail lie in a folder; return its ServerId."""
        content = await self.account.store(data, index_message(data).pack())
        async with self.account.turn():
            await self.account.commit([Added(item, folder, "Email", self.office.world.wall.ms, content)])
        return f"{folder}:{item}"

    async def commit(self, *records: Record) -> None:
        async with self.account.turn():
            await self.account.commit(records)

    async def item(self, server_id: str) -> Item:
        async with self.account.turn() as state:
            item = await state.item(server_id.partition(":")[2])
        assert item is not None
        return item

    async def members(self, folder: str) -> list[Item]:
        async with self.account.turn() as state:
            return await state.members(folder, BOTTOM, TOP)

    async def messages(self, folder: str) -> list[bytes]:
        """Return the messages of a folder."""
        async with self.account.turn() as state:
            items = await state.members(folder, BOTTOM, TOP)
            contents = await state.contents(item.id for item in items)
            return [await self.account.read(contents[item.id]) for item in items]

    async def summaries(self, folder: str) -> list[Summary]:
        return [index_message(data) for data in await self.messages(folder)]


def status_of(response: EasResponse) -> int:
    """Return the Status of a refusal: 1 for the empty answer, the HTTP status where it is none of 200."""
    if response.status != 200:
        return response.status
    assert isinstance(response.body, bytes)
    if not response.body:
        return 1
    return int(decode(response.body).children[0].as_text())
