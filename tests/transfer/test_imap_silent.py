"""Servers that say nothing, or nonsense: an import ends with a reason, and at once when it is told to."""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from eas.transfer.imap_connection import Connection, Server
from eas.transfer.source import SourceFailed
from tests.eas.test_cli import ANNA, Run, _logging_as_before, config, run, site
from tests.support.demo_process import ROOT, command

__all__ = ["_logging_as_before", "config", "run", "site"]


@pytest.mark.parametrize("security", ["tls", "none"])
def test_one_who_waits_for_a_silent_server_can_be_cut_off(security: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Server("127.0.0.1", silent.getsockname()[1], "u", "p", security)  # type: ignore[arg-type]
        connection = Connection(server)
        told: list[BaseException] = []

        def connect() -> None:
            try:
                connection.connect()
            except SourceFailed as error:
                told.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        peer, _ = silent.accept()
        with peer:
            if security == "tls":
                assert peer.recv(1)  # of its greeting
            else:
                time.sleep(0.1)
            connection.close()
            thread.join(10)
        assert not thread.is_alive()
        assert len(told) == 1


@pytest.mark.parametrize(
    "said",
    [b"", b"nonsense\r\n", b"* BYE no\r\n", b"* OK hello\r\n", b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n"],
)
def test_what_is_no_server_is_told(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(said)
                if b"CAPABILITY" in said and (tag := peer.recv(100).split()[0]):
                    peer.sendall(b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n" + tag + b" OK done\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SourceFailed, match=r"127\.0\.0\.1"):
            Connection(Server("127.0.0.1", listener.getsockname()[1], "u", "p", "none")).connect()
        thread.join(10)


def test_an_import_that_is_interrupted_ends_at_once(site: Run, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = subprocess.Popen(
            command(
                "import", ANNA, "--imap", f"127.0.0.1:{port}", "--imap-user", "u", "--imap-tls", "none",
                "--password-stdin", "--imap-password-stdin", "--config", str(config),
            ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(b"geheim\nx\n")
        process.stdin.flush()
        silent.settimeout(60)
        peer, _ = silent.accept()
        with peer:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=30)  # a silent server alone would take a minute
        assert (process.returncode, out, error) == (1, b"", b"")
