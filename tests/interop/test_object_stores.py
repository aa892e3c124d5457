"""Our engine beside aioboto3's own client on real object stores; and what a store's death in mid-work leaves."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from storage.engine import Engine, EngineError, NotFound, Unavailable
from storage.engine_s3 import S3Engine
from storage.s3.requests import Patience
from storage.s3.uploads import PART_BYTES
from tests.support.boto_engine import BotoEngine, boto_client
from tests.support.engines import KINDS, LANES, place_in
from tests.support.object_store import ObjectStore
from tests.support.rclone import Rclone
from tests.support.seaweed import Seaweed

SIZES = [0, 1, 200, 70_000, 1_000_000]
LARGE = 2 * PART_BYTES + 12_345
WORKERS = 8
PUTS_EACH = 40
CRASHES = 2
HASTE = Patience(pauses_seconds=(0.01, 0.1))


@cache
def content(size: int, seed: int = 0) -> bytes:
    return Random(f"{size} {seed}").randbytes(size)


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 20):
        yield data[start : start + (1 << 20)]


@pytest.mark.parametrize("lane", LANES)
async def test_what_one_path_writes_the_other_reads(lane: str, tmp_path: Path) -> None:
    bucket = await place_in(KINDS[lane], tmp_path)
    ours = await S3Engine.open(bucket)
    async with boto_client(bucket) as client:
        theirs = BotoEngine(bucket, client)
        engines: list[tuple[str, Engine]] = [("ours", ours), ("theirs", theirs)]
        for name, engine in engines:
            for size in SIZES:
                await engine.put(f"{name}/{size:09}", content(size))
            await engine.put(f"{name}/{LARGE:09}", stream(content(LARGE)))
        for _, engine in engines:
            for name, _ in engines:
                for size in [*SIZES, LARGE]:
                    key = f"{name}/{size:09}"
                    assert await engine.get(key) == content(size)
                    for start, length in [(0, 10), (size // 2, 10), (size - 3, 10), (size, 1), (size // 2, None)]:
                        if start >= 0:
                            expected = content(size)[start : None if length is None else start + length]
                            assert await engine.get(key, start, length) == expected
        for prefix, after, limit in [("", "", None), ("ours/", "ours/000000200", None), ("", "ours/000000200", 5)]:
            assert await ours.list(prefix, after, limit) == await theirs.list(prefix, after, limit)
        await ours.delete([entry.key for entry in await theirs.list("theirs/")])
        await theirs.delete([entry.key for entry in await ours.list("")])
        assert await ours.list("") == await theirs.list("") == []
    await ours.close()


@pytest.mark.parametrize("lane", LANES)
async def test_uploads_that_a_dead_process_left_are_aborted_once_they_are_old(lane: str, tmp_path: Path) -> None:
    bucket = await place_in(KINDS[lane], tmp_path)
    engine = await S3Engine.open(bucket)
    await engine.put("kept", stream(content(LARGE)))
    async with boto_client(bucket) as client:
        place: dict[str, Any] = {"Bucket": bucket.name, "Key": f"{bucket.prefix}half"}
        upload = await client.create_multipart_upload(**place)
        await client.upload_part(**place, UploadId=upload["UploadId"], PartNumber=1, Body=bytes(PART_BYTES))
        await (await S3Engine.open(bucket)).close()  # somebody starts meanwhile
        any_age = timedelta(seconds=-5)  # times in answers are cut to seconds
        assert await engine._uploads.abort_abandoned(engine._requests, any_age) == 1
        with pytest.raises(client.exceptions.NoSuchUpload):
            await client.upload_part(**place, UploadId=upload["UploadId"], PartNumber=2, Body=b"more")
    assert [entry.key for entry in await engine.list("")] == ["kept"]
    await engine.close()


@pytest.fixture(params=[Seaweed, Rclone])
def own_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    store: ObjectStore = request.param(tmp_path)
    yield store
    store.stop(kill=True)


@pytest.mark.interop
async def test_a_store_that_is_killed_and_started_again_has_lost_nothing_that_was_acknowledged(
    own_store: ObjectStore,
) -> None:
    engine = await S3Engine.open(own_store.bucket())
    outcomes: Counter[str] = Counter()
    acknowledged: dict[str, bytes] = {}
    removed: set[str] = set()

    async def work(worker: int) -> None:
        random = Random(worker)
        for n in range(PUTS_EACH):
            key, data = f"w{worker}/{n:04}", content(random.choice([50, 5_000, 300_000]), n)
            await asyncio.sleep(random.random() * 0.1)
            try:
                await engine.put(key, data)
                acknowledged[key] = data
                outcomes["put"] += 1
                before = f"w{worker}/{n - 5:04}"
                if n % 7 == 6 and acknowledged.pop(before, None) is not None:
                    await engine.delete([before])
                    removed.add(before)
                seen = random.choice(sorted(acknowledged))
                expected = acknowledged[seen]
                if seen.startswith(f"w{worker}/"):  # what others have, they may remove
                    assert await engine.get(seen) == expected
                assert {entry.key for entry in await engine.list(f"w{worker}/")} >= _of(worker, acknowledged)
            except Unavailable:
                outcomes["unavailable"] += 1

    async def crash() -> None:
        for _ in range(CRASHES):
            await asyncio.sleep(1)
            await asyncio.to_thread(own_store.stop, kill=True)
            await asyncio.to_thread(own_store.start)
            outcomes["crash"] += 1

    await asyncio.gather(crash(), *map(work, range(WORKERS)))
    assert outcomes["crash"] == CRASHES
    assert outcomes["put"] > WORKERS * PUTS_EACH // 2
    after = await S3Engine.open(own_store.bucket())
    for key, data in acknowledged.items():
        assert await after.get(key) == data
    for key in removed:
        with pytest.raises(NotFound):
            await after.get(key)
    listed = {entry.key for entry in await after.list("")}
    assert listed >= acknowledged.keys()
    assert not listed & removed
    for one in (engine, after):
        await one.close()


def _of(worker: int, keys: dict[str, bytes]) -> set[str]:
    return {key for key in keys if key.startswith(f"w{worker}/")}


@pytest.mark.interop
async def test_while_a_store_is_away_every_verb_says_so_and_none_says_not_found(own_store: ObjectStore) -> None:
    engine = await S3Engine.open(own_store.bucket(), HASTE)
    await engine.put("a/1", b"data")
    await asyncio.to_thread(own_store.stop, kill=True)
    calls = [engine.put("a/2", b""), engine.get("a/1"), engine.get_many(["a/1", "a/9"]), engine.list("a/")]
    for outcome in await asyncio.gather(*calls, engine.delete(["a/1"]), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    with pytest.raises(EngineError):
        await S3Engine.open(own_store.bucket(), HASTE)
    await asyncio.to_thread(own_store.start)
    assert await engine.get_many(["a/1", "a/9"]) == [b"data", None]
    await engine.close()
