"""`petitbleu demo` in a process of its own, which can be killed, and started again with the same data and ports."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.interop.programs import free_ports
from tests.support.client import Device, EasClient

START_SECONDS = 60.0
STOP_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]


class DemoServer:
    """A server of accounts u1@example.test, u2@example.test …; its log is `folder/server.log`."""

    def __init__(self, folder: Path, *, accounts: int = 2, submission: int = 0, ports: list[int] | None = None) -> None:
        """*submission* is the port of an SMTP server on 127.0.0.1; *ports* are those for HTTP, HTTPS and LMTP."""
        self.folder = folder
        self.http_port, self.https_port, self.lmtp_port = ports or free_ports(3)
        self._options = ["--accounts", str(accounts)]
        if submission:
            self._options += ["--submission", f"127.0.0.1:{submission}"]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it speaks HTTP."""
        return f"http://127.0.0.1:{self.http_port}"

    def client(self, n: int, url: str | None = None) -> EasClient:
        """Return a phone of account *n*, to be closed by the caller; *url* leads there by another way."""
        device = Device(id=f"interop{n}", type="Android", user_agent="Android/8.0.0-EAS-2.0")
        return EasClient(url or self.url, f"u{n}@example.test", f"pw-u{n}", device=device)

    def start(self) -> None:
        """Start it, and return when it listens.  Raises AssertionError with its log when it does not."""
        where = [f"127.0.0.1:{port}" for port in (self.http_port, self.https_port, self.lmtp_port)]
        command = [sys.executable, "-m", "eas", "demo", "--json", "--dir", str(self.folder / "data"), *self._options]
        command += ["--http", where[0], "--https", where[1], "--lmtp", where[2]]
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.kill()
            raise AssertionError(f"the server did not start:\n{self.log()[-4000:]}")
        assert json.loads(line)["pid"] == self._process.pid

    def kill(self) -> None:
        """End it as a power cut would end it."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it in order, and return its exit code."""
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        """Return what it logged, in all its lives."""
        return (self.folder / "server.log").read_text()

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        try:
            return process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@contextlib.contextmanager
def demo_server(folder: Path, *, accounts: int = 2, submission: int = 0) -> Iterator[DemoServer]:
    """Run a server until the end of the block."""
    server = DemoServer(folder, accounts=accounts, submission=submission)
    server.start()
    try:
        yield server
    finally:
        server.stop()
