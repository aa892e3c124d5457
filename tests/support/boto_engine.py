"""The reference path to an object store: the same verbs as `S3Engine`, all by aioboto3, as its makers meant them.

It is slow and careless of time; what it and the real engine say about one bucket must be the same.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.engine import Entry, NotFound, Unavailable, check_key, check_prefix, check_range
from storage.s3.bucket import Bucket

_GONE = {"NoSuchKey", "404"}


class BotoEngine:
    """One prefix of a bucket, as an engine."""

    list_page = 1000

    def __init__(self, bucket: Bucket, client: Any) -> None:
        self._name, self._own, self._client = bucket.name, bucket.prefix, client
        self._is_closed = False

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        check_key(key)
        if not isinstance(data, bytes):
            data = b"".join([piece async for piece in data])
        async with self._errors(key) as place:
            await self._client.put_object(**place, Body=data)

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        check_range(start, size)
        check_key(key)
        wanted: dict[str, str] = {}
        if start or size:
            wanted["Range"] = f"bytes={start}-" if size is None else f"bytes={start}-{start + size - 1}"
        try:
            async with self._errors(key) as place:
                answer = await self._client.get_object(**place, **wanted)
                content: bytes = await answer["Body"].read()
                return content if size != 0 else b""
        except _OutOfRange:
            return b""

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [await self._get_or_none(key) for key in keys]

    async def _get_or_none(self, key: str) -> bytes | None:
        try:
            return await self.get(key)
        except NotFound:
            return None

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        check_prefix(prefix)
        check_prefix(start_after)
        check_range(limit or 0, None)
        found: list[Entry] = []
        wanted: dict[str, Any] = {"Bucket": self._name, "Prefix": self._own + prefix}
        if start_after:
            wanted["StartAfter"] = self._own + start_after
        async with self._errors(""):
            async for page in self._client.get_paginator("list_objects_v2").paginate(**wanted):
                found += [Entry(o["Key"].removeprefix(self._own), o["Size"]) for o in page.get("Contents", ())]
        return found[:limit]

    async def delete(self, keys: Iterable[str]) -> None:
        names = [{"Key": self._own + check_key(key)} for key in keys]
        async with self._errors(""):
            for start in range(0, len(names), self.list_page):
                part = {"Objects": names[start : start + self.list_page], "Quiet": True}
                await self._client.delete_objects(Bucket=self._name, Delete=part)

    async def close(self) -> None:
        self._is_closed = True

    @asynccontextmanager
    async def _errors(self, key: str) -> AsyncIterator[dict[str, str]]:
        if self._is_closed:
            raise Unavailable("closed")
        try:
            yield {"Bucket": self._name, "Key": self._own + key}
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _GONE:
                raise NotFound(key) from error
            if code == "InvalidRange":
                raise _OutOfRange from error
            raise Unavailable(f"{key}: {error}") from error
        except (BotoCoreError, OSError) as error:
            raise Unavailable(f"{key}: {error}") from error


class _OutOfRange(Exception):
    """The range begins behind the end."""


@asynccontextmanager
async def boto_client(bucket: Bucket) -> AsyncIterator[Any]:
    """Connect to the bucket's store; the bucket must be there."""
    session = aioboto3.Session(
        aws_access_key_id=bucket.access_key, aws_secret_access_key=bucket.secret_key, region_name=bucket.region
    )
    # rclone sends the checksum of the whole with a part of it.
    config = Config(
        s3={"addressing_style": "path"}, max_pool_connections=50, response_checksum_validation="when_required"
    )
    async with session.client("s3", endpoint_url=bucket.url, config=config) as client:
        yield client
