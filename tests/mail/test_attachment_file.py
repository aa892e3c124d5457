"""Attachments as files: exact sizes, any range, and no more read than needed."""

import os
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.attachment_file import (
    _ENDS_BYTES,
    SMALL_BYTES_MAX,
    UNKNOWN_TYPE,
    AttachmentFile,
    open_attachment,
    regular_lines,
)
from storage.message.summary import Part
from storage.records import Content

BIG = os.urandom(SMALL_BYTES_MAX * 2 + 1)


class Reading:
    """An account of which one content is read; counts the bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.read_bytes, self.piece = data, 0, 1 << 20

    async def read(self, content: Content, start: int = 0, size: int | None = None) -> bytes:
        found = self.data[start : len(self.data) if size is None else start + size]
        self.read_bytes += len(found)
        return found

    async def stream(self, content: Content, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        end = len(self.data) if size is None else start + size
        for at in range(start, end, self.piece):
            yield await self.read(content, at, min(self.piece, end - at))


async def _opened(raw: bytes, encoding: str = "base64", content_type: str = "") -> tuple[AttachmentFile, Reading]:
    """The file of a part that has 10 foreign bytes on either side."""
    account: Any = Reading(b"x" * 10 + raw + b"x" * 10)
    content: Any = None
    part = Part(encoding=encoding, start=10, size=len(raw), content_type=content_type)
    return await open_attachment(account, content, part), account


async def _range(file: AttachmentFile, start: int, size: int) -> bytes:
    return b"".join([piece async for piece in file.stream(start, size)])


def _lines(data: bytes, width: int = 76, ending: bytes = b"\r\n") -> bytes:
    text = b64encode(data)
    return b"".join(text[at : at + width] + ending for at in range(0, len(text), width))


RAW = {
    "regular": _lines(BIG),
    "unix": _lines(BIG, 72, b"\n"),
    "no_end": _lines(BIG).rstrip(),
    "more_ends": _lines(BIG) + b"\r\n\r\n",
    "one_line": b64encode(BIG),
    "joined": _lines(BIG[:1000]) + _lines(BIG[1000:]),
    "spaces": _lines(BIG, 76, b" \r\n"),
    "padded_lines": b"".join(b64encode(BIG[at : at + 55]) + b"\r\n" for at in range(0, len(BIG), 55)),
    "late_break": _lines(BIG)[:-100] + b"\r\n" + _lines(BIG)[-100:],
}
REGULAR = {"regular", "unix", "no_end", "more_ends"}


@pytest.mark.parametrize("kind", RAW)
async def test_a_big_file_is_told_exactly_and_comes_back(kind: str) -> None:
    file, _ = await _opened(RAW[kind])
    assert (file.lines is not None) == (kind in REGULAR)
    assert file.size_bytes == len(BIG)
    assert await _range(file, 0, file.size_bytes) == BIG
    for start, size in [(0, 1), (1, 5), (56, 3), (57, 57), (1_000_001, 777), (len(BIG) - 1, 1), (len(BIG) - 60, 60)]:
        assert await _range(file, start, size) == BIG[start : start + size]


async def test_a_range_of_regular_lines_reads_little() -> None:
    file, account = await _opened(RAW["regular"])
    assert await _range(file, 1_500_000, 100) == BIG[1_500_000:1_500_100]
    assert account.read_bytes < 2 * _ENDS_BYTES + 300


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", ""])
async def test_without_an_encoding_bytes_are_as_they_are(encoding: str) -> None:
    file, account = await _opened(BIG, encoding)
    assert (file.size_bytes, account.read_bytes) == (len(BIG), 0)
    assert await _range(file, 7, 9) == BIG[7:16]


async def test_big_quoted_printable_is_counted_and_comes_back() -> None:
    raw = b"=41b=\r\nc\r\n" * (SMALL_BYTES_MAX // 5)
    file, _ = await _opened(raw, "quoted-printable")
    whole = b"Abc\r\n" * (SMALL_BYTES_MAX // 5)
    assert file.size_bytes == len(whole)
    assert await _range(file, 0, len(whole)) == whole
    assert await _range(file, 1_000_003, 11) == whole[1_000_003:1_000_014]


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"QQ==", b"Q", b"QUJD\r\n"])
async def test_small_files_are_at_hand(raw: bytes) -> None:
    file, _ = await _opened(raw)
    assert file.data is not None
    assert file.size_bytes == len(file.data)
    assert await _range(file, 0, file.size_bytes) == file.data


async def test_the_bound_of_small_files() -> None:
    at, _ = await _opened(b"A" * SMALL_BYTES_MAX)
    beyond, _ = await _opened(b"A" * (SMALL_BYTES_MAX + 1))
    assert at.data is not None
    assert beyond.data is None


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("image/png", "image/png"),
        ("", UNKNOWN_TYPE),
        ("text", UNKNOWN_TYPE),
        ("text/html\r\nx: y", UNKNOWN_TYPE),
        ("a/" + "b" * 128, UNKNOWN_TYPE),
        ("application/vnd.ms-excel+x", "application/vnd.ms-excel+x"),
    ],
)
async def test_a_type_is_one_or_unknown(told: str, shown: str) -> None:
    file, _ = await _opened(b"", content_type=told)
    assert file.content_type == shown


@given(st.binary(min_size=1, max_size=600), st.sampled_from([4, 60, 76]), st.sampled_from([b"\n", b"\r\n"]))
def test_places_in_regular_lines_are_right(data: bytes, width: int, ending: bytes) -> None:
    raw = _lines(data, width, ending)
    lines = regular_lines(raw, raw, len(raw))
    assert lines is not None or raw.count(b"\n") < 3
    if lines is not None:
        assert lines.size == len(data)
        text = b64encode(data)
        assert all(raw[lines.place(at) :].startswith(text[at // 3 * 4 :][:4]) for at in range(0, len(data), 7))
