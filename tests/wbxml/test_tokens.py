import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.wbxml.tokens import NUMBER_MAX, number, read_number


@pytest.mark.parametrize(
    ("value", "octets"), [(0, "00"), (127, "7f"), (128, "8100"), (160, "8120"), (NUMBER_MAX, "8fffffff7f")]
)
def test_numbers_as_the_specification_writes_them(value: int, octets: str) -> None:
    assert number(value).hex() == octets


@given(st.integers(0, NUMBER_MAX), st.binary(max_size=3), st.binary(max_size=3))
def test_reading_undoes_writing(value: int, before: bytes, after: bytes) -> None:
    data = before + number(value) + after
    assert read_number(data, len(before)) == (value, len(data) - len(after))


@pytest.mark.parametrize("octets", ["9080808000", "8180808080", "818080808000"])
def test_refuses_more_than_32_bits_or_5_bytes(octets: str) -> None:
    with pytest.raises(ValueError, match=r"32 bits|5 bytes"):
        read_number(bytes.fromhex(octets), 0)


def test_refuses_the_end_inside() -> None:
    with pytest.raises(IndexError):
        read_number(b"\x81", 0)
