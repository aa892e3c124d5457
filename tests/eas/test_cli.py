"""The command line: what each subcommand does, says, and returns."""

import asyncio
import io
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from eas.cli.main import main
from eas.run import sections as cli_settings
from eas.run.explained import EXPLAINED
from eas.wire import tls
from storage.engine import EngineRefused
from storage.opening import open_store
from storage.records import DeviceSet
from storage.startup import load_configuration
from storage.toml_tables import SettingError
from tests.eas.world import TRACE
from tests.support.demo_process import ROOT, command
from tests.support.messages import mixed_message

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
def config(tmp_path: Path) -> Path:
    return tmp_path / "petitbleu.toml"


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a subcommand on the test's site; return exit code, stdout and stderr."""

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([*arguments, "--config", str(config)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def site(run: Run, config: Path) -> Run:
    """A site with the user Anna, whose password is cheap to check."""
    assert run("init")[0] == 0
    text = config.read_text()
    text = text.replace("# argon2_memory_kib = 19456", "argon2_memory_kib = 8")
    config.write_text(text.replace("# argon2_passes = 2", "argon2_passes = 1"))
    code, out, _ = run(
        "account", "add", ANNA, "--name", "Anna B.", "--alias", "info@example.org", "--password-stdin", stdin="geheim\n"
    )
    assert code == 0
    assert "recovery key: " in out
    return run


def deliver(config: Path, count: int) -> None:
    async def deposit() -> None:
        store = await open_store(cli_settings.load(config).storage)
        recipient = await store.delivery.recipient(ANNA)
        for n in range(count):
            await store.delivery.deposit(recipient, TRACE, mixed_message(n), junk=False)
        await store.close()

    asyncio.run(deposit())


# -- init


def test_init_makes_a_site_and_leaves_what_is_there(run: Run, config: Path) -> None:
    code, out, _ = run("init")
    assert code == 0
    folder = config.parent
    assert {path.name for path in folder.iterdir()} >= {"petitbleu.toml", "deployment.key", "accounts.toml", "store"}
    assert (folder / "deployment.key").stat().st_mode & 0o777 == 0o600
    assert "account add" in out
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert run("init")[0] == 0
    assert {path: path.read_bytes() for path in before} == before


def test_init_writes_a_configuration_that_explains_every_setting_and_changes_none(run: Run, config: Path) -> None:
    run("init")
    settings = cli_settings.load(config)
    text = config.read_text()
    for cls in cli_settings.SECTIONS.values():
        for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            assert f"{name} =" in text or f"{name} is not set" in text
    assert settings.storage.path == config.parent / "store"
    assert settings.eas == type(settings.eas)()


def test_init_prints_a_configuration_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--print-config"]) == 0
    printed = tmp_path / "printed.toml"
    printed.write_text(capsys.readouterr().out)
    load_configuration(printed, cli_settings.SECTIONS)


def test_a_store_that_has_lost_its_key_is_not_given_a_new_one(run: Run, config: Path) -> None:
    run("init")
    (config.parent / "deployment.key").unlink()
    code, _, error = run("init")
    assert code == 1
    assert "restore it" in error
    assert not (config.parent / "deployment.key").exists()


# -- account


def test_an_account_is_added_listed_and_shown(site: Run, config: Path) -> None:
    assert ANNA in site("account", "list")[1]
    deliver(config, 3)
    code, out, _ = site("account", "show", "anna", "--password-stdin", stdin="geheim\n")
    assert code == 0
    assert "also info@example.org" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("Inbox")] == ["3"]
    assert "main password" in out


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        ((ANNA,), "x\n", "another user has the address"),
        (("info@example.org",), "x\n", "another user has the address"),
        (("bert@example.org",), "\n", "1 to 1024 bytes"),
        (("bert@example.org",), "", "1 to 1024 bytes"),
        (("bert",), "x\n", "not an address"),
        (("bert@example.org", "--alias", "nonsense"), "x\n", "not an address"),
        (("bert@example.org", "--name", "a\nb"), "x\n", "not printable"),
    ],
)
def test_what_cannot_be_added_is_told_in_one_line(site: Run, arguments: tuple[str, ...], stdin: str, told: str) -> None:
    code, out, error = site("account", "add", *arguments, "--password-stdin", stdin=stdin)
    assert (code, out) == (1, "")
    assert error.count("\n") == 1
    assert told in error or "exists already" in error
    assert "bert" not in site("account", "list")[1]


