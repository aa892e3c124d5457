"""A store in memory with a directory, two accounts and a user without one: what the tests of delivery are made with."""

import mmap

from storage.account import Account
from storage.delivery import Delivery
from storage.directories.directory import Entry, Mailbox
from storage.engine import Engine
from storage.errors import UnknownAddress
from storage.feeds.feed import LocalFeed
from storage.records import Content
from storage.store import Store
from tests.storage.vaults import PASSWORD, SECRET, World

ANNA = Mailbox("anna@example.org", ("a.smith@example.org",), quota_bytes=10_000)
BOB = Mailbox("bob+lists@example.org")
NOBODY = Mailbox("new@example.org")
MESSAGE = b"Received: from x by y; Fri, 08 Mar 2024 16:30:00 +0000\r\nSubject: Hi\r\n\r\ntext\r\n"
TRACE = b"Return-Path: <s@x>\r\n"


class Users:
    """A directory."""

    def __init__(self, *mailboxes: Mailbox) -> None:
        self.mailboxes = mailboxes or (ANNA, BOB, NOBODY)

    async def resolve(self, address: str) -> Mailbox:
        for mailbox in self.mailboxes:
            if address in mailbox.addresses:
                return mailbox
        raise UnknownAddress(address)

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        return tuple(mailbox for mailbox in self.mailboxes if mailbox.address == name)

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        return (SECRET,)

    async def search(self, text: str, limit: int) -> list[Entry]:
        return []


class Site:
    """A store with Anna's account, and delivering processes on it."""

    def __init__(self) -> None:
        self.world = World()
        self.store = self.node()

    def node(self, engine: Engine | None = None) -> Store:
        engine = engine or self.world.engine()
        return Store(engine, Users(), self.world.node(engine), LocalFeed(), self.world.wall)

    @classmethod
    async def made(cls) -> "Site":
        site = cls()
        for mailbox in (ANNA, BOB):
            await site.store.create(mailbox, PASSWORD)
        return site

    async def anna(self) -> Account:
        """Return her account, as a process opens it that was not there before."""
        account, _ = await self.node().unlock(ANNA.address, PASSWORD)
        return account

    async def mails(self) -> dict[str, bytes]:
        account = await self.anna()
        async with account.turn() as state:
            items = [item.id async for item in state._all()]
            found = await state.contents(items)
            assert found.keys() == set(items)
            return {item: await account.read(content) for item, content in found.items()}

    async def content(self) -> Content:
        async with (await self.anna()).turn() as state:
            (content,) = (await state.contents([item.id async for item in state._all()])).values()
            return content


async def deposit(
    to: Delivery, message: bytes | mmap.mmap = MESSAGE, *, trace: bytes = TRACE, junk: bool = False
) -> None:
    await to.deposit(await to.recipient(ANNA.address), trace, message, junk=junk)
