"""Logs show what happened, and no secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from storage.logs import DEPTH_MAX, HIDDEN, Redactor, set_up_logging

KEY = bytes(32)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(name: str, value: object, key: bytes | None = KEY) -> Any:
    return Redactor(key)(None, "info", {name: value})[name]


@pytest.mark.parametrize(
    "name",
    ["password", "new_passwd", "user_secret", "secrets", "Authorization", "cookie", "token", "master", "private_keys",
     "key", "sync_key", "deployment_key_file", "recovery_key", "body", "pin", "credentials"],
)  # fmt: skip
def test_what_sounds_like_a_secret_is_hidden(name: str) -> None:
    assert shown(name, "hush") == HIDDEN
    assert shown(name, ["hush"]) == HIDDEN
    assert shown("details", [{"more": {name: b"hush"}}]) == [{"more": {name: HIDDEN}}]


def test_bytes_show_only_how_many_they_are() -> None:
    assert shown("data", b"hush") == "[4 bytes]"
    assert shown("data", memoryview(b"hush")) == "[4 bytes]"
    assert shown("data", ({"inner": bytearray(4)},)) == [{"inner": "[4 bytes]"}]


def test_addresses_become_hashes_that_tell_users_apart() -> None:
    anna, again, bert = (
        shown("address", text) for text in ("anna@example.org", "Anna@Example.org ", "bert@example.org")
    )
    assert anna == again != bert
    assert shown("error", "550 <anna@example.org>: unknown") == f"550 <{anna}>: unknown"
    assert shown("login", "anna") not in ("anna", anna)
    assert shown("address", "anna@example.org", bytes(31) + b"\1") != anna
    assert shown("address", "anna@example.org", None) == "anna@example.org"


@pytest.mark.parametrize("value", [5, 0.5, True, None, "text"])
def test_plain_values_stay(value: object) -> None:
    assert shown("adds", value) == value


def test_what_lies_deeper_than_the_bound_is_hidden() -> None:
    value: object = "text"
    for _ in range(DEPTH_MAX):
        value = [value]
    assert "text" in repr(shown("deep", value))
    assert "text" not in repr(shown("deep", [value]))


def test_events_are_lines_of_json() -> None:
    stream = io.StringIO()
    set_up_logging("info", address_key=KEY, stream=stream)
    log = structlog.get_logger()
    log.debug("not shown")
    log.info("sync.done", adds=3, password="hush", device="phone")
    try:
        raise ValueError("anna@example.org has hush")
    except ValueError:
        log.exception("sync.failed")
    done, failed = map(json.loads, stream.getvalue().splitlines())
    assert (done["event"], done["adds"], done["device"], done["level"]) == ("sync.done", 3, "phone", "info")
    assert done["timestamp"].endswith("Z")
    assert failed["exception"].startswith("Traceback")
    assert "anna" not in stream.getvalue()


def test_a_terminal_gets_columns() -> None:
    stream = Terminal()
    set_up_logging("debug", address_key=None, stream=stream)
    structlog.get_logger().debug("sync.done", password="hush", address="anna@example.org")
    try:
        raise ValueError("wrong")
    except ValueError:
        structlog.get_logger().exception("sync.failed")
    assert "sync.done" in stream.getvalue()
    assert "anna@example.org" in stream.getvalue()
    assert "ValueError: wrong" in stream.getvalue()
    assert "hush" not in stream.getvalue()


def test_what_libraries_log_goes_the_same_way() -> None:
    stream = io.StringIO()
    set_up_logging("warning", address_key=KEY, stream=stream)
    logging.getLogger("aiohttp.server").info("not shown")
    logging.getLogger("aiohttp.server").warning("mail of %s", "anna@example.org")
    event = json.loads(stream.getvalue())
    assert (event["event"], event["logger"], event["level"]) == ("library", "aiohttp.server", "warning")
    assert event["message"].startswith("mail of ~")


def test_a_record_that_cannot_be_written_raises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", address_key=KEY, stream=io.StringIO())
    logging.getLogger("library").warning("%d", "no number")
    assert "no number" in capsys.readouterr().err
