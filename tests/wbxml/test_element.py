import copy

import pytest

from eas.wbxml.element import Element, InvalidValue, MissingElement, element, empty, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email, tag_of


def holding(value: str | bytes | None) -> Element:
    return element(AirSync.Collection, Element(AirSync.WindowSize, value=value))


def test_a_missing_element_is_named() -> None:
    with pytest.raises(MissingElement, match="AirSync:SyncKey") as caught:
        empty(AirSync.Collection).text(AirSync.SyncKey)
    assert caught.value.tag is AirSync.SyncKey
    for required in (Element.number, Element.opaque):
        with pytest.raises(MissingElement):
            required(empty(AirSync.Collection), AirSync.SyncKey)


def test_without_the_element_the_default_counts() -> None:
    none = empty(AirSync.Collection)
    assert none.text_or(AirSync.Class, None) is None
    assert none.number_or(AirSync.WindowSize, 100) == 100
    assert none.flag_or(AirSync.GetChanges, True) is True
    assert none.opaque_or(AirSync.Class, b"x") == b"x"
    assert none.first(AirSync.Class) is None
    assert none.all(AirSync.Class) == []
    assert not none.has(AirSync.Class)


@pytest.mark.parametrize("value", ["", "x", "1.0", "1e3", "٣", "1_0", "0x10", "12345678901234567890", b"\xff"])
def test_refuses_what_is_no_number(value: str | bytes) -> None:
    with pytest.raises(InvalidValue) as caught:
        holding(value).number(AirSync.WindowSize)
    assert caught.value.tag is AirSync.WindowSize
    assert caught.value.value == value


@pytest.mark.parametrize(("value", "number"), [("5", 5), ("-1", -1), ("007", 7), (" 8\r\n", 8), (b"9", 9)])
def test_reads_numbers(value: str | bytes, number: int) -> None:
    assert holding(value).number(AirSync.WindowSize) == number
    assert holding(value).number_or(AirSync.WindowSize, None) == number


def test_an_empty_flag_is_true() -> None:
    assert holding(None).flag_or(AirSync.WindowSize, False) is True
    assert holding("1").flag_or(AirSync.WindowSize, False) is True
    assert holding("0").flag_or(AirSync.WindowSize, True) is False


@pytest.mark.parametrize("value", ["2", "true", "00", b"x"])
def test_refuses_what_is_no_flag(value: str | bytes) -> None:
    with pytest.raises(InvalidValue):
        holding(value).flag_or(AirSync.WindowSize, False)


def test_a_value_may_come_as_text_or_as_bytes() -> None:
    assert holding("grün").opaque(AirSync.WindowSize) == "grün".encode()
    assert holding("grün".encode()).text(AirSync.WindowSize) == "grün"
    assert holding(None).text(AirSync.WindowSize) == ""
    assert holding(None).opaque(AirSync.WindowSize) == b""
    assert holding("a\ud800").opaque(AirSync.WindowSize) == b"a?"


def test_text_must_be_utf_8() -> None:
    with pytest.raises(InvalidValue):
        holding(b"\xff").text(AirSync.WindowSize)


def test_the_first_of_two_counts() -> None:
    twice = element(AirSync.Collection, leaf(AirSync.SyncKey, "1"), leaf(AirSync.SyncKey, "2"))
    assert twice.text(AirSync.SyncKey) == "1"
    assert [child.as_text() for child in twice.all(AirSync.SyncKey)] == ["1", "2"]


def test_tags_of_one_token_on_two_pages_are_two() -> None:
    assert AirSync.Status.token != AirSyncBase.Status.token
    one = element(AirSync.Collection, leaf(tag_of(2, AirSync.Status.token), "x"))
    assert not one.has(AirSync.Status)


def test_builders_leave_out_none() -> None:
    built = element(AirSync.Collection, leaf(AirSync.SyncKey, None), leaf(AirSync.Status, 1), None)
    assert built == Element(AirSync.Collection, [Element(AirSync.Status, value="1")])


@pytest.mark.parametrize(("value", "held"), [(True, "1"), (False, "0"), (0, "0"), ("", ""), (b"x", b"x")])
def test_leaf_turns_values_into_text(value: str | int | bool | bytes, held: str | bytes) -> None:
    assert leaf(Email.Read, value) == Element(Email.Read, value=held)


def test_elements_are_equal_by_what_they_hold() -> None:
    assert holding("1") == holding("1") != holding("2")
    assert holding("1") != holding(b"1")
    assert empty(AirSync.Status) != empty(Email.Status)
    assert empty(AirSync.Status) != "AirSync:Status"
    with pytest.raises(TypeError):
        hash(holding("1"))


def test_a_copy_has_the_same_tags() -> None:
    document = element(AirSync.Collection, leaf(AirSync.SyncKey, "1"))
    assert copy.deepcopy(document) == document


def test_shows_itself_without_its_text() -> None:
    assert repr(holding("secret")) == "<AirSync:Collection with 1 children>"
    assert repr(holding("secret").children[0]) == "<AirSync:WindowSize str>"
    assert repr(empty(AirSync.Status)) == "<AirSync:Status>"
