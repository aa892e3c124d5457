"""The engine on an object store: any bucket that speaks S3 and keeps what it was given.

The four hot verbs (PUT, GET, LIST, DELETE) go over aiohttp, signed by botocore's own signer: aioboto3 costs several
times the CPU of a plain signed request.  It finds the credentials, makes the bucket, and carries multipart uploads.  No
condition, no lock and no copy is ever asked for: stores exist that accept a condition and ignore it.

How a request is made and repeated is in `s3/requests.py`, what of an answer is believed in `s3/answers.py`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from functools import partial

import aioboto3
import aiohttp
import structlog
from botocore.exceptions import BotoCoreError, ClientError

from storage.engine import (
    EngineError,
    EngineRefused,
    Entry,
    NotFound,
    Unavailable,
    check_key,
    check_prefix,
    check_range,
)
from storage.s3 import answers as answers
from storage.s3.answers import Answer
from storage.s3.bucket import Bucket
from storage.s3.requests import REQUESTS_MAX, Patience, Request, Requests
from storage.s3.uploads import PART_BYTES, Uploads
from storage.s3.xml import delete_document, entries_in, error_in, not_deleted_in

DELETE_KEYS_MAX = 1000
LIST_KEYS_MAX = 1000
_IDLE_SECONDS = 15.0
"""How long a connection rests: less than stores and proxies take to close it from their side."""
_log = structlog.get_logger(__name__)


class S3Engine:
    """One bucket (or a prefix of it) as an engine; one for the process."""

    list_page = LIST_KEYS_MAX

    def __init__(self, bucket: Bucket, http: aiohttp.ClientSession, patience: Patience) -> None:
        """Take *http*, which `close` closes; use `open`."""
        self._bucket, self._http = bucket, http
        session = aioboto3.Session(
            aws_access_key_id=bucket.access_key or None,
            aws_secret_access_key=bucket.secret_key or None,
            region_name=bucket.region,
        )
        self._requests = Requests(bucket, http, session, patience)
        self._uploads = Uploads(bucket, session, patience)

    @classmethod
    async def open(cls, bucket: Bucket, patience: Patience = Patience()) -> S3Engine:  # noqa: B008  # frozen
        """Connect, and make the bucket unless it is there.  Raises `EngineRefused` where that cannot be."""
        connector = aiohttp.TCPConnector(limit=REQUESTS_MAX, keepalive_timeout=_IDLE_SECONDS)
        http = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        engine = cls(bucket, http, patience)
        try:
            await engine._find_bucket()
        except (BotoCoreError, ClientError, OSError, EngineError) as error:
            await engine.close()
            raise EngineRefused(f"bucket {bucket.name} at {bucket.url}: {error}") from error
        return engine

    async def _find_bucket(self) -> None:
        def is_there(answer: Answer) -> bool:
            if answer.status == 404 and error_in(answer.content).code == "NoSuchBucket":
                return False
            entries_in(answers.text(answer), self._bucket.prefix, "", "", 1)  # or a login page would be a bucket
            return True

        query = {"list-type": "2", "max-keys": "1", "prefix": self._bucket.prefix}
        request = Request("GET", query=query, answer_bytes_max=answers.TEXT_BYTES_MAX)
        if not await self._requests.ask(request, is_there):
            await (await self._uploads.client()).create_bucket(Bucket=self._bucket.name)
        try:
            await self._uploads.abort_abandoned(self._requests)
        except Unavailable as error:  # a store may not list them
            _log.info("s3.uploads_not_listed", error=str(error))

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`.  A stream of more than `PART_BYTES` is a multipart upload."""
        check_key(key)
        if isinstance(data, bytes):
            await self._put(key, data)
            return
        parts = _parts(data)
        first = await anext(parts, b"")
        second = await anext(parts, None)
        if second is None:
            await self._put(key, first)
        else:
            await self._uploads.put(key, _chained(first, second, parts))

    async def _put(self, key: str, data: bytes) -> None:
        request = Request("PUT", key, body=data, answer_bytes_max=answers.TEXT_BYTES_MAX)
        await self._requests.ask(request, partial(answers.kept, data))

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        check_range(start, size)
        check_key(key)
        if not start and size is None:
            return await self._requests.ask(Request("GET", key), partial(answers.whole, key))
        if size == 0:  # nobody can be asked for no bytes, but for whether the object is there
            await self.get(key, 0, 1)
            return b""
        headers = {"Range": f"bytes={start}-" if size is None else f"bytes={start}-{start + size - 1}"}
        bytes_max = answers.OBJECT_BYTES_MAX if size is None else max(size, answers.TEXT_BYTES_MAX)
        request = Request("GET", key, headers=headers, answer_bytes_max=bytes_max)
        return await self._requests.ask(request, partial(answers.part, key, start, size))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`; as many requests, several at once."""
        waiting = iter([(place, check_key(key)) for place, key in enumerate(keys)])
        found: list[bytes | None] = [None] * len(keys)

        async def get_some() -> None:
            for place, key in waiting:
                try:
                    found[place] = await self.get(key)
                except NotFound:
                    continue

        # Not all at once: a request's time begins when it is made, and here it would wait behind the others'.
        getting = [asyncio.create_task(get_some()) for _ in range(min(len(keys), REQUESTS_MAX))]
        try:
            await asyncio.gather(*getting)
        finally:
            for task in getting:
                task.cancel()
        return found

    async def _page(self, prefix: str, after: str, wanted: int) -> tuple[list[Entry], bool]:
        own = self._bucket.prefix
        query = {"list-type": "2", "max-keys": str(wanted), "prefix": own + prefix}
        if after:
            query["start-after"] = own + after
        return await self._requests.ask(
            Request("GET", query=query, answer_bytes_max=answers.TEXT_BYTES_MAX),
            lambda answer: entries_in(answers.text(answer), own, prefix, after, wanted),
        )

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`; one request for each thousand."""
        check_prefix(prefix)
        check_prefix(start_after)
        if limit is not None:
            check_range(limit, None)
        found: list[Entry] = []
        after = start_after
        while limit is None or len(found) < limit:
            wanted = LIST_KEYS_MAX if limit is None else min(LIST_KEYS_MAX, limit - len(found))
            page, is_last = await self._page(prefix, after, wanted)
            found += page
            if is_last or not page:
                break
            after = page[-1].key
        return found

    async def delete(self, keys: Iterable[str]) -> None:
        """See `Engine.delete`; one request for each thousand keys."""
        wanted = [check_key(key) for key in keys]
        for start in range(0, len(wanted), DELETE_KEYS_MAX):
            part = wanted[start : start + DELETE_KEYS_MAX]
            if len(part) == 1:
                request = Request("DELETE", part[0], answer_bytes_max=answers.TEXT_BYTES_MAX)
                await self._requests.ask(request, answers.removed)
                continue
            body = delete_document(self._bucket.prefix + key for key in part)
            md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            request = Request("POST", None, {"delete": ""}, body, {"Content-MD5": md5}, answers.TEXT_BYTES_MAX)
            failed = await self._requests.ask(request, lambda answer: not_deleted_in(answers.text(answer)))
            if failed:
                raise Unavailable(f"{len(failed)} of {len(part)} were not deleted: {failed[0].code}")

    async def close(self) -> None:
        """See `Engine.close`."""
        self._requests.closed = True
        await self._uploads.close()
        await self._http.close()


async def _parts(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in parts of `PART_BYTES`, the last one shorter."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) > PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield bytes(held)


async def _chained(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for part in rest:
        yield part
