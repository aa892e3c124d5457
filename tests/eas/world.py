"""A whole server within the test's process: demo accounts, HTTP and LMTP on loopback, outgoing mail captured.

    async with world() as w:
        phone = w.client(1, version=Version.V14_1)
        await w.deliver(1, message)

Passwords cost next to nothing, nothing is logged, and everything is closed at the end.
"""

import asyncio
import smtplib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eas.cli.admin import has_keys
from eas.mail.submission import SubmissionFailed
from eas.protocol.versions import Version, parse_version
from eas.run.app import App
from eas.settings import Settings
from eas.wire.listeners import Listener
from lmtp.listen import open_sockets
from lmtp.observer import Observer
from lmtp.settings import Settings as LmtpSettings
from storage.account import Account
from storage.directories.accounts_file import StaticAccount, add_accounts
from storage.keyring.slots import CHEAPEST
from storage.opening import open_store
from storage.settings import Settings as StorageSettings
from storage.startup import create_deployment_key
from storage.store import Store
from tests.support.client import Device, EasClient

TRACE = b"Return-Path: <friend@example.net>\r\nDelivered-To: u@example.test\r\nReceived: by world.test with LMTP\r\n"


@dataclass(frozen=True)
class SentMail:
    """What was handed over to be sent."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


@dataclass
class World:
    """The running server.  Accounts count from 1."""

    app: App
    url: str
    lmtp_address: tuple[str, int]
    version: Version
    """Of clients that are not given one."""
    sent: list[SentMail] = field(default_factory=list)
    """What was submitted, in order."""
    refusal: SubmissionFailed | None = None
    """Set it, and submission fails with it."""
    submitting: asyncio.Event | None = None
    """Set it to an Event, and submission waits for it."""
    clients: list[EasClient] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.app.store

    def client(
        self,
        n: int = 1,
        *,
        version: Version | str | None = None,
        device: Device | None = None,
        user: str | None = None,
        password: str | None = None,
        base64_form: bool = False,
    ) -> EasClient:
        """Return a phone of account *n*; it is closed with the world."""
        client = EasClient(
            self.url,
            address(n) if user is None else user,
            f"pw-u{n}" if password is None else password,
            version=self.version if version is None else _version(version),
            device=device,
            base64_form=base64_form,
        )
        self.clients.append(client)
        return client

    async def deliver(self, n: int, message: bytes, *, junk: bool = False) -> None:
        """Deposit a message for account *n*, as LMTP does."""
        delivery = self.store.delivery
        await delivery.deposit(await delivery.recipient(address(n)), TRACE, message, junk=junk)

    async def lmtp(
        self, recipients: Sequence[str], message: bytes, sender: str = "friend@example.net"
    ) -> dict[str, int]:
        """Deliver through the LMTP listener; return the reply code of each recipient."""

        def deliver() -> dict[str, int]:
            with smtplib.LMTP(*self.lmtp_address) as lmtp:
                try:
                    refused = lmtp.sendmail(sender, list(recipients), message)
                except smtplib.SMTPRecipientsRefused as error:
                    refused = error.recipients
            return {one: refused[one][0] if one in refused else 250 for one in recipients}

        return await asyncio.to_thread(deliver)

    async def account(self, n: int = 1) -> Account:
        """Return account *n*, opened as a phone's request does."""
        account, _ = await self.store.unlock(address(n), f"pw-u{n}")
        return account

    async def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Take outgoing mail."""
        if self.submitting is not None:
            await self.submitting.wait()
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(SentMail(sender, tuple(recipients), message))


def address(n: int) -> str:
    """Return the address of account *n*."""
    return f"u{n}@example.test"


@asynccontextmanager
async def world(
    accounts: int = 2,
    version: Version | str = Version.V16_1,
    engine: str = "memory",
    *,
    settings: Settings | None = None,
    folder: Path | None = None,
    observer: Observer | None = None,
    wrap: Callable[[App], None] | None = None,
) -> AsyncIterator[World]:
    """Start a server with *accounts* accounts, whose passwords are pw-u1 …; *folder* keeps a local store's data.

    *version* is that of `client` unless it is given one.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petitbleu-test-")))
        store = await open_filled_store(folder, engine, accounts)
        running: list[World] = []

        async def submit(sender: str, recipients: Sequence[str], message: bytes) -> None:
            await running[0].submit(sender, recipients, message)

        lmtp_settings = LmtpSettings(listen=("127.0.0.1:0",), hostname="world.test")
        app = App(store, settings or Settings(), lmtp_settings, submit, observer)
        if wrap is not None:
            wrap(app)
        sockets = open_sockets(lmtp_settings.listen)
        lmtp_address = sockets[0].getsockname()[:2]
        [(_, port)] = await app.start([Listener("127.0.0.1", 0)], sockets)
        here = World(app, f"http://127.0.0.1:{port}", lmtp_address, _version(version))
        running.append(here)
        try:
            yield here
        finally:
            for client in here.clients:
                await client.close()
            await app.stop(0.5)


async def open_filled_store(folder: Path, engine: str = "memory", accounts: int = 2) -> Store:
    """Open a store with *accounts* accounts; the caller closes it."""
    store = await open_store(_storage_settings(folder, engine, accounts))
    for n in range(1, accounts + 1):
        mailbox = await store.directory.resolve(address(n))
        if not await has_keys(store, mailbox):
            await store.create(mailbox, f"pw-u{n}")
    return store


def _version(version: Version | str) -> Version:
    return parse_version(version) if isinstance(version, str) else version


def _storage_settings(folder: Path, engine: str, accounts: int) -> StorageSettings:
    assert engine in ("memory", "local")
    settings = StorageSettings(
        engine="memory" if engine == "memory" else "local",
        path=folder / "store",
        directory_file=folder / "accounts.toml",
        deployment_key_file=folder / "deployment.key",
        argon2_memory_kib=CHEAPEST.memory_kib,
        argon2_passes=CHEAPEST.passes,
    )
    if not settings.deployment_key_file.exists():
        create_deployment_key(settings.deployment_key_file)
        people = [StaticAccount(address(n), display_name=f"User {n}") for n in range(1, accounts + 1)]
        add_accounts(settings.directory_file, people)
    return settings
