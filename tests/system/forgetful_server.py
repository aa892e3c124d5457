"""A whole server on a local store that is there already, whose sessions end when it is told to: `… FOLDER`."""

import asyncio
import sys
from pathlib import Path

from eas.run import housekeeping
from tests.eas.world import world

SWEEP_SECONDS = 0.1


async def main(folder: Path) -> None:
    """Serve until standard input ends; each line of it ends the lifetime of all sessions there are."""
    housekeeping.SWEEP_SECONDS = SWEEP_SECONDS
    async with world(1, engine="local", folder=folder) as here:
        print(f"url {here.url}", flush=True)
        lifetime = here.app.sessions._session_seconds
        while await asyncio.to_thread(sys.stdin.readline):
            here.app.sessions._session_seconds = 0
            while here.store.accounts:
                await asyncio.sleep(SWEEP_SECONDS)
            here.app.sessions._session_seconds = lifetime
            print("forgotten", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
