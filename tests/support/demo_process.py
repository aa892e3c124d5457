"""The demo as its users start it: a process of its own, told apart by its line of JSON."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 5.0


@dataclass
class DemoProcess:
    """A demo that is running."""

    process: "subprocess.Popen[str]"
    told: dict[str, object]
    """Its line of JSON."""

    @property
    def http(self) -> str:
        return str(self.told["http"])

    @property
    def lmtp(self) -> tuple[str, int]:
        host, _, port = str(self.told["lmtp"]).rpartition(":")
        return host, int(port)

    def stop(self) -> tuple[int, str, str]:
        """End it with SIGTERM; return exit code, what else it wrote to stdout, and its log."""
        self.process.send_signal(signal.SIGTERM)
        out, log = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, out, log


def command(*arguments: str) -> list[str]:
    """Return the command line of a subcommand."""
    return [sys.executable, "-m", "eas", *arguments]


@contextmanager
def demo(*arguments: str) -> Iterator[DemoProcess]:
    """Start a demo on free ports; whatever happens, it is gone at the end."""
    process = subprocess.Popen(
        command("demo", "--json", "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield DemoProcess(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
