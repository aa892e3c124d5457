"""The demo, with a count of what it does: `python -m tests.bench.support_child FILE IDLE_SECONDS demo …`.

Each call of the engine, and each run of Argon2, adds its letter to FILE.  IDLE_SECONDS, if given, is after how long an
idle account lets go of its state.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eas.cli import main as cli
from eas.run import housekeeping
from storage.engine_local import LocalEngine
from storage.keyring import passwords
from storage.seal import stretch

if TYPE_CHECKING:
    from storage.s3.requests import Request

ARGON2: Final = "a"
LETTERS: Final[Mapping[str, str]] = {"get": "g", "get_many": "m", "list": "l", "put": "p", "delete": "d"}
REQUESTS: Final[Mapping[str, str]] = {
    "s3 GET": "G", "s3 LIST": "L", "s3 PUT": "P", "s3 DELETE": "D", "s3 POST": "O", "s3 HEAD": "H", "s3 feed": "F",
}  # fmt: skip
"""Requests to an object store, by kind; those of the feed's lanes are a kind of their own."""


def main(file: str, idle_seconds: str, *arguments: str) -> int:
    written = Path(file).open("ab", buffering=0)  # noqa: SIM115  # as long as the process

    def counted(action: Callable[..., Any], letter: str) -> Callable[..., Any]:
        def counting(*values: Any, **named: Any) -> Any:
            written.write(letter.encode())
            return action(*values, **named)

        return counting

    setattr(passwords, "stretch", counted(stretch, ARGON2))  # noqa: B010  # for mypy: the module does not export it
    for name, letter in LETTERS.items():
        setattr(LocalEngine, name, counted(getattr(LocalEngine, name), letter))
    if "--store" in arguments:
        from storage.s3.requests import Requests

        once = Requests._once

        def counting_once(self: Requests, request: Request, limit: asyncio.Timeout) -> Any:
            written.write(REQUESTS[_kind(request)].encode())
            return once(self, request, limit)

        setattr(Requests, "_once", counting_once)  # noqa: B010  # mypy: a method is not to be assigned to
    if idle_seconds:
        housekeeping.IDLE_SECONDS = float(idle_seconds)
    return cli.main(list(arguments))


def _kind(request: Request) -> str:
    if "feed/" in (request.key or request.query.get("prefix", "")):
        return "s3 feed"
    return f"s3 {'LIST' if 'list-type' in request.query else request.method}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
