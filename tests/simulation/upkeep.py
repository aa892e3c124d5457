"""What a node does by itself: checkpoints, collections, letting go of what it holds in memory."""

from random import Random

from storage.collecting import collector
from storage.engine import EngineError
from tests.simulation.history import History
from tests.simulation.node import Down, Node

GRACE = collector.GRACE


async def something(node: Node, random: Random, history: History) -> None:
    """Do one thing of these, as housekeeping would: alone or while others do the same."""
    work = random.choice([look, checkpoint, checkpoint, shed, collect, collect, collect_log])
    history.say(f"{node.name}: {work.__name__}")
    try:
        await node.serve(work)
    except Down:
        return
    except (EngineError, TimeoutError) as error:
        history.say(f"{node.name}: {work.__name__}: {type(error).__name__}")


async def look(node: Node) -> None:
    """Fold what there is."""
    async with node.account.turn():
        pass


async def checkpoint(node: Node) -> None:
    """Write a checkpoint."""
    await node.account.checkpoint()


async def shed(node: Node) -> None:
    """Let go of the state."""
    node.account.shed()


async def collect(node: Node) -> None:
    """Pass over everything."""
    await collector.collect(node.engine, node.account, node.now_ms(), grace=GRACE)


async def collect_log(node: Node) -> None:
    """Pass over the log alone, as is done more often."""
    await collector.collect(node.engine, node.account, node.now_ms(), is_deep=False, grace=GRACE)
