"""The process dies before or after any write: after the restart the phone goes on with its old key, and has all, once.

Here a process is a node in memory whose engine dies; `test_killed_processes.py` does it to real ones.  What becomes of
a message that is being sent, `tests/eas/test_outbox.py` says.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from eas.dispatch import Dispatcher
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, FolderHierarchy, Move
from tests.commands.office import OpenSessions, Phone
from tests.commands.post_office import ANNA, Node, Office
from tests.support.engines import Crash, CrashingEngine
from tests.support.mailbox import Folder, SyncResult, read_collection
from tests.support.sync_requests import CollectionRequest, delete, flag, read, sync_request
from tests.system.laws import assert_same, members, subjects

TRACE = b"Received: by test\r\n"
WRITES_MAX = 20
INBOX, ARCHIVE, TRASH = "inbox", "archive", "trash"


@dataclass
class Handset:
    """A phone: what it has of each folder, whatever becomes of the server."""

    folders: dict[str, Folder] = field(default_factory=lambda: {name: Folder(name) for name in (INBOX, ARCHIVE)})

    async def sync(self, node: Node, folder: str = INBOX, commands: tuple[Element, ...] = ()) -> SyncResult:
        """Synchronise a folder once."""
        held = self.folders[folder]
        asked = CollectionRequest(folder, held.sync_key, commands=commands)
        root = await phone(node).post(sync_request([asked]))
        if root is None:
            return SyncResult(1)
        holder = root.first(AirSync.Collections)
        assert holder is not None, root.number(AirSync.Status)
        result = read_collection(holder.children[0])
        held.apply(result, commands)
        return result

    async def sync_all(self, node: Node) -> None:
        """Synchronise every folder to its end."""
        for folder in self.folders:
            while (await self.sync(node, folder)).sync_key is not None:
                pass

    @property
    def subjects(self) -> list[str]:
        return sorted(item.subject for item in self.folders[INBOX].items.values())


def phone(node: Node) -> Phone:
    return Phone(Dispatcher(OpenSessions(node.account), node.services))


async def deliver(node: Node, n: int) -> None:
    message = b"From: a@example.net\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\n%d\r\n" % (n, n, n)
    delivery = node.store.delivery
    await delivery.deposit(await delivery.recipient(ANNA.address), TRACE, message, junk=False)


async def prepared() -> tuple[Office, Handset]:
    """Return a service where a phone has three mails, and a fourth has come."""
    office, handset = Office(), Handset()
    node = await office.open()
    for n in range(3):
        await deliver(node, n)
    await handset.sync_all(node)
    await deliver(node, 3)
    assert handset.subjects == ["0", "1", "2"]
    return office, handset


def _overlook_deaths(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A task of a dead process is nobody's business."""
    if not isinstance(context.get("exception"), Crash):
        loop.default_exception_handler(context)


async def crash_everywhere(
    prepare: Callable[[], Awaitable[tuple[Office, Handset]]],
    attempt: Callable[[Node, Handset], Awaitable[object]],
    check: Callable[[Node, Handset], Awaitable[None]],
) -> int:
    """Let the process of *attempt* die before and after each of its writes; *check* what the next one makes of it.

    Return how many writes there are.
    """
    office, handset = await prepare()
    asyncio.get_running_loop().set_exception_handler(_overlook_deaths)
    for is_last_kept in (False, True):
        for writes in range(WRITES_MAX):
            world, held = Office(world=office.world.copy()), copy.deepcopy(handset)
            engine = CrashingEngine(world.world.engine(), writes, is_last_kept=is_last_kept)
            try:
                await attempt(await world.open(engine), held)
            except Crash:
                await check(await world.open(), copy.deepcopy(handset))
            else:
                await check(await world.open(), held)
                break
        else:
            raise AssertionError(f"more than {WRITES_MAX} writes")
    return writes


