"""Damage of every kind is repaired as far as anything can be read, nothing is removed that was the only copy."""

from collections.abc import Awaitable, Callable

import pytest

from storage.checking.aside import set_aside, unpack_aside
from storage.checking.check import Report, check_store
from storage.checking.check_account import check_account
from storage.checking.repair import Findings, examine, repair
from storage.engine import Damaged, Unavailable
from storage.paths import Kind, parse
from storage.records import Set
from storage.seal import SealError
from storage.views import BOTTOM, TOP
from tests.storage.sites import ANNA, Site, deposit

MAILS = 6
_ALL = (BOTTOM, TOP)


class Hurt:
    """Anna's account: mails, a checkpoint after each third, and own commits; what was in it before any damage."""

    def __init__(self, site: Site, before: dict[str, bytes]) -> None:
        self.site, self.before = site, before
        self.contents = site.world.objects.contents
        self.at_first = dict(self.contents)
        self.damaged: dict[str, bytes] = {}

    @classmethod
    async def made(cls, checkpoints: int = 2) -> "Hurt":
        site = await Site.made()
        account = await site.anna()
        for number in range(MAILS):
            await deposit(site.store.delivery, b"Subject: %d\r\n\r\n" % number + bytes([number]) * 50)
            async with account.turn() as state:
                if number in (2, 4)[:checkpoints]:
                    await account.write_checkpoint()
                if number == 3:
                    floors = await state.floors("inbox", *_ALL)
                    await account.commit([Set(floors[0].item, "read", True)])
                    await account.commit([Set(floors[1].item, "folder", "archive")])
        return cls(site, await site.mails())

    def names(self, kind: Kind) -> list[str]:
        account = self.site.store.account_id(ANNA)
        names = sorted(name for name in self.contents if parse(name).kind is kind)
        return [name for name in names if name.startswith(f"a/{account}/")]

    def deliveries(self) -> list[str]:
        return [name for name in self.names(Kind.LOG) if self.contents[name][3] == 1]

    def spoil(self, name: str) -> None:
        self.contents[name] = self.contents[name][:-1] + bytes([self.contents[name][-1] ^ 1])

    async def lose(self, *names: str) -> None:
        await self.site.store.engine.delete(names)

    async def examined(self) -> Findings:
        return await examine(self.site.store.engine, await self.site.anna(), lambda _count: None)

    async def repaired(self) -> Findings:
        found = await self.examined()
        await repair(self.site.store.engine, await self.site.anna(), found)
        return found

    async def errors(self) -> list[str]:
        report = Report()
        account = await self.site.anna()
        await check_store(self.site.store.vault, report)
        try:
            await check_account(self.site.store.engine, account, report, is_deep=True)
        except (SealError, Damaged, Unavailable) as error:
            report.error("account", str(error))
        return [f"{finding.where}: {finding.what}" for finding in report.findings if finding.is_error]

    def assert_nothing_is_lost(self) -> None:
        """Every object that was there before the repair is there, or aside, or a commit that could be read."""
        aside = dict(unpack_aside(self.contents[name]) for name in self.names(Kind.ASIDE))
        for name, data in self.damaged.items():
            assert self.contents.get(name) == data or aside.get(name) == data or parse(name).kind is Kind.LOG
        assert all(self.damaged[name] == data for name, data in aside.items())

    def note(self) -> None:
        """This is the damage."""
        self.damaged = dict(self.contents)


async def _newest_checkpoint(hurt: Hurt) -> None:
    hurt.spoil(hurt.names(Kind.CHECKPOINT)[-1])


async def _all_checkpoints(hurt: Hurt) -> None:
    for name in hurt.names(Kind.CHECKPOINT):
        hurt.spoil(name)


async def _a_page_that_is_missing(hurt: Hurt) -> None:
    await hurt.lose(hurt.names(Kind.PAGE)[-1])


async def _all_pages_spoilt(hurt: Hurt) -> None:
    for name in hurt.names(Kind.PAGE):
        hurt.spoil(name)


@pytest.mark.parametrize("damage", [_newest_checkpoint, _all_checkpoints, _a_page_that_is_missing, _all_pages_spoilt])
async def test_what_the_log_has_is_repaired_without_a_loss(damage: Callable[[Hurt], Awaitable[None]]) -> None:
    hurt = await Hurt.made()
    await damage(hurt)
    hurt.note()
    found = await hurt.repaired()
    assert found.losses == []
    assert await hurt.errors() == []
    assert await hurt.site.mails() == hurt.before
    hurt.assert_nothing_is_lost()
    assert (await hurt.examined()).state is None


async def test_where_nothing_is_wrong_nothing_is_done() -> None:
    hurt = await Hurt.made()
    assert await hurt.repaired() == Findings()
    assert hurt.contents == hurt.at_first


