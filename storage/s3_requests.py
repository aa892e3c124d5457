"""Requests to an object store: signed, checked, and repeated while a failure may pass.

Whatever is asked here may be asked again with the same arguments (law 6 of `engine.py`), so what fails for the moment
is tried again with growing, jittered pauses; then `Unavailable` says that the outcome is unknown.  Bodies are checked
both ways: the store refuses a PUT whose SHA-256 is not the signed one, and an answer that is shorter than it says, or
whose MD5 is not its ETag, is asked for again.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from yarl import URL

from storage.engine import NotFound, Unavailable

REQUESTS_MAX = 32
"""Requests under way at once."""
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

    @property
    def url(self) -> str:
        """Whom to ask."""
        return (self.endpoint or f"https://s3.{self.region}.amazonaws.com").rstrip("/")


class Requests:
    """Asks for the objects of one bucket; *session* is aioboto3's, which knows the credentials."""

    def __init__(self, bucket: Bucket, http: aiohttp.ClientSession, session: Any) -> None:
        self._bucket, self._url, self._http, self._session = bucket, bucket.url, http, session
        self._slots = asyncio.Semaphore(REQUESTS_MAX)
        self._credentials: ReadOnlyCredentials | None = None
        self._credentials_due = 0.0
        self.closed = False

    async def ask(
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
            if self.closed:
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
