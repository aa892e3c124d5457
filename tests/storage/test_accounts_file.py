"""The file of users: refused when it does not make sense, and added to without touching what stands there."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.directories.accounts_file import (
    QUOTA_BYTES_MAX,
    TEXT_CHARS_MAX,
    AddressTaken,
    StaticAccount,
    add_account,
    load_accounts,
    parse_accounts,
    render_account,
)
from storage.private_file import UnsafeFile
from storage.toml_tables import SettingError

ANNA = StaticAccount("anna@example.org", "Anna", ("info@example.org",), "secret", ("older",), 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.toml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[account]", "line 1"),
        ("account = 5", "must be a list"),
        ("account = [5]", "must be a table"),
        ("[[acount]]", "did you mean account"),
        ("[[account]]\n", "address: is missing"),
        ('[[account]]\naddress = "anna"', "not an address: 'anna'"),
        ("[[account]]\naddress = 5", "must be a text"),
        ('[[account]]\naddress = "a@b.c"\ndisplayname = ""', "did you mean display_name"),
        ('[[account]]\naddress = "a@b.c"\naliases = "x@b.c"', "must be a list"),
        ('[[account]]\naddress = "a@b.c"\naliases = ["x"]', "not an address: 'x'"),
        ('[[account]]\naddress = "a@b.c"\nidentity = "x"', "not an address: 'x'"),
        ('[[account]]\naddress = "a@b.c"\nquota_bytes = -1', "0 to"),
        (f'[[account]]\naddress = "a@b.c"\nquota_bytes = {QUOTA_BYTES_MAX + 1}', "0 to"),
        ('[[account]]\naddress = "a@b.c"\nquota_bytes = true', "whole number"),
        ('[[account]]\naddress = "a@b.c"\ndisplay_name = "a\\nb"', "not printable"),
        (f'[[account]]\naddress = "a@b.c"\ndisplay_name = "{"x" * (TEXT_CHARS_MAX + 1)}"', "over 1000"),
        ('[[account]]\naddress = "a@b.c"\n[[account]]\naddress = "A@B.C"', "two users have a@b.c"),
        ('[[account]]\naddress = "a@b.c"\n[[account]]\naddress = "x@b.c"\naliases = ["a@b.c"]', "two users have a@b.c"),
        ('[[account]]\naddress = "a@b.c"\n[[account]]\naddress = "x@b.c"\nidentity = "a@b.c"', "two users have a@b.c"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(SettingError, match=says) as caught:
        parse_accounts(text, "accounts.toml")
    assert caught.value.where.startswith("accounts.toml")


def test_a_file_that_others_may_read_or_that_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff")
    with pytest.raises(UnsafeFile):
        load_accounts(path)
    path.chmod(0o600)
    with pytest.raises(SettingError, match="UTF-8"):
        load_accounts(path)


def test_an_address_that_is_taken_is_not_added(path: Path) -> None:
    add_account(path, ANNA)
    before = path.read_bytes()
    for account in (
        StaticAccount("ANNA@example.org"),
        StaticAccount("info@example.org"),
        StaticAccount("bert@example.org", aliases=("Info@Example.org",)),
        StaticAccount("bert@example.org", identity="anna@example.org"),
    ):
        with pytest.raises(AddressTaken):
            add_account(path, account)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["account = []\n", "[[account]\n", '[[account]]\naddress = "anna@example.org"\nx = """\n']
)
def test_a_file_to_which_nothing_can_be_appended_stays_as_it_is(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingError):
        add_account(path, StaticAccount("bert@example.org"))
    assert path.read_text() == text


def test_a_user_is_added_to_what_stands_there(path: Path) -> None:
    text = '# mine\n[[account]]\naddress = "anna@example.org"  # the boss\nuser_secret = "s"'
    path.write_text(text)
    path.chmod(0o600)
    added = add_account(path, StaticAccount("bert@example.org"))
    assert path.read_text().startswith(text)
    assert [account.address for account in load_accounts(path)] == ["anna@example.org", "bert@example.org"]
    assert load_accounts(path)[1] == added
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_first_user_makes_a_file_that_explains_itself(path: Path) -> None:
    add_account(path, ANNA)
    assert path.read_text().startswith("# ")
    assert load_accounts(path) == (ANNA,)


def test_each_user_gets_a_secret_of_his_own(path: Path) -> None:
    secrets = {add_account(path, StaticAccount(f"user{number}@example.org")).user_secret for number in range(5)}
    assert len(secrets) == 5
    assert min(map(len, secrets)) >= 32


def test_writers_at_once_lose_nobody(path: Path) -> None:
    addresses = [f"user{number}@example.org" for number in range(20)]

    def add(part: list[str]) -> None:
        for address in part:
            add_account(path, StaticAccount(address))

    threads = [threading.Thread(target=add, args=(addresses[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {account.address for account in load_accounts(path)} == set(addresses)


printable = st.text(max_size=20).filter(str.isprintable)


@given(printable, printable, st.lists(printable, max_size=2), st.none() | st.integers(0, QUOTA_BYTES_MAX))
def test_reading_undoes_writing(name: str, secret: str, alternates: list[str], quota_bytes: int | None) -> None:
    account = StaticAccount("a@b.c", name, ("x@b.c",), secret, tuple(alternates), quota_bytes, "first@b.c")
    assert parse_accounts(render_account(account), "") == (account,)


def test_a_user_is_described_in_canonical_form() -> None:
    mailbox = StaticAccount("Anna@Example.org", "Anna", ("INFO@example.org", "anna@example.org")).mailbox
    assert (mailbox.address, mailbox.aliases, mailbox.identity) == (
        "anna@example.org",
        ("info@example.org",),
        "anna@example.org",
    )
    assert ANNA.secrets == (b"secret", b"older")
    assert "secret" not in repr(ANNA)