def test_an_account_whose_creation_was_cut_off_is_finished(site: Run, config: Path) -> None:
    accounts = config.parent / "accounts.toml"
    accounts.write_text(accounts.read_text() + '[[account]]\naddress = "bert@example.org"\n')
    assert "no keys yet" in site("account", "list")[1]
    assert site("account", "add", "bert@example.org", "--password-stdin", stdin="x\n")[0] == 0
    assert "no keys yet" not in site("account", "list")[1]


def test_a_password_is_changed_by_the_old_one_or_the_recovery_key(run: Run, site: Run) -> None:
    code, out, _ = site("account", "add", "bert@example.org", "--password-stdin", stdin="one\n")
    key = next(line.removeprefix("recovery key: ") for line in out.splitlines() if line.startswith("recovery key"))
    for old, new, expected in (
        ("wrong", "two", 1),
        ("one", "two", 0),
        ("one", "x", 1),
        (key, "three", 0),
        ("three", "", 1),
    ):
        code, out, error = site("account", "password", "bert", "--password-stdin", stdin=f"{old}\n{new}\n")
        assert code == expected, error
        assert error.count("\n") == expected
    assert site("account", "show", "bert", "--password-stdin", stdin="three\n")[0] == 0


def test_an_account_is_emptied_by_folder_or_as_a_whole(site: Run, config: Path) -> None:
    deliver(config, 3)
    empty = ("account", "empty", "anna", "--password-stdin", "--yes")
    assert site(*empty, "--folder", "deleted items", stdin="geheim\n")[1] == "removed 0 items\n"
    assert site(*empty, "--folder", "Inbox", stdin="geheim\n")[1] == "removed 3 items\n"
    deliver(config, 5)  # three of them it had: mail that was delivered before is not delivered again
    assert site(*empty, stdin="geheim\n")[1] == "removed 2 items\n"
    code, _, error = site(*empty, "--folder", "nowhere", stdin="geheim\n")
    assert code == 1
    assert "Inbox" in error


def test_what_cannot_be_undone_is_not_done_without_a_yes(site: Run) -> None:
    for arguments, stdin in ((("empty", "anna", "--password-stdin"), "geheim\n"), (("remove", "anna"), "")):
        code, _, error = site("account", *arguments, stdin=stdin)
        assert (code, error) == (1, "petitbleu: nobody to ask: say --yes\n")
    assert ANNA in site("account", "list")[1]


def test_an_account_is_removed_with_everything(site: Run, config: Path) -> None:
    deliver(config, 3)
    assert site("account", "add", "bert@example.org", "--password-stdin", stdin="x\n")[0] == 0
    assert site("account", "remove", ANNA, "--yes")[0] == 0
    assert ANNA not in site("account", "list")[1]
    assert site("check")[1].startswith("1 accounts, 4 objects")
    assert site("account", "remove", ANNA, "--yes")[0] == 1
    assert site("account", "add", ANNA, "--password-stdin", stdin="again\n")[0] == 0


@pytest.mark.parametrize("action", ["show", "password", "empty", "remove"])
def test_nobody_is_told(site: Run, action: str) -> None:
    arguments = ("--yes",) if action in ("empty", "remove") else ()
    code, _, error = site("account", action, "nobody", *arguments)
    assert (code, error) == (1, "petitbleu: nobody has the address or name 'nobody'\n")


# -- device


