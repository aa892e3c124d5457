"""Protocol versions, and which commands they have ([MS-ASHTTP] MS-ASProtocolVersion, MS-ASProtocolCommands)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Version(IntEnum):
    """A protocol version, times ten: the number that the base64 query carries."""

    V2_5 = 25
    V12_0 = 120
    V12_1 = 121
    V14_0 = 140
    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    @property
    def text(self) -> str:
        """The version as headers have it: "14.1"."""
        return f"{self // 10}.{self % 10}"


ANNOUNCED: Final = (Version.V12_1, Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1)  # ascending
_BY_TEXT: Final[Mapping[str, Version]] = {version.text: version for version in Version}


class UnknownVersion(Exception):
    """No version of the protocol has that name; `value` is what the peer sent, "" for nothing."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


def parse_version(text: str) -> Version:
    """Return the version of an MS-ASProtocolVersion header: "14.1".  Raises `UnknownVersion`.

    Versions that we do not announce are known too: whether one is served is the dispatcher's to say.
    """
    version = _BY_TEXT.get(text.strip())
    if version is None:
        raise UnknownVersion(text)
    return version


def version_of_number(number: int) -> Version:
    """Return the version of the first byte of a base64 query: 141.  Raises `UnknownVersion`."""
    try:
        return Version(number)
    except ValueError as error:
        raise UnknownVersion(str(number)) from error


def versions_header(versions: Iterable[Version] = ANNOUNCED) -> str:
    """Return the value of MS-ASProtocolVersions: ascending and without blanks, as Android's client compares them."""
    return ",".join(version.text for version in sorted(versions))


@dataclass(frozen=True, slots=True)
class CommandName:
    """A command of the protocol: its name, its code in a base64 query, and the versions that have it."""

    name: str
    code: int
    since: Version = Version.V2_5
    until: Version = Version.V16_1


COMMANDS: Final = (  # [MS-ASHTTP] Command Codes
    CommandName("Sync", 0),
    CommandName("SendMail", 1),
    CommandName("SmartForward", 2),
    CommandName("SmartReply", 3),
    CommandName("GetAttachment", 4, until=Version.V12_1),
    CommandName("GetHierarchy", 5, until=Version.V12_1),
    CommandName("CreateCollection", 6, until=Version.V2_5),
    CommandName("DeleteCollection", 7, until=Version.V2_5),
    CommandName("MoveCollection", 8, until=Version.V2_5),
    CommandName("FolderSync", 9),
    CommandName("FolderCreate", 10),
    CommandName("FolderDelete", 11),
    CommandName("FolderUpdate", 12),
    CommandName("MoveItems", 13),
    CommandName("GetItemEstimate", 14),
    CommandName("MeetingResponse", 15),
    CommandName("Search", 16),
    CommandName("Settings", 17, since=Version.V12_0),
    CommandName("Ping", 18),
    CommandName("ItemOperations", 19, since=Version.V12_0),
    CommandName("Provision", 20),
    CommandName("ResolveRecipients", 21),
    CommandName("ValidateCert", 22),
    CommandName("Find", 23, since=Version.V16_1),
)
BY_CODE: Final[Mapping[int, CommandName]] = {command.code: command for command in COMMANDS}
BY_NAME: Final[Mapping[str, CommandName]] = {command.name.lower(): command for command in COMMANDS}


class UnknownCommand(Exception):
    """No version of the protocol has that command; `value` is the name or the code that the peer sent."""

    def __init__(self, value: str | int) -> None:
        super().__init__(str(value))
        self.value = value


def command_named(name: str) -> CommandName:
    """Return the command of that name, in any case.  Raises `UnknownCommand`."""
    command = BY_NAME.get(name.lower())
    if command is None:
        raise UnknownCommand(name)
    return command


def command_coded(code: int) -> CommandName:
    """Return the command of that code.  Raises `UnknownCommand`."""
    command = BY_CODE.get(code)
    if command is None:
        raise UnknownCommand(code)
    return command


def commands_header(names: Iterable[str]) -> str:
    """Return the value of MS-ASProtocolCommands for these commands: in the order of their codes, without blanks."""
    wanted = {command_named(name) for name in names}
    return ",".join(command.name for command in COMMANDS if command in wanted)
