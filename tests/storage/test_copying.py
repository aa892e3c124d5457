"""A store is copied whole, in an order that is safe to be cut anywhere, and never mixed with another."""

from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from storage import copying, paths
from storage.copying import BEFORE, LEFT_OUT, TAKEN_DOWN, Copied, OtherStore, copy_store
from storage.engine import Engine, Unavailable
from storage.engine_local import LocalEngine
from storage.engine_memory import MemoryEngine
from storage.paths import Kind
from tests.storage.sites import ANNA, BOB, MESSAGE, Site, deposit
from tests.storage.vaults import PASSWORD, World

LARGE = MESSAGE + b"x" * 3_000_000


async def site_with_mail() -> Site:
    site = await Site.made()
    for number in range(6):
        await deposit(site.store.delivery, b"Subject: %d\r\n\r\n" % number + bytes([number]) * 100)
        if number == 3:
            account = await site.anna()
            async with account.turn():
                await account.write_checkpoint()
    await site.store.engine.put(paths.seen(site.store.account_id(ANNA)), b"noted")
    await site.store.engine.put(paths.feed("0" * 16, 1), b"news")
    return site


async def copy(source: Engine, target: Engine, *, is_deep: bool = False) -> Copied:
    async def sleep(_seconds: float) -> None:
        """At once."""

    return await copy_store(source, target, lambda _count, _size: None, is_deep=is_deep, sleep=sleep)


def of_mail(site: Site) -> dict[str, bytes]:
    """Return all objects but those that are not copied."""
    contents = site.world.objects.contents
    return {name: data for name, data in contents.items() if paths.parse(name).kind not in LEFT_OUT}


def at(target: Site) -> dict[str, bytes]:
    return dict(target.world.objects.contents)


def empty() -> Site:
    site = Site.__new__(Site)
    site.world = World()
    site.store = site.node()
    return site


def test_every_kind_of_object_is_copied_or_left_out_on_purpose() -> None:
    assert {*BEFORE, *TAKEN_DOWN, *LEFT_OUT} == set(Kind)
    assert TAKEN_DOWN[-1] is Kind.PUBLIC


async def test_a_copy_is_the_same_and_a_second_run_copies_nothing() -> None:
    site, target = await site_with_mail(), empty()
    done = await copy(site.store.engine, target.store.engine)
    assert at(target) == of_mail(site)
    assert (done.accounts, done.objects, done.failed) == (2, len(of_mail(site)), [])
    assert done.size_bytes == sum(map(len, of_mail(site).values()))
    again = await copy(site.store.engine, target.store.engine, is_deep=True)
    assert (again.objects, again.there) == (0, done.objects)
    assert await target.mails() == await site.mails()


async def test_what_comes_meanwhile_comes_with_the_next_run() -> None:
    site, target = await site_with_mail(), empty()
    await copy(site.store.engine, target.store.engine)
    await deposit(site.store.delivery, LARGE)
    done = await copy(site.store.engine, target.store.engine)
    assert done.objects == 2
    assert at(target) == of_mail(site)


class Killed(Exception):
    """The end of the process."""


class _Cut(MemoryEngine):
    """Dies at the put of a number."""

    left = 0

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        await super().put(key, data)


@pytest.mark.parametrize("before_mail", [False, True])
async def test_a_copy_that_is_cut_anywhere_has_whole_accounts_or_none(
    before_mail: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "SMALL_AT_ONCE", 1)
    site = await site_with_mail()
    first = empty()
    if before_mail:
        await copy(site.store.engine, first.store.engine)
        for number in range(3):
            await deposit(site.store.delivery, b"Subject: more %d\r\n\r\n" % number)
        account = await site.anna()
        async with account.turn():
            await account.write_checkpoint()
    whole, before = await site.mails(), await first.mails() if before_mail else {}
    total = len(of_mail(site)) - len(at(first))
    assert total > 5
    for puts in range(total + 1):
        target = empty()
        target.world.objects.contents = at(first)
        target.world.objects.keys = sorted(at(first))
        engine = _Cut(target.world.objects)
        engine.left = puts
        with suppress(Killed):
            await copy(site.store.engine, engine)
        if await engine.list(paths.prefix(Kind.PUBLIC, site.store.account_id(ANNA)), limit=1):
            mails = await target.mails()
            assert before.items() <= mails.items() <= whole.items()
            assert before_mail or mails == whole
        engine.left = 1000
        await copy(site.store.engine, engine)
        assert at(target) == of_mail(site)


