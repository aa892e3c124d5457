"""A real Redis for tests: Debian's redis-server on a free port of loopback, with a password, keeping nothing."""

import subprocess
import time
from pathlib import Path

from tests.support.object_store import free_ports, program

START_SECONDS = 20.0
PASSWORD = "tests-of-petitbleu"


class RedisServer:
    """Started when made; may be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        [self.port] = free_ports(1)
        self.start()

    @staticmethod
    def is_installed() -> bool:
        return program("redis-server") is not None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return what tells another process of it."""
        return {"PETITBLEU_REDIS_URL": self.url, "PETITBLEU_REDIS_PASSWORD": PASSWORD}

    def start(self) -> None:
        server = program("redis-server")
        assert server is not None, "redis-server is not installed"
        command = [server, "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        due = time.monotonic() + START_SECONDS
        while b"Ready to accept" not in (self.folder / "redis.log").read_bytes().rpartition(b"oO0OoO0OoO0Oo")[2]:
            assert time.monotonic() < due, "redis-server does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
