"""The Options block: what it becomes, and that it is the same when it comes back from the store."""

from datetime import UTC, datetime, timedelta

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.commands.options import PREVIEW_MAX, TRUNCATION_MAX, Options, parse_options, parse_preferences
from eas.context import CommandFailed
from eas.mail.body import Preference
from eas.mail.email_item import Wish
from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase
from storage.views import BOTTOM

NOW = datetime(2024, 3, 31, 13, 14, 15, tzinfo=UTC)


def block(*children: Element | None) -> Element:
    return element(AirSync.Options, *children)


def preference(kind: int, *children: Element | None) -> Element:
    return element(AirSyncBase.BodyPreference, leaf(AirSyncBase.Type, kind), *children)


def parsed(*children: Element | None) -> Options:
    found = parse_options([block(*children)], Version.V16_1)
    assert found is not None
    return found


def test_no_block_is_none_and_an_empty_one_the_defaults() -> None:
    assert parse_options([], Version.V16_1) is None
    assert parsed() == Options() == Options.unpack(None)


def test_a_block_for_sms_is_passed_over() -> None:
    sms = block(leaf(AirSync.Class, "SMS"), leaf(AirSync.FilterType, 5))
    own = block(leaf(AirSync.Class, "Email"), leaf(AirSync.FilterType, 2))
    assert parse_options([sms], Version.V16_1) is None
    for blocks in ([sms, own], [own, sms]):
        found = parse_options(blocks, Version.V16_1)
        assert found is not None
        assert found.filter_type == 2
    with pytest.raises(CommandFailed):
        parse_options([own, block(), sms], Version.V16_1)


@pytest.mark.parametrize(("filter_type", "days"), [(1, 1), (2, 3), (3, 7), (4, 14), (5, 31)])
def test_a_window_begins_at_midnight(filter_type: int, days: int) -> None:
    start = Options(filter_type).window_start(NOW)
    assert start.date_ms == int((datetime(2024, 3, 31, tzinfo=UTC) - timedelta(days=days)).timestamp() * 1000)
    assert start.item == ""
    assert Options(filter_type).window_start(NOW.replace(hour=0, minute=0, second=0)) == start


def test_no_filter_has_no_window() -> None:
    assert Options(0).window_start(NOW) == BOTTOM
    assert [number for number in range(9) if Options(number).suits_mail] == [0, 1, 2, 3, 4, 5]


def test_mime_that_is_offered_is_wanted_unless_said_otherwise() -> None:
    assert parsed(preference(4)).wish.mime_support == 2
    assert parsed(leaf(AirSync.MIMESupport, 0), preference(4)).wish.mime_support == 0
    assert parsed(leaf(AirSync.MIMESupport, 1), preference(4)).wish.mime_support == 1
    assert parsed(preference(1)).wish.mime_support == 0


@pytest.mark.parametrize(("given_value", "limit"), [(0, 0), (1, 4096), (7, 102_400), (8, None)])
def test_mime_truncation_is_a_table(given_value: int, limit: int | None) -> None:
    assert parsed(leaf(AirSync.MIMETruncation, given_value)).wish.mime_truncation == limit


def test_bounds_of_a_preference() -> None:
    longest = preference(1, leaf(AirSyncBase.TruncationSize, TRUNCATION_MAX), leaf(AirSyncBase.Preview, 10_000))
    assert parse_preferences(block(longest)) == (Preference(1, TRUNCATION_MAX, preview=PREVIEW_MAX),)
    none = preference(2, empty(AirSyncBase.AllOrNone))
    assert parse_preferences(block(none)) == (Preference(2, None, all_or_none=True),)


def test_the_first_of_two_preferences_of_a_type_counts() -> None:
    twice = block(preference(2, leaf(AirSyncBase.TruncationSize, 5)), preference(1), preference(2))
    assert parse_preferences(twice) == (Preference(2, 5), Preference(1))


def test_what_is_asked_for_by_name_has_no_limits() -> None:
    limited = Options(3, server_wins=False, wish=Wish((Preference(1, 5), Preference(4, 7)), 2, 4096))
    assert limited.whole == Wish((Preference(1), Preference(4)), 2)


preferences = st.builds(
    Preference, st.integers(1, 4), st.none() | st.integers(0, TRUNCATION_MAX), st.booleans(), st.integers(0, 255)
)
wishes = st.builds(
    Wish, st.lists(preferences, max_size=4).map(tuple), st.integers(0, 2), st.none() | st.integers(0, 102_400)
)


@given(st.builds(Options, st.integers(0, 8), st.booleans(), wishes))
def test_options_survive_the_store(options: Options) -> None:
    assert Options.unpack(msgpack.unpackb(msgpack.packb(options.pack()))) == options
