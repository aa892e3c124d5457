"""What goes wrong for reasons that whoever typed the command can mend: said in one line, without a traceback."""

import os
import ssl

from eas.run.packages import ForeignPackage
from eas.transfer.destinations import TooManyFolders
from eas.transfer.source import SourceFailed
from eas.transfer.target import TargetFailed
from storage.copying import OtherStore
from storage.directories.accounts_file import AddressTaken
from storage.engine import EngineError
from storage.errors import DirectoryUnavailable, QuotaExceeded, UnknownAddress
from storage.keyring.claims import Claimed
from storage.keyring.creation import AccountExists, BeingCreated
from storage.keyring.keys import KeysChanged, SlotChanged, TooManySlots, WrongPassword
from storage.keyring.objects import UnknownAccount
from storage.keyring.passwords import UnfitPassword
from storage.keyring.recovering import OldKeys, OtherAccount
from storage.keyring.rotation import TooManyEpochs
from storage.private_file import UnsafeFile
from storage.seal import SealError
from storage.toml_tables import SettingError


class Mistake(Exception):
    """What the command was told cannot be; its text is the line."""


class CannotListen(Mistake):
    """An address is not to be had; says which, and why."""

    def __init__(self, address: str, error: OSError) -> None:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        super().__init__(f"cannot listen on {address}: {reason}")


_SAID: dict[type[BaseException], str] = {
    AccountExists: "the account exists already",
    BeingCreated: "somebody else is creating this account, or died doing so: try again in ten minutes",
    UnknownAccount: "the account has no keys yet: `petitbleu account add` makes them",
    WrongPassword: "this password does not open the account",
    Claimed: "somebody else is changing the keys, or died doing so: try again in ten minutes",
    OtherAccount: "these are the keys of another account, or of another deployment",
    OldKeys: "these keys are older than the account's: its master key was changed after they were shown",
    TooManyEpochs: "the master key of this account cannot be changed any more",
    TooManySlots: "the account, or this device, has as many passwords as can be: revoke one first",
    KeysChanged: "somebody else changed the account's keys at the same moment: try again",
    SlotChanged: "somebody else changed the password at the same moment, and that change stands",
}
_SAY_THEMSELVES = (
    DirectoryUnavailable,
    EngineError,
    ForeignPackage,
    Mistake,
    OtherStore,
    QuotaExceeded,
    SealError,
    SettingError,
    SourceFailed,
    TargetFailed,
    TooManyFolders,
    UnfitPassword,
    UnsafeFile,
)
EXPLAINED: tuple[type[BaseException], ...] = (*_SAID, *_SAY_THEMSELVES, AddressTaken, UnknownAddress, OSError, EOFError)


def explain(error: BaseException) -> str:
    """Return the line."""
    match error:
        case ssl.SSLError():
            return f"the certificate cannot be used: {error.reason or error}"
        case AddressTaken():
            return f"another user has the address {error.address}"
        case UnknownAddress():
            return f"nobody has the address or name {error.address!r}"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}"
        case QuotaExceeded():
            return f"the quota is full: {error}"
        case EOFError():
            return "no password was given"
    return _SAID.get(type(error), str(error))
