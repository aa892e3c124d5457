"""A store with one of everything in it, as it was left: its objects, what was ever true, and what its phone holds."""

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from storage.account import Account
from storage.collecting.collector import collect
from storage.directories.directory import Directory
from storage.engine import EngineError
from storage.engine_memory import MemoryEngine, MemoryObjects
from storage.feeds.feed import LocalFeed
from storage.feeds.message import feed_key, pack, pack_last
from storage.keyring import keys
from storage.keyring.objects import Vault
from storage.keyring.recovery import new_app_password
from storage.keyring.slots import CHEAPEST, SlotKind
from storage.paths import Kind, account_of, new_writer, parse
from storage.paths import feed as feed_name
from storage.seal import SealError
from storage.store import Store, wall_ms
from tests.eas.world import World, address, world
from tests.support.drafts import Draft
from tests.support.mailbox import Mailbox
from tests.support.sync_requests import delete, read
from tests.sync.asking import ARCHIVE, INBOX, mail

USERS = (1, 2)
DRAFTS = "drafts"
LONG = "many chunks, and no two alike: " + " ".join(map(str, range(60_000)))


class Shown(NamedTuple):
    """What an account shows of an item.  `content`: its bytes, or None for a failure that says so."""

    folder: str | None
    read: bool
    content: bytes | None


@dataclass
class Seen:
    """What an account shows, and every failure on the way."""

    items: dict[str, Shown] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    failures: list[str] = field(default_factory=list)


@dataclass
class Kept:
    """The store as it was left."""

    directory: Directory
    deployment_key: bytes
    app_password: str
    recovery_key: str
    contents: dict[str, bytes] = field(default_factory=dict)
    older: dict[str, list[bytes]] = field(default_factory=dict)
    """Objects that were replaced or removed on the way, by name."""
    mailbox: Mailbox = field(default_factory=Mailbox)
    """What the phone of account 1 holds, and its keys."""
    ever: dict[int, dict[str, set[Shown]]] = field(default_factory=dict)
    """For each user and item, everything that it ever was."""
    folders: dict[int, set[str]] = field(default_factory=dict)
    """For each user, every folder that ever was."""
    truth: dict[int, Seen] = field(default_factory=dict)
    orphans: int = 0
    """How many objects are left over."""

    def account(self, user: int) -> str:
        """Return the name that a user's account has in the store."""
        return account_of(self.deployment_key, address(user))

    def is_unseen_tail(self, name: str) -> bool:
        """Tell whether *name* is of the log of account 2, which no device has seen: nobody knows how it ended."""
        parsed = parse(name)
        return parsed.kind is Kind.LOG and parsed.account == self.account(2)

    def node(self, contents: dict[str, bytes]) -> Store:
        """Return a process that was just started on *contents*."""
        engine = MemoryEngine(copied(contents))
        vault = Vault(engine, self.deployment_key, CHEAPEST, asyncio.Semaphore(2), wall_ms)
        return Store(engine, self.directory, vault, LocalFeed())


async def look(store: Store, user: int) -> tuple[Seen, Account | None]:
    """Open an account by its password and look at everything."""
    seen = Seen()
    try:
        account, _ = await store.unlock(address(user), f"pw-u{user}")
        async with account.turn() as state:
            items = [item async for item in state._all()]
            contents = await state.contents([item.id for item in items])
            seen.folders = frozenset(f"{folder.id} {folder.name}" for folder in state.folders.tree().values())
    except (EngineError, SealError, keys.WrongPassword) as error:
        seen.failures.append(f"{error!r}")
        return seen, None
    for item in items:
        data = None
        try:
            if item.id in contents:
                data = await account.read(contents[item.id])
        except (EngineError, SealError) as error:
            seen.failures.append(f"{error!r}")
        seen.items[item.id] = Shown(item.membership.folder, bool(item.value("read")), data)
    return seen, account


class Remembering(MemoryObjects):
    """Keeps what was replaced or removed."""

    def __init__(self) -> None:
        super().__init__()
        self.older: dict[str, list[bytes]] = {}

    def put(self, key: str, data: bytes) -> None:
        """Store or replace one object."""
        self._remember(key)
        super().put(key, data)

    def delete(self, key: str) -> None:
        """Remove one object, if it is there."""
        self._remember(key)
        super().delete(key)

    def _remember(self, key: str) -> None:
        if key in self.contents:
            self.older.setdefault(key, []).append(self.contents[key])


def copied(contents: dict[str, bytes]) -> MemoryObjects:
    """Return a store of its own with these objects."""
    objects = MemoryObjects()
    objects.contents, objects.keys = dict(contents), sorted(contents)
    return objects


