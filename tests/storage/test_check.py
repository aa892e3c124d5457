"""The check of a store finds what is missing, altered or left behind, and nothing in a store that is whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest

from storage import paths
from storage.account import Account
from storage.checking import check, check_account
from storage.checking.check import Report, check_store, listed
from storage.collecting import packing
from storage.directories.accounts_file import StaticAccount, add_accounts
from storage.engine_memory import MemoryEngine
from storage.keyring.slots import CHEAPEST
from storage.opening import open_store
from storage.paths import Kind
from storage.records import Set
from storage.settings import Settings
from storage.startup import create_deployment_key
from storage.store import Store
from tests.support.messages import mixed_message

MAILS = 5


@dataclass
class Checked:
    """A store with one account, a checkpoint in the middle of its log."""

    store: Store
    account: Account

    @property
    def contents(self) -> dict[str, bytes]:
        engine = self.store.engine
        assert isinstance(engine, MemoryEngine)
        return engine.objects.contents

    def names(self, kind: Kind) -> list[str]:
        return sorted(name for name in self.contents if f"/{kind}/" in name and paths.parse(name).kind is kind)

    async def remove(self, name: str) -> None:
        await self.store.engine.delete([name])

    async def report(self, *, is_deep: bool = False, with_keys: bool = True) -> Report:
        self.account.shed()
        report = Report()
        await check_store(self.store.vault, report)
        if with_keys:
            await check_account.check_account(self.store.engine, self.account, report, is_deep=is_deep)
        return report

    async def errors(self, *, is_deep: bool = False) -> list[str]:
        report = await self.report(is_deep=is_deep)
        return [finding.where for finding in report.findings if finding.is_error]


@pytest.fixture
async def checked(tmp_path: Path) -> AsyncIterator[Checked]:
    settings = Settings(
        engine="memory",
        directory_file=tmp_path / "accounts.toml",
        deployment_key_file=tmp_path / "key",
        argon2_memory_kib=CHEAPEST.memory_kib,
        argon2_passes=CHEAPEST.passes,
    )
    create_deployment_key(settings.deployment_key_file)
    add_accounts(settings.directory_file, [StaticAccount("anna@example.org"), StaticAccount("bert@example.org")])
    store = await open_store(settings)
    for user in ("anna", "bert"):
        await store.create(await store.directory.resolve(f"{user}@example.org"), "geheim")
    account, _ = await store.unlock("anna", "geheim")
    for n in range(MAILS):
        await _deliver(store, n)
        if n == MAILS // 2:
            async with account.turn():
                pass
            await account.checkpoint()
    yield Checked(store, account)
    await store.close()


async def _deliver(store: Store, n: int) -> None:
    await store.delivery.deposit(await store.delivery.recipient("anna@example.org"), b"", mixed_message(n), junk=False)


async def test_a_whole_store_has_no_findings(checked: Checked) -> None:
    report = await checked.report(is_deep=True)
    assert report.findings == []
    assert report.is_whole
    assert (report.accounts, report.items, sum(report.orphans.values())) == (2, MAILS, 0)
    assert report.objects == len(checked.contents)
    assert report.size_bytes == sum(map(len, checked.contents.values()))


async def test_a_name_that_nobody_here_makes_is_found(checked: Checked) -> None:
    odd = ["a/0-", "a/x/y", f"a/{checked.account.id}/what/is/this", f"a/{checked.account.id}/zzz"]
    for name in odd:
        await checked.store.engine.put(name, b"")
    report = await checked.report(with_keys=False)
    assert sorted(finding.where for finding in report.findings) == sorted(odd)
    assert report.accounts == 2


async def test_a_missing_commit_is_found_without_keys(checked: Checked) -> None:
    await checked.remove(checked.names(Kind.LOG)[MAILS - 2])
    report = await checked.report(with_keys=False)
    assert [finding.where for finding in report.findings] == [checked.names(Kind.LOG)[-1]]
    assert not report.is_whole


async def test_what_a_checkpoint_covers_may_be_gone(checked: Checked) -> None:
    await checked.remove(checked.names(Kind.LOG)[0])
    assert await checked.errors() == []


async def test_the_end_of_a_log_that_a_checkpoint_covers_is_missed(checked: Checked) -> None:
    for name in checked.names(Kind.LOG)[1:]:
        await checked.remove(name)
    assert len(await checked.errors()) == 1


async def test_a_replaced_commit_is_found_without_keys(checked: Checked) -> None:
    first, second = checked.names(Kind.LOG)[-2:]
    checked.contents[first] = checked.contents[first][:-1] + b"x"
    report = await checked.report(with_keys=False)
    assert [finding.where for finding in report.findings] == [second]


async def test_an_altered_last_commit_is_found_with_keys(checked: Checked) -> None:
    last = checked.names(Kind.LOG)[-1]
    checked.contents[last] = checked.contents[last][:-1] + b"x"
    assert (await checked.report(with_keys=False)).is_whole
    assert len(await checked.errors()) == 1


@pytest.mark.parametrize("kind", [Kind.LOG, Kind.CHECKPOINT, Kind.PAGE, Kind.SLOT, Kind.PUBLIC])
async def test_what_is_no_object_at_all_is_found(checked: Checked, kind: Kind) -> None:
    name = checked.names(kind)[-1]
    checked.contents[name] = b"garbage"
    if kind is Kind.PAGE:
        assert name in await checked.errors()
    else:
        assert not (await checked.report(with_keys=kind in (Kind.LOG, Kind.SLOT))).is_whole


async def test_a_missing_page_is_found(checked: Checked) -> None:
    name = checked.names(Kind.PAGE)[0]
    await checked.remove(name)
    report = Report()
    await check_account._check_pages(
        checked.store.engine,
        checked.account,
        (await listed(checked.store.engine, f"a/{checked.account.id}/", Report()))[Kind.CHECKPOINT],
        report,
    )
    assert [finding.where for finding in report.findings] == [name]


async def test_a_missing_content_is_found_unless_its_item_was_removed(checked: Checked) -> None:
    async with checked.account.turn() as state:
        item = next(iter(state.touched))
        content = (await state.contents([item]))[item]
    await checked.remove(f"a/{checked.account.id}/blob/{content.blob}")
    assert await checked.errors() == [f"a/{checked.account.id}/blob/{content.blob}"]
    async with checked.account.turn():
        await checked.account.commit([Set(item, "folder", None)])
    assert await checked.errors() == []


async def test_a_content_that_was_cut_is_found(checked: Checked) -> None:
    name = checked.names(Kind.BLOB)[0]
    checked.contents[name] = checked.contents[name][:-1]
    assert await checked.errors() == [name]


async def test_a_content_that_was_altered_is_found_by_the_deep_check(checked: Checked) -> None:
    name = checked.names(Kind.BLOB)[0]
    checked.contents[name] = checked.contents[name][:-1] + b"x"
    assert await checked.errors() == []
    assert await checked.errors(is_deep=True) == [name]


async def _packed(checked: Checked) -> str:
    """Move all contents into a pack, and return its name; the originals are gone."""
    with patch.object(packing, "BLOBS_MIN", 1):
        await checked.account.checkpoint()
        assert await packing.pack(checked.store.engine, checked.account, 1 << 50) == MAILS
    for name in checked.names(Kind.BLOB):
        await checked.remove(name)
    (pack,) = checked.names(Kind.PACK)
    return pack


async def test_contents_in_a_pack_are_looked_at_there(checked: Checked) -> None:
    pack = await _packed(checked)
    report = await checked.report(is_deep=True)
    assert report.is_whole
    assert (report.items, report.orphans["blob"], report.orphans["pack"]) == (MAILS, 0, 0)
    data = checked.contents[pack]
    checked.contents[pack] = data[:-1]
    assert await checked.errors() == [pack], "the last content is cut"
    checked.contents[pack] = data[:-1] + bytes([data[-1] ^ 1])
    assert await checked.errors() == []
    assert await checked.errors(is_deep=True) == [pack]
    await checked.remove(pack)
    assert await checked.errors() == [pack] * MAILS


async def test_what_nobody_names_is_counted_and_is_no_error(checked: Checked) -> None:
    await checked.store.engine.put(f"a/{checked.account.id}/blob/{'0' * 32}", b"left behind")
    report = await checked.report()
    assert report.is_whole
    assert report.orphans == {"blob": 1, "pack": 0, "page": 0}


async def test_an_account_without_a_way_in_is_found(checked: Checked) -> None:
    for name in checked.names(Kind.SLOT):
        await checked.remove(name)
    assert len((await checked.report(with_keys=False)).findings) == 2
    for name in checked.names(Kind.RING):
        await checked.remove(name)
    assert len((await checked.report(with_keys=False)).findings) == 4


async def test_an_account_that_was_not_finished_is_odd(checked: Checked) -> None:
    hers = f"a/{checked.account.id}/"
    for name in checked.names(Kind.PUBLIC):
        if not name.startswith(hers):
            await checked.remove(name)
    report = await checked.report(with_keys=False)
    assert len(report.findings) == 1
    assert report.is_whole
    for name in checked.names(Kind.PUBLIC):
        await checked.remove(name)
    report = await checked.report(with_keys=False)
    assert [finding.where for finding in report.findings if finding.is_error] == [f"{hers}public"]


async def test_a_foreign_deployment_key_is_noticed(checked: Checked) -> None:
    report = Report()
    await check_store(replace(checked.store.vault, deployment_key=bytes(32)), report)
    assert not report.is_whole


async def test_mail_that_comes_meanwhile_is_no_finding(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check's listing is older than what it then folds."""

    async def listed_and_delivered(*arguments: object) -> object:
        found = await listed(*arguments)  # type: ignore[arg-type]
        await _deliver(checked.store, MAILS + len(checked.contents))
        return found

    monkeypatch.setattr(check, "listed", listed_and_delivered)
    monkeypatch.setattr(check_account, "listed", listed_and_delivered)
    assert (await checked.report(is_deep=True)).findings == []


def test_the_summary_counts() -> None:
    report = Report(accounts=2, objects=3, size_bytes=4)
    report.error("there", "that")
    report.odd("here", "this")
    assert check.summary(report) == "2 accounts, 3 objects, 4 bytes; 1 errors, 1 oddities"
    report.opened = 1
    assert check.summary(report, ["anna"]).endswith("\nopened anna: 0 items")
    report.orphans["blob"], report.aside = 2, 3
    assert check.summary(report).endswith("nothing names 2 blobs\n3 objects were set aside by a repair")
