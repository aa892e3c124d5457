"""What phones and originals hold may be made to be slow: composing and bodies stay linear."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from eas.mail.body import Preference, plan, render
from eas.mail.compose import forward, outgoing, reply
from eas.protocol.versions import Version
from storage.message.index import index_message

SECONDS_MAX = 3.0
NOW = datetime(2024, 5, 6, tzinfo=UTC)
HTML = b"Content-Type: text/html\r\n\r\n"


def body(data: bytes) -> None:
    for number in (1, 2, 4):
        planned = plan(index_message(data), [Preference(number, 4096)], 2, Version.V16_1)
        render(planned, [data[start : start + size] for start, size in planned.ranges])


def answer(data: bytes) -> None:
    reply(data, data, NOW)
    forward(data, data, NOW)


def send(data: bytes) -> None:
    outgoing(b"To: a@b.example\r\n" + data, ["a@b.example"], NOW, "<1@x>")


@pytest.mark.parametrize("use", [body, answer, send])
@pytest.mark.parametrize(
    "data",
    [
        b"X:" + b"\n " * 60_000 + b"\r\n\r\nx",
        b"To: " + b"a@b.example;" * 900 + b'\\"' * 50_000 + b"\r\n\r\nx",
        HTML + b"<meta charset " * 30_000,
        HTML + b"<style>" * 60_000 + b"<body>",
        HTML + b"<body </body" * 40_000,
        HTML + b"<html <body>" * 40_000,
        HTML + b"\xff\r\n" * 100_000,
        b"Content-Type: text/plain\r\n\r\n" + b"&  " * 200_000,
    ],
    ids=range(8),
)
def test_nothing_is_slow(use: Callable[[bytes], None], data: bytes) -> None:
    began = time.process_time()
    use(data)
    assert time.process_time() - began < SECONDS_MAX
