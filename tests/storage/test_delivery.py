"""Delivery: one item a message, counted once, in bounded memory, and all or nothing."""

import asyncio
import gc
import mmap
import tracemalloc
from collections.abc import AsyncIterable, Awaitable, Callable
from random import Random

import pytest

from storage import checkpoint, delivery, paths
from storage.delivery import Delivery, NotYetCreated
from storage.engine import Unavailable
from storage.errors import QuotaExceeded, UnknownAddress
from storage.message.index import index_message
from storage.message.summary import Summary
from storage.message.transfer import part_text
from storage.paths import Kind
from storage.records import Set
from storage.seal import SealError
from tests.storage.sites import ANNA, BOB, MESSAGE, NOBODY, TRACE, Site, deposit
from tests.storage.vaults import PASSWORD
from tests.support.engines import CountingEngine, Crash, CrashingEngine, FailingEngine, SlowEngine, WrappedEngine
from tests.support.messages import mixed_message
from tests.support.soundness import assert_sound

pytestmark = pytest.mark.usefixtures("every_engine")


async def test_the_same_message_twice_is_one_item_whatever_our_own_lines_say() -> None:
    site = await Site.made()
    await deposit(site.store.delivery)
    await deposit(site.store.delivery, trace=b"Return-Path: <other@x>\r\n")
    await deposit(site.node().delivery)
    assert list((await site.mails()).values()) == [TRACE + MESSAGE]
    await deposit(site.store.delivery, MESSAGE + b".")
    assert len(await site.mails()) == 2


async def test_junk_comes_to_its_folder_and_everything_else_to_the_inbox() -> None:
    site = await Site.made()
    await deposit(site.store.delivery, MESSAGE + b"1")
    await deposit(site.store.delivery, MESSAGE + b"2", junk=True)
    async with (await site.anna()).turn() as state:
        assert sorted([str(item.membership.folder) async for item in state._all()]) == ["inbox", "junk"]
        assert {item.date_ms async for item in state._all()} == {site.world.wall.ms}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("anna@example.org", ("anna@example.org", "")),
        ("a.smith@example.org", ("anna@example.org", "")),
        ("anna+news@example.org", ("anna@example.org", "news")),
        ("anna+a+b@example.org", ("anna@example.org", "a+b")),
        ("a.smith+@example.org", ("anna@example.org", "")),
        ("bob+lists@example.org", ("bob+lists@example.org", "")),
    ],
)
async def test_an_address_and_its_detail(address: str, found: tuple[str, str]) -> None:
    site = await Site.made()
    recipient = await site.store.delivery.recipient(address)
    assert (recipient.address, recipient.detail) == found
    assert recipient.account_id == paths.account_of(site.world.vault.deployment_key, found[0])


@pytest.mark.parametrize(
    "address", ["eve@example.org", "eve+x@example.org", "+anna@example.org", "bob@example.org", "", "@", "+@"]
)
async def test_nobody_has_this_address(address: str) -> None:
    site = await Site.made()
    with pytest.raises(UnknownAddress):
        await site.store.delivery.recipient(address)


async def test_mail_for_an_account_without_keys_waits() -> None:
    site = await Site.made()
    with pytest.raises(NotYetCreated):
        await site.store.delivery.recipient(NOBODY.address)
    await site.store.create(NOBODY, PASSWORD)
    await site.store.delivery.recipient(NOBODY.address)


async def test_a_public_key_that_is_not_genuine_gets_no_mail() -> None:
    site = await Site.made()
    (name,) = [name for name in site.world.names(paths.Kind.PUBLIC) if site.store.account_id(ANNA) in name]
    site.world.objects.put(name, site.world.objects.contents[name][:-1] + b"x")
    with pytest.raises(SealError):
        await site.node().delivery.recipient(ANNA.address)


async def test_the_public_key_is_read_once() -> None:
    site = await Site.made()
    engine = CountingEngine(site.world.engine())
    node = site.node(engine)
    await deposit(node.delivery)
    await deposit(node.delivery, MESSAGE + b".")
    assert engine.calls == {"list": 1, "get": 1, "put": 4}


async def test_an_account_pushed_out_between_its_address_and_its_message_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "ACCOUNTS_KEPT", 1)
    site = await Site.made()
    anna = await site.store.delivery.recipient(ANNA.address)
    await site.store.delivery.recipient(BOB.address)
    await site.store.delivery.deposit(anna, TRACE, MESSAGE, junk=False)
    assert len(await site.mails()) == 1


