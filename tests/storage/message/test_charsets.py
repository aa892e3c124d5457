"""Charsets: labels as browsers read them, and text from any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.charsets import _MULTIBYTE, _SINGLE_BYTE, LABEL_CHARACTERS_MAX, codec_name, to_text


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "cp1252"),
        ("us-ascii", ""),
        ('"utf-8"', "utf-8"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("iso-8859-15", "iso8859-15"),
        ("x" * (LABEL_CHARACTERS_MAX + 1), ""),
        *(
            (codec, "")
            for codec in ("idna", "punycode", "unicode_escape", "zip", "hex", "rot13", "undefined", "mbcs", "\0")
        ),
    ],
)
def test_labels(label: str, name: str) -> None:
    assert codec_name(label) == name


def test_utf_8_with_a_few_bad_bytes_stays_utf_8() -> None:
    assert to_text("中文文本很长".encode() + b"\xff", "utf-8") == "中文文本很长\ufffd"


def test_a_byte_order_mark_is_dropped() -> None:
    assert to_text(b"\xef\xbb\xbfa", "") == "a"
    assert to_text(b"\xff\xfea\0", "utf-16") == "a"


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16-le", "shift_jis"])
def test_a_cut_end_drops_the_character_that_it_cuts(charset: str) -> None:
    data = "中文".encode(charset)
    assert to_text(data[:-1], charset, is_cut=True) == "中"


@given(st.binary(max_size=200), st.sampled_from(sorted(_SINGLE_BYTE | _MULTIBYTE | {"utf-8", ""})), st.booleans())
def test_any_bytes_become_text_without_surrogates(data: bytes, label: str, is_cut: bool) -> None:
    to_text(data, label, is_cut=is_cut).encode()


@given(st.binary(max_size=50), st.text(max_size=50))
def test_any_label_is_survived(data: bytes, label: str) -> None:
    to_text(data, label).encode()
