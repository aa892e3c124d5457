"""A process that joins the feed in the folder of its argument, says its id, publishes once and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from storage.feed_machine import MachineFeed


async def _main(folder: Path) -> None:
    feed = MachineFeed(folder)
    feed.publish("account", feed.process_id, 1)
    await asyncio.sleep(0)  # what is published leaves at the end of the turn
    print(feed.process_id, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
