"""A proxy that writes captures: a client on one side, a server on the other, every exchange kept as it was."""

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from eas.protocol.query import parse_query
from eas.wbxml.dump import dump
from tests.replay.replayer import root_of
from tests.support.captures import save_capture

UPSTREAM_SECONDS = 3600.0
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "date", "server"})


@dataclass(slots=True)
class Exchange:
    """A request as it came, and its answer; *meanwhile* names the mail that arrived between the two."""

    request_line: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    response: str = ""
    meanwhile: str = ""

    @property
    def command(self) -> str:
        """The command, or the method of a request without one."""
        method, target, _ = self.request_line.split(" ")
        query = urlsplit(target).query
        return parse_query(query).command if query else method


class Recorder:
    """The exchanges of one conversation.  *deliver* brings a mail of that subject."""

    def __init__(self, deliver: Callable[[str], None]) -> None:
        self.exchanges: list[Exchange] = []
        self._deliver = deliver

    def deliver(self, subject: str) -> None:
        """Let a mail arrive while the last request waits for its answer."""
        last = self.exchanges[-1]
        assert last.status == 0, "nobody waits"
        last.meanwhile = subject
        self._deliver(subject)

    def save(self, folder: Path, client: str, protocol: str, mailbox: str) -> None:
        """Write everything into *folder*, which is new."""
        for number, exchange in enumerate(self.exchanges, 1):
            place = folder / f"{number:02}-{exchange.command}"
            save_capture(place, exchange.request_line, exchange.headers, exchange.body, exchange.response)
            lines = [f"date = {date.today()}", f'client = "{client}"', f'protocol = "{protocol}"']
            lines += ['scrubbed = ["login"]', f'mailbox = "{mailbox}"']
            lines += [f"status = {exchange.status}"] if exchange.status != 200 else []
            lines += [f'meanwhile = "{exchange.meanwhile}"'] if exchange.meanwhile else []
            (place / "about.toml").write_text("\n".join([*lines, ""]), "utf-8")


@contextmanager
def proxy(
    recorder: Recorder, upstream: str, tls: ssl.SSLContext | None = None, listen: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[int]:
    """Run the proxy on *listen*, before the HTTP server at *upstream*, and yield its port."""
    server_name = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            exchange = Exchange(self.requestline, dict(self.headers.items()), body)
            recorder.exchanges.append(exchange)
            connection = http.client.HTTPConnection(server_name, timeout=UPSTREAM_SECONDS)
            try:
                connection.request(self.command, self.path, body or None, exchange.headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            root = root_of(answer.headers.get("Content-Type", ""), answer.headers.get("Content-Encoding", ""), content)
            exchange.response = dump(root) if root is not None else ""
            exchange.status = answer.status
            self._pass_on(answer, content)

        do_OPTIONS = do_POST  # noqa: N815  # as http.server calls it

        def _pass_on(self, answer: http.client.HTTPResponse, content: bytes) -> None:
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(listen, Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
