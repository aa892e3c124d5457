import os
import socket
import stat
from pathlib import Path

import pytest

from lmtp.listen import open_sockets


def test_a_unix_socket_has_its_mode_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    for mode in (0o600, 0o666):
        (sock,) = open_sockets([f"unix:{path},mode={mode:o}"])
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        sock.close()
    assert os.listdir(tmp_path) == ["lmtp.sock"]


def test_a_living_servers_socket_is_not_taken(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/lmtp.sock"
    (sock,) = open_sockets([address])
    with sock, pytest.raises(OSError, match="another server listens"):
        open_sockets(["127.0.0.1:0", address])  # and the first is closed again: an open one would be warned of


def test_a_taken_port_is_refused_unless_shared() -> None:
    (first,) = open_sockets(["127.0.0.1:0"], reuse_port=True)
    with first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            open_sockets([f"127.0.0.1:{port}"])
        (second,) = open_sockets([f"127.0.0.1:{port}"], reuse_port=True)
        second.close()


def test_a_socket_listens_at_once() -> None:
    (sock,) = open_sockets(["127.0.0.1:0"])
    with sock, socket.create_connection(sock.getsockname()):
        pass
