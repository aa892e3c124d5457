import pytest

from eas.protocol.versions import (
    ANNOUNCED,
    COMMANDS,
    UnknownCommand,
    UnknownVersion,
    Version,
    command_coded,
    command_named,
    commands_header,
    parse_version,
    version_of_number,
    versions_header,
)


@pytest.mark.parametrize("text", ["", "14", "14.2", "14,1", "1.0", "141", "16.1.0", "x", "\uff11\uff14.1"])
def test_refuses_what_is_no_version(text: str) -> None:
    with pytest.raises(UnknownVersion) as caught:
        parse_version(text)
    assert caught.value.value == text


def test_reads_every_version_back() -> None:
    assert [parse_version(version.text) for version in Version] == list(Version)
    assert parse_version(" 14.1 ") is Version.V14_1
    assert [version_of_number(int(version)) for version in Version] == list(Version)


def test_announces_ascending_without_blanks() -> None:
    assert versions_header() == "12.1,14.0,14.1,16.0,16.1"
    assert versions_header(reversed(ANNOUNCED)) == versions_header()


def test_commands_are_announced_in_the_order_of_their_codes() -> None:
    assert commands_header(["Ping", "Sync", "Find", "Sync"]) == "Sync,Ping,Find"
    with pytest.raises(UnknownCommand):
        commands_header(["Pong"])


def test_a_command_has_one_name_and_one_code() -> None:
    assert [command.code for command in COMMANDS] == list(range(24))
    for command in COMMANDS:
        assert command_coded(command.code) is command_named(command.name.upper()) is command
        assert command.since <= command.until


@pytest.mark.parametrize("code", [24, 255])
def test_refuses_an_unknown_code(code: int) -> None:
    with pytest.raises(UnknownCommand) as caught:
        command_coded(code)
    assert caught.value.value == code


def test_find_came_with_16_1_and_get_attachment_went_with_14_0() -> None:
    assert command_named("Find").since is Version.V16_1
    assert command_named("GetAttachment").until is Version.V12_1
