import pytest

from lmtp.settings import Settings, TcpAddress, UnixAddress, parse_listen


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


def test_bounds_below_what_every_server_must_take_are_refused() -> None:
    Settings(recipients_max=100, size_bytes_max=65_536, sessions_max=1)
    with pytest.raises(ValueError, match="recipients_max"):
        Settings(recipients_max=99)
    with pytest.raises(ValueError, match="size_bytes_max"):
        Settings(size_bytes_max=65_535)
    with pytest.raises(ValueError, match="sessions_max"):
        Settings(sessions_max=0)


def test_the_host_name_is_the_machines_unless_set() -> None:
    assert Settings(hostname="mx.test").name == "mx.test"
    assert Settings().name
    with pytest.raises(ValueError, match="host name"):
        Settings(hostname="mx test\r\n")
