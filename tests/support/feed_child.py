"""A process that joins the feed in the folder of its argument, says its id and publishes once.

Until it is killed, it answers news of the account "ping" with the same of "pong", and a rescan with "rescanned".
"""

import asyncio
import sys
from pathlib import Path

from storage.feeds.feed import News
from storage.feeds.machine import MachineFeed


async def _main(folder: Path) -> None:
    feed = MachineFeed(folder)

    def answer(news: News) -> None:
        if news.account_id == "ping":
            feed.publish("pong", feed.process_id, news.n)
        elif news == News.rescan:
            feed.publish("rescanned", feed.process_id, 1)

    feed.subscribe(answer)
    feed.publish("account", feed.process_id, 1)
    await asyncio.sleep(0)  # what is published leaves at the end of the turn
    print(feed.process_id, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
