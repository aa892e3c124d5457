"""The demo: a whole server on loopback, its accounts and their first mails made on the spot."""

import asyncio
import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from eas.address import parse_address
from eas.context import Submit
from eas.demo.bucket import deployment_key, user_secret
from eas.demo.mails import SENDER, sample_mails
from eas.demo.post import OwnDelivery
from eas.mail.submission import Submission
from eas.run.ports import Ports
from eas.run.sections import SECTIONS
from eas.settings import Settings
from lmtp.settings import Settings as LmtpSettings
from storage import paths
from storage.directories.accounts_file import HEADER, StaticAccount, add_accounts, load_accounts
from storage.directories.directory import Mailbox
from storage.keyring.creation import AccountExists, BeingCreated
from storage.keyring.slots import CHEAPEST
from storage.opening import open_store
from storage.private_file import create_private
from storage.settings import Settings as StorageSettings
from storage.startup import create_deployment_key, example_configuration, read_deployment_key
from storage.store import Store
from storage.toml_tables import SettingError

DOMAIN = "example.test"
ACCOUNTS_MAX = 10_000
CONFIGURATION = "petitbleu.toml"
"""Lets the other subcommands work on a demo's folder: `petitbleu account list --config DIR/petitbleu.toml`."""
_GIVEN: Mapping[str, Mapping[str, object]] = {
    "storage": {
        "path": "store",
        "directory_file": "accounts.toml",
        "deployment_key_file": "deployment.key",
        "argon2_memory_kib": CHEAPEST.memory_kib,
        "argon2_passes": CHEAPEST.passes,
    }
}
_AT_ONCE = 64
_CREATE_TRIES = 40
_ARGON2_RUNS = 4


@dataclass(frozen=True, slots=True)
class Demo:
    """What the command line asked for."""

    folder: Path
    http: str
    https: str
    lmtp: str
    submission: str
    accounts: int
    bucket: str = ""
    """Where the store is, `s3://BUCKET/PREFIX`; empty: in the folder."""

    def storage_settings(self, log_level: str = "info") -> StorageSettings:
        """Return the store's settings: what is not in a bucket in the one folder, and passwords at the lowest cost."""
        return StorageSettings(
            engine="s3" if self.bucket else "local",
            bucket=self.bucket,
            path=self.folder / "store",
            directory_file=self.folder / "accounts.toml",
            deployment_key_file=self.folder / "deployment.key",
            argon2_memory_kib=CHEAPEST.memory_kib,
            argon2_passes=CHEAPEST.passes,
            argon2_runs_max=_ARGON2_RUNS,
            log_level="warning" if log_level == "warning" else "info",
            log_addresses=True,
        )

    def eas_settings(self) -> Settings:
        """Return the HTTP side's settings."""
        return Settings(http=self.http, https=self.https, submission=self.submission)

    def lmtp_settings(self) -> LmtpSettings:
        """Return the LMTP side's settings; the name is made up, as looking one up may take seconds."""
        return LmtpSettings(listen=(self.lmtp,), hostname=f"demo.{DOMAIN}")

    def submit(self, ports: Ports) -> Submit:
        """Return how mail is sent: through the server that was named, or to demo accounts alone."""
        if self.submission:
            return Submission(*parse_address(self.submission))
        return OwnDelivery(*ports.lmtp[0])


def address(n: int) -> str:
    """Return the address of account *n*, from 1."""
    return f"u{n}@{DOMAIN}"


def password(n: int) -> str:
    """Return the password of account *n*."""
    return f"pw-u{n}"


def prepare_files(demo: Demo) -> None:
    """Make key and accounts file if they are not there, and add the accounts that are missing.

    Raises `SettingError`, `UnsafeFile`, OSError.
    """
    settings = demo.storage_settings()
    demo.folder.mkdir(parents=True, exist_ok=True)
    if not settings.deployment_key_file.exists():
        create_deployment_key(settings.deployment_key_file, deployment_key(demo.bucket) if demo.bucket else None)
    elif demo.bucket and read_deployment_key(settings.deployment_key_file) != deployment_key(demo.bucket):
        raise SettingError(str(demo.folder), f"is of a demo whose store is not in {demo.bucket}")
    if not settings.directory_file.exists():
        create_private(settings.directory_file, HEADER.encode())
    if not (configuration := demo.folder / CONFIGURATION).exists():
        configuration.write_text(example_configuration(SECTIONS, _given(demo)), "utf-8")
    there = {account.mailbox.address for account in load_accounts(settings.directory_file)}
    missing = [n for n in range(1, demo.accounts + 1) if address(n) not in there]
    if missing:
        new = [_account(demo, n) for n in missing]
        add_accounts(settings.directory_file, new)


def _given(demo: Demo) -> Mapping[str, Mapping[str, object]]:
    return {"storage": {**_GIVEN["storage"], **({"engine": "s3", "bucket": demo.bucket} if demo.bucket else {})}}


def _account(demo: Demo, n: int) -> StaticAccount:
    secret = user_secret(demo.bucket, address(n)) if demo.bucket else ""
    return StaticAccount(address(n), display_name=f"Demo User {n}", user_secret=secret)


async def fill(demo: Demo, lmtp_port: int) -> int:
    """Make the keys and first mails of accounts that have none yet; return how many accounts that were."""
    store = await open_store(demo.storage_settings())
    try:
        places = asyncio.Semaphore(_AT_ONCE)
        now = datetime.now(UTC)

        async def one(n: int) -> bool:
            async with places:
                return await _fill_account(store, n, lmtp_port, now)

        return sum(await asyncio.gather(*map(one, range(1, demo.accounts + 1))))
    finally:
        await store.close()


async def _fill_account(store: Store, n: int, lmtp_port: int, now: datetime) -> bool:
    mailbox = await store.directory.resolve(address(n))
    if await _has_keys(store, mailbox):
        return False
    if not await _create(store, mailbox, password(n)):
        return False
    await _deposit(store, address(n), sample_mails(address(n), lmtp_port, now), now)
    return True


async def _create(store: Store, mailbox: Mailbox, typed: str) -> bool:
    """Make an account's keys; return False if another demo on the same store has.  Raises `BeingCreated`."""
    for _ in range(_CREATE_TRIES):
        try:
            await store.create(mailbox, typed)
            return True
        except AccountExists:
            return False
        except BeingCreated:  # of two that meet both withdraw
            await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311  # no secret: they shall not meet again
    raise BeingCreated(mailbox.address)


async def _has_keys(store: Store, mailbox: Mailbox) -> bool:
    return bool(await store.engine.list(paths.prefix(paths.Kind.PUBLIC, store.account_id(mailbox)), limit=1))


async def _deposit(store: Store, to: str, messages: Iterable[bytes], now: datetime) -> None:
    recipient = await store.delivery.recipient(to)
    trace = (
        f"Return-Path: <{SENDER[1]}>\r\nDelivered-To: {to}\r\n"
        f"Received: by demo.{DOMAIN} with LMTP id demo{os.getpid()}; {format_datetime(now)}\r\n"
    ).encode()
    for message in messages:
        await store.delivery.deposit(recipient, trace, message, junk=False)
