"""Encoded words and base64 of every kind of damage."""

import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.words import HEADER_TEXT_BYTES_MAX, decode_base64, decode_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        (b"x =?utf-8?B?w7w=?=", "x ü"),
        (b"=?utf-8?B?w7w?=", "ü"),
        (b"=?utf-8*de?q?a?=", "a"),
        (b"=?utf-8?q?with space=C3=BC?=", "with spaceü"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        (b"=?utf-8?x?broken?=", "=?utf-8?x?broken?="),
        (b"=?iso-2022-jp?B?GyRCMnE1RBsoQg==?=", "会議"),
        (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"folded\r\n text\n\there", "folded text here"),
        (b"a\0b\x1b[31m", "a b [31m"),
    ],
)
def test_decoding(raw: bytes, text: str) -> None:
    assert decode_text(raw) == text


def test_a_field_beyond_the_bound_is_cut() -> None:
    assert len(decode_text(b"x" * (HEADER_TEXT_BYTES_MAX + 1))) == HEADER_TEXT_BYTES_MAX


def test_unended_words_cost_linear_time() -> None:
    began = time.process_time()
    decode_text(b"=?a?q?" * 10_000)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "raw", [b"aGVsbG8", b"aGVsbG8=", b"aGVs\r\nbG8=\r\n", b"aGVs!bG8=", b"aGU=bGxv", b"aGVsbG8=\r\n--x"]
)
def test_base64_of_every_kind(raw: bytes) -> None:
    assert decode_base64(raw).startswith(b"hello")


def test_joined_chunks_are_all_decoded() -> None:
    assert decode_base64(b64encode(b"one") + b"\r\n" + b64encode(b"four") + b"\r\n" + b64encode(b"x")) == b"onefourx"


@given(st.binary(max_size=300))
def test_any_bytes_become_one_line_of_text(raw: bytes) -> None:
    text = decode_text(raw)
    text.encode()
    assert "\n" not in text
    assert "\0" not in text


@given(st.binary(max_size=300))
def test_base64_never_raises_and_undoes_encoding(data: bytes) -> None:
    decode_base64(data)
    assert decode_base64(b64encode(data).rstrip(b"=")) == data
