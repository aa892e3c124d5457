"""The feed among the processes of one machine: a Unix datagram socket each, in one folder.

    feed/<process id>.sock   who is here; bound while the process lives, so a dead one's refuses
    feed/id                  names this folder: process ids begin with it, which tells ours from those of elsewhere

What is published within one turn of the event loop leaves in one datagram to each peer.  A peer whose buffer is full
(ten datagrams by default on Linux) keeps nobody waiting: its news are held back, joined, and tried again by a timer;
when they become too many, they turn into "anything may have changed".  So there is no loss, and no polling.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from os import link
from pathlib import Path

import structlog

from storage.feeds.feed import CALL, Listener, News, Subscribers, Unsubscribe
from storage.feeds.peer import DATAGRAM_BYTES_MAX, Batch, Peer, PeerGone, SocketFolder, decode, merge
from storage.local.folder import make_folder

_log = structlog.get_logger(__name__)

DATAGRAMS_A_TURN = 64  # read at once, before others of the event loop have their turn
RETRY_SECONDS = 0.02  # a peer that is stopped costs a failing call that often


class MachineFeed:
    """A `Feed` among the processes that give the same folder.  Made after the fork, in the loop that uses it."""

    def __init__(self, folder: Path) -> None:
        """Join the feed in *folder*/feed, which is made.  Raises OSError if that cannot be done."""
        self._loop = asyncio.get_running_loop()
        self._subscribers = Subscribers()
        self._outbox: Batch = {}
        self._peers: dict[str, Peer] = {}  # by the name of their socket
        self._retry: asyncio.TimerHandle | None = None
        self._is_closed = False
        make_folder(folder / "feed")
        self._place = _place(folder / "feed")
        self.process_id = f"{self._place}-{secrets.token_hex(8)}"
        self._name = f"{self.process_id}.sock"
        self._folder = SocketFolder(folder / "feed")
        try:
            self._socket = self._folder.bind(self._name)
        except BaseException:
            self._folder.close()
            raise
        self._loop.add_reader(self._socket, self._receive)

    def publish(self, account_id: str, writer: str, n: int) -> None:
        """See `Feed.publish`; others hear of it at the end of this turn of the event loop."""
        self._subscribers.tell(News(account_id, writer, n))
        self._send_soon(account_id, writer, n)

    def call(self, account_id: str, name: str, n: int) -> None:
        """See `Feed.call`; like news it is not lost between living processes."""
        self._send_soon(account_id, CALL + name, n)

    def listen(self, listener: Listener) -> Unsubscribe:
        """See `Feed.listen`."""
        return self._subscribers.add_listener(listener)

    def subscribe(self, callback: Callable[[News], None]) -> Unsubscribe:
        """See `Feed.subscribe`."""
        return self._subscribers.add(callback)

    def is_alive(self, process_id: str) -> bool | None:
        """See `Feed.is_alive`; unknown for processes that did not join this folder's feed."""
        if self._is_closed or not re.fullmatch(rf"{re.escape(self._place)}-[0-9a-f]{{16}}", process_id):
            return None
        try:
            self._folder.connect(f"{process_id}.sock").close()
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return None
        return True

    async def leave(self) -> None:
        """See `Feed.leave`; closing sends what there is."""
        self.close()

    def close(self) -> None:
        """See `Feed.close`; sends what can be sent at once."""
        if self._is_closed:
            return
        self._send_all()
        self._is_closed = True
        if self._retry:
            self._retry.cancel()
        for peer in self._peers.values():
            peer.close()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        with suppress(OSError):
            self._folder.remove(self._name)
        self._folder.close()

    def _send_soon(self, account_id: str, writer: str, n: int) -> None:
        if not self._is_closed:
            if not self._outbox:
                self._loop.call_soon(self._send_all)
            merge(self._outbox, {(account_id, writer): n})

    def _send_all(self) -> None:
        """Send the outbox to all, except to those that still have older news to hear: they wait for the timer."""
        if not self._outbox or self._is_closed:
            return
        try:
            names = set(self._folder.names()) - {self._name}
        except OSError as error:  # too many open files, for one: the outbox waits, too
            _log.warning("feed.no_peers", error=str(error))
        else:
            news, self._outbox = self._outbox, {}
            for name in names:
                peer = self._peers.setdefault(name, Peer(self._folder, name))
                is_behind = peer.is_waiting
                peer.hold(news)
                if not is_behind:
                    self._send_to(name, peer)
            for name in self._peers.keys() - names:
                self._peers.pop(name).close()
        self._retry_later()

    def _send_to(self, name: str, peer: Peer) -> None:
        try:
            peer.send()
        except PeerGone as gone:
            self._peers.pop(name).close()
            if gone.is_dead:
                with suppress(OSError):
                    self._folder.remove(name)
        except OSError as error:
            _log.warning("feed.send_failed", error=str(error))

    def _retry_later(self) -> None:
        is_due = self._outbox or any(peer.is_waiting for peer in self._peers.values())
        if is_due and self._retry is None and not self._is_closed:
            self._retry = self._loop.call_later(RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        for name, peer in list(self._peers.items()):
            if peer.is_waiting:
                self._send_to(name, peer)
        self._send_all()
        self._retry_later()

    def _receive(self) -> None:
        for _ in range(DATAGRAMS_A_TURN):
            try:
                datagram = self._socket.recv(DATAGRAM_BYTES_MAX + 1)
            except OSError:  # nothing more
                return
            for news in decode(datagram):
                self._subscribers.tell(news)


def _place(folder: Path) -> str:
    """Return the folder's own name; who comes first chooses it.  A link appears with its contents, or not at all."""
    path, draft = folder / "id", folder / f"{secrets.token_hex(8)}.draft"
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(4))
        with suppress(FileExistsError):
            link(draft, path)
        draft.unlink()
    return path.read_text()
