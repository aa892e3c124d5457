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


class Connection:
    """One session; not for several threads at once, except `close`."""

    def __init__(self, server: Server) -> None:
        """Connect and log in.  Raises `SourceFailed`."""
        self._server = server
        with self._explained():
            context = ssl.create_default_context(cafile=None if server.ca_file is None else str(server.ca_file))
            if server.security == "tls":
                self._imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                    server.host, server.port, ssl_context=context, timeout=TIMEOUT_SECONDS
                )
            else:
                self._imap = imaplib.IMAP4(server.host, server.port, timeout=TIMEOUT_SECONDS)
            try:
                if server.security == "starttls":
                    self._imap.starttls(context)
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
            raise SourceFailed(f"{host} did not answer within {TIMEOUT_SECONDS:.0f} s") from error
        except OSError as error:
            raise SourceFailed(f"{host}, port {self._server.port}: {error.strerror or error}") from error

    def close(self) -> None:
        """Cut the connection, whatever waits on it."""
        with suppress(OSError):
            self._imap.sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
        with suppress(OSError):
            self._imap.shutdown()


def _said(answer: Any) -> str:
    words = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in answer or ()]
    return " ".join(words) or "refused without a reason"
