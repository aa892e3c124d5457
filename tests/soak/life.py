"""What a phone does while it lives through it: it looks, waits, marks, moves, removes and sends."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self

from eas.protocol.status import Common
from tests.soak.asking import Fault, Way
from tests.soak.ledger import Ledger
from tests.soak.letters import Letter, letter, token_of
from tests.soak.nodes import Node
from tests.soak.phone import Phone
from tests.soak.plan import Plan, Seen, address
from tests.support.answers import Answer
from tests.support.client import Refused
from tests.support.mailbox import SyncResult
from tests.support.sync_requests import PLAIN, BodyPreference, delete, flag, read, unflag

WAIT_SECONDS: Final = 6
REST_SECONDS_MAX: Final = 0.6
MOVED, GONE = 3, 1  # [MS-ASCMD] MoveItems/Status
WAYS: Final = (("inbox", "kept"), ("inbox", "kept"), ("kept", "inbox"), ("trash", "inbox"))


class Life(Phone):
    """A phone in somebody's hand.  Its outbox works by itself: what cannot be sent yet holds up nothing else."""

    def __init__(self, plan: Plan, number: int, nodes: Sequence[Node], ledger: Ledger, seen: Seen) -> None:
        super().__init__(plan, number, nodes, ledger, seen)
        self._outbox = self.connection(nodes)
        self._outbox_way = Way(self._outbox, nodes, self.random, seen)
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._outbox_way.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self._outbox.close()
        await self._outbox_way.__aexit__(None, None, None)

    async def live(self, is_over: asyncio.Event) -> None:
        """Do one thing after the other until *is_over*; what was begun is brought to an answer."""
        doings: Mapping[Callable[[], Awaitable[object]], int] = {
            lambda: self.look("inbox"): 30,
            lambda: self.look(self.random.choice(("kept", "trash", "sent"))): 8,
            lambda: self.mark(self.random.choice(("inbox", "inbox", "kept"))): 20,
            lambda: self.move(*self.random.choice(WAYS)): 12,
            self.remove: 6,
            self.erase: 3,
            self.send: 6,
            self.wait: 10,
            self.open_one: 4,
            lambda: self.ask(self.client.folder_sync): 3,
        }
        while not is_over.is_set():
            (doing,) = self.random.choices(list(doings), list(doings.values()))
            await doing()
            await asyncio.sleep(self.random.random() * REST_SECONDS_MAX)
        if self._sending is not None:
            await self._sending

    async def mark(self, role: str) -> None:
        """Mark a few items read or unread, or flag them."""
        folder, wanted, commands = self.folder(role), {}, []
        for item in self.chosen(role, 3):
            if self.random.random() < 0.7:
                wanted[item.server_id] = (token_of(item.subject), "is_read", not item.is_read)
                commands.append(read(item.server_id, not item.is_read))
            else:
                wanted[item.server_id] = (token_of(item.subject), "is_flagged", not item.is_flagged)
                commands.append(unflag(item.server_id) if item.is_flagged else flag(item.server_id))
        if not commands:
            return
        failed = _failed(await self.sync(folder, commands))
        for server_id, (token, name, value) in wanted.items():
            if server_id not in failed:
                setattr(self.ledger.promise(self.account, token), name, value)
                self.seen.counts["marks"] += 1

    async def move(self, source: str, target: str) -> None:
        """Move a few items; then look at both folders, as phones do."""
        from_, to, items = self.folder(source), self.folder(target), self.chosen(source, 3)
        if not items:
            return
        moves = [(item.server_id, from_.collection_id, to.collection_id) for item in items]
        for item, moved in zip(items, await self.ask(lambda: self.client.move(moves)), strict=True):
            if moved.status == MOVED:
                self.ledger.promise(self.account, token_of(item.subject)).folder = target
                self.seen.counts["moves"] += 1
            elif moved.status != GONE:
                raise Fault(f"MoveItems {source} → {target}: Status {moved.status}")
        await self.look(source)
        await self.look(target)

    async def remove(self) -> None:
        """Put an item of the Inbox into the Trash."""
        for item in self.chosen("inbox", 1):
            if not _failed(await self.sync(self.folder("inbox"), [delete(item.server_id)])):
                self.ledger.promise(self.account, token_of(item.subject)).folder = "trash"
                self.seen.counts["removals"] += 1

    async def erase(self) -> None:
        """Remove an item of the Trash for good."""
        for item in self.chosen("trash", 1, only_own=True):
            if not _failed(await self.sync(self.folder("trash"), [delete(item.server_id)])):
                self.ledger.promise(self.account, token_of(item.subject)).is_erased = True
                self.seen.counts["erasures"] += 1

    async def send(self) -> None:
        """Put a mail for an account of the site into the outbox, unless the last one is still there."""
        if self._sending is not None:
            if not self._sending.done():
                return
            self._sending.result()
        to = self.random.randint(1, self.plan.accounts)
        token = f"sent{self.random.randrange(10**6)}-{self.random.randbytes(4).hex()}"
        mail = letter(self.random, token, (to,), self.random.choice((300, 3_000, 30_000)), address(self.account))
        self._sending = asyncio.create_task(self._send(mail))

    async def _send(self, mail: Letter) -> None:
        """Send it, and again, until it is taken."""
        token, (to,) = mail.token, mail.accounts
        self.ledger.left.add(token)
        try:
            async with asyncio.timeout(self.plan.outbox_seconds):
                _, failed = await self._outbox_way.ask(lambda: self._taken(mail.message, token), float("inf"))
        except TimeoutError:
            self.seen.counts["mails left in a phone's outbox"] += 1
            return
        self.ledger.left.discard(token)
        self.ledger.sent[token] = self.account, to
        if failed:
            self.ledger.asked_again.add(token)
        self.seen.counts["mails sent by phones"] += 1

    async def wait(self) -> None:
        """Hold a Ping for a moment."""
        folders = [self.folder("inbox").collection_id, self.folder("kept").collection_id]
        result = await self.ask(lambda: self.client.ping(folders, WAIT_SECONDS))
        if result.status not in (1, 2):
            raise Fault(f"Ping: Status {result.status}")
        self.seen.counts["rings"] += result.status == 2

    async def open_one(self) -> None:
        """Fetch a mail whole; it must be the one that is meant."""
        folder = self.folder("inbox").collection_id
        for item in self.chosen("inbox", 1):
            server_id = item.server_id
            fetched = await self.ask(lambda: self.client.fetch(folder, server_id, body=BodyPreference(PLAIN)))  # noqa: B023
            if fetched.status == 1 and f"So ends {token_of(item.subject)}." not in fetched.item.body:
                raise Fault(f"a mail of other bytes: {item.subject}")

    async def _taken(self, mime: bytes, client_id: str) -> Answer:
        """Send; raises `Refused` unless it is taken, or was before."""
        answer = await self._outbox.send_mail(mime, client_id=client_id)
        if answer.is_empty:
            return answer
        status = None if answer.root is None else int(answer.root.children[0].as_text())
        if status == Common.MESSAGE_PREVIOUSLY_SENT:
            return answer
        raise Refused(answer, status)


def _failed(result: SyncResult) -> set[str]:
    return {response.server_id for response in result.responses if response.status != 1}
