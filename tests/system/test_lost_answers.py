"""A phone whose answers are lost at any byte repeats itself: nothing is lost, nothing doubles, no key is refused."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from eas.wbxml.element import Element
from eas.wbxml.encoder import encode
from eas.wbxml.tokens import END, OPAQUE, STR_I, SWITCH_PAGE, read_number
from storage.account import Account
from tests.eas.world import World, address, world
from tests.support.client import Device, EasClient
from tests.support.mailbox import SyncResult
from tests.support.proxy import Proxy
from tests.support.sync_requests import Options, delete, read
from tests.system.laws import assert_same, assert_same_folders, members, subjects

BYTES_MAX = 2048
INBOX, TRASH, ARCHIVE = "inbox", "trash", "archive"
BRIEF = Options(filter_type=0)
"""No bodies: the answer stays short."""


def mail(n: int) -> bytes:
    return b"From: a@example.net\r\nTo: u1@example.test\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\n%d\r\n" % (n, n, n)


@dataclass
class Line:
    """A phone behind a proxy, and the account as the server has it."""

    world: World
    proxy: Proxy
    account: Account
    phones: list[EasClient] = field(default_factory=list)

    def phone(self, name: str = "phone") -> EasClient:
        """Return another phone of the account."""
        phone = EasClient(self.proxy.url, address(1), "pw-u1", device=Device(name, "SP", "test"), gzip=False)
        self.phones.append(phone)
        return phone

    async def is_lost(self, cut: int, request: Callable[[], Awaitable[object]]) -> bool:
        """Send a request whose answer is cut after *cut* bytes; tell whether the phone did not get it."""
        self.proxy.lose_after(cut)
        try:
            await request()
        except aiohttp.ClientError:
            return True
        finally:
            self.proxy.heal()
        return False


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with running() as started:
        yield started


@asynccontextmanager
async def running() -> AsyncIterator[Line]:
    async with world(1) as server, Proxy(server.url) as proxy:
        line = Line(server, proxy, await server.account())
        try:
            yield line
        finally:
            for phone in line.phones:
                await phone.close()


async def lose_each_byte(
    line: Line, attempt: Callable[[int], Awaitable[object]], repeat: Callable[[int], Awaitable[None]]
) -> int:
    """Cut the answer to *attempt* after 0, 1, 2 … bytes, and *repeat* each time; return how long the answer was."""
    for cut in range(BYTES_MAX + 1):
        is_lost = await line.is_lost(cut, lambda cut=cut: attempt(cut))  # type: ignore[misc]
        await repeat(cut)
        if not is_lost:
            return cut
    return BYTES_MAX


def failures(result: SyncResult) -> list[int]:
    return [response.status for response in result.responses if response.status != 1]


@pytest.mark.parametrize("with_commands", [True, False], ids=["with its commands", "without"])
async def test_sync_at_every_byte(line: Line, with_commands: bool) -> None:
    phone = line.phone()
    await phone.set_up()
    for n in range(3):
        await line.world.deliver(1, mail(n))
    folder = await phone.sync_all(INBOX, options=BRIEF)

    sent: list[Element] = []
    key = ""

    async def attempt(cut: int) -> None:
        nonlocal key
        await line.world.deliver(1, mail(cut + 3))
        items = sorted(folder.items.values(), key=lambda item: int(item.subject))
        sent[:] = [read(items[0].server_id, not items[0].is_read), delete(items[1].server_id)]
        key = folder.sync_key
        await phone.sync(INBOX, sent, options=None)

    async def repeat(cut: int) -> None:
        is_lost = folder.sync_key == key
        result = await phone.sync(INBOX, sent if with_commands and is_lost else [], options=None)
        assert result.status == 1
        assert failures(result) == []
        await assert_same(line.account, folder)
        assert len(folder.items) == 3

    size = await lose_each_byte(line, attempt, repeat)
    assert 300 < size < BYTES_MAX
    assert len(await members(line.account, TRASH)) == size + 1


async def test_first_sync_at_every_byte(line: Line) -> None:
    phone = line.phone()
    await phone.set_up()
    await line.world.deliver(1, mail(1))

    async def attempt(cut: int) -> None:
        phone.mailbox.folders.clear()
        await phone.sync(INBOX)

    async def repeat(cut: int) -> None:
        await assert_same(line.account, await phone.sync_all(INBOX))

    assert await lose_each_byte(line, attempt, repeat) > 200


def elements(document: bytes) -> list[int]:
    """Return where each element of a WBXML document begins."""
    found, position = [], 4
    while position < len(document):
        token = document[position]
        if token not in (SWITCH_PAGE, END, STR_I, OPAQUE):
            found.append(position)
        if token == SWITCH_PAGE:
            position += 2
        elif token == STR_I:
            position = document.index(0, position) + 1
        elif token == OPAQUE:
            size, position = read_number(document, position + 1)
            position += size
        else:
            position += 1
    return found


async def test_a_large_sync_at_every_element(line: Line) -> None:
    """Each cut has a phone of its own, at its first download."""
    for n in range(6):
        await line.world.deliver(1, mail(n).replace(b"\r\n\r\n", b"\r\n\r\n" + b"text " * 30))
    other = line.phone("measure")
    await other.set_up()
    await other.sync_all(INBOX)
    root = other.answered().root
    assert root is not None
    document = encode(root)
    assert len(document) > BYTES_MAX
    head = 0
    for place, position in enumerate([0, *elements(document), len(document) - 1]):
        phone = line.phone(f"phone{place}")
        await phone.sync(INBOX)
        assert await line.is_lost(head + position, lambda phone=phone: phone.sync(INBOX))  # type: ignore[misc]
        head = head or await head_size(line, phone)
        result = await phone.sync(INBOX)
        assert (result.status, len(result.added), result.more_available) == (1, 6, False)
        await assert_same(line.account, phone.mailbox.folder(INBOX))
        await phone.close()


async def head_size(line: Line, phone: EasClient) -> int:
    """Return how many bytes stand before the document in an answer to Sync."""
    line.proxy.heal()
    await phone.sync(INBOX, loses_answer=True)
    return line.proxy.passed - int(phone.answered().headers["Content-Length"])


async def test_move_items_at_every_byte_answers_the_same_again(line: Line) -> None:
    phone = line.phone()
    await phone.set_up()
    await line.world.deliver(1, mail(1))
    inbox, archive = await phone.sync_all(INBOX, options=BRIEF), await phone.sync_all(ARCHIVE, options=BRIEF)
    here, there = inbox, archive

    async def attempt(cut: int) -> None:
        [server_id] = here.items
        await phone.move([(server_id, here.collection_id, there.collection_id)])

    async def repeat(cut: int) -> None:
        nonlocal here, there
        [server_id] = here.items
        first = await phone.move([(server_id, here.collection_id, there.collection_id)])
        again = await phone.move([(server_id, here.collection_id, there.collection_id)])
        assert first == again
        assert first[0].status == 3
        for folder in (here, there):
            await phone.sync(folder.collection_id, options=None)
            await assert_same(line.account, folder)
        assert list(there.items) == [first[0].dst_msg_id]
        here, there = there, here

    assert await lose_each_byte(line, attempt, repeat) > 200


@pytest.mark.parametrize("first", [True, False], ids=["key 0", "a later key"])
async def test_folder_sync_at_every_byte(line: Line, first: bool) -> None:
    phone, other = line.phone(), line.phone("other")
    await phone.set_up()
    await other.set_up()
    made = await other.folder_create("Made")

    async def attempt(cut: int) -> None:
        if first:
            phone.mailbox.hierarchy_key = "0"
        else:
            await other.folder_update(made, f"of {cut}", "0" if cut % 2 else "inbox")
        await phone.folder_sync()

    async def repeat(cut: int) -> None:
        await phone.folder_sync()
        await assert_same_folders(line.account, phone.mailbox)

    assert await lose_each_byte(line, attempt, repeat) > 200


async def test_folder_create_at_every_byte(line: Line) -> None:
    phone = line.phone()
    await phone.set_up()
    made: list[str] = []

    async def attempt(cut: int) -> None:
        made[:] = []
        made.append(await phone.folder_create("New"))

    async def repeat(cut: int) -> None:
        if not made:  # else the answer came
            made.append(await phone.folder_create("New"))
        await phone.folder_sync()
        await assert_same_folders(line.account, phone.mailbox)
        assert phone.mailbox.named("New") == made[0]
        await phone.folder_delete(made[0])

    assert await lose_each_byte(line, attempt, repeat) > 200


async def test_folder_update_and_delete_at_every_byte(line: Line) -> None:
    phone = line.phone()
    await phone.set_up()
    folder = ""

    async def renamed(cut: int) -> None:
        await phone.folder_update(folder, f"Name {cut}")

    async def repeat_rename(cut: int) -> None:
        if phone.mailbox.hierarchy[folder].name != f"Name {cut}":
            await renamed(cut)
        await phone.folder_sync()
        await assert_same_folders(line.account, phone.mailbox)

    async def deleted(cut: int) -> None:
        nonlocal folder
        folder = await phone.folder_create("Short-lived")
        line.proxy.lose_after(cut)
        await phone.folder_delete(folder)

    async def repeat_delete(cut: int) -> None:
        if folder in phone.mailbox.hierarchy:
            await phone.folder_delete(folder)
        await phone.folder_sync()
        await assert_same_folders(line.account, phone.mailbox)
        assert folder not in phone.mailbox.hierarchy

    folder = await phone.folder_create("Name")
    assert await lose_each_byte(line, renamed, repeat_rename) > 200

    for cut in range(BYTES_MAX):
        try:
            await deleted(cut)
        except aiohttp.ClientError:
            line.proxy.heal()
            await repeat_delete(cut)
            continue
        line.proxy.heal()
        break
    assert cut > 200


@pytest.mark.parametrize("same_name", [True, False], ids=["the same ClientId", "another ClientId"])
async def test_send_mail_at_every_byte_goes_out_once(line: Line, same_name: bool) -> None:
    phone = line.phone()
    await phone.set_up()
    names: list[str] = []

    async def attempt(cut: int) -> None:
        names[:] = [f"send{cut}"]
        await phone.send_mail(mail(cut), client_id=names[0])

    async def repeat(cut: int) -> None:
        again = await phone.send_mail(mail(cut), client_id=names[0] if same_name else f"again{cut}")
        assert again.is_empty if not same_name else again.root is not None  # 118: it was sent

    size = await lose_each_byte(line, attempt, repeat)
    assert size > 150
    assert len(line.world.sent) == size + 1
    assert await subjects(line.account, "sent") == [str(n) for n in range(size + 1)]
