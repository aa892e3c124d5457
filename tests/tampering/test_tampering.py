"""Objects swapped, moved, cut, altered, rolled back, removed: refused and named, and nothing shown that never was.

A sample of all that may be done, the same every time; `python -m tests.tampering` does all of it.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from storage import paths
from storage.paths import Kind
from tests.tampering.kept import Kept, left
from tests.tampering.spoils import WAYS, Spoil, removed, rolled_back
from tests.tampering.verdict import faults, outcome_of

SEED = 20
SPOILS_A_WAY = 90
WHOLE = (removed, rolled_back)
"""Ways of which nothing is left out."""
KINDS = {Kind.LOG, Kind.CHECKPOINT, Kind.PAGE, Kind.BLOB, Kind.SLOT, Kind.RING, Kind.PUBLIC, Kind.SEEN, Kind.FEED}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    with ThreadPoolExecutor(1) as elsewhere:  # not in the loop of a test
        return elsewhere.submit(asyncio.run, left(tmp_path_factory.mktemp("site"))).result()


def test_the_store_has_one_of_everything(kept: Kept) -> None:
    assert {paths.parse(name).kind for name in kept.contents} >= KINDS
    assert {paths.parse(name).kind for name in kept.older} >= {Kind.LOG, Kind.CHECKPOINT, Kind.SLOT, Kind.SEEN}


async def test_a_store_that_nobody_touched_has_no_faults(kept: Kept) -> None:
    nothing = Spoil("nothing", {})
    found = await outcome_of(kept, nothing)
    assert found.said == []
    assert set(found.phone.values()) == {"1"}
    assert faults(kept, nothing, found) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_what_is_tampered_with_is_refused_and_named(
    kept: Kept, way: Callable[[Kept, Random], Iterator[Spoil]]
) -> None:
    spoils = list(way(kept, Random(SEED)))
    if way not in WHOLE:
        spoils = Random(SEED).sample(spoils, min(SPOILS_A_WAY, len(spoils)))
    wrong = []
    for spoil in spoils:
        found = await outcome_of(kept, spoil)
        wrong += [f"{spoil.names} {spoil.what}: {fault}" for fault in faults(kept, spoil, found)]
    assert not wrong, "\n".join(wrong)
