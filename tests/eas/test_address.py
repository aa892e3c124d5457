"""Addresses of listeners as people write them."""

import pytest

from eas.address import parse_address, shown, url, written


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        (":80", ("", 80)),
        ("*:80", ("", 80)),
    ],
)
def test_an_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8080", "localhost", "a:b", "a:65536", "::1:80", "[::1]", "a b:1", "http://a:1", "a:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize("address", [("127.0.0.1", 1), ("::1", 2), ("", 3), ("mail.example.org", 4)])
def test_what_was_written_is_read(address: tuple[str, int]) -> None:
    assert parse_address(written(*address)) == address


def test_a_url_can_be_used_on_this_machine() -> None:
    assert url("http", "0.0.0.0", 80) == "http://127.0.0.1:80"
    assert url("https", "", 443) == "https://127.0.0.1:443"
    assert shown("::1", 1) == "[::1]:1"
