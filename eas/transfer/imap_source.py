"""Reads a mailbox on an IMAP server.  Nothing is changed there: mailboxes are opened for reading alone.

A message is named by host, user, mailbox, UIDVALIDITY and UID.  When the server makes a mailbox's UIDs invalid all its
messages are read again, and those that are in the account to the byte are not added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eas.transfer.imap_answers import Listed, fetched, listed, personal_prefix, quoted
from eas.transfer.imap_connection import Connection, Server
from eas.transfer.line_ends import Buffer, gathered, to_crlf
from eas.transfer.names import read_name
from eas.transfer.roles import SPECIAL_USE
from eas.transfer.source import Found, Letter, SourceFailed, Unreadable, path_of

UIDS_AT_ONCE = 20_000
"""The width of a search: its answer is one line, and lines have an end."""
LETTERS_AT_ONCE = 500
PIECE_BYTES = 1 << 20
"""A longer message is fetched piece by piece."""
_UNSELECTABLE = {rb"\noselect", rb"\nonexistent"}
_VIEWS = {rb"\all", rb"\flagged"}
"""Special uses of mailboxes that show what lies in others, too."""


@dataclass(frozen=True, slots=True)
class _Key:
    mailbox: bytes
    uid: int
    size_bytes: int


class ImapSource:
    """One user's mailboxes; see `Source`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = Connection(server)
        self._examined = b""
        self._validity = 0
        self.left_out: list[str] = []

    def folders(self) -> list[Found]:
        """See `Source.folders`; connects first."""
        self._connection.connect()
        self._connection.refresh_capabilities()
        prefix = personal_prefix(self._connection.namespace())
        found = []
        for box in listed(self._connection.list_all()):
            if box.attributes & _UNSELECTABLE:
                continue
            path = _path(box, prefix)
            if box.attributes & _VIEWS:
                self.left_out.append(f"{'/'.join(path)}: shows what lies in other mailboxes (ask for it by --folder)")
            role = next((SPECIAL_USE[use] for use in box.attributes if use in SPECIAL_USE), "")
            found.append(Found(path, box, role))
        return found

    @staticmethod
    def is_view(folder: Found) -> bool:
        """Tell whether a folder shows what lies in others."""
        return isinstance(folder.key, Listed) and bool(folder.key.attributes & _VIEWS)

    def letters(self, folder: Found) -> Iterator[Letter]:
        """See `Source.letters`; in the order of UIDs."""
        box = folder.key
        assert isinstance(box, Listed)  # noqa: S101  # `folders` put it there
        numbers = self._examine(box.raw)
        name = "/".join(folder.path)
        for uids in self._uids(numbers):
            for start in range(0, len(uids), LETTERS_AT_ONCE):
                yield from self._described(box.raw, name, uids[start : start + LETTERS_AT_ONCE])

    def _examine(self, raw: bytes) -> dict[str, int]:
        numbers = self._connection.examine(quoted(raw))
        validity = numbers.get("UIDVALIDITY", 0)
        if raw == self._examined and validity != self._validity:
            raise SourceFailed(f"{read_name(raw)}: the server made its UIDs invalid in the midst of it: begin again")
        self._examined, self._validity = raw, validity
        return numbers

    def _uids(self, numbers: dict[str, int]) -> Iterator[list[int]]:
        if not numbers.get("EXISTS", 1):
            return
        if "UIDNEXT" not in numbers:
            yield self._searched("1:*")
            return
        for low in range(1, numbers["UIDNEXT"], UIDS_AT_ONCE):
            yield self._searched(f"{low}:{low + UIDS_AT_ONCE - 1}")

    def _searched(self, span: str) -> list[int]:
        answer = self._connection.uid("SEARCH", "UID", span)
        return sorted({int(word) for line in answer if isinstance(line, bytes) for word in line.split()})

    def _described(self, raw: bytes, name: str, uids: Sequence[int]) -> Iterator[Letter]:
        self._reopen(raw)
        answer = self._connection.uid("FETCH", ",".join(map(str, uids)), "(UID FLAGS INTERNALDATE RFC822.SIZE)")
        server = self._server
        for message, _ in sorted(fetched(answer), key=lambda found: found[0].uid):
            if message.size_bytes is None or message.marks is None:
                continue
            identity = "\0".join(
                ("imap", server.host.lower(), server.user, raw.hex(), str(self._validity), str(message.uid))
            )
            yield Letter(
                f"{name}, UID {message.uid}",
                _Key(raw, message.uid, message.size_bytes),
                message.marks,
                message.date_ms,
                message.size_bytes,
                identity,
            )

    def _reopen(self, raw: bytes) -> None:
        if raw != self._examined:
            self._examine(raw)

    def load(self, letters: Sequence[Letter]) -> list[Buffer | Unreadable]:
        """See `Source.load`: what is small in one request, the rest piece by piece."""
        keys = [letter.key for letter in letters if isinstance(letter.key, _Key)]
        if keys:
            self._reopen(keys[0].mailbox)
        small = [key.uid for key in keys if key.size_bytes <= PIECE_BYTES]
        contents: dict[int, Buffer] = {}
        if small:
            answer = self._connection.uid("FETCH", ",".join(map(str, small)), "(UID BODY.PEEK[])")
            for message, literal in fetched(answer):
                if literal is not None:
                    contents[message.uid] = gathered(to_crlf([literal]))
        for key in keys:
            if key.size_bytes > PIECE_BYTES:
                contents[key.uid] = gathered(to_crlf(self._pieces(key)))
        gone = Unreadable("is gone", is_gone=True)
        return [contents.get(key.uid, gone) for key in keys]

    def _pieces(self, key: _Key) -> Iterator[bytes]:
        """Yield a message; sizes are what a server believes, so the end is where nothing more comes."""
        start = 0
        while True:
            answer = self._connection.uid("FETCH", str(key.uid), f"(UID BODY.PEEK[]<{start}.{PIECE_BYTES}>)")
            piece = next((literal for message, literal in fetched(answer) if message.uid == key.uid), None)
            if not piece:
                return
            yield piece
            start += len(piece)
            if len(piece) < PIECE_BYTES:
                return

    def close(self) -> None:
        """See `Source.close`."""
        self._connection.close()


def _path(box: Listed, prefix: bytes) -> tuple[str, ...]:
    """Return a mailbox's names from the top.  What a server puts before all of one's own mailboxes is no name."""
    raw = box.raw
    if prefix and raw.startswith(prefix) and len(raw) > len(prefix):
        raw = raw[len(prefix) :]
    parts = raw.split(box.separator) if box.separator else [raw]
    return path_of([read_name(part) for part in parts if part] or ["_"])
