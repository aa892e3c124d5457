"""Demos on one bucket have the same secrets, whoever starts them; others have others."""

import subprocess
from pathlib import Path

import pytest

from eas.demo.bucket import deployment_key, user_secret
from eas.demo.site import CONFIGURATION, Demo, address, prepare_files
from eas.run.sections import load
from storage.directories.accounts_file import load_accounts
from storage.startup import read_deployment_key
from storage.toml_tables import SettingError
from tests.support.demo_process import ROOT, command

BUCKET = "s3://demo/first"


def prepared(folder: Path, accounts: int = 2, bucket: str = BUCKET) -> Demo:
    demo = Demo(folder, "", "", "127.0.0.1:0", "", accounts, bucket)
    prepare_files(demo)
    return demo


def test_two_demos_on_a_bucket_have_the_same_key_and_users(tmp_path: Path) -> None:
    one, two = (prepared(tmp_path / name, count).storage_settings() for name, count in (("a", 2), ("b", 3)))
    assert read_deployment_key(one.deployment_key_file) == read_deployment_key(two.deployment_key_file)
    assert load_accounts(one.directory_file) == load_accounts(two.directory_file)[:2]
    assert (one.engine, one.bucket, one.place) == ("s3", BUCKET, BUCKET)


def test_every_bucket_and_every_user_has_secrets_of_his_own() -> None:
    assert deployment_key(BUCKET) == deployment_key(f"{BUCKET}/") != deployment_key("s3://demo/second")
    assert len({user_secret(bucket, address(n)) for bucket in (BUCKET, "s3://demo") for n in (1, 2)}) == 4


def test_the_folder_of_another_demo_is_refused(tmp_path: Path) -> None:
    for first, second in ((BUCKET, "s3://demo/second"), ("", BUCKET)):
        folder = tmp_path / (first[-5:] or "local")
        prepared(folder, bucket=first)
        with pytest.raises(SettingError, match="is of a demo whose store is not in"):
            prepared(folder, bucket=second)


def test_other_subcommands_find_the_bucket_in_the_folder(tmp_path: Path) -> None:
    prepared(tmp_path)
    settings = load(tmp_path / CONFIGURATION).storage
    assert (settings.engine, settings.bucket) == ("s3", BUCKET)


@pytest.mark.parametrize("bucket", ["demo", "s3://", "s3://demo/a b"])
def test_what_is_no_bucket_is_told_in_one_line(bucket: str) -> None:
    ports = ("--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0")
    done = subprocess.run(
        command("demo", "--store", bucket, *ports), capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("petitbleu: storage.bucket: ")
