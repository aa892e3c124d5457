"""Passwords that somebody else verifies, too: a directory in which they are set and changed.

Such a password is right if it opens the main slot *and* the directory takes it, so that one that was changed or locked
there lets nobody in.  App passwords and recovery keys are not in the directory: they open by themselves, as long as it
knows the user.

The account is made when its owner logs in first: the directory takes his password, and there are no keys yet.  Nobody
is there to write its recovery key down, so it is forgotten; `petitbleu account recovery-key` makes one that is shown.

A password that the directory takes and no slot opens was changed there.  The keys cannot follow by themselves: they
are in boxes that only the old password or the recovery key opens.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

import structlog

from storage.directories.directory import Directory, Mailbox
from storage.errors import DirectoryUnavailable
from storage.keyring import keys
from storage.keyring.creation import AccountExists, BeingCreated, create_account_keys
from storage.keyring.objects import UnknownAccount, Vault
from storage.keyring.passwords import spend_as_unlock
from storage.keyring.slots import SlotKind

_log = structlog.get_logger(__name__)
CHANGED_HELP = "petitbleu account password NAME, with the old password or the recovery key, then the new password"


@runtime_checkable
class VerifyingDirectory(Directory, Protocol):
    """A directory that knows passwords and holds connections."""

    async def verify(self, mailbox: Mailbox, password: str) -> bool:
        """Tell whether the directory takes the password as this user's.  Raises `DirectoryUnavailable`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


async def unlock_verified(
    vault: Vault,
    account: str,
    password: str,
    user_secrets: Sequence[bytes],
    device_id: str,
    verify: Callable[[], Awaitable[bool]],
    *,
    user: str = "",
) -> keys.Unlocked:
    """Open an account as `keys.unlock` does; *verify* asks the directory about the password; *user* is for the log.

    Raises `WrongPassword`, `DirectoryUnavailable` (also while somebody else makes the account), `SealError`,
    `EngineError`.
    """
    try:
        unlocked = await keys.unlock(vault, account, password, user_secrets, device_id)
    except keys.WrongPassword:
        if await verify():
            _log.error("login.password_changed_in_directory", account=account, user=user, help=CHANGED_HELP)
        raise
    except UnknownAccount:
        if not await verify():
            await spend_as_unlock(vault)
            raise keys.WrongPassword(account) from None
        return await _made_at_first_login(vault, account, password, user_secrets, device_id)
    if unlocked.kind is SlotKind.MAIN and not await verify():
        _log.warning("login.not_the_directorys_password", account=account, user=user)
        raise keys.WrongPassword(account)
    return unlocked


async def _made_at_first_login(
    vault: Vault, account: str, password: str, user_secrets: Sequence[bytes], device_id: str
) -> keys.Unlocked:
    try:
        made = await create_account_keys(vault, account, password, user_secrets[0] if user_secrets else b"")
    except AccountExists:  # another phone of his was faster
        return await keys.unlock(vault, account, password, user_secrets, device_id)
    except BeingCreated as error:
        raise DirectoryUnavailable("the account is being made at this moment") from error
    _log.info("account.created_at_first_login", account=account)
    return made.unlocked
