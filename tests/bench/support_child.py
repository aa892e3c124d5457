"""The demo, with a count of what it does: `python -m tests.bench.support_child FILE IDLE_SECONDS demo …`.

Each call of the engine, and each run of Argon2, adds its letter to FILE.  IDLE_SECONDS, if given, is after how long an
idle account lets go of its state.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from eas.cli import main as cli
from eas.run import housekeeping
from storage.engine_local import LocalEngine
from storage.keyring import passwords
from storage.seal import stretch

ARGON2: Final = "a"
LETTERS: Final[Mapping[str, str]] = {"get": "g", "get_many": "m", "list": "l", "put": "p", "delete": "d"}


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
    if idle_seconds:
        housekeeping.IDLE_SECONDS = float(idle_seconds)
    return cli.main(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
