"""`petitbleu export`, `import` and `undelete`, as somebody types them."""

from pathlib import Path

import pytest

from tests.eas.test_cli import ANNA, Run, _logging_as_before, config, deliver, run, site
from tests.support.messages import mixed_message

__all__ = ["_logging_as_before", "config", "run", "site"]
WORD = "geheim\n"


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_an_account_goes_out_and_comes_into_another(site: Run, config: Path, tmp_path: Path, kind: str) -> None:
    deliver(config, 5)
    place = (f"--{kind}", str(tmp_path / "out"))
    code, out, error = site("export", "anna", *place, "--password-stdin", stdin=WORD)
    assert (code, out, error) == (0, "5 mails written, 0 were there, 0 could not be read\n", "")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "out").rglob("*"))
    assert site("export", "anna", *place, "--password-stdin", stdin=WORD)[1].startswith("0 mails written, 5 were there")
    site("account", "add", "bert@example.org", "--password-stdin", stdin="x\n")
    code, out, error = site("import", "bert", *place, "--password-stdin", stdin="x\n")
    assert (code, error) == (0, "")
    assert out.startswith("5 mails (")
    assert site("import", "bert", *place, "--password-stdin", stdin="x\n")[1].startswith(
        "0 mails (0.0 KB) added, 5 were"
    )
    assert site("import", "anna", *place, "--password-stdin", stdin=WORD)[1].startswith(
        "0 mails (0.0 KB) added, 5 were"
    )
    show = site("account", "show", "bert", "--password-stdin", stdin="x\n")[1]
    assert [line.split()[1] for line in show.splitlines() if line.startswith("Inbox")] == ["5"]


def test_one_file_goes_into_a_folder_of_ones_choice(site: Run, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"From x Fri Mar  8 16:30:02 2024\nSubject: a\n\nb\n\n")
    arguments = ("import", ANNA, "--mbox", str(tmp_path / "old"), "--into", "Lists/Old", "--password-stdin")
    assert site(*arguments, stdin=WORD)[0] == 0
    show = site("account", "show", "anna", "--password-stdin", stdin=WORD)[1]
    assert [line.split()[1] for line in show.splitlines() if line.strip().startswith("Old")] == ["1"]


def test_a_quota_ends_an_import(site: Run, config: Path, tmp_path: Path) -> None:
    site("account", "add", "bert@example.org", "--quota-mb", "1", "--password-stdin", stdin="x\n")
    (tmp_path / "in" / "cur").mkdir(parents=True)
    for number in range(40):
        (tmp_path / "in" / "cur" / f"{number}:2,S").write_bytes(mixed_message(1) + b"x" * 40_000)
    code, out, error = site("import", "bert", "--maildir", str(tmp_path / "in"), "--password-stdin", stdin="x\n")
    assert (code, out) == (1, "")
    assert error.startswith("petitbleu: the quota is full")


def test_what_cannot_be_imported_is_told(site: Run, config: Path, tmp_path: Path) -> None:
    arguments = ("import", "anna", "--password-stdin", "--maildir")
    assert "holds no Maildir" in site(*arguments, str(tmp_path / "store"), stdin=WORD)[2]
    assert "No such file" in site(*arguments, str(tmp_path / "nowhere"), stdin=WORD)[2]
    (tmp_path / "in" / "cur").mkdir(parents=True)
    (tmp_path / "in" / "cur" / "1:2,S").write_bytes(b"")
    code, out, error = site(*arguments, str(tmp_path / "in"), stdin=WORD)
    assert (code, error.endswith("1:2,S: is empty\n")) == (1, True)
    assert "1 could not be taken" in out
    code, _, error = site(*arguments, str(tmp_path / "in"), "--folder", "Lists", stdin=WORD)
    assert (code, error) == (1, "petitbleu: no folder 'Lists' there; there are: INBOX\n")


def test_what_was_removed_is_listed_and_brought_back(site: Run, config: Path) -> None:
    deliver(config, 3)
    site("account", "empty", "anna", "--folder", "Inbox", "--password-stdin", "--yes", stdin=WORD)
    code, out, _ = site("undelete", "anna", "--list", "--password-stdin", stdin=WORD)
    assert code == 0
    lines = out.splitlines()[1:]
    assert len(lines) == 3
    assert all("Inbox" in line for line in lines)
    first = lines[0].split()[0]
    again = site("undelete", "anna", first, "nonsense", "--password-stdin", stdin=WORD)
    assert again == (1, "1 items brought back\n", "error: nonsense: is not known here\n")
    code, _, error = site("undelete", "anna", "--password-stdin", stdin=WORD)
    assert (code, error) == (1, "petitbleu: nobody to ask: say --yes\n")
    code, out, _ = site("undelete", "anna", "--yes", "--to", "Archive", "--password-stdin", stdin=WORD)
    assert (code, out) == (0, "2 items brought back\n")
    assert (
        site("undelete", "anna", "--list", "--since", "2020-01-01", "--password-stdin", stdin=WORD)[1].count("\n") == 1
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", ANNA),
        ("export", ANNA, "--maildir", "a", "--mbox", "b"),
        ("import", ANNA),
        ("import", ANNA, "--imap", "host"),
        ("undelete", ANNA, "--since", "yesterday"),
    ],
)
def test_what_is_not_understood_ends_with_code_2(site: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        site(*arguments)
    assert ended.value.code == 2
