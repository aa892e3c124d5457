"""What a phone asks for is fresh, also when nobody waited for the news."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from yarl import URL

from storage.account import Account
from tests.eas.world import world
from tests.support.messages import mixed_message
from tests.support.transport import PATH


async def test_a_sync_sees_mail_that_came_while_nobody_waited() -> None:
    async with world(engine="local") as w:
        phone = w.client()
        inbox = await phone.inbox()
        await phone.sync_all(inbox)
        for number in range(3):
            await w.deliver(1, mixed_message(number))
            folder = await phone.sync_all(inbox)
            assert len(folder.items) == number + 1


async def test_two_phones_of_one_account_see_each_other() -> None:
    async with world() as w:
        one, other = w.client(), w.client()
        await w.deliver(1, mixed_message(1))
        inbox = await one.inbox()
        await other.inbox()
        (server_id,) = (await one.sync_all(inbox)).items
        await other.sync_all(inbox)
        await one.move([(server_id, inbox, "archive")])
        assert not (await other.sync_all(inbox)).items
        assert len((await other.sync_all("archive")).items) == 1


async def test_a_key_that_another_node_gave_before_its_news_came_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "told_of_news", lambda *_arguments: None)  # a feed that is late
    async with world(engine="local", folder=tmp_path) as one, world(engine="local", folder=tmp_path) as other:
        phone = one.client()
        inbox = await phone.inbox()
        with capture_logs() as logs:
            for number in range(3):
                phone.url = URL((one if number % 2 else other).url).with_path(PATH)
                await one.deliver(1, mixed_message(number))
                assert len((await phone.sync_all(inbox)).items) == number + 1
        assert not [line for line in logs if line["log_level"] == "error"]