def test_devices_are_listed_and_forgotten(site: Run, config: Path) -> None:
    async def remember() -> None:
        store = await open_store(cli_settings.load(config).storage)
        account, _ = await store.unlock(ANNA, "geheim")
        async with account.turn():
            await account.commit([DeviceSet("appl1", "type", "iPhone"), DeviceSet("appl1", "last_seen", 86_400_000)])
            await account.commit(
                [DeviceSet("appl1", "version", 161), DeviceSet("appl1", "information", {"OS": "iOS 9\x1b"})]
            )
        await store.close()

    asyncio.run(remember())
    _, out, _ = site("device", "list", "anna", "--password-stdin", stdin="geheim\n")
    for text in ("appl1", "iPhone", "16.1", "1970-01-02", "iOS 9\\x1b"):
        assert text in out
    code, _, error = site("device", "forget", "anna", "other", "--password-stdin", stdin="geheim\n")
    assert (code, error) == (1, "petitbleu: no device 'other'; there are: appl1\n")
    assert site("device", "forget", "anna", "APPL1", "--password-stdin", stdin="geheim\n")[0] == 0
    assert "appl1" not in site("device", "list", "anna", "--password-stdin", stdin="geheim\n")[1]


# -- check


def test_a_whole_store_passes_the_check(site: Run, config: Path) -> None:
    deliver(config, 3)
    code, out, error = site("check", "--account", "anna", "--deep", "--password-stdin", stdin="geheim\n")
    assert (code, error) == (0, "")
    assert "3 items" in out


def test_a_store_that_is_not_whole_fails_the_check(site: Run, config: Path) -> None:
    deliver(config, 3)

    async def spoil() -> None:
        store = await open_store(cli_settings.load(config).storage)
        entries = await store.engine.list("a/")
        await store.engine.delete([next(entry.key for entry in entries if "/log/" in entry.key)])
        await store.close()

    asyncio.run(spoil())
    code, out, error = site("check")
    assert code == 1
    assert error.startswith("error: ")
    assert "1 errors" in out


# -- wbxml


