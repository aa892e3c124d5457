"""`petitbleu copy-store`: folder → bucket → folder, with runs that are killed."""

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from eas.cli.main import main
from eas.run.sections import load
from storage import paths
from storage.copying import LEFT_OUT
from storage.engine import Engine
from storage.opening import open_engine
from storage.settings import Settings
from tests.eas.test_cli import ANNA, Run, _logging_as_before, config, deliver, run, site
from tests.support.demo_process import ROOT, command
from tests.support.object_store import ACCESS_KEY, SECRET_KEY, shared
from tests.support.seaweed import Seaweed

__all__ = ["_logging_as_before", "config", "run", "site"]
MAILS = 60
PREFIX = "s3://petitbleu/copied"


async def contents(engine: Engine) -> dict[str, bytes]:
    try:
        names = [entry.key for entry in await engine.list("")]
        return {name: await engine.get(name) for name in names if paths.parse(name).kind not in LEFT_OUT}
    finally:
        await engine.close()


def in_folder(path: Path) -> dict[str, bytes]:
    async def read() -> dict[str, bytes]:
        return await contents(await open_engine(Settings(path=path)))

    return asyncio.run(read())


def copied(output: str) -> tuple[int, int]:
    """Return how many objects were copied, and how many were there."""
    words = output.splitlines()[0].replace(",", " ").split()
    return int(words[2]), int(words[words.index("were") - 1])


def kill_in_the_midst(arguments: list[str], environment: dict[str, str], done: int) -> None:
    """Run a copy and kill it after *done* objects or so, as a bucket shows them."""
    process = subprocess.Popen(
        command("copy-store", *arguments), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    settings = Settings(engine="s3", bucket=arguments[1])

    async def wait() -> None:
        end = time.monotonic() + 30
        engine = await open_engine(settings, is_probed=False)
        while len(await engine.list("a/")) < done and time.monotonic() < end and process.poll() is None:
            await asyncio.sleep(0.005)
        await engine.close()

    asyncio.run(wait())
    process.kill()
    process.communicate()


def test_a_store_goes_into_a_bucket_and_back_though_runs_are_killed(
    site: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Seaweed.is_installed():
        pytest.skip("SeaweedFS is not installed")
    for name, value in {
        "S3_ENDPOINT": shared(Seaweed).endpoint,
        "S3_ACCESS_KEY": ACCESS_KEY,
        "S3_SECRET_KEY": SECRET_KEY,
    }.items():
        monkeypatch.setenv(name, value)
    deliver(config, MAILS)
    store, back = tmp_path / "store", tmp_path / "back"
    bucket = f"{PREFIX}-{os.getpid()}"
    for done in (1, 30, 80):
        kill_in_the_midst([str(store), bucket], dict(os.environ), done)
    code, out, error = plain(capsys, "copy-store", str(store), bucket)
    assert (code, error) == (0, "")
    new, there = copied(out)
    whole = in_folder(store)
    assert new + there == len(whole)
    assert there > 0
    assert plain(capsys, "copy-store", str(store), bucket, "--deep")[1].count(f" {len(whole)} were there") == 1
    code, out, error = plain(capsys, "copy-store", bucket, str(back))
    assert (code, copied(out)) == (0, (len(whole), 0))
    assert in_folder(back) == whole
    config.write_text(config.read_text().replace('path = "store"', f'path = "{back}"'))
    assert load(config).storage.path == back
    code, out, error = site("check", "--account", ANNA, "--deep", "--password-stdin", stdin="geheim\n")
    assert (code, error) == (0, "")
    assert f"{MAILS} items" in out


def plain(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a subcommand that takes no --config."""
    code = main(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_what_cannot_be_copied_is_told(
    site: Run, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    assert plain(capsys, "copy-store", str(tmp_path / "nowhere"), store)[2].startswith("petitbleu: there is no store")
    assert plain(capsys, "copy-store", store, str(config))[2] == "petitbleu: FROM and TO are the same place\n"
    assert plain(capsys, "copy-store", store, str(tmp_path / "b"))[0] == 0
    other = tmp_path / "other"
    assert plain(capsys, "init", "--config", str(other / "petitbleu.toml"))[0] == 0
    code, out, error = plain(capsys, "copy-store", str(other / "store"), str(tmp_path / "c"))
    assert (code, out.startswith("0 accounts"), error.startswith("there is no account")) == (1, True, True)
    code, _, error = plain(capsys, "copy-store", str(other / "store"), store)
    assert code == 1
    assert "which the source does not: it is another store" in error
