"""Messages made to be slow: none costs more than a few times what its size does."""

import time

import msgpack
import pytest

from storage.message.index import index_message
from storage.message.roles import TYPE_CHARACTERS_MAX
from storage.message.splitter import DELIMITERS_MAX

SECONDS_MAX = 1.5  # quadratic loops took from 5 s to minutes

NOTIFICATION = (
    b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
)
NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(50))
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def repeated(head: bytes, piece: bytes, size: int, tail: bytes = b"\r\n\r\nbody") -> bytes:
    return head + piece * (size // len(piece)) + tail


@pytest.mark.parametrize(
    "data",
    [
        repeated(b"To: ", b'\\"', 200_000),
        repeated(b'To: "', b'\\"', 200_000),
        repeated(b"To: (", b"\\(", 200_000),
        repeated(b"To: ", b'""', 30_000, b"@" + b":" * 30_000 + b"\r\n\r\n"),
        repeated(b"To: a", b" ", 200_000, b"b\r\n\r\n"),
        repeated(b"To: ", b"<", 200_000),
        repeated(b"Subject: ", b"=?a?q?", 200_000),
        repeated(b"Subject: re", b" ", 200_000),
        repeated(b"References: ", b"<a", 200_000),
        repeated(b"Content-Type: a/b", b';a="\\', 16_000),
        MIXED + repeated(b"--b\r\nContent-Type: a/b", b';a="\\', 16_000) * 100,
        repeated(b"Content-Type: a/b", b"; ", 200_000),
        repeated(b"X", b" ", 250_000, b"\r\n\r\n"),
        repeated(b"X:", b"\n ", 250_000),
        repeated(b"", b"a\n", 250_000),
        repeated(MIXED + b"--b\r\n\r\n", b"--b-", 3_000_000),
        repeated(NESTED, b"x", 5_000_000),
        repeated(b"Content-Type: text/html\r\n\r\n", b"<a '", 500_000),
        repeated(b"Content-Type: text/html\r\n\r\n&#", b"9", 500_000),
        repeated(b"Content-Type: text/html\r\n\r\n", b"<meta charset ", 500_000),
        repeated(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"=", 900_000),
        repeated(NOTIFICATION, b"Disposition:\n", 60_000),
    ],
    ids=range(22),
)
def test_no_message_is_slow(data: bytes) -> None:
    began = time.process_time()
    index_message(data)
    assert time.process_time() - began < SECONDS_MAX


def test_delimiters_beyond_the_bound_divide_nothing() -> None:
    data = MIXED + b"--b-" * DELIMITERS_MAX + b"\r\n--b\r\n\r\nx"
    assert len(index_message(data).parts) == 1
    assert index_message(data).parts[0].start == len(MIXED)
    data = MIXED + b"--b-" * (DELIMITERS_MAX - 3) + b"\r\n--b\r\n\r\nx\r\n--b--"
    assert data[index_message(data).parts[0].start :].startswith(b"x")


def test_no_summary_is_longer_than_two_megabytes() -> None:
    """It lies in a record and in a page of a checkpoint, beside hundreds of others."""
    fields = (b"Content-ID", b"Content-Location", b"Content-Transfer-Encoding", b"Content-Disposition")
    part = b"--b\r\nContent-Type: application/%s; charset=%s; name=%s\r\n" % (b"t" * 14_000, b"c" * 999, b"n" * 300)
    part += b"".join(b"%s: %s\r\n" % (name, b"f" * 9_000) for name in fields)
    summary = index_message(b"Message-ID: <%s@x>\r\n" % (b"m" * 90_000) + MIXED + (part + b"\r\nx\r\n") * 510)
    assert len(msgpack.packb(summary.pack())) < 2_000_000
    assert max(len(leaf.content_type) for leaf in summary.parts) == TYPE_CHARACTERS_MAX
