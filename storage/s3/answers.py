"""What an object store answers, and what of it is believed.

Whatever stands between us and the store may answer in its place: a proxy's page with status 200 is no object, and its
404 does not mean that a mail is gone.  So an object counts only with its ETag, "not there" only in the store's own
words, a range only with the place that was asked for.  Where the ETag is the MD5 of the content it is compared; where
it is not (multipart, encryption with keys of the store's) the length stands, and the seal of every object of ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storage.engine import EngineError, NotFound, Unavailable
from storage.s3.xml import error_in

OBJECT_BYTES_MAX = 256 << 20
"""Of an object that is read whole; none of ours that is ever read so comes near it."""
TEXT_BYTES_MAX = 4 << 20
"""Of a listing of 1000 keys of 1024 bytes, or of whatever else is no object."""

_PASSING = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "OperationAborted"}
_STALE_CODES = {"ExpiredToken", "RequestExpired", "TokenRefreshRequired"}
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
_PLACE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_SHOWN = 200


class Passing(Exception):
    """An answer that may be another one in a moment."""


class StaleCredentials(Passing):
    """The credentials were good once: get them anew and ask again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read whole; header names in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def md5(self) -> str | None:
        """The content's MD5 by its ETag, where that is one; a store's own encryption makes it another number."""
        if self.headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
            return None
        if "x-amz-server-side-encryption-customer-algorithm" in self.headers:
            return None
        match = _MD5.fullmatch(self.headers.get("etag", ""))
        return match[1] if match else None


def md5_hex(data: bytes) -> str:
    """Return the MD5 of *data* as ETags have it: a checksum, no secret rests on it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def kept(body: bytes, answer: Answer) -> None:
    """Take the answer to a PUT of *body*."""
    if answer.status != 200:
        raise refusal(answer)
    _check_empty(answer)
    _check_tag(answer, body)


def whole(key: str, answer: Answer) -> bytes:
    """Return the object that a GET brought.  Raises `NotFound`."""
    if answer.status == 404 and error_in(answer.content).code == "NoSuchKey":
        raise NotFound(key)
    if answer.status != 200:
        raise refusal(answer)
    _check_tag(answer, answer.content)
    return answer.content


def part(key: str, start: int, size: int | None, answer: Answer) -> bytes:
    """Return what a GET of a range brought; a range past the end is cut.  Raises `NotFound`."""
    if answer.status == 416 and error_in(answer.content).code == "InvalidRange":
        return b""
    place = _PLACE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status not in (200, 206) or place is None:  # rclone says 200 for a range, too
        if answer.status == 200:
            raise Passing("not the range that was asked for: a store that ignores ranges, or not the store that speaks")
        whole(key, answer)
        raise refusal(answer)
    first, last = int(place[1]), int(place[2])
    end = None if size is None else start + size - 1
    if place[3] != "*":
        end = int(place[3]) - 1 if end is None else min(end, int(place[3]) - 1)
    if first != start or (end is not None and last != end) or len(answer.content) != last - first + 1:
        raise Passing(f"bytes {first}-{last}, {len(answer.content)} of them, are not those asked for")
    return answer.content


def removed(answer: Answer) -> None:
    """Take the answer to a DELETE; what is not there is gone, too."""
    if answer.status == 404 and error_in(answer.content).code == "NoSuchKey":
        return
    if answer.status not in (200, 204):
        raise refusal(answer)
    _check_empty(answer)


def text(answer: Answer) -> bytes:
    """Return the document that a request to the bucket brought."""
    if answer.status != 200:
        raise refusal(answer)
    return answer.content


def refusal(answer: Answer) -> EngineError | Passing:
    """Return what an answer that brings nothing is to be raised as."""
    error = error_in(answer.content)
    said = f"{answer.status} {error.code} {error.message}".strip() if error.code else ""
    said = said or f"{answer.status} {answer.content[:_SHOWN]!r}"
    if 300 <= answer.status < 400:
        return Unavailable(f"sent on to {answer.headers.get('location', '')[:_SHOWN]!r}: endpoint or region is wrong")
    if error.code == "RequestTimeTooSkewed":
        return Unavailable(f"the clock of this machine, or of the store, is wrong: {said}")
    if error.code in _STALE_CODES:
        return StaleCredentials(said)
    if answer.status in _PASSING or error.code in _PASSING_CODES or answer.status < 300:
        return Passing(said)
    if answer.status == 404 and not error.code:  # whoever says so is not the store
        return Passing(said)
    return Unavailable(said)


def _check_empty(answer: Answer) -> None:
    if answer.content:  # to believe a login page that it has kept a mail would lose the mail
        raise Passing(f"it is not the store that says {answer.content[:_SHOWN]!r}")


def _check_tag(answer: Answer, content: bytes) -> None:
    tag = answer.headers.get("etag", "")
    if not tag or tag.startswith("W/"):
        raise Passing(f"without an ETag of a store's: {answer.content[:_SHOWN]!r}")
    if answer.md5 is not None and answer.md5 != md5_hex(content):
        raise Passing("the content is not what its ETag says")
