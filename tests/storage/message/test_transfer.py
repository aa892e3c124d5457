"""Sizes without decoding agree with decoding."""

from base64 import b64encode, encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.summary import Part
from storage.message.transfer import EXACT_BYTES_MAX, base64_size, crlf_utf8_size, decode_part, decoded_size, part_text


@given(st.binary(max_size=500), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_base64_in_equal_lines_is_counted_exactly(data: bytes, ending: bytes, is_trailed: bool) -> None:
    raw = encodebytes(data).replace(b"\n", ending)
    raw = raw if is_trailed else raw.rstrip()
    assert base64_size(b"xx" + raw, 2, len(raw)) == len(data)


@pytest.mark.parametrize("raw", [b"", b"=", b"====", b"\n\n\n", b"A", b"x" * 5000])
def test_odd_base64_has_a_size_that_is_no_negative(raw: bytes) -> None:
    assert base64_size(raw, 0, len(raw)) >= 0


def test_one_long_line_is_counted_exactly() -> None:
    raw = b64encode(bytes(10_000))
    assert base64_size(raw, 0, len(raw)) == 10_000


def test_a_text_above_the_bound_is_counted_by_its_encoded_size() -> None:
    raw = b"=41" * (EXACT_BYTES_MAX // 3 + 1)
    part = Part(encoding="quoted-printable", size=len(raw))
    assert decoded_size(raw, part) == len(raw)
    raw = raw[: EXACT_BYTES_MAX // 3 * 3]
    assert decoded_size(raw, Part(encoding="quoted-printable", size=len(raw))) == EXACT_BYTES_MAX // 3


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"a=3Db", b"a=b"),
        (b"a=ZZb", b"a=ZZb"),
        (b"a=", b"a"),
        (b"a =\r\nb", b"a b"),
        (b"a=\nb", b"ab"),
        (b"=e9", b"\xe9"),
    ],
)
def test_broken_quoted_printable_is_tolerated(raw: bytes, content: bytes) -> None:
    assert decode_part(Part(encoding="quoted-printable"), raw) == content


def test_a_beginning_of_a_part_drops_the_character_that_is_cut() -> None:
    raw = "aü".encode()
    assert part_text(Part(charset="utf-8", size=len(raw)), raw[:-1]) == "a"


@given(st.text(st.sampled_from("ab\r\nü")))
def test_the_size_with_crlf_is_that_of_the_normalised_text(text: str) -> None:
    normal = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert crlf_utf8_size(text) == len(normal.encode())
