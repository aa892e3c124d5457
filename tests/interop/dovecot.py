"""Debian's Dovecot as an IMAP server with users of its own, on loopback, in a temporary folder."""

import imaplib
import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from eas.transfer.imap_connection import Server
from eas.wire.tls import SELF_SIGNED_FILE, self_signed
from tests.interop.programs import free_ports, listens, need, need_root, wait_until

START_SECONDS = 20.0
PASSWORD = 'gehéim "of" \\theirs'
USER = "anna@old.example"

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%n{layout}
mail_plugins =
ssl = yes
ssl_cert = <{folder}/{certificate}
ssl_key = <{folder}/{certificate}
disable_plaintext_auth = yes
auth_mechanisms = plain login
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
  mailbox Sent-Kasten {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Alles {{
    special_use = \\All
    auto = create
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%n
}}
"""


@dataclass
class Dovecot:
    """A Dovecot on ports of its own.  *prefix* and *layout* as sites have them."""

    folder: Path
    prefix: str = ""
    separator: str = "."
    layout: str = ""
    port: int = 0
    tls_port: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.port, self.tls_port = free_ports(2)
        self_signed(self.folder, ["localhost"])
        nobody = pwd.getpwnam("nobody")
        (self.folder / "mail").mkdir()
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        text = CONFIGURATION.format(
            folder=self.folder, certificate=SELF_SIGNED_FILE, port=self.port, tls_port=self.tls_port,
            prefix=self.prefix, separator=self.separator, layout=self.layout,
        )  # fmt: skip
        (self.folder / "dovecot.conf").write_text(text)
        (self.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")

    @property
    def ca_file(self) -> Path:
        return self.folder / SELF_SIGNED_FILE

    def server(self, **changes: object) -> Server:
        """Return how to log in, by TLS from the first byte unless *changes* say otherwise."""
        given: dict[str, object] = {
            "host": "localhost",
            "port": self.tls_port,
            "user": USER,
            "password": PASSWORD,
            "ca_file": self.ca_file,
        }
        return Server(**(given | changes))  # type: ignore[arg-type]

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [need("dovecot"), "-F", "-c", str(self.folder / "dovecot.conf")]
        with (self.folder / "out").open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port) and listens(self.tls_port), START_SECONDS, "dovecot listens")

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def client(self) -> imaplib.IMAP4:
        """Return a session of the user's own mail program."""
        client = imaplib.IMAP4_SSL(
            "localhost", self.tls_port, ssl_context=ssl.create_default_context(cafile=str(self.ca_file)), timeout=20
        )
        login = b"\0" + USER.encode() + b"\0" + PASSWORD.encode()
        client.authenticate("PLAIN", lambda _: login)
        return client


def append(client: imaplib.IMAP4, box: str, content: bytes, flags: str = "", date: int = 1_600_000_000) -> None:
    """Put a message into a mailbox, which is made if it is not there.  *box* as the server wants it."""
    client.create(f'"{box}"')
    when = imaplib.Time2Internaldate(datetime.fromtimestamp(date, UTC))
    kind, answer = client.append(f'"{box}"', flags, when, content)
    assert kind == "OK", answer


@contextmanager
def running_dovecot(*, prefix: str = "", separator: str = ".", layout: str = "") -> Iterator[Dovecot]:
    """Start a Dovecot with a user, and end it.  Without it the test is skipped, in CI it fails."""
    need("dovecot")
    need_root()
    folder = Path(tempfile.mkdtemp(prefix="petitbleu-dovecot-"))
    folder.chmod(0o755)
    try:
        dovecot = Dovecot(folder, prefix, separator, layout)
        try:
            dovecot.start()
            yield dovecot
        finally:
            dovecot.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
