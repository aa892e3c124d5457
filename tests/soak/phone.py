"""A phone of the soak: what it has, and how it asks."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, Self, TypeVar

from eas.protocol.status import Common
from eas.wbxml.element import Element
from tests.soak.asking import Fault, Way
from tests.soak.ledger import Ledger
from tests.soak.letters import token_of
from tests.soak.nodes import Node
from tests.soak.plan import VERSIONS, Plan, Seen, address, password
from tests.support.client import Device, EasClient, Refused
from tests.support.mailbox import FIRST_KEY, Folder, Item, SyncResult
from tests.support.sync_requests import HTML, BodyPreference, Options

T = TypeVar("T")

SHOWN: Final = Options(filter_type=0, bodies=(BodyPreference(HTML, 2_048),))
KEPT: Final = "Kept"
"""The name of the folder that each account makes for itself."""
ROLES: Final = ("inbox", "kept", "trash", "sent")
_TYPES: Final = {"inbox": 2, "trash": 4, "sent": 5}
WINDOW: Final = 64
ROUNDS_MAX: Final = 10_000
SYNC_AGAIN: Final = frozenset({5, 16})  # [MS-ASCMD] Sync/Status: server error, retry


class Phone:
    """One device.  *place* counts the phones of its account, from 0."""

    def __init__(
        self, plan: Plan, number: int, nodes: Sequence[Node], ledger: Ledger, seen: Seen, *, name: str = "phone"
    ) -> None:
        self.account, self.place = number % plan.accounts + 1, number // plan.accounts
        self.name = f"{name}{number} of u{self.account}"
        self.plan, self.ledger, self.seen = plan, ledger, seen
        self.random = Random(f"{plan.seed} {name} {number}")
        self._device, self._version = Device(f"{name}{number}"), VERSIONS[number % len(VERSIONS)]
        self.client = self.connection(nodes)
        self.way = Way(self.client, nodes, self.random, seen)

    async def __aenter__(self) -> Self:
        await self.way.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.close()
        await self.way.__aexit__(None, None, None)

    def connection(self, nodes: Sequence[Node]) -> EasClient:
        """Return another connection of the device."""
        account = address(self.account), password(self.account)
        return EasClient(nodes[0].url, *account, version=self._version, device=self._device)

    # -- what it has

    def folder(self, role: str) -> Folder:
        """Return the folder of one of `ROLES`."""
        mailbox = self.client.mailbox
        return mailbox.folder(mailbox.of_type(_TYPES[role]) if role in _TYPES else mailbox.named(KEPT))

    def chosen(self, role: str, most: int, *, only_own: bool = False) -> list[Item]:
        """Return a few items of a folder that this phone may change; *only_own*: and no other."""
        may = self.ledger.is_own if only_own else self.ledger.is_changed_by
        items = [
            item
            for item in self.folder(role).items.values()
            if (token := token_of(item.subject)) and may(token, self.place)
        ]
        return self.random.sample(items, min(len(items), self.random.randint(1, most)))

    # -- how it asks

    async def set_up(self, *, makes_folder: bool) -> None:
        """Take the folders, and make one if it is the first of its account."""
        await self.ask(self.client.folder_sync)
        if makes_folder:
            await self.ask(lambda: self.client.folder_create(KEPT))
        for role in ROLES:
            await self.look(role)

    async def look(self, role: str) -> int:
        """Synchronise a folder until there is no more; return how many changes came."""
        folder, changes = self.folder(role), 0
        for _ in range(ROUNDS_MAX):
            was_first = folder.sync_key == FIRST_KEY
            result = await self.sync(folder)
            changes += result.changes
            if not (was_first or result.more_available):
                return changes
        raise Fault(f"{role}: no end after {ROUNDS_MAX} answers")

    async def sync(self, folder: Folder, commands: Sequence[Element] = ()) -> SyncResult:
        """Synchronise a folder once; the same request again, until it is answered.  Raises `Fault`."""

        async def synced() -> SyncResult:
            result = await self.client.sync(folder.collection_id, commands, options=SHOWN, window_size=WINDOW)
            if result.status in SYNC_AGAIN:
                raise Refused(self.client.answered(), Common.SERVER_ERROR_RETRY_LATER)
            if result.status != 1:
                raise Fault(f"Sync of {folder.collection_id}: Status {result.status}")
            return result

        return await self.ask(synced)

    async def ask(self, action: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer.  Raises `Fault`."""
        answer, _ = await self.way.ask(action)
        return answer
