"""A directory of one file answers who somebody is, follows its file, and outlives the editor's slips."""

import os
from pathlib import Path
from time import perf_counter

import pytest
import structlog

from storage.directories.accounts_file import StaticAccount, add_account, render_account
from storage.directories.directory import SEARCH_RESULTS_MAX, Directory, Domains, Entry, Mailbox
from storage.directories.static import StaticDirectory
from storage.errors import UnknownAddress
from storage.private_file import UnsafeFile
from storage.toml_tables import SettingError

ACCOUNTS = [
    StaticAccount("anna@example.org", "Anna Müller", ("info@example.org",), "of anna", ("older",), 1000),
    StaticAccount("bert@example.org", "Bert Meier", (), "of bert"),
    StaticAccount("anna@example.com", "Anna Schmidt", ("carla@example.com",), "of the other anna"),
    StaticAccount("dora@example.com", "", (), "of dora", identity="dora-before@example.com"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    write(path, "".join(map(render_account, ACCOUNTS)))
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + write_count() * 1000))  # no two writes look alike


def write_count(counted: list[None] = []) -> int:  # noqa: B006  # counts on purpose
    counted.append(None)
    return len(counted)


@pytest.fixture
def directory(path: Path) -> StaticDirectory:
    return StaticDirectory(path, Domains.of([], {"EXAMPLE": "example.org"}))


def test_a_bad_file_is_refused_at_the_start(path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(UnsafeFile):
        StaticDirectory(path, Domains())
    write(path, "[[acount]]")
    with pytest.raises(SettingError):
        StaticDirectory(path, Domains())
    path.unlink()
    with pytest.raises(FileNotFoundError):
        StaticDirectory(path, Domains())


@pytest.mark.parametrize("address", ["", "anna", "carla@example.org", "dora-before@example.com", "anna@example.org\n@"])
async def test_an_address_of_nobody_is_unknown(directory: StaticDirectory, address: str) -> None:
    with pytest.raises(UnknownAddress):
        await directory.resolve(address)


@pytest.mark.parametrize("address", ["anna@example.org", "ANNA@Example.Org", "info@example.org"])
async def test_an_address_or_alias_in_any_case_is_its_owners(directory: StaticDirectory, address: str) -> None:
    mailbox = await directory.resolve(address)
    assert mailbox == Mailbox("anna@example.org", ("info@example.org",), "Anna Müller", 1000, "anna@example.org")


def test_it_is_a_directory(directory: StaticDirectory) -> None:
    as_others_see_it: Directory = directory  # what mypy holds it to
    assert as_others_see_it


async def test_an_identity_outlives_the_address(directory: StaticDirectory) -> None:
    assert (await directory.resolve("dora@example.com")).identity == "dora-before@example.com"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("anna@example.org", "anna@example.org"),
        ("ANNA@EXAMPLE.COM", "anna@example.com"),
        ("info@example.org", "anna@example.org"),
        ("EXAMPLE\\anna", "anna@example.org"),
        ("example.com\\Anna", "anna@example.com"),
        ("anna@example", "anna@example.org"),
        ("bert", "bert@example.org"),
        ("Carla", "anna@example.com"),
        ("WORKGROUP\\bert", "bert@example.org"),
        ("bert@elsewhere.example", "bert@example.org"),
        ("anna", None),  # there are two
        ("bert@example.com", None),  # a domain of ours, and no such user there
        ("EXAMPLE\\dora", None),
        ("nobody", None),
        ("", None),
        ("\\", None),
    ],
)
async def test_a_login_name_means_one_user_or_nobody(
    directory: StaticDirectory, name: str, address: str | None
) -> None:
    assert [mailbox.address for mailbox in await directory.login(name)] == ([address] if address else [])


async def test_secrets_come_with_alternates_behind(directory: StaticDirectory) -> None:
    assert await directory.user_secrets(await directory.resolve("info@example.org")) == (b"of anna", b"older")
    with pytest.raises(UnknownAddress):
        await directory.user_secrets(Mailbox("nobody@example.org"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("anna", ["Anna Müller", "Anna Schmidt"]),
        ("ANNA MULL", ["Anna Müller"]),
        ("müll", ["Anna Müller"]),
        ("m", ["Anna Müller", "Bert Meier"]),
        ("bert@example.org", ["Bert Meier"]),
        ("dora", ["dora@example.com"]),
        ("nna", []),
        ("anna meier", []),
        ("", []),
        ("\0@", []),
    ],
)
async def test_a_search_finds_the_beginnings_of_words(directory: StaticDirectory, text: str, names: list[str]) -> None:
    assert [entry.display_name for entry in await directory.search(text, 10)] == names


async def test_a_search_ends_at_its_limit(directory: StaticDirectory) -> None:
    assert await directory.search("anna", 1) == [Entry("Anna Müller", "anna@example.org")]
    assert await directory.search("anna", 0) == []
    assert await directory.search("anna", -1) == []


async def test_a_search_ends_at_the_bound_whatever_is_asked(path: Path) -> None:
    many = [StaticAccount(f"user{number}@example.org") for number in range(SEARCH_RESULTS_MAX + 1)]
    write(path, "".join(map(render_account, many)))
    found = await StaticDirectory(path, Domains()).search("user", 10**6)
    assert len(found) == SEARCH_RESULTS_MAX


async def test_a_user_who_is_added_is_known_at_once(directory: StaticDirectory, path: Path) -> None:
    add_account(path, StaticAccount("emil@example.net"))
    assert (await directory.resolve("emil@example.net")).address == "emil@example.net"
    assert await directory.login("bert@example.net") == ()  # the domain is ours now


async def test_a_slip_of_the_editor_is_reported_once_and_turns_nobody_away(
    directory: StaticDirectory, path: Path
) -> None:
    with structlog.testing.capture_logs() as logged:
        write(path, "[[account]")
        for _ in range(3):
            assert (await directory.resolve("anna@example.org")).address == "anna@example.org"
        path.unlink()
        for _ in range(3):
            assert (await directory.resolve("anna@example.org")).address == "anna@example.org"
    assert [event["event"] for event in logged] == ["directory.refused"] * 2
    write(path, render_account(ACCOUNTS[1]))
    with pytest.raises(UnknownAddress):
        await directory.resolve("anna@example.org")


async def test_ten_thousand_users_are_looked_up_in_no_time(path: Path) -> None:
    many = [StaticAccount(f"user{n}@example.org", f"User Number{n}", (f"alias{n}@example.org",)) for n in range(10_000)]
    write(path, "".join(map(render_account, many)))
    directory = StaticDirectory(path, Domains())
    begun = perf_counter()
    for number in range(0, 10_000, 10):
        assert (await directory.resolve(f"Alias{number}@example.org")).address == f"user{number}@example.org"
    seconds = perf_counter() - begun
    assert seconds < 1  # a thousand look-ups: 20 ms where this was written, 10 s if each went through the list
