"""What a held request costs: memory of the server (anonymous pages, all of the process), and its processor time.

The phones send what an iPhone sends, 2,000 arriving a second at best, are all held, all woken, and all ask again.  The
kernel's own 4 KB for each socket are not counted, nor what a hub remembers of its waits.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eas.wire import tls
from eas.wire.listeners import files_max
from tests.bench.figure import Figure

PLAIN: Final = 5_000
TLS: Final = 1_000
PLAIN_BYTES_MAX: Final = 3_000
TLS_BYTES_MAX: Final = 30_000
TLS_ASYNCIO_BYTES_MAX: Final = 44_000  # stock asyncio is not what production runs on
_PACE_SECONDS: Final = 1 / 2_000
_SETTLE_SECONDS: Final = 1.0  # the last tasks end, and a timer or two

PING: Final = (
    b"POST /Microsoft-Server-ActiveSync?User=anna%40example.org&DeviceId=APPL83042TD3A4T0123456789&DeviceType=iPhone"
    b"&Cmd=Ping HTTP/1.1\r\nHost: mail.example.org\r\nContent-Type: application/vnd.ms-sync.wbxml\r\n"
    b"MS-ASProtocolVersion: 16.1\r\nConnection: keep-alive\r\nAccept: */*\r\nAccept-Language: de-ch\r\n"
    b"Authorization: Basic YW5uYUBleGFtcGxlLm9yZzpub3QgYSByZWFsIHBhc3N3b3Jk\r\nX-MS-PolicyKey: 1234567890\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nUser-Agent: Apple-iPhone15C2/2007.75\r\nContent-Length: 97\r\n\r\n"
) + bytes(97)


class Child:
    """The server's process, seen from outside."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._line())

    def order(self, line: str) -> int:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return int(self._line())

    def anonymous_bytes(self) -> int:
        for line in Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no smaps_rollup")

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def run() -> list[Figure]:
    files_max()
    with tempfile.TemporaryDirectory() as folder:
        pem = tls.self_signed(Path(folder), ["127.0.0.1"]).certificate
        return [
            *_measure("uvloop", None, PLAIN, PLAIN_BYTES_MAX),
            *_measure("asyncio", None, PLAIN, PLAIN_BYTES_MAX),
            *_measure("uvloop", pem, TLS, TLS_BYTES_MAX),
            *_measure("asyncio", pem, TLS, TLS_ASYNCIO_BYTES_MAX),
        ]


def _measure(loop: str, pem: Path | None, count: int, bytes_max: int) -> list[Figure]:
    name = f"held: {'TLS' if pem else 'plain'}, {loop}, {count:,}"
    trust = ssl.create_default_context(cafile=pem) if pem else None
    with _server(loop, pem) as child:
        for phone in _phones(child, trust, 100):  # what is made once is made now
            phone.close()
        time.sleep(_SETTLE_SECONDS)
        memory, processor = child.anonymous_bytes(), child.processor_seconds()
        phones = _phones(child, trust, count)
        child.order(str(count))
        time.sleep(_SETTLE_SECONDS)
        held, asked = child.anonymous_bytes(), child.processor_seconds()
        _wake(child, phones)
        time.sleep(_SETTLE_SECONDS)
        idle, woken = child.anonymous_bytes(), child.processor_seconds()
        for phone in phones:
            phone.sendall(PING)
        child.order(str(count))
        time.sleep(_SETTLE_SECONDS)
        again = child.anonymous_bytes()
        _wake(child, phones)
        for phone in phones:
            phone.close()
    return [
        Figure(f"{name}, each", (held - memory) / count, "B", bytes_max),
        Figure(f"{name}, each when answered", (idle - memory) / count, "B", bytes_max),
        Figure(f"{name}, each when all asked again", (again - memory) / count, "B", bytes_max * 1.3),
        Figure(f"{name}, connect to held", (asked - processor) / count * 1e6, "µs"),
        Figure(f"{name}, wake", (woken - asked) / count * 1e6, "µs"),
    ]


@contextmanager
def _server(loop: str, pem: Path | None) -> Iterator[Child]:
    command = [sys.executable, "-m", "tests.bench.held_server", loop, *([str(pem)] if pem else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


def _phones(child: Child, trust: ssl.SSLContext | None, count: int) -> list[socket.socket]:
    """Return *count* connections, each of which has asked."""
    phones = []
    due = time.perf_counter()
    for _ in range(count):
        phone = socket.create_connection(("127.0.0.1", child.port))
        if trust is not None:
            phone = trust.wrap_socket(phone, server_hostname="127.0.0.1")
        phone.sendall(PING)
        phones.append(phone)
        due += _PACE_SECONDS
        time.sleep(max(0.0, due - time.perf_counter()))
    return phones


def _wake(child: Child, phones: list[socket.socket]) -> None:
    """Have all answered, and read the answers."""
    if (woken := child.order("wake")) != len(phones):
        raise AssertionError(f"{woken} held instead of {len(phones)}")
    for phone in phones:
        if not phone.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n"):
            raise AssertionError("a phone got no answer")