# -- quotas


async def room(to: Delivery, size: int) -> bool:
    try:
        await to.room(await to.recipient(ANNA.address), size)
    except QuotaExceeded:
        return False
    return True


async def test_there_is_room_for_what_fits_and_not_for_a_byte_more() -> None:
    site = await Site.made()
    assert ANNA.quota_bytes is not None
    assert await room(site.store.delivery, ANNA.quota_bytes)
    assert not await room(site.store.delivery, ANNA.quota_bytes + 1)
    await deposit(site.store.delivery)
    left = ANNA.quota_bytes - len(TRACE + MESSAGE)
    for node in (site.store, site.node()):
        assert await room(node.delivery, left)
        assert not await room(node.delivery, left + 1)


async def test_without_a_quota_nothing_is_asked() -> None:
    site = await Site.made()
    engine = CountingEngine(site.world.engine())
    to = site.node(engine).delivery
    bob = await to.recipient(BOB.address)
    engine.calls.clear()
    await to.room(bob, 1 << 60)
    assert not engine.calls


async def test_a_count_serves_for_some_seconds_as_long_as_there_is_much_room() -> None:
    site = await Site.made()
    engine = CountingEngine(site.world.engine())
    to = site.node(engine).delivery
    anna = await to.recipient(ANNA.address)
    await to.room(anna, 1)
    engine.calls.clear()
    await to.room(anna, 9_000)
    assert not engine.calls
    await to.room(anna, 9_001)
    assert engine.calls["list"]
    await deposit(to, MESSAGE)
    engine.calls.clear()
    await to.room(anna, 9_000)  # what was deposited since is counted
    assert engine.calls["list"]


async def test_what_is_removed_gives_room_and_a_checkpoint_counts_exactly() -> None:
    site = await Site.made()
    size = len(TRACE + MESSAGE) + 1
    for number in b"123":
        await deposit(site.store.delivery, MESSAGE + bytes([number]))
    await deposit(site.store.delivery, MESSAGE + b"1")  # counted twice until the next checkpoint
    warm = site.node().delivery
    assert not await room(warm, 10_000 - 4 * size + 1)
    account = await site.anna()
    async with account.turn() as state:
        first = min([item.id async for item in state._all()])
        await account.commit([Set(first, "folder", None)], -size)
    assert await room(warm, 10_000 - 3 * size)
    await account.checkpoint()
    for to in (warm, site.node().delivery):
        assert await room(to, 10_000 - 2 * size)
        assert not await room(to, 10_000 - 2 * size + 1)
    await deposit(site.store.delivery, MESSAGE + b"4")
    for to in (warm, site.node().delivery):
        assert await room(to, 10_000 - 3 * size)
        assert not await room(to, 10_000 - 3 * size + 1)


async def test_many_who_ask_at_once_count_each_commit_once() -> None:
    site = await Site.made()
    for number in b"12345":
        await deposit(site.store.delivery, MESSAGE + bytes([number]))

    async def pause() -> None:
        await asyncio.sleep(0)

    to = site.node(SlowEngine(site.world.engine(), pause)).delivery
    left = 10_000 - 5 * len(TRACE + MESSAGE + b"1")
    assert all(await asyncio.gather(*(room(to, left) for _ in range(9))))
    assert not await room(to, left + 1)


async def test_damage_keeps_nobody_s_mail_out() -> None:
    site = await Site.made()
    for number in b"12":
        await deposit(site.store.delivery, MESSAGE + bytes([number]))
    account = await site.anna()
    async with account.turn():
        pass
    await account.checkpoint()
    name = str(await checkpoint.newest(account._engine, account.id))
    site.world.objects.put(name, b"damaged")
    left = 10_000 - 2 * len(TRACE + MESSAGE + b"1")
    assert await room(site.node().delivery, left), "the log counts alone"
    assert not await room(site.node().delivery, left + 1)
    (log,) = {name for name in site.world.names(paths.Kind.LOG) if name.endswith("1")}
    site.world.objects.put(log, b"damaged")
    to = site.node().delivery
    assert await room(to, 10_000)
    assert await room(to, 10_000)


# -- the summary is that of the stored bytes


