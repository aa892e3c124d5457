"""The demo as its users start it."""

import asyncio
import contextlib
import os
import signal
import smtplib
import socket
import subprocess
import time
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import aiohttp
import pytest

from eas.cli.main import main
from eas.demo.mails import sample_mails
from eas.demo.site import Demo, address, password, prepare_files
from storage.directories.accounts_file import load_accounts
from tests.support.client import EasClient
from tests.support.demo_process import ROOT, DemoProcess, command, demo

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def phone(running: DemoProcess, n: int = 1) -> EasClient:
    return EasClient(running.http, address(n), password(n))


async def test_the_demo_tells_in_one_line_where_it_is_and_ends_cleanly() -> None:
    with demo("--https", "127.0.0.1:0") as running:
        told = running.told
        assert told.keys() == {"http", "https", "lmtp", "pid", "accounts"}
        assert (told["pid"], told["accounts"]) == (running.process.pid, 2)
        assert str(told["http"]).startswith("http://127.0.0.1:")
        for url in (told["http"], told["https"]):
            async with EasClient(str(url), address(2), password(2)) as client:
                await client.options()
                await client.folder_sync()
        code, rest, log = running.stop()
        assert (code, rest) == (0, "")
        assert "Traceback" not in log
        assert "pw-u" not in log


async def test_what_a_demo_keeps_is_there_the_next_time(tmp_path: Path) -> None:
    with demo("--dir", str(tmp_path)) as running:
        with smtplib.LMTP(*running.lmtp) as lmtp:
            lmtp.sendmail("friend@example.net", [address(1)], b"Subject: kept\r\n\r\nyes\r\n")
        assert running.stop()[0] == 0
    with demo("--dir", str(tmp_path), "--accounts", "3") as running:
        assert running.told["accounts"] == 3
        async with phone(running) as client:
            inbox = await client.sync_all(await client.inbox())
            subjects = sorted(item.subject for item in inbox.items.values())
        async with phone(running, 3) as client:
            assert len((await client.sync_all(await client.inbox())).items) == 4
    assert subjects == sorted(["kept", *(message_from_bytes(mail)["Subject"] for mail in sample_mails("u", 1, NOW))])


async def test_the_demo_ends_within_five_seconds_though_phones_wait_and_others_talk() -> None:
    with demo() as running, contextlib.ExitStack() as stack:
        host, port = running.http.removeprefix("http://").split(":")
        phone_talking = stack.enter_context(socket.create_connection((host, int(port))))
        phone_talking.sendall(
            b"POST /Microsoft-Server-ActiveSync?Cmd=Sync HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        )
        postfix_talking = stack.enter_context(socket.create_connection(running.lmtp))
        postfix_talking.sendall(b"LHLO a\r\n")
        async with phone(running) as client:
            await client.options()
            inbox = await client.inbox()
            await client.sync_all(inbox)
            ping = asyncio.create_task(client.ping([inbox], 480))
            await asyncio.sleep(0.3)
            began = time.monotonic()
            code, _, log = await asyncio.to_thread(running.stop)
            assert time.monotonic() - began < 5
            assert code == 0, log
            with pytest.raises(aiohttp.ClientError):
                await ping


@pytest.mark.parametrize("after_seconds", [0.2, 0.5, 1.0])
def test_a_demo_that_is_ended_while_it_starts_leaves_nothing_behind(tmp_path: Path, after_seconds: float) -> None:
    process = subprocess.Popen(
        command("demo", "--json", "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0", "--accounts", "400"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    time.sleep(after_seconds)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=5)
    assert b"Traceback" not in log
    assert list(tmp_path.iterdir()) == []
    assert process.returncode in (0, -signal.SIGTERM)  # the latter before Python is up


async def test_several_workers_share_ports_and_store_and_one_that_dies_comes_back() -> None:
    with demo("--workers", "2") as running:
        before = children(running)
        assert len(before) == 2
        for _ in range(10):  # connections go to either
            async with phone(running) as client:
                await client.folder_sync()
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 15
        while len(set(children(running)) - {before[0]}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        async with phone(running) as client:
            await client.folder_sync()
        code, _, log = running.stop()
        assert code == 0
        assert "worker.died" in log
        assert children(running) == []


def test_workers_end_when_their_parent_is_killed() -> None:
    with demo("--workers", "2") as running:
        workers = children(running)
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + 5
        while any(map(is_alive, workers)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for http, lmtp, workers in ((where, "127.0.0.1:0", "1"), ("127.0.0.1:0", where, "2")):
            done = run("demo", "--http", http, "--lmtp", lmtp, "--workers", workers)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr == f"petitbleu: cannot listen on {where}: Address already in use\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--accounts", "0"),
        ("--accounts", "10001"),
        ("--accounts", "x"),
        ("--workers", "0"),
        ("--workers", "65"),
        ("--http", "8080"),
        ("--https", "localhost:99999"),
        ("--lmtp", "unix:/tmp/x"),
        ("--submission", "nowhere"),
        ("--unknown",),
    ],
)
def test_what_cannot_be_is_refused_with_code_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *arguments])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("usage: ")


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("demo", "--dir", str(tmp_path / "file"), "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr.startswith("petitbleu: ")
    assert done.stderr.count("\n") == 1


def test_a_terminal_user_is_told_what_to_type_into_a_phone() -> None:
    process = subprocess.Popen(
        command("demo", "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0", "--https", "0.0.0.0:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    shown = ""
    while "Ctrl-C" not in shown:
        shown += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 0
    for text in ("u1@example.test", "pw-u1", "server", "certificate"):
        assert text in shown


def test_accounts_are_added_to_a_folder_that_has_some(tmp_path: Path) -> None:
    for count in (2, 5, 3):
        prepare_files(Demo(tmp_path, "", "", "127.0.0.1:0", "", count))
    assert len(load_accounts(tmp_path / "accounts.toml")) == 5


def test_sample_mails_are_mails_as_they_come_from_postfix() -> None:
    mails = list(sample_mails("u1@example.test", 2424, NOW))
    assert mails == list(sample_mails("u1@example.test", 2424, NOW))
    kinds = [part.get_content_type() for part in message_from_bytes(mails[-1]).walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/svg+xml"]
    for mail in mails:
        assert b"\n" not in mail.replace(b"\r\n", b"")
        assert max(map(len, mail.split(b"\r\n"))) <= 998
        assert b"{" not in mail.partition(b"\r\n\r\n")[2]
        assert message_from_bytes(mail).defects == []


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)


def children(running: DemoProcess) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=,stat=", "--ppid", str(running.process.pid)], capture_output=True, text=True
    )
    lines = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, state in lines if not state.startswith("Z")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
