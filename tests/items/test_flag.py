"""Flags of mails: what a phone may set, and that it comes back as it was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.flag import ACTIVE, COMPLETE, TEXT_CHARS_MAX, BadFlag, Flag, parse_flag, render_flag
from eas.protocol.datatypes import dashed
from eas.wbxml.decoder import decode
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import Email, Tasks

DAY = "2024-01-02T03:04:05.000Z"
NEXT = "2024-01-03T03:04:05.000Z"
SET = (leaf(Email.Status, 2), leaf(Email.FlagType, "for Follow Up"))
DATES = (
    leaf(Tasks.StartDate, DAY),
    leaf(Tasks.DueDate, NEXT),
    leaf(Tasks.UtcStartDate, DAY),
    leaf(Tasks.UtcDueDate, NEXT),
)


def flag(*children: Element | None) -> Element:
    return element(Email.Flag, *children)


WRONG: dict[str, Element] = {
    "Status 3": flag(leaf(Email.Status, 3)),
    "Status -1": flag(leaf(Email.Status, -1)),
    "Status text": flag(leaf(Email.Status, "on")),
    "no FlagType": flag(leaf(Email.Status, 2)),
    "empty FlagType": flag(leaf(Email.Status, 2), empty(Email.FlagType)),
    "complete without times": flag(leaf(Email.Status, 1)),
    "complete without DateCompleted": flag(leaf(Email.Status, 1), leaf(Email.CompleteTime, DAY)),
    "complete without CompleteTime": flag(leaf(Email.Status, 1), leaf(Tasks.DateCompleted, DAY)),
    "a date that is none": flag(*SET, leaf(Tasks.OrdinalDate, "2024-13-41T00:00:00.000Z")),
    "due before start": flag(
        *SET,
        leaf(Tasks.StartDate, NEXT),
        leaf(Tasks.DueDate, DAY),
        leaf(Tasks.UtcStartDate, DAY),
        leaf(Tasks.UtcDueDate, NEXT),
    ),
    "due before start in UTC": flag(
        *SET,
        leaf(Tasks.StartDate, DAY),
        leaf(Tasks.DueDate, NEXT),
        leaf(Tasks.UtcStartDate, NEXT),
        leaf(Tasks.UtcDueDate, DAY),
    ),
    "a reminder without a time": flag(*SET, leaf(Tasks.ReminderSet, 1)),
    "ReminderSet 2": flag(*SET, leaf(Tasks.ReminderSet, 2), leaf(Tasks.ReminderTime, DAY)),
    "an update of no flag": flag(leaf(Tasks.Subject, "x")),
    **{f"without {one.tag.name}": flag(*SET, *(d for d in DATES if d is not one)) for one in DATES if one},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_breaks_the_rules_is_refused(wrong: Element) -> None:
    with pytest.raises(BadFlag):
        parse_flag(wrong, None)


def test_what_clears_a_flag() -> None:
    was = Flag(ACTIVE, {"flag_type": "x"}, {})
    for cleared in (flag(), flag(leaf(Email.Status, 0)), flag(leaf(Email.Status, 0), leaf(Tasks.Subject, "x"))):
        assert parse_flag(cleared, was) is None
        assert parse_flag(cleared, None) is None
    assert render_flag(None) == flag()


def test_what_sets_and_completes_one() -> None:
    assert parse_flag(flag(*SET), None) == Flag(ACTIVE, {"flag_type": "for Follow Up"}, {})
    whole = parse_flag(flag(*SET, *DATES), None)
    assert whole is not None
    assert set(whole.dates) == {"start", "due", "utc_start", "utc_due"}
    done = parse_flag(flag(leaf(Email.Status, 1), leaf(Email.CompleteTime, DAY), leaf(Tasks.DateCompleted, DAY)), whole)
    assert done is not None
    assert done.status == COMPLETE


def test_a_date_that_is_empty_is_as_one_that_is_left_out() -> None:
    """Some phones send every element there is."""
    blank = tuple(empty(one.tag) for one in DATES if one)
    assert parse_flag(flag(*SET, *blank), None) == parse_flag(flag(*SET), None)


def test_an_update_replaces_what_it_names_and_takes_away_what_it_names_as_empty() -> None:
    was = parse_flag(flag(*SET, *DATES), None)
    later = parse_flag(flag(leaf(Tasks.Subject, "new")), was)
    assert was is not None
    assert later is not None
    assert (later.texts["subject"], later.dates) == ("new", was.dates)
    gone = parse_flag(flag(*(empty(one.tag) for one in DATES if one)), was)
    assert gone is not None
    assert gone.dates == {}


def test_the_first_of_two_counts_and_texts_are_bounded() -> None:
    found = parse_flag(flag(*SET, leaf(Email.FlagType, "second"), leaf(Tasks.Subject, "x" * 2000)), None)
    assert found is not None
    assert found.texts["flag_type"] == "for Follow Up"
    assert len(found.texts["subject"]) == TEXT_CHARS_MAX


moments = st.datetimes(datetime(1601, 1, 1), datetime(9999, 1, 1)).map(  # made aware at once
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@st.composite
def flags(draw: st.DrawFn) -> Flag:
    dates = draw(
        st.dictionaries(st.sampled_from(["date_completed", "complete_time", "reminder_time", "ordinal"]), moments)
    )
    if draw(st.booleans()):
        begin = draw(moments)
        end = min(begin + timedelta(days=draw(st.integers(0, 99))), datetime(9999, 12, 31, tzinfo=UTC))
        dates |= {"start": begin, "utc_start": begin, "due": end, "utc_due": end}
    done = {"complete_time", "date_completed"} <= dates.keys() and draw(st.booleans())
    known = {"flag_type": draw(texts)} | draw(st.dictionaries(st.sampled_from(["subject", "sub_ordinal"]), texts))
    return Flag(COMPLETE if done else ACTIVE, known, dates, draw(st.booleans()) and "reminder_time" in dates)


@given(flags())
def test_a_flag_survives_the_store_and_the_wire(given_flag: Flag) -> None:
    assert Flag.unpack(given_flag.pack()) == given_flag
    rendered = decode(encode(render_flag(given_flag)))
    assert parse_flag(rendered, None) == given_flag


@given(st.text(max_size=30))
def test_whatever_comes_is_a_flag_or_refused(text: str) -> None:
    for tag in (Email.Status, Tasks.DueDate, Tasks.Subject, Tasks.ReminderSet, Email.CompleteTime):
        try:
            parse_flag(flag(*SET, Element(tag, value=text)), None)
        except BadFlag:
            continue


def test_a_date_keeps_its_milliseconds() -> None:
    for millisecond in range(1000):
        moment = datetime(2024, 1, 2, 3, 4, 5, millisecond * 1000, UTC)
        found = Flag.unpack(Flag(ACTIVE, {}, {"ordinal": moment}).pack())
        assert found is not None
        assert dashed(found.dates["ordinal"]) == dashed(moment)
