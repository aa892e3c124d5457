"""A connection to an IMAP server: TLS that is verified, the login, and answers that are not OK as exceptions."""

import imaplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from eas.transfer.imap_answers import Line
from eas.transfer.source import SourceFailed

CONNECT_SECONDS = 20.0
TIMEOUT_SECONDS = 60.0
PORTS = {"tls": 993, "starttls": 143, "none": 143}


@dataclass(frozen=True, slots=True)
class Server:
    """Where to log in, and as whom."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: Literal["tls", "starttls", "none"] = "tls"
    """`none` sends the password for all to read."""
    ca_file: Path | None = None
    """Whose certificates are believed; None: those that the system believes."""


class _Session(imaplib.IMAP4):
    """imaplib on a socket that is connected already."""

    def __init__(self, connected: socket.socket, host: str) -> None:
        self._connected, self._name = connected, host
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        self.host, self.port = self._name, port
        self.sock = self._connected
        self.file = self.sock.makefile("rb")


class Connection:
    """One session; not for several threads at once, except `close`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket: socket.socket | None = None
        self._is_closed = False
        self._imap: imaplib.IMAP4

    def connect(self) -> None:
        """Connect and log in.  Raises `SourceFailed`."""
        server = self._server
        with self._explained():
            context = ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
            self._socket = socket.create_connection((server.host, server.port), CONNECT_SECONDS)
            self._socket.settimeout(TIMEOUT_SECONDS)
            try:
                if self._is_closed:  # meanwhile
                    raise SourceFailed(f"{server.host}: cut off")
                if server.security == "tls":
                    secured = context.wrap_socket(
                        self._socket, server_hostname=server.host, do_handshake_on_connect=False
                    )
                    self._socket = secured  # before it waits for anything: `close` must find it
                    secured.do_handshake()
                self._imap = _Session(self._socket, server.host)
                if server.security == "starttls":
                    self._imap.starttls(context)
                    self._socket = self._imap.sock
                self._log_in(server)
            except BaseException:
                self.close()
                raise

    def _log_in(self, server: Server) -> None:
        user, password = server.user.encode(), server.password.encode()
        if "AUTH=PLAIN" in self._imap.capabilities:  # takes any letters; LOGIN takes ASCII
            self._imap.authenticate("PLAIN", lambda _: b"\0" + user + b"\0" + password)
        elif "LOGINDISABLED" in self._imap.capabilities:
            raise SourceFailed(f"{server.host} takes no password here: try another --imap-tls")
        else:
            self._imap.login(server.user, server.password)

    def has(self, capability: str) -> bool:
        """Tell whether the server announces that."""
        return capability in self._imap.capabilities

    def refresh_capabilities(self) -> None:
        """Ask again what it can do: after the login it may be more."""
        answer = self._asked(self._imap.capability)
        self._imap.capabilities = tuple(
            b" ".join(line for line in answer if isinstance(line, bytes)).decode().upper().split()
        )

    def list_all(self) -> list[Line | None]:
        """Return the lines of LIST, with SPECIAL-USE where the server has it."""
        if self.has("SPECIAL-USE") and self.has("LIST-EXTENDED"):
            self._asked(self._imap.xatom, "LIST", '""', '"*"', "RETURN", "(SPECIAL-USE)")
            return list(self._imap.response("LIST")[1])
        return self._asked(self._imap.list, '""', '"*"')

    def namespace(self) -> bytes | None:
        """Return the line of NAMESPACE, or None."""
        if not self.has("NAMESPACE"):
            return None
        answer = self._asked(self._imap.namespace)
        return answer[0] if answer and isinstance(answer[0], bytes) else None

    def examine(self, name: bytes) -> dict[str, int]:
        """Open a mailbox for reading alone; return its EXISTS, UIDVALIDITY and UIDNEXT, as far as it says them."""
        self._asked(self._imap.select, name, True)
        numbers = {}
        for word in ("EXISTS", "UIDVALIDITY", "UIDNEXT"):
            values = self._imap.response(word)[1]
            if values and isinstance(values[-1], bytes) and values[-1].isdigit():
                numbers[word] = int(values[-1])
        return numbers

    def uid(self, command: str, *arguments: str) -> list[Line | None]:
        """Ask by UID."""
        return self._asked(self._imap.uid, command, *arguments)

    def _asked(self, ask: Callable[..., tuple[str, Any]], *arguments: object) -> list[Line | None]:
        with self._explained():
            kind, answer = ask(*arguments)
            if kind != "OK":
                raise SourceFailed(f"{self._server.host}: {_said(answer)}")
            return list(answer)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        host = self._server.host
        try:
            yield
        except imaplib.IMAP4.error as error:
            raise SourceFailed(f"{host}: {_said(error.args)}") from error
        except ssl.SSLCertVerificationError as error:
            raise SourceFailed(f"{host}: its certificate is not to be believed: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise SourceFailed(f"{host}: no TLS on port {self._server.port}: {error.reason or error}") from error
        except TimeoutError as error:
            raise SourceFailed(f"{host} did not answer in time") from error
        except OSError as error:
            raise SourceFailed(f"{host}, port {self._server.port}: {error.strerror or error}") from error

    def close(self) -> None:
        """Cut the connection, whatever waits on it."""
        self._is_closed = True
        if self._socket is None:
            return
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
        with suppress(OSError, AttributeError):
            self._imap.shutdown()
        self._socket.close()


def _said(answer: Any) -> str:
    words = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in answer or ()]
    return " ".join(words) or "refused without a reason"
