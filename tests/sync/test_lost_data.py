"""A store that was put back to an older state: a phone that holds later keys is put off, not told to begin anew."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eas.cli.admin_contents import UnknownDevice, forget_device
from tests.eas.world import World, world
from tests.support.client import EasClient, Refused
from tests.support.mailbox import Mailbox
from tests.sync.asking import ARCHIVE, INBOX, mail


class Backup:
    """A server on a folder that is copied and put back between its runs, and its one phone."""

    def __init__(self, folder: Path, version: str = "16.1") -> None:
        self.folder, self.version, self.mailbox = folder, version, Mailbox()
        folder.mkdir()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[World, EasClient]]:
        async with world(1, self.version, "local", folder=self.folder) as server:
            phone = server.client(1)
            phone.mailbox = self.mailbox
            yield server, phone

    def make(self) -> None:
        shutil.copytree(self.folder, self.folder.with_suffix(".copy"))

    def put_back(self) -> None:
        shutil.rmtree(self.folder)
        shutil.move(self.folder.with_suffix(".copy"), self.folder)


async def test_keys_of_lost_commits_are_put_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup = Backup(tmp_path / "site")
    async with backup.run() as (server, phone):
        await phone.set_up()
        await server.deliver(1, mail("old"))
        await phone.sync_all(INBOX)
        await phone.sync_all(ARCHIVE)
    backup.make()
    async with backup.run() as (server, phone):
        await server.deliver(1, mail("new"))
        await phone.sync_all(INBOX)
    backup.put_back()
    async with backup.run() as (_, phone):
        assert (await phone.sync(INBOX)).status == 5
        assert "sync.store_lost_data" in capsys.readouterr().out
        assert sorted(item.subject for item in phone.mailbox.folder(INBOX).items.values()) == ["new", "old"]
        with pytest.raises(Refused, match="Status 111"):
            await phone.estimate(INBOX)
        await phone.sync_all(ARCHIVE)  # whose key is of the time before
        await phone.folder_sync()


@pytest.mark.parametrize(("version", "answer"), [("12.1", "HTTP 503, Status None"), ("14.1", "HTTP 200, Status 111")])
async def test_the_folder_list_is_kept_as_well(tmp_path: Path, version: str, answer: str) -> None:
    backup = Backup(tmp_path / "site", version)
    async with backup.run():
        pass
    backup.make()
    async with backup.run() as (_, phone):
        await phone.set_up()
    backup.put_back()
    async with backup.run() as (_, phone):
        with pytest.raises(Refused, match=answer):
            await phone.folder_sync()


async def test_who_gives_the_lost_up_forgets_the_device(tmp_path: Path) -> None:
    backup = Backup(tmp_path / "site")
    async with backup.run():
        pass
    backup.make()
    async with backup.run() as (_, phone):
        await phone.set_up()
        await phone.sync_all(INBOX)
        await phone.sync_all(ARCHIVE)
    backup.put_back()
    async with backup.run() as (server, phone):
        account = await server.account()
        with pytest.raises(UnknownDevice):
            await forget_device(account, phone.device.id)
        await forget_device(account, phone.device.id, even_unknown=True)
        with pytest.raises(Refused, match="Status 9"):
            await phone.folder_sync()
        await phone.folder_sync("0")
        assert (await phone.sync(INBOX)).status == 3
        await phone.sync_all(INBOX)
        assert (await phone.sync(ARCHIVE)).status == 3
        await phone.sync_all(ARCHIVE)
