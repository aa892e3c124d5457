"""A process that puts into a local store and says what was acknowledged, until it is killed.

    python -m tests.support.engine_child FOLDER NAME mixed|small|churn

It says "ready", waits for a line, and then prints each key whose put returned.  "churn" deletes most of them again, and
prints `?KEY` before and `-KEY` after that.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from storage.engine_local import LocalEngine

PUTTERS = 4
SIZES = [0, 200, 3_000, 70_000, 300_000]


def content_of(key: str) -> bytes:
    """What the child puts under *key*: different bytes for each, so that no mistake goes unseen."""
    random = Random(key)
    return random.randbytes(200 if "small" in key else random.choice(SIZES))


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 40_000):
        yield data[start : start + 40_000]


async def _put_for_ever(engine: LocalEngine, prefix: str) -> None:
    for n in itertools.count():
        key = f"{prefix}/{n:06}"
        data = content_of(key)
        await engine.put(key, _pieces(data) if n % 2 else data)
        os.write(1, f"{key}\n".encode())
        if "churn" in key and n % 4:
            os.write(1, f"?{key}\n".encode())
            await engine.delete([key])
            os.write(1, f"-{key}\n".encode())


async def _main(folder: Path, prefix: str) -> None:
    engine = await LocalEngine.open(folder, pack_bytes_max=2_000_000)
    os.write(1, b"ready\n")
    sys.stdin.readline()
    await asyncio.gather(*(_put_for_ever(engine, f"{prefix}/{putter}") for putter in range(PUTTERS)))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), f"{sys.argv[2]}/{sys.argv[3]}"))
