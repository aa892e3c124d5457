from datetime import UTC, datetime

import pytest

from lmtp.trace_lines import HEADER_BYTES_MAX, is_junk, trace_lines

AT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def _lines(sender: str = "s@x", client: str = "c.test", peer: str = "[127.0.0.1]", utf8: bool = False) -> str:
    return trace_lines(
        sender=sender, address="a+d@y", client=client, peer=peer, hostname="mx", utf8=utf8, delivery_id="7", at=AT
    ).decode()


def test_says_who_brought_what_for_whom() -> None:
    assert _lines() == (
        "Return-Path: <s@x>\r\nDelivered-To: a+d@y\r\nReceived: from c.test ([127.0.0.1])\r\n"
        "\tby mx with LMTP id 7\r\n\tfor <a+d@y>; Tue, 02 Jan 2024 03:04:05 +0000\r\n"
    )


def test_a_bounce_over_a_unix_socket_in_utf8() -> None:
    lines = _lines(sender="", peer="", utf8=True)
    assert "Return-Path: <>\r\n" in lines
    assert "Received: from c.test\r\n" in lines
    assert " with UTF8LMTP id " in lines


@pytest.mark.parametrize("client", ["a b", "a(b", "\xe9", "a;b", "x" * 256])
def test_a_client_name_that_is_none_is_not_repeated(client: str) -> None:
    assert "from unknown ([" in _lines(client=client)


@pytest.mark.parametrize(
    "message",
    [
        b"X-Spam-Flag: YES\r\n\r\nx",
        b"Subject: x\r\nx-spam-flag:yes\r\n",
        b"X-Spam-Flag:\r\n\tYes \r\n\r\n",
        b"X-Spam-Flag: NO\r\nX-Spam-Flag: YES\r\n\r\n",
        b"X-Spam-Flag: YES",
    ],
)
def test_junk(message: bytes) -> None:
    assert is_junk(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\nX-Spam-Flag: YES\r\n\r\n",
        b"Subject: x\r\n\r\nX-Spam-Flag: YES\r\n",
        b"Subject: X-Spam-Flag: YES\r\n\r\n",
        b"Subject: x\r\n X-Spam-Flag: YES\r\n\r\n",
        b"X-Spam-Flag: YESTERDAY\r\n\r\n",
        b"X-Spam-Flag: NO\r\n\r\n",
        b"X-Spam-Flag:\r\nYES: x\r\n\r\n",
        b"Subject: " + b"x" * HEADER_BYTES_MAX + b"\r\nX-Spam-Flag: YES\r\n\r\n",
    ],
    ids=range(9),
)
def test_not_junk(message: bytes) -> None:
    assert not is_junk(message)
