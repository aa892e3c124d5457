"""The soak in small: `python -m tests.soak` for a minute on a bucket, and on a folder with workers that share ports."""

import pytest

from tests.soak.plan import Plan
from tests.soak.soak import soak

pytestmark = pytest.mark.interop

MAILS, KILLS, MINUTES = 200, 10, 0.5
OUTBOX_SECONDS = 30.0


@pytest.mark.parametrize(("engine", "nodes", "workers"), [("cas", 3, 1), ("local", 2, 2)])
def test_nothing_is_lost_and_nothing_twice_when_processes_are_killed(engine: str, nodes: int, workers: int) -> None:
    plan = Plan(engine, nodes, MAILS, KILLS, MINUTES, seed=1, workers=workers, outbox_seconds=OUTBOX_SECONDS)
    seen = soak(plan)
    assert not seen.faults, "\n".join(seen.faults)
    assert sum(count for name, count in seen.counts.items() if name.startswith("kills of")) == KILLS
    assert seen.counts["answers after asking again"]
    assert seen.counts["promises kept"]
    assert seen.counts["mails held at the end"] >= MAILS
