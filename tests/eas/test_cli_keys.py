"""The command line for keys: what it prints once, what it asks for, and what it never logs."""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from eas.cli.main import main
from storage.keyring.exported import import_keys

ANNA = "anna@example.org"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands set up logging for a process that is theirs alone."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A site with the user Anna, whose password is cheap to check."""
    config = tmp_path / "petitbleu.toml"

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([*arguments, "--config", str(config)])
        told = capsys.readouterr()
        return code, told.out, told.err

    assert run("init")[0] == 0
    text = config.read_text().replace("# argon2_memory_kib = 19456", "argon2_memory_kib = 8")
    config.write_text(text.replace("# argon2_passes = 2", "argon2_passes = 1"))
    assert run("account", "add", ANNA, "--password-stdin", stdin="geheim\n")[0] == 0
    return run


def account(site: Run, *arguments: str, stdin: str = "geheim\n") -> tuple[int, str, str]:
    return site("account", *arguments, "--password-stdin", stdin=stdin)


# Wrong input


@pytest.mark.parametrize(
    "action", [("rotate-keys",), ("show-keys",), ("app-password", "add"), ("app-password", "list")]
)
def test_a_wrong_password_shows_and_changes_nothing(site: Run, action: tuple[str, ...]) -> None:
    more = ["--device", "phone"] if "add" in action else ["--yes"] if "show-keys" in action else []
    code, out, err = account(site, *action, ANNA, *more, stdin="falsch\n")
    assert (code, out) == (1, "")
    assert "does not open" in err


def test_keys_are_shown_to_nobody_who_does_not_say_yes(site: Run) -> None:
    code, out, err = account(site, "show-keys", ANNA)
    assert (code, out) == (1, "")
    assert "--yes" in err


@pytest.mark.parametrize("device", ["", "x" * 33, "ph\none"])
def test_a_device_that_cannot_be_gets_no_password(site: Run, device: str) -> None:
    code, out, err = account(site, "app-password", "add", ANNA, "--device", device)
    assert (code, out) == (1, "")
    assert "no device has the id" in err


def test_a_device_without_a_password_has_none_to_revoke(site: Run) -> None:
    code, _, err = site("account", "app-password", "revoke", ANNA, "--device", "phone")
    assert code == 1
    assert "no app password" in err


@pytest.mark.parametrize(("mode", "said"), [(0o644, "chmod 0600"), (0o600, "not TOML")])
def test_a_file_of_keys_has_to_be_one(site: Run, tmp_path: Path, mode: int, said: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text("nonsense")
    keys.chmod(mode)
    code, _, err = account(site, "recover", ANNA, "--keys-file", str(keys), stdin="neu\n")
    assert code == 1
    assert said in err


# What holds


def test_an_app_password_is_shown_once_listed_and_revoked(site: Run) -> None:
    code, out, err = account(site, "app-password", "add", ANNA, "--device", "ABC123", "--label", "Anna's phone")
    assert (code, err) == (0, "")
    found = re.search(r"app password: ((?:[a-z2-7]{4}-){3}[a-z2-7]{4})\n", out)
    assert found
    code, out, _ = account(site, "app-password", "list", ANNA)
    assert code == 0
    assert "ABC123" in out
    assert "Anna's phone" in out
    assert found[1] not in out
    code, out, _ = account(site, "show", ANNA)
    assert "app password" in out
    assert site("account", "app-password", "revoke", ANNA, "--device", "abc123")[0] == 0
    assert "ABC123" not in account(site, "app-password", "list", ANNA)[1]


def test_an_app_password_opens_no_command(site: Run) -> None:
    """It is good on its device alone, and a command line is none."""
    _, out, _ = account(site, "app-password", "add", ANNA, "--device", "ABC123")
    password = out.split()[2]
    for action in (("show",), ("rotate-keys",), ("show-keys", "--yes"), ("recovery-key",)):
        assert account(site, action[0], ANNA, *action[1:], stdin=password + "\n")[0] == 1


def test_new_keys_leave_every_password_as_it_is(site: Run) -> None:
    recovery_key = account(site, "recovery-key", ANNA)[1].split()[2]
    code, out, err = account(site, "rotate-keys", ANNA, stdin=recovery_key + "\n")
    assert (code, err) == (0, "")
    assert "epoch 2" in out
    assert "left out" not in out
    assert account(site, "show", ANNA)[0] == 0
    assert "epoch 3" in account(site, "rotate-keys", ANNA)[1]
    assert account(site, "show", ANNA, stdin=recovery_key + "\n")[0] == 0


def test_shown_keys_give_a_new_password_when_none_opens(site: Run, tmp_path: Path) -> None:
    account(site, "rotate-keys", ANNA)
    code, out, err = account(site, "show-keys", ANNA, "--yes")
    assert code == 0
    assert out.startswith("# The keys of anna@example.org")
    exported = import_keys(out)
    assert len(exported.ring.epochs) == 2
    for secret in re.findall(r'= "([A-Za-z0-9+/=]{44})"', out):
        assert secret not in err
    keys = tmp_path / "keys"
    keys.write_text(out)
    keys.chmod(0o600)
    code, out, _ = account(site, "recover", ANNA, "--keys-file", str(keys), stdin="neu\n")
    assert code == 0
    recovery_key = re.search(r"recovery key: (\S+)", out)
    assert recovery_key
    assert account(site, "show", ANNA)[0] == 1
    for password in ("neu", recovery_key[1]):
        assert account(site, "show", ANNA, stdin=password + "\n")[0] == 0
    account(site, "rotate-keys", ANNA, stdin="neu\n")
    code, _, err = account(site, "recover", ANNA, "--keys-file", str(keys), stdin="neuer\n")
    assert code == 1
    assert "older" in err


def test_mail_is_saved_by_shown_keys_when_the_deployment_key_is_lost(site: Run, tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("cur", "new", "tmp"):
        (source / name).mkdir(parents=True)
    (source / "new" / "1.a.b").write_bytes(b"Subject: saved\r\n\r\ntext\r\n")
    assert site("import", ANNA, "--maildir", str(source), "--password-stdin", stdin="geheim\n")[0] == 0
    keys = tmp_path / "keys"
    keys.write_text(account(site, "show-keys", ANNA, "--yes")[1])
    keys.chmod(0o600)
    for lost in ("deployment.key", "accounts.toml"):
        (tmp_path / lost).unlink()
    code, out, err = site("export", "--keys-file", str(keys), "--maildir", str(tmp_path / "out"))
    assert (code, err) == (0, "")
    assert "1 mails written" in out
    [mail] = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and b"saved" in path.read_bytes()]
    assert b"text" in mail.read_bytes()
    for arguments in ((), (ANNA, "--keys-file", str(keys))):
        assert site("export", *arguments, "--maildir", str(tmp_path / "out"))[0] == 1
