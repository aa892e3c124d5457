"""The course of a soak: everything up, mail in, phones alive, processes killed; then quiet, and the verdict."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from tests.interop.postfix import Postfix, running_postfix
from tests.interop.programs import free_ports
from tests.soak.asking import Fault
from tests.soak.collecting import collected, collector
from tests.soak.kept import Kept
from tests.soak.ledger import Ledger
from tests.soak.letters import from_outside, letter
from tests.soak.life import Life
from tests.soak.nodes import Node, set_up
from tests.soak.plan import Plan, Seen
from tests.soak.post import Post
from tests.soak.stores import StorePlace, place_for
from tests.soak.verdict import judge

HUGE_MAILS: Final = 8
ENGINE_SHARE: Final = 0.15  # of the kills
COLLECTOR_SHARE: Final = 0.08
ALL_UP_SHARE: Final = 0.7  # of the kills find all nodes up; the others find them as they are
DOWN_SECONDS_MAX: Final = 2.0
QUEUE_SECONDS: Final = 300.0
SHOW_SECONDS: Final = 10.0


class Soak:
    """One of them, while it runs."""

    def __init__(
        self, plan: Plan, place: StorePlace, postfix: Postfix, nodes: Sequence[Node], collector: Kept, seen: Seen
    ) -> None:
        self.plan, self.place, self.postfix, self.nodes, self.seen = plan, place, postfix, nodes, seen
        self.collector = collector
        self.ledger = Ledger(plan.phones // plan.accounts)
        self._random = Random(f"{plan.seed} course")
        self._post = Post(postfix, self.ledger, seen)
        self._began = time.monotonic()

    async def run(self) -> None:
        """Run to the verdict."""
        async with AsyncExitStack() as stack:
            phones = [
                await stack.enter_async_context(Life(self.plan, number, self.nodes, self.ledger, self.seen))
                for number in range(self.plan.phones)
            ]
            for phone in phones:
                await phone.set_up(makes_folder=phone.place == 0)
            await self._introduce()
            is_over = asyncio.Event()
            lives = [asyncio.create_task(self._live(phone, is_over)) for phone in phones]
            showing = asyncio.create_task(self._show())
            try:
                await self._disturb()
                await self._post.done()
                is_over.set()
                await asyncio.gather(*lives)
                await self._calm()
                await judge(self.plan, self.nodes, phones, self.ledger, self.seen)
            finally:
                for task in (showing, *lives):
                    task.cancel()
                await asyncio.gather(showing, *lives, return_exceptions=True)

    async def _introduce(self) -> None:
        """Let Postfix learn each address while all is well: it refuses an address that it cannot ask for a minute."""
        for account in range(1, self.plan.accounts + 1):
            self._post.give(letter(self._random, f"first{account}-{account:08x}", (account,), 500, "a@example.net"))
        async with asyncio.timeout(QUEUE_SECONDS):
            while len(self.ledger.letters) < self.plan.accounts:
                await asyncio.sleep(0.1)

    async def _live(self, phone: Life, is_over: asyncio.Event) -> None:
        try:
            await phone.live(is_over)
        except (Fault, AssertionError) as error:
            self.seen.fault(f"{phone.name}, {phone.client.version.text}: {error!r}")

    async def _disturb(self) -> None:
        """Give out the mails, and kill; each kill comes somewhere within the mails of its turn."""
        share = self.plan.mails / max(1, self.plan.kills)
        given = 0
        for turn in range(max(1, self.plan.kills)):
            for number in range(given, round((turn + 1) * share)):
                is_huge = number % max(1, self.plan.mails // HUGE_MAILS) == 0
                self._post.give(from_outside(self._random, number, self.plan.accounts, is_huge=is_huge))
                given += 1
            before = self._random.random() * self.plan.seconds_a_kill
            await asyncio.sleep(before)
            if self.plan.kills:
                await self._kill()
            await asyncio.sleep(self.plan.seconds_a_kill - before)

    async def _kill(self) -> None:
        if self.place.has_engine and self._random.random() < ENGINE_SHARE:
            self.seen.counts["kills of the engine"] += 1
            await asyncio.to_thread(self.place.crash)
            await asyncio.sleep(self._random.random() * DOWN_SECONDS_MAX)
            await asyncio.to_thread(self.place.start)
            return
        if self._random.random() < COLLECTOR_SHARE and self.collector.kill():
            self.seen.counts["kills of the collector"] += 1
            return
        if self._random.random() < ALL_UP_SHARE:  # however long nodes need on this machine, they shall be up mostly
            await asyncio.gather(*(node.ready() for node in self.nodes))
        while not self._random.choice(self.nodes).kill(child=self.plan.workers > 1):
            await asyncio.sleep(0.05)
        self.seen.counts["kills of nodes"] += 1

    async def _calm(self) -> None:
        """Wait until nothing is under way."""
        for node in self.nodes:
            await node.ready()
        self.postfix.flush()
        end = time.monotonic() + QUEUE_SECONDS
        while left := await asyncio.to_thread(self.postfix.queue):
            if time.monotonic() > end:
                self.seen.fault(f"{len(left)} mails wait in Postfix's queue: {self.postfix.log()[-1000:]}")
                return
            await asyncio.sleep(0.5)

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(SHOW_SECONDS)
            counts = self.seen.counts
            kills = sum(count for name, count in counts.items() if name.startswith("kills"))
            taken = f"{len(self.ledger.letters)} of {self.plan.mails} mails taken"
            again = f"{counts['answers after asking again']} after asking again"
            print(
                f"{time.monotonic() - self._began:6.0f} s  {taken}, {kills} of {self.plan.kills} kills, "
                f"{counts['answers']} answers, {again}, {counts['faults']} faults",
                file=sys.stderr,
                flush=True,
            )


@asynccontextmanager
async def _running(processes: Sequence[Kept]) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield
    finally:
        await asyncio.gather(*(process.stop() for process in processes))


async def _soak(plan: Plan, place: StorePlace, postfix: Postfix, nodes: Sequence[Node], seen: Seen) -> None:
    beside = collector(plan, nodes[0].config, seen)
    async with _running([*nodes, beside]):
        await Soak(plan, place, postfix, nodes, beside, seen).run()
    seen.counts += collected(beside.log)
    if seen.counts["passes refused"]:
        seen.fault(f"the collector could not read all: {beside.log.read_text()[-1000:]}")


def soak(plan: Plan) -> Seen:
    """Run *plan*, and return what was seen.  Its files stay only after a fault."""
    seen = Seen()
    folder = Path(tempfile.mkdtemp(prefix="petitbleu-soak-"))
    place = place_for(plan.engine, folder)
    try:
        with running_postfix(*free_ports(1)) as postfix:
            nodes = set_up(plan, place, folder, seen, postfix.submission_port)
            postfix.deliver_to([node.lmtp_port for node in nodes])
            asyncio.run(_soak(plan, place, postfix, nodes, seen))
    finally:
        place.close()
    if seen.faults:
        seen.faults.append(f"the files are in {folder}")
    else:
        shutil.rmtree(folder)
    return seen
