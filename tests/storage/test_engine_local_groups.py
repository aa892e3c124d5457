"""The local engine under load: what waits at the same time becomes durable by one wait for the disk."""

import asyncio
from pathlib import Path

import pytest

from storage.engine_local import LocalEngine
from storage.local.committer import GROUP_CHANGES_MAX, Change, Committer
from storage.local.folder import Gate

RECORDS = 96


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many changes each commit had; a commit is one wait for the disk."""
    sizes: list[int] = []
    commit = Committer._commit

    def counted(committer: Committer, group: list[Change]) -> None:
        commit(committer, group)
        sizes.append(len(group))

    monkeypatch.setattr(Committer, "_commit", counted)
    return sizes


async def test_what_came_while_another_process_wrote_is_one_commit(tmp_path: Path, groups: list[int]) -> None:
    engine = await LocalEngine.open(tmp_path)
    gate = Gate(tmp_path)
    with gate:
        puts = [asyncio.ensure_future(engine.put(f"k/{n:05}", b"data")) for n in range(GROUP_CHANGES_MAX)]
        await asyncio.sleep(0)  # all are in the queue; the first of them may wait at the gate alone
    await asyncio.gather(*puts)
    assert len(groups) <= 2
    assert sum(groups) == GROUP_CHANGES_MAX
    gate.close()
    await engine.close()


@pytest.mark.parametrize(("putters", "share"), [(1, 1.0), (8, 0.5), (32, 0.25)])
async def test_waits_for_the_disk_become_fewer_the_more_put_at_once(
    tmp_path: Path, groups: list[int], putters: int, share: float
) -> None:
    """*share* of as many waits as records; the queue alone would give one in as many as there are putters."""
    engine = await LocalEngine.open(tmp_path)

    async def put(putter: int) -> None:
        for n in range(RECORDS // putters):
            await engine.put(f"k/{putter}/{n}", b"data")

    await asyncio.gather(*map(put, range(putters)))
    assert sum(groups) == RECORDS
    assert len(groups) <= share * RECORDS
    await engine.close()
