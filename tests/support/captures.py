"""Captures: requests that real clients sent, and the answers that we give them.  `captures/README.md` has the rules.

A capture is a folder `captures/<client>-<os>-<version>/NN-<Command>/` with `request.headers` (request line and
headers), `request.bin` (the body, missing when there is none), `response.txt` (a dump of the answer, empty for the
empty one) and `about.toml`.  In a response the value "*" stands for any: keys and times are new at every run.
"""

import base64
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eas.wbxml.dump import parse_dump
from eas.wbxml.element import Element

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
SCRUBBED_LOGIN = "Basic " + base64.b64encode(b"user@example.test:scrubbed").decode()
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
FORBIDDEN_HEADERS = frozenset({"cookie", "x-forwarded-for", "x-real-ip"})
NAME = re.compile(r"(?P<number>\d\d)-(?P<command>[A-Z][A-Za-z]+)")
ADDRESS = re.compile(rb"[A-Za-z0-9._+-]+@([A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z0-9])")
INVENTED = (b"example.test", b"example.org", b"example.com", b"example.net", b"invalid")  # RFC 2606
ANY = "*"


class BadCapture(Exception):
    """A capture breaks the rules of `captures/README.md`."""


@dataclass(frozen=True, slots=True)
class About:
    """What `about.toml` says; `status` is the HTTP status of the answer, `mailbox` what the account must hold.

    `meanwhile` is the subject of a mail that arrives while the request waits.
    """

    date: date
    client: str
    protocol: str
    scrubbed: tuple[str, ...]
    status: int = 200
    mailbox: str = ""
    meanwhile: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """One request of one client, and our answer."""

    client: str
    number: int
    command: str
    request_line: str
    headers: Mapping[str, str]
    request: bytes
    response: str
    about: About

    def __str__(self) -> str:
        return f"{self.client}/{self.number:02}-{self.command}"

    @property
    def response_root(self) -> Element | None:
        """The answer as a tree, None for the empty one."""
        return parse_dump(self.response) if self.response.strip() else None


def load_captures(command: str | None = None, folder: Path = CAPTURES) -> list[Capture]:
    """Load the captures of one command, or all, by client and number.  Raises `BadCapture`."""
    places = sorted(path for path in folder.glob("*/*") if path.is_dir())
    captures = [load_capture(path) for path in places]
    return [capture for capture in captures if command in (None, capture.command)]


def load_capture(path: Path) -> Capture:
    """Load one capture.  Raises `BadCapture` when it is not whole or not scrubbed."""
    name = NAME.fullmatch(path.name)
    if name is None:
        raise BadCapture(f"{path}: the name is not NN-Command")
    try:
        request_line, headers = _read_headers((path / "request.headers").read_text("ascii"))
        about = _read_about(tomllib.loads((path / "about.toml").read_text("utf-8")))
        response = (path / "response.txt").read_text("utf-8")
    except (OSError, ValueError, TypeError) as error:
        raise BadCapture(f"{path}: {error}") from error
    body = path / "request.bin"
    capture = Capture(
        path.parent.name,
        int(name["number"]),
        name["command"],
        request_line,
        headers,
        body.read_bytes() if body.exists() else b"",
        response,
        about,
    )
    if leaks := secrets(capture):
        raise BadCapture(f"{path}: {', '.join(leaks)}")
    return capture


def _read_headers(text: str) -> tuple[str, dict[str, str]]:
    first, *rest = text.splitlines()
    pairs = [line.split(": ", 1) for line in rest if line]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("request.headers: a line is not Name: value")
    return first, dict(pairs)


def _read_about(table: Mapping[str, object]) -> About:
    about = About(**{**table, "scrubbed": tuple(table.get("scrubbed", ()))})  # type: ignore[arg-type]
    if not isinstance(about.date, date) or not about.client or not about.protocol:
        raise ValueError("about.toml: date, client and protocol are needed")
    return about


def secrets(capture: Capture) -> list[str]:
    """Return what should not be in a capture: logins, cookies, addresses of real domains."""
    found = []
    for name, value in capture.headers.items():
        if name.lower() in FORBIDDEN_HEADERS:
            found.append(f"the header {name}")
        elif name.lower() in SECRET_HEADERS and value != SCRUBBED_LOGIN:
            found.append(f"a login in {name}")
    everything = capture.request + capture.request_line.encode() + capture.response.encode()
    domains = {match[1].lower() for match in ADDRESS.finditer(everything)}
    found += [f"an address at {domain.decode()}" for domain in sorted(domains) if not domain.endswith(INVENTED)]
    return found


def save_capture(path: Path, request_line: str, headers: Mapping[str, str], body: bytes, response: str) -> None:
    """Write a new capture, its login scrubbed; `about.toml` is left to whoever knows what it is.

    Bodies are not changed: whoever records uses invented people, or scrubs by hand and says so.
    """
    path.mkdir(parents=True)
    kept = {name: value for name, value in headers.items() if name.lower() not in FORBIDDEN_HEADERS}
    lines = [f"{name}: {SCRUBBED_LOGIN if name.lower() in SECRET_HEADERS else kept[name]}" for name in kept]
    (path / "request.headers").write_text("\n".join([request_line, *lines, ""]), "ascii")
    if body:
        (path / "request.bin").write_bytes(body)
    (path / "response.txt").write_text(response, "utf-8")


def differences(expected: Element | None, answer: Element | None, path: str = "") -> list[str]:
    """Compare an answer with a capture's, "*" matching any value; return where they differ."""
    if expected is None or answer is None:
        return [] if expected is answer else [f"expected {expected!r}, not {answer!r}"]
    here = f"{path}/{expected.tag.name}"
    if expected.tag is not answer.tag:
        return [f"{here}: is {answer.tag.name}"]
    if expected.value not in (ANY, answer.value):
        return [f"{here}: {expected.value!r} is {answer.value!r}"]
    if len(expected.children) != len(answer.children):
        wanted, told = ([child.tag.name for child in one.children] for one in (expected, answer))
        return [f"{here}: {wanted} are {told}"]
    pairs = zip(expected.children, answer.children, strict=True)
    return [fault for wanted, told in pairs for fault in differences(wanted, told, here)]