def test_wbxml_is_decoded_and_encoded(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    document = bytes.fromhex("03016a00000756520330000101")
    (tmp_path / "in.bin").write_bytes(document)
    assert main(["wbxml", "decode", str(tmp_path / "in.bin")]) == 0
    text = capfd.readouterr().out
    assert text == 'FolderHierarchy:FolderSync\n  SyncKey "0"\n'
    assert main(["wbxml", "decode", "--hex", document.hex(" ")]) == 0
    assert capfd.readouterr().out == text
    (tmp_path / "in.txt").write_text(text)
    encoded = subprocess.run(
        command("wbxml", "encode", str(tmp_path / "in.txt")), capture_output=True, cwd=ROOT, check=True
    )
    assert encoded.stdout == document


@pytest.mark.parametrize("arguments", [("decode", "--hex", "00"), ("decode", "--hex", "xyz"), ("encode", "/nowhere")])
def test_what_is_no_wbxml_is_told_in_one_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wbxml", *arguments]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1


# -- serve and lmtpd


@pytest.mark.parametrize("subcommand", ["serve", "lmtpd"])
def test_servers_run_as_configured_and_end_cleanly(site: Run, config: Path, tmp_path: Path, subcommand: str) -> None:
    socket_path = tmp_path / "lmtp.sock"
    text = config.read_text().replace('# http = "127.0.0.1:8080"', 'http = "127.0.0.1:0"')
    config.write_text(text.replace('# listen = ["127.0.0.1:2424"]', f'listen = ["unix:{socket_path}"]'))
    workers = ["--workers", "2"] if subcommand == "serve" else []
    process = subprocess.Popen(
        command(subcommand, "--config", str(config), *workers),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert f'"{"server" if subcommand == "serve" else "lmtpd"}.ready"' in line
    assert socket_path.is_socket()
    assert _lmtp(socket_path) == b"250"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=5)
    assert time.monotonic() - began < 5
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert ANNA not in log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_renewed_certificate_is_read_on_sighup(site: Run, config: Path, tmp_path: Path, workers: str) -> None:
    text = config.read_text().replace('# http = "127.0.0.1:8080"', 'http = ""\nhttps = "127.0.0.1:0"')
    text = text.replace('# listen = ["127.0.0.1:2424"]', 'listen = ["127.0.0.1:0"]').replace('# https = ""', "")
    config.write_text(text.replace('# certificate = ""', 'certificate = "tls-self-signed.pem"'))
    tls.self_signed(tmp_path, ["localhost"])
    process = subprocess.Popen(
        command("serve", "--config", str(config), "--workers", workers),
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    ready = [json.loads(process.stderr.readline()) for _ in range(int(workers))]
    address = (ready[0]["https"][0], ready[0]["https"][1])
    before = ssl.get_server_certificate(address)
    (tmp_path / "tls-self-signed.pem").unlink()
    tls.self_signed(tmp_path, ["localhost"])
    process.send_signal(signal.SIGHUP)
    told = [json.loads(process.stderr.readline())["event"] for _ in range(int(workers))]
    assert told == ["tls.read"] * int(workers)
    assert ssl.get_server_certificate(address) != before
    (tmp_path / "tls-self-signed.pem").write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    assert json.loads(process.stderr.readline())["event"] == "tls.not_read"
    ssl.get_server_certificate(address)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 0


def _lmtp(path: Path) -> bytes:
    """Deliver a mail; return the last reply's code."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        stream = peer.makefile("rwb")
        stream.readline()
        stream.write(b"LHLO a\r\n")
        stream.flush()
        while stream.readline()[3:4] == b"-":
            pass
        for line in (b"MAIL FROM:<>", f"RCPT TO:<{ANNA}>".encode(), b"DATA"):
            stream.write(line + b"\r\n")
            stream.flush()
            stream.readline()
        stream.write(b"Subject: a\r\n\r\nb\r\n.\r\n")
        stream.flush()
        return stream.readline()[:3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[eas]\nhttp = 'nowhere'", "eas.http: wants HOST:PORT"),
        ("[eas]\nsubmission = '1'", "eas.submission: wants HOST:PORT"),
        ("[eas]\ntrusted_proxies = ['x']", "eas.trusted_proxies"),
        ("[eas]\nhtttp = ''", "did you mean http?"),
        ("[other]\n", "unknown key"),
        ("[storage]\npath = 3", "storage.path"),
        ("[[[", "cannot be read"),
        ("[storage]\ndeployment_key_file = 'nowhere'", "nowhere: is not there; `petitbleu init` makes it"),
    ],
)
def test_a_configuration_that_is_wrong_is_told_in_one_line(config: Path, run: Run, text: str, told: str) -> None:
    config.write_text(text)
    code, out, error = run("serve")
    assert (code, out) == (1, "")
    assert told in error
    assert error.count("\n") == 1


def test_a_configuration_that_is_missing_is_told_in_one_line(run: Run) -> None:
    for arguments in (("serve",), ("lmtpd",), ("check",), ("account", "list")):
        code, _, error = run(*arguments)
        assert code == 1
        assert error.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_store_that_cannot_be_read_is_told_in_one_line(site: Run, config: Path) -> None:
    (config.parent / "store").chmod(0)
    try:
        code, _, error = site("check")
    finally:
        (config.parent / "store").chmod(0o700)
    assert code == 1
    assert error.count("\n") == 1


# -- the whole


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        *(
            (name,)
            for name in (
                "init",
                "serve",
                "lmtpd",
                "account",
                "device",
                "export",
                "import",
                "undelete",
                "collect",
                "copy-store",
                "check",
                "demo",
                "wbxml",
            )
        ),
    ],
)
def test_every_help_has_examples(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert not arguments or "examples:\n  petitbleu" in told or "printf" in told


@pytest.mark.parametrize(
    "arguments", [(), ("unknown",), ("account",), ("account", "add"), ("wbxml", "decode", "a", "b")]
)
def test_what_is_not_understood_ends_with_code_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    capsys.readouterr()


def test_the_errors_that_are_explained_are_no_bugs() -> None:
    assert issubclass(EngineRefused, EXPLAINED)
    assert issubclass(SettingError, EXPLAINED)
    assert not issubclass(KeyError, EXPLAINED)
    assert not issubclass(TypeError, EXPLAINED)
