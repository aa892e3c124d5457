"""The test world itself."""

from tests.eas.world import address, world
from tests.support.messages import mixed_message


async def test_a_phone_sees_its_folders_in_every_version() -> None:
    async with world(accounts=1) as w:
        for version in ("12.1", "14.0", "14.1", "16.0", "16.1"):
            await w.client(version=version).folder_sync()


async def test_mail_comes_in_by_lmtp_and_directly() -> None:
    async with world(engine="local") as w:
        replies = await w.lmtp([address(1), "nobody@example.test"], mixed_message(1))
        assert replies == {address(1): 250, "nobody@example.test": 550}
        await w.deliver(1, mixed_message(2))
        async with (await w.account(1)).turn() as state:
            assert len(await state.changed("inbox", {})) == 2