async def left(folder: Path) -> Kept:
    """Live in a store for a while, and leave it; *folder* holds the directory."""
    async with world(len(USERS), folder=folder) as w:
        engine = w.store.engine
        assert isinstance(engine, MemoryEngine)
        objects = Remembering()
        for name, data in engine.objects.contents.items():
            objects.put(name, data)
        engine.objects = objects
        return await _Life(w, objects).lived()


class _Life:
    """Two accounts, one phone, and what they do."""

    def __init__(self, w: World, objects: Remembering) -> None:
        self.w, self.objects = w, objects
        self.phone = w.client(1)
        self.ever: dict[int, dict[str, set[Shown]]] = {user: {} for user in USERS}
        self.folders: dict[int, set[str]] = {user: set() for user in USERS}

    async def lived(self) -> Kept:
        await self._receive("first", "second", "third")
        await self.phone.set_up()
        await self.phone.folder_create("Reisen")
        await self._work()
        await self._checkpoint()
        await self._receive("fourth", "fifth")
        await self._write()
        await self._checkpoint()
        await self._collect(0, 2, 26, 52)
        await self._receive("between")
        await self._checkpoint()
        await self._collect(0)
        await self._receive("sixth")
        await self.phone.sync_all(INBOX)
        app_password, recovery_key = await self._guard()
        await self._note()
        self._feed()
        kept = Kept(self.w.store.directory, self.w.store.vault.deployment_key, app_password, recovery_key)
        kept.contents, kept.older = dict(self.objects.contents), self.objects.older
        kept.mailbox, kept.ever, kept.folders = deepcopy(self.phone.mailbox), self.ever, self.folders
        for user in USERS:
            kept.truth[user], _ = await look(kept.node(kept.contents), user)
        return kept

    async def _note(self) -> None:
        """Note how everything is now."""
        for user in USERS:
            seen, _ = await look(self.w.store, user)
            assert not seen.failures
            for item, shown in seen.items.items():
                self.ever[user].setdefault(item, set()).add(shown)
            self.folders[user] |= seen.folders

    async def _receive(self, *subjects: str) -> None:
        for user in USERS:
            for subject in subjects:
                await self.w.deliver(user, mail(f"{subject}-{user}", LONG if subject == "second" else "Hello"))
                await self._note()

    async def _work(self) -> None:
        inbox = await self.phone.sync_all(INBOX)
        first, second, third = [inbox.find(f"{subject}-1").server_id for subject in ("first", "second", "third")]
        await self.phone.sync(INBOX, [read(first)])
        await self._note()
        await self.phone.move([(second, INBOX, ARCHIVE)])
        await self._note()
        await self.phone.sync(INBOX, [delete(third)], deletes_as_moves=False)
        await self.phone.sync_all(INBOX)
        await self.phone.sync_all(ARCHIVE)
        await self._note()

    async def _write(self) -> None:
        await self.phone.sync_all(DRAFTS)
        draft = await self.phone.draft_add(DRAFTS, Draft(to="u2@example.test", subject="draft", body="a"))
        await self._note()
        await self.phone.draft_change(DRAFTS, draft.server_id, Draft(body="b"))
        await self._note()
        await self.phone.draft_add(DRAFTS, Draft(to="u2@example.test", subject="sent", body="c"), send=True)
        await self.phone.sync_all(DRAFTS)
        await self._note()

    async def _checkpoint(self) -> None:
        for user in USERS:
            account = await self.w.account(user)
            async with account.turn():
                pass
            await account.checkpoint()

    async def _collect(self, *hours_on: int) -> None:
        """Collect account 1 as time goes by; of account 2 everything stays."""
        account = await self.w.account(1)
        for hours in hours_on:
            done = await collect(self.w.store.engine, account, wall_ms() + hours * 3_600_000)
            assert not done.refused

    async def _guard(self) -> tuple[str, str]:
        """Give account 1 an app password and a new recovery key, and change its password to and fro."""
        vault, app_password = self.w.store.vault, new_app_password()
        _, unlocked = await self.w.store.unlock(address(1), "pw-u1")
        await keys.add_slot(vault, unlocked, SlotKind.APP, app_password, b"", device_id="tablet")
        recovery_key = await keys.renew_recovery_key(vault, unlocked)
        for password in ("in between", "pw-u1"):
            await keys.change_password(vault, unlocked, password, await self._secret())
        return app_password, recovery_key

    async def _secret(self) -> bytes:
        mailbox = await self.w.store.directory.resolve(address(1))
        return (await self.w.store.directory.user_secrets(mailbox))[0]

    def _feed(self) -> None:
        key, node = feed_key(self.w.store.vault.deployment_key), new_writer()
        account = next(iter(self.w.store.accounts))
        self.objects.put(feed_name(node, 1), pack(key, feed_name(node, 1), {(account, new_writer()): 1}))
        self.objects.put(feed_name(node, 2), pack_last(key, feed_name(node, 2)))