async def test_looking_changes_nothing() -> None:
    hurt = await Hurt.made()
    await _all_pages_spoilt(hurt)
    await hurt.lose(hurt.deliveries()[0])
    hurt.note()
    assert (await hurt.examined()).losses
    assert hurt.contents == hurt.damaged


async def test_commits_behind_one_that_does_not_open_are_read() -> None:
    hurt = await Hurt.made(checkpoints=1)
    bad = hurt.deliveries()[-2]
    hurt.spoil(bad)
    hurt.note()
    assert len(await hurt.site.mails()) == MAILS - 2  # the last one stood behind it
    found = await hurt.repaired()
    assert len(found.losses) == 1
    assert bad in found.losses[0]
    assert await hurt.errors() == []
    mails = await hurt.site.mails()
    assert len(mails) == MAILS - 1
    assert mails.items() <= hurt.before.items()
    hurt.assert_nothing_is_lost()
    assert [unpack_aside(hurt.contents[name])[0] for name in hurt.names(Kind.ASIDE)] == [bad]


async def test_commits_behind_one_that_is_missing_are_read() -> None:
    hurt = await Hurt.made(checkpoints=1)
    await hurt.lose(hurt.deliveries()[-2])
    hurt.note()
    found = await hurt.repaired()
    assert len(found.losses) == 1
    assert await hurt.errors() == []
    assert len(await hurt.site.mails()) == MAILS - 1


async def test_who_writes_on_behind_the_damage_is_read_on() -> None:
    hurt = await Hurt.made(checkpoints=1)
    hurt.spoil(hurt.deliveries()[-2])
    await hurt.repaired()
    await deposit(hurt.site.store.delivery, b"Subject: later\r\n\r\n")  # by the same writer
    assert len(await hurt.site.mails()) == MAILS
    assert await hurt.errors() == []


async def test_a_reader_that_met_the_damage_reads_on_after_the_repair() -> None:
    hurt = await Hurt.made(checkpoints=1)
    hurt.spoil(hurt.deliveries()[-2])
    reader = await hurt.site.anna()
    async with reader.turn():
        assert not reader.is_sound
    await hurt.repaired()
    async with reader.turn() as state:
        assert len(await state.floors("inbox", *_ALL)) == MAILS - 2  # one was lost, one lies in the archive
        assert reader.is_sound


async def test_a_page_that_only_an_older_checkpoint_has_is_taken_from_there() -> None:
    hurt = await Hurt.made()
    old, new = hurt.names(Kind.CHECKPOINT)
    account = await hurt.site.anna()
    pages = [name for ref in await account.refs_of(new) for name in (ref.rows, ref.contents)]
    await hurt.lose(*hurt.names(Kind.LOG))  # as if it had been collected
    for page in pages:
        hurt.spoil(f"a/{account.id}/page/{page}")
    hurt.note()
    found = await hurt.repaired()
    assert len(found.losses) == 1
    assert "rows, but for what an older checkpoint has" in found.losses[0]
    mails = await hurt.site.mails()
    assert len(mails) == 3
    assert mails.items() <= hurt.before.items()
    assert await hurt.errors() == []
    hurt.assert_nothing_is_lost()
    assert old in hurt.contents


async def test_rows_without_their_contents_are_kept() -> None:
    hurt = await Hurt.made(checkpoints=1)
    (new,) = hurt.names(Kind.CHECKPOINT)
    account = await hurt.site.anna()
    (ref,) = await account.refs_of(new)
    await hurt.lose(
        *[name for name in hurt.names(Kind.LOG) if parse(name).n <= 3], f"a/{account.id}/page/{ref.contents}"
    )
    found = await hurt.repaired()
    assert any("contents' keys" in loss for loss in found.losses)
    async with (await hurt.site.anna()).turn() as state:
        assert len(await state.floors("inbox", *_ALL)) >= 3


async def test_a_checkpoint_that_does_not_open_may_be_the_only_one_to_know() -> None:
    hurt = await Hurt.made(checkpoints=1)
    hurt.spoil(hurt.names(Kind.CHECKPOINT)[0])
    gone = [name for name in hurt.deliveries() if parse(name).n <= 3]
    await hurt.lose(*gone)
    found = await hurt.examined()
    assert found.losses
    await hurt.lose(*hurt.deliveries())
    assert any("a damaged checkpoint says to cover" in loss for loss in (await hurt.examined()).losses)


async def test_setting_aside_keeps_the_bytes() -> None:
    hurt = await Hurt.made()
    name = hurt.names(Kind.LOG)[0]
    data = hurt.contents[name]
    engine = hurt.site.store.engine
    kept = await set_aside(engine, hurt.site.store.account_id(ANNA), name)
    assert kept is not None
    assert name not in hurt.contents
    assert unpack_aside(hurt.contents[kept]) == (name, data)
    assert await set_aside(engine, hurt.site.store.account_id(ANNA), name) is None
