"""Taking a user out of the accounts file leaves the rest as it was written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.directories.accounts_file import StaticAccount, load_accounts, render_account
from storage.directories.accounts_removal import remove_account
from storage.errors import UnknownAddress
from storage.toml_tables import SettingError

TEXT = """# Our users.

[[account]]  # the boss
address = "anna@example.org"
aliases = [
  "info@example.org",
]

# Bert is on leave.
[[ account ]]
address = "bert@example.org"
user_secret = "[[account]]"

[[account]]
address = "carla@example.org"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("address", ["anna@example.org", "info@example.org"])
def test_a_user_goes_by_any_of_his_addresses_and_comments_stay(tmp_path: Path, address: str) -> None:
    path = write(tmp_path, TEXT)
    assert remove_account(path, address).address == "anna@example.org"
    assert path.read_text() == TEXT.replace(TEXT[TEXT.index("[[account]]  #") : TEXT.index("# Bert")], "")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("user", ["bert", "carla"])
def test_others_stay(tmp_path: Path, user: str) -> None:
    path = write(tmp_path, TEXT)
    remove_account(path, f"{user}@example.org")
    left = {account.address for account in load_accounts(path)}
    assert left == {"anna@example.org", "bert@example.org", "carla@example.org"} - {f"{user}@example.org"}


def test_nobody_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownAddress):
        remove_account(write(tmp_path, TEXT), "dora@example.org")


@pytest.mark.parametrize(
    "text",
    [
        'account = [{address = "anna@example.org"}, {address = "bert@example.org"}]',
        '["account"]\n',
        '[[account]]\naddress = "anna@example.org"\nuser_secret = """\n[[account]]\n"""\n',
    ],
)
def test_a_file_that_is_written_otherwise_is_left_alone(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingError):
        remove_account(path, "anna@example.org")
    assert path.read_text() == text


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), st.data())
def test_any_user_can_be_taken_out(
    tmp_path_factory: pytest.TempPathFactory, users: list[str], data: st.DataObject
) -> None:
    accounts = [StaticAccount(f"{user}@example.org", user_secret=user) for user in users]
    path = write(tmp_path_factory.mktemp("removal"), "\n".join(map(render_account, accounts)))
    gone = data.draw(st.sampled_from(accounts))
    assert remove_account(path, gone.address) == gone
    assert list(load_accounts(path)) == [account for account in accounts if account != gone]
