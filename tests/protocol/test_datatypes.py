from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.protocol.datatypes import BadDateTime, boolean, compact, dashed, parse_datetime

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678_900, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-02",
        "2024-01-02T03:04",
        "2024-13-02T03:04:05.000Z",
        "2024-02-30T03:04:05.000Z",
        "2024-01-02T24:00:00.000Z",
        "2024-01-02T03:04:60.000Z",
        "0000-01-02T03:04:05.000Z",
        "20240102T03:04:05Z",
        "2024-01-02 03:04:05Z",
        "2024-01-02T03:04:05+01:00",
        "2024-01-02T03:04:05.Z",
        "٢٠٢٤0102T030405Z",
        "20240102T030405ZZ",
    ],
)
def test_refuses_what_is_no_date(text: str) -> None:
    with pytest.raises(BadDateTime):
        parse_datetime(text)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2024-01-02T03:04:05.678Z", 678_000),
        ("2024-01-02T03:04:05.6789Z", 678_900),
        ("2024-01-02T03:04:05.123456789Z", 123_456),
        ("2024-01-02T03:04:05Z", 0),
        ("2024-01-02T03:04:05", 0),
        (" 20240102T030405Z\n", 0),
        ("20240102T030405", 0),
        ("20240102T030405.5Z", 500_000),
    ],
)
def test_reads_both_forms(text: str, microsecond: int) -> None:
    assert parse_datetime(text) == MOMENT.replace(microsecond=microsecond)


def test_writes_both_forms_in_utc() -> None:
    moment = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert dashed(moment) == "2024-01-02T03:04:05.678Z"
    assert compact(moment) == "20240102T030405Z"
    assert dashed(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"
    assert compact(datetime(1, 1, 1, tzinfo=UTC)) == "00010101T000000Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_reading_undoes_writing(moment: datetime) -> None:
    assert parse_datetime(dashed(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_datetime(compact(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_any_text_is_a_date_or_refused(text: str) -> None:
    with suppress(BadDateTime):
        parse_datetime(text)


def test_an_empty_boolean_is_true() -> None:
    assert [boolean("0"), boolean("1"), boolean("")] == [False, True, True]


@pytest.mark.parametrize("text", ["2", "true", " ", "01"])
def test_refuses_what_is_no_boolean(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        boolean(text)
