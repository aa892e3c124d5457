from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.protocol.multipart import PARTS_MAX, MultipartError, decode_multipart, encode_multipart, multipart_header


def test_parts_follow_a_table_of_places() -> None:
    body = encode_multipart([b"\x03\x01", b"", b"abc"])
    places = "03000000 1c000000 02000000 1e000000 00000000 1e000000 03000000"
    assert body == bytes.fromhex(places) + b"\x03\x01abc"
    assert multipart_header([2, 0, 3]) + b"\x03\x01abc" == body


@pytest.mark.parametrize(
    "data",
    [
        "",
        "010000",
        "00000000",
        "01000000",
        "010000000c000000",
        "010000000c00000001000000",
        "01000000ffffffffffffffff",
        "ffffffff",
    ],
)
def test_refuses(data: str) -> None:
    with pytest.raises(MultipartError):
        decode_multipart(bytes.fromhex(data))


def test_refuses_no_part_and_too_many() -> None:
    assert len(decode_multipart(encode_multipart([b""] * PARTS_MAX))) == PARTS_MAX
    for count in (0, PARTS_MAX + 1):
        with pytest.raises(MultipartError):
            encode_multipart([b""] * count)
    too_many = (PARTS_MAX + 1).to_bytes(4, "little") + bytes(8 * (PARTS_MAX + 1))
    with pytest.raises(MultipartError):
        decode_multipart(too_many)


def test_refuses_over_four_gigabytes() -> None:
    assert multipart_header([2**32 - 13])
    with pytest.raises(MultipartError):
        multipart_header([2**32 - 12])


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=10))
def test_decoding_undoes_encoding(parts: list[bytes]) -> None:
    assert decode_multipart(encode_multipart(parts)) == parts


@given(st.binary())
def test_any_bytes_are_parts_or_an_error(data: bytes) -> None:
    with suppress(MultipartError):
        decode_multipart(data)
