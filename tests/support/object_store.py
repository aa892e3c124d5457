"""A real object store for tests, of whatever kind: its processes on loopback, its data in a temporary folder."""

import atexit
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from storage.s3.bucket import Bucket

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
ACCESS_KEY, SECRET_KEY = "petitbleu", "tests-of-petitbleu"
S = TypeVar("S", bound="ObjectStore")


class ObjectStore(ABC):
    """One store; subclasses know how its processes are started.  Its bucket is made by whoever opens it first."""

    PORTS: int
    PROGRAMS: tuple[str, ...]

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, free_ports(self.PORTS)
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.start()

    @classmethod
    def is_installed(cls) -> bool:
        return all(program(name) for name in cls.PROGRAMS)

    @abstractmethod
    def prepare(self) -> None:
        """Write what the processes need before their first start."""

    @abstractmethod
    def run(self) -> None:
        """Start the processes by `spawn`, those first that others need."""

    def is_ready(self) -> bool:
        """Whether what is put now is taken."""
        return answers(f"{self.endpoint}/")

    def first_started(self) -> None:
        """Do what can only be done once it runs, the first time."""
        return

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        """Start it (again) on the same data and ports, and wait until it takes requests."""
        self.run()
        wait(self.is_ready, f"{type(self).__name__} does not answer: {self.tail()}")
        if not (made := self.folder / "made").exists():
            self.first_started()
            made.touch()

    def stop(self, *, kill: bool = False) -> None:
        """End it: in an orderly way, or as a crash does."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def bucket(self, prefix: str = "") -> Bucket:
        """Return the place of a store under *prefix*."""
        return Bucket("petitbleu", prefix, endpoint=self.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)

    def environment(self) -> Mapping[str, str]:
        """Return what tells another process of it."""
        return {"S3_ENDPOINT": self.endpoint, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY}

    def spawn(self, *command: str) -> None:
        """Start a process in the folder; its output goes to the log."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._processes.append(process)

    def call(self, *command: str) -> None:
        """Run a program to its end.  Raises CalledProcessError; the log has its output."""
        with (self.folder / "log").open("ab") as log:
            subprocess.run(command, cwd=self.folder, stdout=log, stderr=log, check=True, timeout=START_SECONDS)

    def tail(self) -> str:
        """Return the last of the log."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


_SHARED: dict[type[ObjectStore], ObjectStore] = {}


def shared(kind: type[S]) -> S:
    """Return the one of this test run: each takes seconds to start."""
    if kind not in _SHARED:
        folder = Path(tempfile.mkdtemp(prefix=f"petitbleu-{kind.__name__.lower()}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _SHARED[kind] = kind(folder)
        atexit.register(_SHARED[kind].stop, kill=True)
    found = _SHARED[kind]
    assert isinstance(found, kind)
    return found


def program(name: str) -> str | None:
    """Return the path of a program: beside Python, where wheels put theirs, or of the system."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin")


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nobody listened a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]


def answers(url: str) -> bool:
    """Tell whether anything answers in HTTP, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError):
        return False
    return True


def wait(condition: Callable[[], bool], otherwise: str) -> None:
    """Return once *condition* holds.  Raises AssertionError when it does not for too long."""
    due = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < due, otherwise
        time.sleep(POLL_SECONDS)
