from pathlib import Path

import pytest

from lmtp.settings import Settings, TcpAddress, UnixAddress, parse_listen
from storage.toml_tables import SettingError, TableReader


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1", "::1:24", "host:65536", "unix:relative", "unix:/a,mode=9", "unix:/a,mode=66", "a b:1", "unix:"],
)
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="listen wants"):
        Settings(listen=(text,))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", TcpAddress("127.0.0.1", 0)),
        ("localhost:65535", TcpAddress("localhost", 65535)),
        ("[::1]:24", TcpAddress("::1", 24)),
        ("unix:/run/lmtp.sock", UnixAddress("/run/lmtp.sock", 0o660)),
        ("unix:/run/lmtp.sock,mode=0666", UnixAddress("/run/lmtp.sock", 0o666)),
    ],
)
def test_parses_addresses(text: str, address: TcpAddress | UnixAddress) -> None:
    assert parse_listen(text) == address


def _read(**values: object) -> Settings:
    return TableReader(Settings, Path("/")).read(values, "[lmtp]")


def test_bounds_below_what_every_server_must_take_are_refused() -> None:
    least = _read(recipients_max=100, size_bytes_max=65_536, sessions_max=1)
    assert (least.recipients_max, least.size_bytes_max, least.sessions_max) == (100, 65_536, 1)
    for name, value in (("recipients_max", 99), ("size_bytes_max", 65_535), ("sessions_max", 0)):
        with pytest.raises(SettingError, match=name):
            _read(**{name: value})


def test_is_read_from_a_table() -> None:
    assert _read() == Settings()
    assert _read(listen=["unix:/run/lmtp.sock"], hostname="mx").listen == ("unix:/run/lmtp.sock",)
    with pytest.raises(SettingError, match="listen wants"):
        _read(listen=["nowhere"])


def test_the_host_name_is_the_machines_unless_set() -> None:
    assert Settings(hostname="mx.test").name == "mx.test"
    assert Settings().name
    with pytest.raises(ValueError, match="host name"):
        Settings(hostname="mx test\r\n")
