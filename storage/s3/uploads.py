"""Large objects on an object store: multipart uploads, by aioboto3; and what is left of those that did not end.

An upload is nothing until it is completed, and then the whole object at once.  Where the outcome of completing it stays
unknown, the object that is there tells: its ETag is made of all parts.  What fails is aborted; what a dead process left
is aborted by whoever starts a day later, or the store would keep, and bill, its parts for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.engine import Unavailable
from storage.s3.answers import TEXT_BYTES_MAX, Answer, Passing, md5_hex, text
from storage.s3.bucket import Bucket
from storage.s3.requests import BYTES_A_SECOND_MIN, Patience, Request, Requests
from storage.s3.xml import Upload, uploads_in

PART_BYTES = 8 << 20
"""Stores want 5 MiB at least.  One is held in memory for each upload under way."""
ABANDONED = timedelta(days=1)
"""Nobody is still at an upload of this age: what a record names was begun an hour before it at most."""

_log = structlog.get_logger(__name__)


class Uploads:
    """Multipart uploads into one bucket.  Most processes never make one: the client is made when it is needed."""

    def __init__(self, bucket: Bucket, session: Any, patience: Patience) -> None:
        self._bucket, self._session, self._patience = bucket, session, patience
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._client: Any = None
        self.closed = False

    async def put(self, key: str, parts: AsyncIterator[bytes]) -> None:
        """Store what *parts* yields, each of `PART_BYTES`, the last of no more; one at a time.

        Raises `Unavailable`, and what *parts* raises.
        """
        client = await self.client()
        place = {"Bucket": self._bucket.name, "Key": self._bucket.prefix + key}
        upload = await self._asked(client.create_multipart_upload(**place))
        place["UploadId"] = upload["UploadId"]
        try:
            await self._put_parts(client, place, parts)
        except BaseException:
            await asyncio.shield(self._abort(place))
            raise

    async def _put_parts(self, client: Any, place: dict[str, str], parts: AsyncIterator[bytes]) -> None:
        tags: list[str] = []
        content = hashlib.md5(usedforsecurity=False)
        async for part in parts:
            content.update(part)
            answer = await self._asked(client.upload_part(**place, PartNumber=len(tags) + 1, Body=part), len(part))
            tags.append(str(answer["ETag"]))
            if Answer(200, answer["ResponseMetadata"]["HTTPHeaders"], b"").md5 not in (None, md5_hex(part)):
                raise Unavailable(f"{place['Key']}: part {len(tags)} is not what its ETag says")
        numbers = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
        try:
            await self._asked(client.complete_multipart_upload(**place, MultipartUpload={"Parts": numbers}))
        except Unavailable as error:  # told twice, it would say that there is no such upload
            found = await self._asked(client.head_object(Bucket=place["Bucket"], Key=place["Key"]))
            if found["ETag"].strip('"') not in (_joined(tags), content.hexdigest()):
                raise
            _log.info("s3.completed_after_all", key=place["Key"], error=str(error))

    async def _abort(self, place: dict[str, str]) -> None:
        try:
            await self._asked((await self.client()).abort_multipart_upload(**place))
        except Unavailable as error:
            _log.info("s3.not_aborted", key=place["Key"], error=str(error))

    async def _asked(self, call: Awaitable[Any], size: int = 0) -> Any:
        """Await what carries *size* bytes.  Raises `Unavailable`: what aioboto3 could repeat it has repeated."""
        try:
            async with asyncio.timeout(self._patience.ask_seconds + size / BYTES_A_SECOND_MIN):
                return await call
        except (BotoCoreError, ClientError, OSError) as error:
            raise Unavailable(repr(error)) from error

    async def client(self) -> Any:
        """Return aioboto3's client for the bucket's store.  Raises `Unavailable` once it was closed."""
        async with self._lock:
            if self.closed:
                raise Unavailable("closed")
            if self._client is None:
                config = Config(
                    s3={"addressing_style": "path", "payload_signing_enabled": True},
                    retries={"mode": "standard", "max_attempts": 1 + len(self._patience.pauses_seconds)},
                    connect_timeout=self._patience.connect_seconds,
                    read_timeout=self._patience.silence_seconds + PART_BYTES / BYTES_A_SECOND_MIN,
                    request_checksum_calculation="when_required",  # signed bodies need none, and old stores know none
                    response_checksum_validation="when_required",
                )
                client = self._session.client("s3", endpoint_url=self._bucket.url, config=config)
                self._client = await self._stack.enter_async_context(client)
            return self._client

    async def abort_abandoned(self, requests: Requests, age: timedelta = ABANDONED) -> int:
        """Abort the uploads that are older than *age* by the store's own clock; return how many.  One request if none.

        Raises `Unavailable`.
        """
        query = {"uploads": "", "prefix": self._bucket.prefix}
        request = Request("GET", None, query=query, answer_bytes_max=TEXT_BYTES_MAX)
        old = await requests.ask(request, lambda answer: _begun_before(answer, age))
        for upload in old:
            if upload.key.startswith(self._bucket.prefix):
                await self._abort({"Bucket": self._bucket.name, "Key": upload.key, "UploadId": upload.upload_id})
        return len(old)

    async def close(self) -> None:
        """Let go of the client."""
        self.closed = True
        await self._stack.aclose()


def _begun_before(answer: Answer, age: timedelta) -> list[Upload]:
    uploads = uploads_in(text(answer))
    try:
        now = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError as error:
        raise Passing("an answer without a date") from error
    return [upload for upload in uploads if now - upload.begun >= age]


def _joined(tags: list[str]) -> str | None:
    """Return the ETag of an object made of parts with these *tags*, as Amazon and most others form it."""
    try:
        digests = b"".join(bytes.fromhex(tag.strip('"')) for tag in tags)
    except ValueError:
        return None
    return f"{md5_hex(digests)}-{len(tags)}"
