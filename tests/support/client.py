"""An ActiveSync client of our own, for tests and benchmarks; `python -m tests.support.client` tries a server by hand.

Every answer is examined before anybody sees it (`answers.py`); what the phone holds is `client.mailbox`.  Requests are
written as phones of the field write them.  Low level: `await client.post(command, root)`; the rest is in the groups:
folders, Sync and drafts, items and files, searches, sending, the account.
"""

import aiohttp

from eas.protocol.versions import Version
from tests.support.client_account import AccountCommands, Policy
from tests.support.client_folders import FolderCommands
from tests.support.client_items import ItemCommands
from tests.support.client_mail import MailCommands
from tests.support.client_search import SearchCommands
from tests.support.client_sync import SyncCommands
from tests.support.commanding import Refused
from tests.support.mailbox import Mailbox
from tests.support.transport import Device

__all__ = ["Device", "EasClient", "Refused"]

NEEDS_PROVISION = frozenset({140, 141, 142, 143, 144})
NEEDS_PROVISION_HTTP = frozenset({403, 449})


class EasClient(FolderCommands, SyncCommands, ItemCommands, SearchCommands, MailCommands, AccountCommands):
    """A phone with one account: `async with EasClient(url, user, password) as client:`."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        version: Version = Version.V14_1,
        device: Device | None = None,
        base64_form: bool = False,
        gzip: bool = True,
        verify: bool = False,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """Take the server's *url*, with or without the path; see `Transport` for the rest."""
        super().__init__(
            url,
            user,
            password,
            version=version,
            device=device,
            base64_form=base64_form,
            gzip=gzip,
            verify=verify,
            session=session,
        )
        self.mailbox = Mailbox()

    async def set_up(self) -> Policy | None:
        """Begin as AOSP does: FolderSync, and when that is refused for want of a policy, Provision and again.

        Return the policy when there was one to take.  A wipe that is ordered is returned, not done.
        """
        try:
            await self.folder_sync()
        except Refused as refused:
            if refused.status not in NEEDS_PROVISION and refused.answer.status not in NEEDS_PROVISION_HTTP:
                raise
            policy = await self.provision()
            if policy.wipe is None:
                await self.folder_sync()
            return policy
        return None

    async def inbox(self) -> str:
        """Return the id of the Inbox, setting up first if need be."""
        if not self.mailbox.hierarchy:
            await self.set_up()
        return self.mailbox.of_type(2)


if __name__ == "__main__":
    from tests.support.client_cli import main

    main()
