"""`petitbleu` killed before or after its n-th write: `python -m tests.system.dying_server ORDER demo …`.

ORDER is a file: as long as it is not there, nothing happens.  Once it says `before 3`, the third write from then on
never happens; with `after 3` it does, and nobody hears of it.
"""

import os
import signal
import sys
from collections.abc import AsyncIterable
from pathlib import Path

from eas.cli.main import main
from storage.engine_local import LocalEngine

_put = LocalEngine.put


class Order:
    """When to die; read once it is there."""

    def __init__(self, path: Path) -> None:
        self.path, self.left, self.when = path, -1, ""

    def due(self, when: str) -> bool:
        """Count a write (`when` is "before" it) and tell whether the process ends now."""
        if when == "before" and self.left < 0 and self.path.exists():
            self.when, count = self.path.read_text().split()
            self.left = int(count)
        if when == "before" and self.left > 0:
            self.left -= 1
        return self.left == 0 and when == self.when


def arm(order: Order) -> None:
    """Let the engine's writes obey *order*."""

    async def put(self: LocalEngine, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        if order.due("before"):
            os.kill(os.getpid(), signal.SIGKILL)
        is_last = order.left == 0
        await _put(self, key, data)
        if is_last:
            order.due("after")
            os.kill(os.getpid(), signal.SIGKILL)

    LocalEngine.put = put  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(Order(Path(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
