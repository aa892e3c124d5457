"""The engine on an object store: any bucket that speaks S3 and keeps what it was given.

The four hot verbs (PUT, GET, LIST, DELETE) go over aiohttp, signed by botocore's own signer: aioboto3 costs several
times the CPU of a plain signed request.  It finds the credentials and carries multipart uploads.  No condition, no lock
and no copy is ever asked for: stores exist that accept a condition and ignore it.

How a request is made, checked and repeated is in `s3_requests.py`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any
from xml.sax.saxutils import escape

import aioboto3
import aiohttp
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from lxml import etree

from storage.engine import (
    EngineRefused,
    Entry,
    NotFound,
    Unavailable,
    check_key,
    check_prefix,
    check_range,
)
from storage.s3_requests import REQUESTS_MAX, TIMEOUT, Bucket, Requests

PART_BYTES = 8 << 20
"""A stream of more than this is a multipart upload, of parts so long."""
DELETE_KEYS_MAX = 1000
LIST_KEYS_MAX = 1000


class S3Engine:
    """One bucket (or a prefix of it) as an engine; one for the process."""

    list_page = LIST_KEYS_MAX

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._stack = AsyncExitStack()
        self._requests: Requests

    @classmethod
    async def open(cls, bucket: Bucket) -> S3Engine:
        """Connect, and make the bucket unless it is there.  Raises `EngineRefused` where that cannot be."""
        engine = cls(bucket)
        try:
            await engine._open()
        except (BotoCoreError, ClientError, OSError) as error:
            await engine.close()
            raise EngineRefused(f"bucket {bucket.name} at {bucket.url}: {error}") from error
        return engine

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(limit=REQUESTS_MAX)
        http = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False)
        )
        session = aioboto3.Session(
            aws_access_key_id=self._bucket.access_key or None,
            aws_secret_access_key=self._bucket.secret_key or None,
            region_name=self._bucket.region,
        )
        self._requests = Requests(self._bucket, http, session)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 4})
        self._boto: Any = await self._stack.enter_async_context(
            session.client("s3", endpoint_url=self._bucket.url, config=config)
        )
        try:
            await self._boto.head_bucket(Bucket=self._bucket.name)
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) not in ("404", "NoSuchBucket"):
                raise
            await self._boto.create_bucket(Bucket=self._bucket.name)

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`."""
        check_key(key)
        if isinstance(data, bytes):
            await self._requests.ask("PUT", key, body=data)
            return
        parts = _parts(data)
        first = await anext(parts, b"")
        second = await anext(parts, None)
        if second is None:
            await self._requests.ask("PUT", key, body=first)
        else:
            await self._put_parts(key, _chained(first, second, parts))

    async def _put_parts(self, key: str, parts: AsyncIterator[bytes]) -> None:
        place: dict[str, Any] = {"Bucket": self._bucket.name, "Key": self._bucket.prefix + key}
        try:
            upload = await self._boto.create_multipart_upload(**place)
            place["UploadId"] = upload["UploadId"]
            try:
                done: Any = []
                async for part in parts:
                    number = len(done) + 1
                    answer = await self._boto.upload_part(**place, PartNumber=number, Body=part)
                    done.append({"PartNumber": number, "ETag": answer["ETag"]})
                await self._boto.complete_multipart_upload(**place, MultipartUpload={"Parts": done})
            except BaseException:
                await asyncio.shield(self._boto.abort_multipart_upload(**place))
                raise
        except (BotoCoreError, ClientError, OSError) as error:
            raise Unavailable(f"{key}: {error}") from error

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        check_range(start, size)
        check_key(key)
        if size == 0:
            return (await self._requests.ask("HEAD", key)) and b""
        headers = {}
        if start or size is not None:
            headers["Range"] = f"bytes={start}-" if size is None else f"bytes={start}-{start + size - 1}"
        return await self._requests.ask("GET", key, headers=headers)

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`; as many requests, several at once."""
        for key in keys:
            check_key(key)
        return list(await asyncio.gather(*map(self._get_or_none, keys)))

    async def _get_or_none(self, key: str) -> bytes | None:
        try:
            return await self.get(key)
        except NotFound:
            return None

    async def _page(self, prefix: str, after: str, wanted: int) -> tuple[list[Entry], bool]:
        own = self._bucket.prefix
        query = {"list-type": "2", "max-keys": str(wanted), "prefix": own + prefix}
        if after:
            query["start-after"] = own + after
        root = etree.fromstring(await self._requests.ask("GET", None, query=query), _parser())
        entries = [
            Entry((_text(found, "Key") or "")[len(own) :], int(_text(found, "Size") or 0))
            for found in root.findall("{*}Contents")
        ]
        return entries, (_text(root, "IsTruncated") or "false") != "true"

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
                await self._requests.ask("DELETE", part[0])
                continue
            names = "".join(f"<Object><Key>{escape(self._bucket.prefix + key)}</Key></Object>" for key in part)
            body = (
                f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{names}</Delete>'.encode()
            )
            md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            answer = await self._requests.ask(
                "POST", None, query={"delete": ""}, body=body, headers={"Content-MD5": md5}
            )
            failed = etree.fromstring(answer, _parser()).findall("{*}Error") if answer else []
            if failed:
                raise Unavailable(f"{len(failed)} of {len(part)} were not deleted: {_text(failed[0], 'Code')}")

    async def close(self) -> None:
        """See `Engine.close`."""
        self._requests.closed = True
        await self._stack.aclose()


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


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def _text(root: Any, name: str) -> str | None:
    found = root.find(f"{{*}}{name}")
    return None if found is None else found.text