@pytest.mark.parametrize("with_commands", [True, False], ids=["with its commands", "without"])
async def test_a_sync(with_commands: bool) -> None:
    def commands(handset: Handset) -> tuple[Element, ...]:
        first, second, third = sorted(handset.folders[INBOX].items)
        return read(first), delete(second), flag(third)

    async def attempt(node: Node, handset: Handset) -> None:
        result = await handset.sync(node, commands=commands(handset))
        assert (result.status, result.responses, len(result.added)) == (1, (), 1)

    async def check(node: Node, handset: Handset) -> None:
        was_lost = handset.subjects == ["0", "1", "2"]
        result = await handset.sync(node, commands=commands(handset) if with_commands and was_lost else ())
        assert (result.status, result.responses) == (1, ())
        await handset.sync_all(node)
        await assert_same(node.account, handset.folders[INBOX])
        assert "3" in handset.subjects
        if with_commands:
            assert len(handset.subjects) == 3
            assert len(await members(node.account, TRASH)) == 1

    assert await crash_everywhere(prepared, attempt, check) == 1  # all in one commit


async def test_a_first_sync() -> None:
    async def prepare() -> tuple[Office, Handset]:
        office, _ = await prepared()
        return office, Handset()

    async def attempt(node: Node, handset: Handset) -> None:
        await handset.sync_all(node)

    async def check(node: Node, handset: Handset) -> None:
        await handset.sync_all(node)
        await assert_same(node.account, handset.folders[INBOX])
        assert handset.subjects == ["0", "1", "2", "3"]

    # Of each folder the first key, its content, and what an empty request would repeat.
    assert await crash_everywhere(prepare, attempt, check) == 6


async def test_a_delivery() -> None:
    """The mail server delivers again what was not acknowledged, and now and then what was."""

    async def attempt(node: Node, handset: Handset) -> None:
        await deliver(node, 4)

    async def check(node: Node, handset: Handset) -> None:
        await deliver(node, 4)
        assert sorted(await subjects(node.account, INBOX)) == ["0", "1", "2", "3", "4"]
        await handset.sync_all(node)
        await assert_same(node.account, handset.folders[INBOX])

    assert await crash_everywhere(prepared, attempt, check) == 2  # the content, then the record that names it


async def test_a_delivery_that_was_acknowledged_stays() -> None:
    office, handset = await prepared()
    world = Office(world=office.world.copy())
    await deliver(await world.open(CrashingEngine(world.world.engine(), 2)), 4)
    await handset.sync_all(await world.open())
    assert "4" in handset.subjects


async def test_a_move() -> None:
    async def move(node: Node, handset: Handset) -> tuple[int, str]:
        item = min(handset.folders[INBOX].items)
        request = element(
            Move.MoveItems,
            element(Move.Move, leaf(Move.SrcMsgId, item), leaf(Move.SrcFldId, INBOX), leaf(Move.DstFldId, ARCHIVE)),
        )
        [response] = (await phone(node).ask(request)).all(Move.Response)
        return response.number(Move.Status), response.text_or(Move.DstMsgId, "")

    async def check(node: Node, handset: Handset) -> None:
        status, moved = await move(node, handset)
        assert status == 3
        assert (status, moved) == await move(node, handset)
        await handset.sync_all(node)
        for folder in handset.folders.values():
            await assert_same(node.account, folder)
        assert list(handset.folders[ARCHIVE].items) == [moved]

    assert await crash_everywhere(prepared, move, check) == 1


async def test_a_new_folder() -> None:
    keys: list[str] = []

    async def prepare() -> tuple[Office, Handset]:
        office, handset = await prepared()
        root = await phone(await office.open()).ask(
            element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0"))
        )
        keys.append(root.text(FolderHierarchy.SyncKey))
        return office, handset

    async def create(node: Node, handset: Handset) -> tuple[int, str, str]:
        tag = FolderHierarchy
        request = element(
            tag.FolderCreate,
            leaf(tag.SyncKey, keys[-1]),
            leaf(tag.ParentId, "0"),
            leaf(tag.DisplayName, "New"),
            leaf(tag.Type, 12),
        )
        root = await phone(node).ask(request)
        return root.number(tag.Status), root.text_or(tag.ServerId, ""), root.text_or(tag.SyncKey, "")

    async def check(node: Node, handset: Handset) -> None:
        status, folder, key = await create(node, handset)
        assert status == 1
        async with node.account.turn() as state:
            assert [one.id for one in state.folders.tree().values() if one.name.startswith("New")] == [folder]
        tag = FolderHierarchy
        root = await phone(node).ask(element(tag.FolderSync, leaf(tag.SyncKey, key)))
        assert root.number(tag.Status) == 1

    assert await crash_everywhere(prepare, create, check) == 1