@pytest.mark.parametrize(
    "message",
    [
        *(mixed_message(n) for n in range(12)),
        MESSAGE,
        b"",
        b"\r\n",
        b"no header at all",
        b" folded: first\r\nSubject: x\r\n\r\ntext",
        b"Subject: only a header\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--",
    ],
    ids=range(19),
)
async def test_the_summary_fits_the_stored_bytes(message: bytes) -> None:
    site = await Site.made()
    await deposit(site.store.delivery, message)
    content = await site.content()
    account = await site.anna()
    stored = await account.read(content)
    assert stored == TRACE + message
    summary = Summary.unpack(content.summary)
    assert_sound(stored, summary)
    alone = index_message(message)
    assert [part_text(part, stored[part.start : part.end]) for part in summary.parts] == [
        part_text(part, message[part.start : part.end]) for part in alone.parts
    ]
    assert summary.preview == alone.preview
    whole = index_message(stored)
    if message.startswith((b"Subject", b"Received", b"Content-Type")) or b"boundary" in message:
        assert summary.parts == whole.parts
        assert summary.header_size == whole.header_size


# -- failures


@pytest.mark.parametrize("is_last_kept", [False, True])
@pytest.mark.parametrize("writes", [0, 1])
async def test_a_crash_leaves_the_whole_message_or_none(writes: int, is_last_kept: bool) -> None:
    site = await Site.made()
    with pytest.raises(Crash):
        await deposit(site.node(CrashingEngine(site.world.engine(), writes, is_last_kept=is_last_kept)).delivery)
    is_there = writes == 1 and is_last_kept
    assert list((await site.mails()).values()) == [TRACE + MESSAGE] * is_there
    await deposit(site.store.delivery)  # the mail system tries again
    assert list((await site.mails()).values()) == [TRACE + MESSAGE]


async def test_failures_of_the_engine_are_raised_and_nothing_half_is_seen() -> None:
    site = await Site.made()
    for seed in range(30):
        engine = FailingEngine(site.world.engine(), Random(seed), 0.0)
        node = site.node(engine)
        anna = await node.delivery.recipient(ANNA.address)
        node.delivery._writer(anna.account_id, await node.delivery._public(anna.account_id))._sleep = _no_sleep
        message = MESSAGE + b"%d" % seed
        engine.rate = 0.7
        try:
            await deposit(node.delivery, message)
            is_acknowledged = True
        except Unavailable:
            is_acknowledged = False
        await engine.settle()
        stored = [whole for whole in (await site.mails()).values() if whole == TRACE + message]
        assert len(stored) <= 1
        assert stored or not is_acknowledged


async def _no_sleep(_seconds: float) -> None:
    """The next try comes at once."""


class Sink(WrappedEngine):
    """Lets streams run through: what a long content leaves in a store in memory is not what is measured."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        if isinstance(data, bytes):
            await super().put(key, data)
        else:
            async for _ in data:
                pass


def _rss_bytes() -> int:
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) * 1024


async def test_twenty_megabytes_are_delivered_in_bounded_memory() -> None:
    site = await Site.made()
    to = site.node(Sink(site.world.engine())).delivery
    line = b"0123456789" * 7 + b"\r\n"
    with mmap.mmap(-1, 20 << 20) as message:
        message.write(b"Subject: long\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n")
        message.write(line * ((len(message) - message.tell()) // len(line)))
        await deposit(to, MESSAGE)  # whatever is made once, is made
        gc.collect()
        before = _rss_bytes()
        tracemalloc.start()
        try:
            await deposit(to, message)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 10 << 20
        assert _rss_bytes() - before < 12 << 20


class _Asleep(WrappedEngine):
    """A machine that sleeps for so long after the put numbered *at*."""

    def __init__(self, site: Site, at: int, minutes: int) -> None:
        super().__init__(site.world.engine())
        self.site, self.left, self.minutes = site, at, minutes

    async def _write(self, verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        await effect()
        self.left -= 1
        if self.left == 0:
            self.site.world.wall.ms += self.minutes * 60_000


@pytest.mark.parametrize(("at", "listed"), [(1, 0), (2, 1)], ids=["between content and record", "before the answer"])
async def test_a_machine_that_slept_over_an_hour_takes_no_mail_before_it_is_delivered_again(
    at: int, listed: int
) -> None:
    """Its content may be gone by now: a collector took it for left over."""
    for minutes in (59, 61, -61):
        site = await Site.made()
        asleep = site.node(_Asleep(site, at, minutes)).delivery
        if minutes == 59:
            await deposit(asleep)
            continue
        with pytest.raises(Unavailable):
            await deposit(asleep)
        assert len(site.world.names(Kind.LOG)) == listed
        await deposit(asleep)
        assert len(await site.mails()) == 1
