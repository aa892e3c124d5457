"""A phone that lives through it: it looks, waits, marks, moves, removes and sends, and believes what it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeVar

from eas.protocol.status import Common
from eas.wbxml.element import Element
from tests.soak.asking import Fault, Way
from tests.soak.ledger import Ledger
from tests.soak.letters import letter, token_of
from tests.soak.nodes import Node
from tests.soak.plan import VERSIONS, Plan, Seen, address, password
from tests.support.answers import Answer
from tests.support.client import Device, EasClient, Refused
from tests.support.mailbox import FIRST_KEY, Folder, Item, SyncResult
from tests.support.sync_requests import HTML, BodyPreference, Options, delete, flag, read, unflag

T = TypeVar("T")

SHOWN: Final = Options(filter_type=0, bodies=(BodyPreference(HTML, 2_048),))
ROLES: Final = ("inbox", "kept", "trash", "sent")
KEPT: Final = "Kept"
"""The name of the folder that each account makes for itself."""
WINDOW: Final = 64
ROUNDS_MAX: Final = 10_000
SEND_PATIENCE_SECONDS: Final = 780.0  # an attempt that died stands in the way for ten minutes where nobody knows it did
WAIT_SECONDS: Final = 6
REST_SECONDS_MAX: Final = 0.6
SYNC_AGAIN: Final = frozenset({5, 16})  # [MS-ASCMD] Sync/Status: server error, retry
MOVED, GONE = 3, 1  # [MS-ASCMD] MoveItems/Status


class Phone:
    """One device.  *place* counts the phones of its account."""

    def __init__(
        self, plan: Plan, number: int, nodes: Sequence[Node], ledger: Ledger, seen: Seen, *, name: str = "phone"
    ) -> None:
        self.account, self.place = number % plan.accounts + 1, number // plan.accounts
        self.name = f"{name}{number} of u{self.account}"
        self._plan, self._ledger, self._seen = plan, ledger, seen
        self._random = Random(f"{plan.seed} {name} {number}")
        self.client = EasClient(
            nodes[0].url,
            address(self.account),
            password(self.account),
            version=VERSIONS[number % len(VERSIONS)],
            device=Device(f"{name}{number}"),
        )
        self.way = Way(self.client, nodes, self._random, seen)

    async def __aenter__(self) -> "Phone":
        await self.way.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.close()
        await self.way.__aexit__(None, None, None)

    # -- what it has

    def folder(self, role: str) -> Folder:
        """Return "inbox", "kept", "trash" or "sent"."""
        types = {"inbox": 2, "trash": 4, "sent": 5}
        mailbox = self.client.mailbox
        return mailbox.folder(mailbox.of_type(types[role]) if role in types else mailbox.named(KEPT))

    def own(self, role: str, most: int) -> list[Item]:
        """Return a few items of a folder that this phone may change."""
        items = [
            item
            for item in self.folder(role).items.values()
            if (token := token_of(item.subject)) and self._ledger.is_changed_by(token, self.place)
        ]
        return self._random.sample(items, min(len(items), self._random.randint(1, most)))

    # -- what it does

    async def set_up(self, *, makes_folder: bool) -> None:
        """Take the folders, and make one if it is the first of its account."""
        await self._ask(self.client.folder_sync)
        if makes_folder:
            await self._ask(lambda: self.client.folder_create(KEPT))
        for role in ROLES:
            await self.look(role)

    async def live(self, is_over: asyncio.Event) -> None:
        """Do one thing after the other until *is_over*; what was begun is brought to an answer."""
        doings: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (30, lambda: self.look("inbox")),
            (8, lambda: self.look(self._random.choice(("kept", "trash", "sent")))),
            (20, lambda: self.mark(self._random.choice(("inbox", "inbox", "kept")))),
            (12, lambda: self.move(*self._random.choice((("inbox", "kept"), ("inbox", "kept"), ("kept", "inbox"))))),
            (5, lambda: self.remove("inbox")),
            (6, self.send),
            (10, self.wait),
            (4, self.open_one),
            (3, self.list_folders),
        ]
        while not is_over.is_set():
            (doing,) = self._random.choices([do for _, do in doings], [weight for weight, _ in doings])
            await doing()
            await asyncio.sleep(self._random.random() * REST_SECONDS_MAX)

    async def look(self, role: str) -> int:
        """Synchronise a folder until there is no more; return how many changes came."""
        folder, changes = self.folder(role), 0
        for _ in range(ROUNDS_MAX):
            was_first = folder.sync_key == FIRST_KEY
            result = await self._sync(folder)
            changes += result.changes
            if not (was_first or result.more_available):
                return changes
        raise Fault(f"{role}: no end after {ROUNDS_MAX} answers")

    async def mark(self, role: str) -> None:
        """Mark a few items read or unread, or flag them."""
        folder, wanted, commands = self.folder(role), {}, []
        for item in self.own(role, 3):
            if self._random.random() < 0.7:
                wanted[item.server_id] = ("is_read", not item.is_read)
                commands.append(read(item.server_id, not item.is_read))
            else:
                wanted[item.server_id] = ("is_flagged", not item.is_flagged)
                commands.append(unflag(item.server_id) if item.is_flagged else flag(item.server_id))
        if not commands:
            return
        tokens = {server_id: token_of(folder.items[server_id].subject) for server_id in wanted}
        result = await self._sync(folder, commands)
        failed = {response.server_id for response in result.responses if response.status != 1}
        for server_id, (name, value) in wanted.items():
            if server_id not in failed:
                setattr(self._ledger.promise(self.account, tokens[server_id]), name, value)
                self._seen.counts["marks"] += 1

    async def move(self, source: str, target: str) -> None:
        """Move a few items; then look at both folders, as phones do."""
        from_, to, items = self.folder(source), self.folder(target), self.own(source, 3)
        if not items:
            return
        moves = [(item.server_id, from_.collection_id, to.collection_id) for item in items]
        for item, moved in zip(items, await self._ask(lambda: self.client.move(moves)), strict=True):
            if moved.status == MOVED:
                self._ledger.promise(self.account, token_of(item.subject)).folder = target
                self._seen.counts["moves"] += 1
            elif moved.status != GONE:
                raise Fault(f"MoveItems {source} → {target}: Status {moved.status}")
        await self.look(source)
        await self.look(target)

    async def remove(self, role: str) -> None:
        """Put an item into the Trash."""
        folder = self.folder(role)
        for item in self.own(role, 1):
            token = token_of(item.subject)
            result = await self._sync(folder, [delete(item.server_id)])
            if not any(response.status != 1 for response in result.responses):
                self._ledger.promise(self.account, token).folder = "trash"
                self._seen.counts["removals"] += 1

    async def send(self) -> None:
        """Send a mail to an account of the site; the same one until it is taken."""
        to = self._random.randint(1, self._plan.accounts)
        token = f"sent{len(self._ledger.sent)}-{self._random.randbytes(4).hex()}"
        size = self._random.choice((300, 3_000, 30_000))
        mail = letter(self._random, token, (to,), size, address(self.account))
        _, failed = await self.way.ask(lambda: self._taken(mail.message, token), SEND_PATIENCE_SECONDS)
        self._ledger.sent[token] = self.account, to
        if failed:
            self._ledger.asked_again.add(token)
        self._seen.counts["mails sent by phones"] += 1

    async def wait(self) -> None:
        """Hold a Ping for a moment."""
        folders = [self.folder("inbox").collection_id, self.folder("kept").collection_id]
        result = await self._ask(lambda: self.client.ping(folders, WAIT_SECONDS))
        if result.status not in (1, 2):
            raise Fault(f"Ping: Status {result.status}")
        self._seen.counts["rings"] += result.status == 2

    async def open_one(self) -> None:
        """Fetch a mail whole; it must be the one that is meant."""
        for item in self.own("inbox", 1):
            folder = self.folder("inbox").collection_id
            body = BodyPreference(1)
            fetched = await self._ask(lambda: self.client.fetch(folder, item.server_id, body=body))  # noqa: B023
            if fetched.status == 1 and f"So ends {token_of(item.subject)}." not in fetched.item.body:
                raise Fault(f"a mail of other bytes: {item.subject}")

    async def list_folders(self) -> None:
        """Bring the list of folders up to date."""
        await self._ask(self.client.folder_sync)

    # -- how it asks

    async def _taken(self, mime: bytes, client_id: str) -> Answer:
        """Send; raises `Refused` unless it is taken, or was before."""
        answer = await self.client.send_mail(mime, client_id=client_id)
        if answer.is_empty:
            return answer
        status = None if answer.root is None else int(answer.root.children[0].as_text())
        if status == Common.MESSAGE_PREVIOUSLY_SENT:
            return answer
        raise Refused(answer, status)

    async def _sync(self, folder: Folder, commands: Sequence[Element] = ()) -> SyncResult:
        async def synced() -> SyncResult:
            result = await self.client.sync(folder.collection_id, commands, options=SHOWN, window_size=WINDOW)
            if result.status in SYNC_AGAIN:
                raise Refused(self.client.answered(), Common.SERVER_ERROR_RETRY_LATER)
            if result.status != 1:
                raise Fault(f"Sync of {folder.collection_id}: Status {result.status}")
            return result

        return await self._ask(synced)

    async def _ask(self, action: Callable[[], Awaitable[T]]) -> T:
        answer, _ = await self.way.ask(action)
        return answer
