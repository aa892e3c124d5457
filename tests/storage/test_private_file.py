"""Secrets are read from safe files alone, and a file is old or new at any moment."""

import os
from pathlib import Path

import pytest

from storage.private_file import UnsafeFile, create_private, read_private, replace_private


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o602, 0o644, 0o660])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with pytest.raises(UnsafeFile, match=f"chmod 0600 {path}"):
        read_private(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "secret")


def test_a_new_file_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_private(path, b"first")
    with pytest.raises(FileExistsError):
        create_private(path, b"second")
    assert read_private(path) == b"first"
    assert mode_of(path) == 0o600


def test_a_replaced_file_is_private_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"first")
    path.chmod(0o644)
    (tmp_path / ".secret.new").write_bytes(b"of a writer that died")
    replace_private(path, b"second")
    assert read_private(path) == b"second"
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_a_write_that_dies_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    create_private(path, b"first")

    def die(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="no space"):
        replace_private(path, b"second")
    assert read_private(path) == b"first"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    create_private(path, b"first")
    os.chown(path, 12345, 12346)
    replace_private(path, b"second")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)
