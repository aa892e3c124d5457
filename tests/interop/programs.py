"""Programs of the system: without one a test is skipped, except in CI, which must have them all."""

import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
WHERE = "/usr/sbin:/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")
POLL_SECONDS = 0.05


def need(program: str) -> str:
    """Return the path of *program*.  Without it the test is skipped; with CI set it fails."""
    found = shutil.which(program, path=WHERE)
    if found is None:
        lack(f"{program} is not installed")
    return found


def need_root() -> None:
    """Skip the test for a normal user; with CI set, fail."""
    if os.geteuid() != 0:
        lack("needs root: Postfix gives up rights that a normal user does not have")


def lack(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nobody listened a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return once *condition* holds.  Raises AssertionError when it does not within *seconds*."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on that port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def replace(text: str, replacements: dict[str, str]) -> str:
    """Replace each key by its value.  Raises AssertionError for a key that does not occur: the file was changed."""
    for old, new in replacements.items():
        assert old in text, f"{old!r} does not occur"
        text = text.replace(old, new)
    return text
