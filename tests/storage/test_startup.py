"""One file configures all packages, explains itself, and is refused by name where it is wrong."""

import base64
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.keyring.slots import Cost
from storage.private_file import UnsafeFile
from storage.settings import Settings
from storage.startup import (
    create_deployment_key,
    default_configuration,
    example_configuration,
    field_docs,
    load_configuration,
    read_deployment_key,
)
from storage.toml_tables import SettingError


@dataclass(frozen=True, slots=True)
class Other:
    """Settings of another package.

    Which has a longer docstring.
    """

    limit: int | None = None
    """None: no limit."""

    listen: tuple[str, ...] = ("127.0.0.1:80", "[::1]:80")
    """Where to listen; a text that is
    long enough for two lines."""

    secret: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """Settings that nobody can guess."""

    name: str
    """The name."""


SECTIONS = {"storage": Settings, "other": Other}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "petitbleu.toml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[storage", "cannot be read"),
        ("[storge]", "storge: unknown key; did you mean storage?"),
        ("storage = 5", "storage: must be a table"),
        ("[storage]\nargon2_memry_kib = 8", "argon2_memry_kib: unknown key; did you mean argon2_memory_kib?"),
        ("[storage]\nargon2_memory_kib = 7", "argon2_memory_kib: must be 8 to 1048576, not 7"),
        ("[storage]\nargon2_memory_kib = 1048577", "argon2_memory_kib: must be 8 to"),
        ("[storage]\nargon2_passes = 0", "argon2_passes: must be 1 to 16"),
        ("[storage]\nargon2_passes = 17", "argon2_passes: must be 1 to 16"),
        ("[storage]\nargon2_lanes = 9", "argon2_lanes: must be 1 to 8"),
        ("[storage]\nargon2_lanes = 2\nargon2_memory_kib = 15", "argon2 cost out of bounds"),
        ("[storage]\nargon2_runs_max = 0", "argon2_runs_max: must be 1 to 1024"),
        ("[storage]\nargon2_runs_max = 0", "argon2_runs_max: must be 1 to"),
        ('[storage]\nengine = "s4"', 'engine: must be one of "local", "s3", "memory"'),
        ('[storage]\nmail_domains = ["ü..org"]', "not a domain: 'ü..org'"),
        ('[storage]\nshort_domains = { A = "ü..org" }', "not a domain: 'ü..org'"),
        ('[storage]\nlog_level = "loud"', "log_level: must be one of"),
        ("[other]\nlimit = true", "other.limit: must be a whole number"),
    ],
)
def test_a_wrong_file_is_refused_by_name(path: Path, text: str, says: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingError, match=says) as caught:
        load_configuration(path, SECTIONS)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_is_no_text_is_refused(path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be read"):
        load_configuration(path, SECTIONS)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingError, match="cannot be read"):
        load_configuration(path, SECTIONS)


def test_a_setting_without_default_is_due(path: Path) -> None:
    path.write_text("")
    with pytest.raises(SettingError, match=r"due\.name: is missing"):
        load_configuration(path, {"due": Due})
    with pytest.raises(SettingError, match=r"due\.name: is missing"):
        default_configuration({"due": Due})


def test_an_empty_file_is_all_defaults(path: Path) -> None:
    path.write_text("")
    for configuration in (load_configuration(path, SECTIONS), default_configuration(SECTIONS)):
        assert configuration.of(Settings) == Settings()
        assert configuration.of(Other) == Other()
    with pytest.raises(KeyError):
        configuration.of(Due)


def test_relative_paths_are_taken_from_the_files_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text('[storage]\npath = "store"\n')
    monkeypatch.chdir(tmp_path)
    for given in (path, Path(path.name)):
        assert load_configuration(given, SECTIONS).of(Settings).path == tmp_path / "store"


def test_settings_say_cost_and_domains(path: Path) -> None:
    path.write_text('[storage]\nargon2_memory_kib = 8\nargon2_passes = 1\nshort_domains = { EXAMPLE = "example.org" }')
    settings = load_configuration(path, SECTIONS).of(Settings)
    assert settings.cost == Cost(8, 1, 1)
    assert settings.domains.login_name("example\\anna").exact == ("anna@example", "anna@example.org")


def test_every_setting_has_a_docstring() -> None:
    assert set(field_docs(Settings)) == set(Settings.__dataclass_fields__)


def test_the_example_explains_every_setting_and_changes_none(path: Path) -> None:
    text = example_configuration(SECTIONS)
    path.write_text(text)
    assert tomllib.loads(text) == {"storage": {}, "other": {}}
    assert "# Where to listen; a text that is long enough for two lines.\n# listen = " in text
    assert "# limit is not set\n" in text
    assert max(map(len, text.splitlines())) <= 120
    for sentence in field_docs(Settings).values():
        assert sentence[:40] in text


def test_the_example_shows_values_that_may_be_uncommented(path: Path) -> None:
    keys = [*Settings.__dataclass_fields__, "listen", "secret"]
    lines = example_configuration(SECTIONS).splitlines()
    path.write_text("\n".join(line[2:] if line[2:].partition(" =")[0] in keys else line for line in lines))
    assert set(tomllib.loads(path.read_text())["storage"]) == set(Settings.__dataclass_fields__)
    configuration = load_configuration(path, SECTIONS)
    assert configuration.of(Settings) == Settings()
    assert configuration.of(Other) == Other()


def test_the_example_takes_what_is_given_and_says_what_is_due(path: Path) -> None:
    sections = {**SECTIONS, "due": Due}
    text = example_configuration(sections, {"storage": {"path": path, "log_level": "debug"}})
    assert "# name must be set\n" in text
    path.write_text(text.replace("# name must be set", 'name = "x"'))
    assert load_configuration(path, sections).of(Settings) == Settings(path=path, log_level="debug")


# The deployment key


def test_a_deployment_key_is_made_once_and_read_back(path: Path) -> None:
    key = create_deployment_key(path)
    assert len(key) == 32
    assert read_deployment_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_deployment_key(path)
    assert read_deployment_key(path) == key


@pytest.mark.parametrize(
    "data", [b"", b"not base64!", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), bytes(32)]
)
def test_what_is_no_deployment_key_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(SettingError, match="base64"):
        read_deployment_key(path)


def test_a_deployment_key_that_is_missing_or_open_to_others_is_refused(path: Path) -> None:
    with pytest.raises(SettingError, match="petitbleu init"):
        read_deployment_key(path)
    with pytest.raises(SettingError, match="cannot be read"):
        read_deployment_key(path.parent)
    create_deployment_key(path)
    path.chmod(0o640)
    with pytest.raises(UnsafeFile):
        read_deployment_key(path)
