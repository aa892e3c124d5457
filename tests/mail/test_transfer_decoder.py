"""Decoding piece by piece gives what decoding at once gives."""

from base64 import b64encode
from binascii import b2a_qp
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.transfer_decoder import LINE_BYTES_MAX, decoder_of
from storage.message.summary import Part
from storage.message.transfer import decode_part

ENCODINGS = ("base64", "quoted-printable", "7bit", "x-unheard-of")


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def _decoded(encoding: str, pieces: list[bytes]) -> bytes:
    decoder = decoder_of(encoding)
    return b"".join([*(decoder.feed(piece) for piece in pieces), decoder.finish()])


CUTS = st.lists(st.integers(0, 1000), max_size=6)
ODD = st.text("AZaz09+/=\r\n -_\0é", max_size=80).map(str.encode) | st.binary(max_size=80)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(data=ODD, cuts=CUTS)
def test_pieces_make_the_whole_whatever_the_bytes(encoding: str, data: bytes, cuts: list[int]) -> None:
    assert _decoded(encoding, _pieces(data, cuts)) == decode_part(Part(encoding=encoding), data)


@given(st.binary(max_size=200), CUTS)
def test_base64_comes_back(data: bytes, cuts: list[int]) -> None:
    assert _decoded("base64", _pieces(b64encode(data), cuts)) == data


@given(st.binary(max_size=200), CUTS)
def test_quoted_printable_comes_back(data: bytes, cuts: list[int]) -> None:
    assert _decoded("quoted-printable", _pieces(b2a_qp(data), cuts)) == decode_part(
        Part(encoding="quoted-printable"), b2a_qp(data)
    )


@given(st.lists(st.binary(max_size=20), max_size=5), CUTS)
def test_joined_encodings_come_back_joined(files: list[bytes], cuts: list[int]) -> None:
    assert _decoded("base64", _pieces(b"\r\n".join(map(b64encode, files)), cuts)) == b"".join(files)


@pytest.mark.parametrize("unit", [b"=41=42x", b"abc", b"=C3=A4", b"==41"])
def test_a_line_without_an_end_is_decoded_in_parts(unit: bytes) -> None:
    data = unit * (2 * LINE_BYTES_MAX // len(unit))
    decoder = decoder_of("quoted-printable")
    first = decoder.feed(data[: LINE_BYTES_MAX + 1])
    assert first
    whole = first + decoder.feed(data[LINE_BYTES_MAX + 1 :]) + decoder.finish()
    assert whole == decode_part(Part(encoding="quoted-printable"), data)


def test_nothing_but_signs_of_escape_is_not_kept() -> None:
    decoder = decoder_of("quoted-printable")
    assert len(decoder.feed(b"=" * 4 * LINE_BYTES_MAX)) == 2 * LINE_BYTES_MAX
    assert decoder.finish() == b""