async def test_another_store_is_refused() -> None:
    site, other = await site_with_mail(), await site_with_mail()  # the same deployment key, the same users
    with pytest.raises(OtherStore, match="is another in the target"):
        await copy(site.store.engine, other.store.engine)
    lone = empty()
    await lone.store.create(BOB, PASSWORD)
    with pytest.raises(OtherStore, match="which the source does not"):
        await copy(lone.store.engine, site.store.engine)
    await lone.store.engine.put("photos/1.jpg", b"")
    with pytest.raises(OtherStore, match="of no store of ours"):
        await copy(site.store.engine, lone.store.engine)


async def test_copies_that_went_their_own_ways_can_be_brought_together() -> None:
    site, target = await site_with_mail(), empty()
    await copy(site.store.engine, target.store.engine)
    await deposit(site.store.delivery, b"Subject: here\r\n\r\n")
    await deposit(target.node().delivery, b"Subject: there\r\n\r\n")
    await copy(site.store.engine, target.store.engine)
    assert len(await target.mails()) == 8


async def test_what_differs_is_told_and_not_replaced() -> None:
    site, target = await site_with_mail(), empty()
    await copy(site.store.engine, target.store.engine)
    shorter, other = [name for name in at(target) if paths.parse(name).kind is Kind.BLOB][:2]
    contents = target.world.objects.contents
    contents[shorter] = contents[shorter][:-1]
    contents[other] = contents[other][:-1] + b"?"
    kept = at(target)
    done = await copy(site.store.engine, target.store.engine)
    assert len(done.failed) == 1
    assert shorter in done.failed[0]
    assert len((await copy(site.store.engine, target.store.engine, is_deep=True)).failed) == 2
    assert at(target) == kept


class _Forgetful(MemoryEngine):
    """Keeps other bytes than it was given."""

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        await super().put(key, b"other")


async def test_what_was_written_is_read_back() -> None:
    site, target = await site_with_mail(), empty()
    done = await copy(site.store.engine, _Forgetful(target.world.objects))
    assert (done.objects, len(done.failed)) == (0, len(of_mail(site)))


class _Flaky(MemoryEngine):
    """Fails twice for each object, then does as asked."""

    def __init__(self, inner: MemoryEngine, fails: int) -> None:
        self.__dict__.update(inner.__dict__)
        self._fails, self._failed = fails, dict[str, int]()

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self._failed[key] = self._failed.get(key, 0) + 1
        if self._failed[key] <= self._fails:
            raise Unavailable(key)
        return await super().get(key, start, size)


async def test_what_fails_for_a_moment_is_tried_again_and_in_the_end_told() -> None:
    site, target = await site_with_mail(), empty()
    engine = site.store.engine
    assert isinstance(engine, MemoryEngine)
    await copy(_Flaky(engine, 3), target.store.engine)
    assert at(target) == of_mail(site)
    with pytest.raises(Unavailable):
        await copy(_Flaky(engine, 4), empty().store.engine)


async def test_what_is_collected_meanwhile_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    site, target = await site_with_mail(), empty()
    engine = site.store.engine
    blobs = [name for name in of_mail(site) if paths.parse(name).kind is Kind.BLOB]
    listed: Callable[..., Awaitable[object]] = engine.list

    async def list_and_lose(*arguments: object, **more: object) -> object:
        found = await listed(*arguments, **more)
        if blobs and "/blob/" in str(arguments[0]):
            await engine.delete([blobs.pop()])
        return found

    monkeypatch.setattr(engine, "list", list_and_lose)
    done = await copy(engine, target.store.engine)
    assert done.gone >= 1
    assert done.failed == []


async def test_a_folder_is_copied_to_a_folder_large_objects_as_well(tmp_path: Path) -> None:
    site = await site_with_mail()
    await deposit(site.store.delivery, LARGE)
    engine = await LocalEngine.open(tmp_path / "copy")
    await copy(site.store.engine, engine)
    back = empty()
    await copy(engine, back.store.engine)
    await engine.close()
    assert at(back) == of_mail(site)
