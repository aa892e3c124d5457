"""Phones that cost their side next to nothing: a socket each, and answers of which only the head is read.

What an answer must be is tested elsewhere; here it is only looked for what the next request needs.
"""

import base64
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final
from zlib import crc32

from eas.demo.site import address, password
from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.encoder import encode

SYNC, PING, BODY = pages.AirSync, pages.Ping, pages.AirSyncBase
START: Final = "0"
FOLDER_SYNC: Final = element(pages.FolderHierarchy.FolderSync, leaf(pages.FolderHierarchy.SyncKey, START))
PING_INBOX: Final = element(
    PING.Ping,
    leaf(PING.HeartbeatInterval, 1800),
    element(PING.Folders, element(PING.Folder, leaf(PING.Id, "inbox"), leaf(PING.Class, "Email"))),
)
_KEY: Final = b"\x4b\x03"  # AirSync SyncKey with an inline string, on the page on which every Sync begins
_MORE: Final = b"\x14"
_COMMANDS: Final = b"\x56"
_ADD: Final = b"\x47\x4d\x03"  # Add, ServerId, its text


class Phone:
    """One device of one demo account."""

    def __init__(self, http: tuple[str, int], account: int, device: str, version: str = "16.1") -> None:
        self._socket = socket.create_connection(http)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key = START
        """The SyncKey of the Inbox."""
        login = base64.b64encode(f"{address(account)}:{password(account)}".encode()).decode()
        self._head = (
            f"&User={address(account)}&DeviceId={device}&DeviceType=iPhone HTTP/1.1\r\nHost: mail.example.org\r\n"
            f"Content-Type: application/vnd.ms-sync.wbxml\r\nMS-ASProtocolVersion: {version}\r\nAccept: */*\r\n"
            f"Authorization: Basic {login}\r\nUser-Agent: Apple-iPhone15C2/2007.75\r\nX-MS-PolicyKey: 0\r\n"
            f"X-Forwarded-For: {IPv4Address(crc32(device.encode()))}\r\n"  # as from a proxy: guesses count by address
        )

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def post(self, command: str, root: Element | bytes) -> bytes:
        """Return the answer's body.  Raises AssertionError for any other status than 200."""
        self.send(command, root)
        return self.receive()

    def send(self, command: str, root: Element | bytes) -> None:
        self._socket.sendall(self.request(command, root))

    def request(self, command: str, root: Element | bytes) -> bytes:
        body = root if isinstance(root, bytes) else encode(root)
        line = f"POST /Microsoft-Server-ActiveSync?Cmd={command}{self._head}Content-Length: {len(body)}\r\n\r\n"
        return line.encode() + body

    def receive(self) -> bytes:
        data = self._socket.recv(1 << 18)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200 "):
            raise AssertionError(data[:300])
        at = head.index(b"content-length:") + 15
        due = int(head[at:].partition(b"\r\n")[0])
        pieces, size = [data[end + 4 :]], len(data) - end - 4
        while size < due:
            pieces.append(self._more())
            size += len(pieces[-1])
        return b"".join(pieces)

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise AssertionError("the server closed the connection")
        return data

    # -- commands

    def folder_sync(self) -> None:
        self.post("FolderSync", FOLDER_SYNC)

    def sync(self, window: int = 100) -> "Synced":
        """Ask for what is new in the Inbox."""
        self.send("Sync", sync_request(self.key, window))
        return self.synced()

    def synced(self) -> "Synced":
        """Receive the answer to a Sync."""
        synced = read_sync(self.receive())
        self.key = synced.key or self.key
        return synced

    def begin(self) -> None:
        """Bring the Inbox up to date, from whatever is known of it."""
        if self.key == START:
            self.sync()
        while self.sync().more:
            pass


@dataclass(frozen=True, slots=True)
class Synced:
    """What an answer to Sync says, as far as a phone must know: key "" for an empty one."""

    key: str
    more: bool
    adds: int


def sync_request(key: str, window: int = 100) -> Element:
    """Return a Sync of the Inbox as a phone of today makes it: HTML bodies up to 4,096 bytes."""
    preference = element(BODY.BodyPreference, leaf(BODY.Type, 2), leaf(BODY.TruncationSize, 4096))
    changes = (
        leaf(SYNC.GetChanges, 1),
        leaf(SYNC.WindowSize, window),
        element(SYNC.Options, leaf(SYNC.FilterType, 0), preference),
    )
    head = leaf(SYNC.SyncKey, key), leaf(SYNC.CollectionId, "inbox")
    collection = element(SYNC.Collection, *head, *(changes if key != START else ()))
    return element(SYNC.Sync, element(SYNC.Collections, collection))


def read_sync(body: bytes) -> Synced:
    """Read the head of an answer to a Sync of one collection."""
    if not body:
        return Synced("", more=False, adds=0)
    at = body.index(_KEY) + len(_KEY)
    key = body[at : body.index(b"\0", at)].decode()
    head, _, told = body.partition(_COMMANDS)
    return Synced(key, _MORE in head, told.count(_ADD))
