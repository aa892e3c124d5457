"""A folder with more mails than a window is removed: all of them reach the phone's Deleted Items, each once."""

from tests.eas.world import world
from tests.support.messages import mixed_message

MAILS = 23


async def test_what_lay_in_a_removed_folder_is_told_in_parts() -> None:
    async with world(accounts=1) as w:
        phone = w.client()
        inbox = await phone.inbox()
        trash = "trash"
        await phone.sync_all(trash)
        paper = await phone.folder_create("Paper")
        for number in range(MAILS):
            await w.deliver(1, mixed_message(number))
        mails = (await phone.sync_all(inbox)).items
        await phone.move([(server_id, inbox, paper) for server_id in mails])
        await phone.folder_delete(paper)
        folder = await phone.sync_all(trash, window_size=5)
        assert len(folder.items) == MAILS
        assert not (await phone.sync_all(inbox)).items
