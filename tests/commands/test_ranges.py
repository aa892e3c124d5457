"""Ranges as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.commands.ranges import BadRange, Range, parse_range


@pytest.mark.parametrize(
    "text", ["", "-", "1", "1-", "-1", "2-1", "a-b", "1-2-3", "+1-2", "1.0-2", "٣-٤", "0-" + "9" * 20]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadRange):
        parse_range(text)


def test_blanks_are_passed_over() -> None:
    assert parse_range(" 0 - 99 ") == Range(0, 99)


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_a_range_comes_back(first: int, size: int) -> None:
    assert parse_range(str(Range(first, first + size))) == Range(first, first + size)
