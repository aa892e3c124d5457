"""Requests to an object store: signed, within bounds of time and memory, and repeated while a failure may pass.

Whatever is asked here may be asked again with the same arguments (law 6 of `engine.py`), so what fails for the moment
is tried again with growing, jittered pauses; then `Unavailable` says that the outcome is unknown.

*Time.*  A store that accepts connections and says nothing is given up after `ask_seconds`, whatever was tried until
then and however long the request waited for its turn.  A commit is put four times at most (`log.RETRY_SECONDS`): a
little over a minute, which a phone's request and a mail server's connection outlast; a Sync begins with a listing, and
so is refused after `ask_seconds`.  Long contents get the time that a slow line needs besides.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from yarl import URL

from storage.engine import Unavailable
from storage.s3.answers import OBJECT_BYTES_MAX, Answer, Passing, StaleCredentials
from storage.s3.bucket import Bucket
from storage.s3.xml import UnexpectedAnswer

REQUESTS_MAX = 32
"""Requests under way at once."""
BYTES_A_SECOND_MIN = 256 << 10
"""What the line to the store is believed to carry at least."""
CREDENTIALS_SECONDS = 300.0

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the store is waited for, and how often it is asked again."""

    connect_seconds: float = 3.0
    silence_seconds: float = 6.0
    """Without a byte, while an answer is due."""
    ask_seconds: float = 16.0
    """For everything that belongs to one request: waiting for its turn, tries and pauses."""
    pauses_seconds: tuple[float, ...] = (0.1, 0.4, 1.5, 4.0)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: of an object, or (key None) of the bucket."""

    method: str
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_bytes_max: int = OBJECT_BYTES_MAX

    @property
    def name(self) -> str:
        """What logs and errors call it."""
        return f"{self.method} {self.key if self.key is not None else '?' + '&'.join(self.query)}"


class Requests:
    """Asks for the objects of one bucket; *session* is aioboto3's, which knows the credentials."""

    def __init__(self, bucket: Bucket, http: aiohttp.ClientSession, session: Any, patience: Patience) -> None:
        self._bucket, self._url, self._http, self._session = bucket, bucket.url, http, session
        self._patience = patience
        self._slots = asyncio.Semaphore(REQUESTS_MAX)
        self._credentials: ReadOnlyCredentials | None = None
        self._credentials_due = 0.0
        self._credentials_lock = asyncio.Lock()
        self.closed = False

    async def ask(self, request: Request, read: Callable[[Answer], T]) -> T:
        """Ask, again if need be, and return what *read* makes of the answer.

        *read* raises `Passing` or `UnexpectedAnswer` for an answer that is not to be believed: it is asked for again.
        Raises what else *read* raises, and `Unavailable`.
        """
        last = "closed"
        try:
            async with asyncio.timeout(self._patience.ask_seconds + _seconds(len(request.body))) as limit:
                for pause in (*self._patience.pauses_seconds, None):
                    if self.closed:
                        break
                    try:
                        async with self._slots:
                            answer = await self._once(request, limit)
                        return read(answer)
                    except StaleCredentials as error:
                        last, self._credentials_due = str(error), 0.0
                    except (Passing, UnexpectedAnswer) as error:
                        last = str(error)
                    except (aiohttp.ClientError, TimeoutError, OSError) as error:
                        last = repr(error)
                    if pause is not None:
                        _log.info("s3.again", request=request.name, error=last)
                        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311  # jitter, no secret
        except TimeoutError as error:
            raise Unavailable(f"{request.name}: no end within the time for it; {last}") from error
        except Unavailable as error:
            raise Unavailable(f"{request.name}: {error}") from error
        raise Unavailable(f"{request.name}: {last}")

    async def _once(self, request: Request, limit: asyncio.Timeout) -> Answer:
        url = f"{self._url}/{self._bucket.name}"
        if request.key is not None:
            url += "/" + quote(self._bucket.prefix + request.key, safe="/-_.~")
        if request.query:
            url += "?" + urlencode(sorted(request.query.items()), quote_via=quote, safe="-_.~")
        signed = AWSRequest(request.method, url, dict(request.headers), request.body)
        signed.headers["X-Amz-Content-SHA256"] = hashlib.sha256(request.body).hexdigest()
        S3SigV4Auth(await self._fresh_credentials(), "s3", self._bucket.region).add_auth(signed)
        if self.closed:
            raise Passing("closed")
        patience = self._patience
        silence = patience.silence_seconds + _seconds(len(request.body))  # counts from before the body has left
        async with self._http.request(
            request.method,
            URL(url, encoded=True),  # goes out as it was signed: nothing may be quoted again
            data=io.BytesIO(request.body) if request.body else None,  # sent in pieces: others have their turn
            headers=dict(signed.headers),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=patience.connect_seconds, sock_read=silence),
        ) as answer:
            return await _read(answer, request.answer_bytes_max, limit)

    async def _fresh_credentials(self) -> ReadOnlyCredentials:
        async with self._credentials_lock:
            now = asyncio.get_running_loop().time()
            if self._credentials is None or now >= self._credentials_due:
                found: Any = await self._session.get_credentials()
                if found is None:
                    raise Unavailable("no credentials: set them in the configuration or as AWS's tools do")
                self._credentials = await found.get_frozen_credentials()
                self._credentials_due = now + CREDENTIALS_SECONDS
            assert self._credentials is not None  # noqa: S101
            return self._credentials


async def _read(answer: aiohttp.ClientResponse, bytes_max: int, limit: asyncio.Timeout) -> Answer:
    """Read an answer whole.  A length that is told earns it the time for so many bytes; more than told never comes."""
    told = answer.content_length
    if told is not None and answer.method != "HEAD":
        if told > bytes_max:
            raise Passing(f"{answer.status} of {told} bytes, where no answer has more than {bytes_max}")
        if (when := limit.when()) is not None:
            limit.reschedule(max(when, asyncio.get_running_loop().time() + _seconds(told)))
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > bytes_max:
            raise Passing(f"{answer.status} of over {bytes_max} bytes, where no answer has as many")
    return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(content))


def _seconds(size: int) -> float:
    return size / BYTES_A_SECOND_MIN
