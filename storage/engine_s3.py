"""The engine on an object store: any bucket that speaks S3 and keeps what it was given.

The four hot verbs (PUT, GET, LIST, DELETE) go over aiohttp, signed by botocore's own signer: aioboto3 costs several
times the CPU of a plain signed request.  It finds the credentials and carries multipart uploads.  No condition, no lock
and no copy is ever asked for: stores exist that accept a condition and ignore it.

Every verb may be repeated with the same arguments (law 6), so what fails for the moment is tried again with growing,
jittered pauses; then `Unavailable` says that the outcome is unknown.  Bodies are checked both ways: the store refuses a
PUT whose SHA-256 is not the signed one, and an answer that is shorter than it says, or whose MD5 is not its ETag, is
asked for again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import aioboto3
import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from lxml import etree
from yarl import URL

from storage.engine import (
    EngineRefused,
    Entry,
    NotFound,
    Unavailable,
    check_key,
    check_prefix,
    check_range,
)

PART_BYTES = 8 << 20
"""A stream of more than this is a multipart upload, of parts so long."""
REQUESTS_MAX = 32
"""Requests under way at once."""
DELETE_KEYS_MAX = 1000
LIST_KEYS_MAX = 1000
ANSWER_BYTES_MAX = 64 << 20
TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
PAUSES_SECONDS = (0.1, 0.4, 1.5, 4.0)
CREDENTIALS_SECONDS = 300.0

_PASSING = {408, 429, 500, 502, 503, 504}
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the store lies.  *endpoint* "": AWS itself; keys "": found as AWS's own tools find them."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: str, **rest: str) -> Bucket:
        """Return the bucket that `s3://BUCKET/PREFIX` names.  Raises ValueError."""
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError(f"not of the form s3://BUCKET/PREFIX: {address!r}")
        prefix = (match[2] or "").strip("/")
        return cls(match[1], f"{prefix}/" if prefix else "", **rest)


class S3Engine:
    """One bucket (or a prefix of it) as an engine; one for the process."""

    list_page = LIST_KEYS_MAX

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._url = (bucket.endpoint or f"https://s3.{bucket.region}.amazonaws.com").rstrip("/")
        self._stack = AsyncExitStack()
        self._slots = asyncio.Semaphore(REQUESTS_MAX)
        self._credentials: ReadOnlyCredentials | None = None
        self._credentials_due = 0.0
        self._closed = False

    @classmethod
    async def open(cls, bucket: Bucket) -> S3Engine:
        """Connect, and make the bucket unless it is there.  Raises `EngineRefused` where that cannot be."""
        engine = cls(bucket)
        try:
            await engine._open()
        except (BotoCoreError, ClientError, OSError) as error:
            await engine.close()
            raise EngineRefused(f"bucket {bucket.name} at {engine._url}: {error}") from error
        return engine

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(limit=REQUESTS_MAX)
        self._http = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, auto_decompress=False)
        )
        self._session = aioboto3.Session(
            aws_access_key_id=self._bucket.access_key or None,
            aws_secret_access_key=self._bucket.secret_key or None,
            region_name=self._bucket.region,
        )
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 4})
        self._boto: Any = await self._stack.enter_async_context(
            self._session.client("s3", endpoint_url=self._url, config=config)
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
            await self._request("PUT", key, body=data)
            return
        parts = _parts(data)
        first = await anext(parts, b"")
        second = await anext(parts, None)
        if second is None:
            await self._request("PUT", key, body=first)
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
            return (await self._request("HEAD", key)) and b""
        headers = {}
        if start or size is not None:
            headers["Range"] = f"bytes={start}-" if size is None else f"bytes={start}-{start + size - 1}"
        return await self._request("GET", key, headers=headers)

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
        root = etree.fromstring(await self._request("GET", None, query=query), _parser())
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
                await self._request("DELETE", part[0])
                continue
            names = "".join(f"<Object><Key>{escape(self._bucket.prefix + key)}</Key></Object>" for key in part)
            body = (
                f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{names}</Delete>'.encode()
            )
            md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            answer = await self._request("POST", None, query={"delete": ""}, body=body, headers={"Content-MD5": md5})
            failed = etree.fromstring(answer, _parser()).findall("{*}Error") if answer else []
            if failed:
                raise Unavailable(f"{len(failed)} of {len(part)} were not deleted: {_text(failed[0], 'Code')}")

    async def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        await self._stack.aclose()

    # -- one request

    async def _request(
        self,
        method: str,
        key: str | None,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Ask, again if need be, and return the answer's body.  Raises `NotFound`, `Unavailable`."""
        last = "closed"
        for pause in (*PAUSES_SECONDS, None):
            if self._closed:
                break
            try:
                async with self._slots:
                    return await self._once(method, key, query or {}, body, headers or {})
            except (aiohttp.ClientError, TimeoutError, OSError, _Passing) as error:
                last = repr(error)
            if pause is not None:
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311  # jitter, no secret
        raise Unavailable(f"{method} {key or ''}: {last}")

    async def _once(
        self, method: str, key: str | None, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> bytes:
        url = f"{self._url}/{self._bucket.name}"
        if key is not None:
            url += "/" + quote(self._bucket.prefix + key, safe="/-_.~")
        if query:
            url += "?" + urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        request = AWSRequest(method, url, dict(headers), body)
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        S3SigV4Auth(await self._fresh_credentials(), "s3", self._bucket.region).add_auth(request)
        # The URL goes out as it was signed: nothing may be quoted again.
        async with self._http.request(
            method, URL(url, encoded=True), data=body or None, headers=dict(request.headers), allow_redirects=False
        ) as answer:
            return await self._checked(answer, method, key)

    async def _checked(self, answer: aiohttp.ClientResponse, method: str, key: str | None) -> bytes:
        if answer.status == 416:  # a range that begins past the end holds nothing
            return b""
        if answer.status == 404 and key is not None:
            if method == "DELETE":
                return b""
            raise NotFound(key)
        content = await answer.read()
        if answer.status in _PASSING:
            raise _Passing(f"{answer.status} {content[:200]!r}")
        if answer.status >= 300:
            raise Unavailable(f"{method} {key or ''}: {answer.status} {content[:200]!r}")
        if method == "GET" and key is not None and answer.status == 200:
            tag = _MD5.fullmatch(answer.headers.get("ETag", ""))
            if tag and hashlib.md5(content, usedforsecurity=False).hexdigest() != tag[1]:
                raise _Passing("the body is not what its ETag says")
        return content

    async def _fresh_credentials(self) -> ReadOnlyCredentials:
        now = asyncio.get_running_loop().time()
        if self._credentials is None or now >= self._credentials_due:
            found: Any = await self._session.get_credentials()
            if found is None:
                raise Unavailable("no credentials: set them in the configuration or as AWS's tools do")
            self._credentials = await found.get_frozen_credentials()
            self._credentials_due = now + CREDENTIALS_SECONDS
        assert self._credentials is not None  # noqa: S101
        return self._credentials


class _Passing(Exception):
    """An answer that may be another one in a moment."""


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
