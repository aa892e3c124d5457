"""One seed, from the empty store to the last law."""

import traceback
from dataclasses import dataclass
from random import Random

from tests.simulation import laws, loop
from tests.simulation.chance import chance
from tests.simulation.history import LawBroken
from tests.simulation.noise import Noise
from tests.simulation.world import World

STEPS = 100
SEALED_EVERY = 10
"""Of so many seeds one uses real cryptography."""


@dataclass(frozen=True)
class Result:
    """What became of a seed."""

    seed: int
    digest: str
    """Of the whole history: a replay has the same."""
    broken: str | None = None
    told: str = ""


def run(seed: int, steps: int = STEPS) -> Result:
    """Run one history."""
    random = Random(seed)
    with chance(random, is_sealed=seed % SEALED_EVERY == 0), Noise() as noise:
        world = World(random)
        broken: str | None = None
        try:
            loop.run(_history(world, steps, noise))
        except LawBroken as error:
            broken = f"seed {seed}, step {world.history.step}: {error}"
        except Exception:
            broken = f"seed {seed}, step {world.history.step}: {traceback.format_exc()}"
    told = "" if broken is None else f"{world.history.told(broken)}\n{broken}"
    return Result(seed, world.history.digest, broken, told)


async def _history(world: World, steps: int, noise: Noise) -> None:
    await world.open()
    noise.complain = world.history.broken
    await world.live(steps)
    await world.rest()
    await laws.check_all(world)
