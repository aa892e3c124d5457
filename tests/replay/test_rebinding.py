"""What is new at every run is found, left out of the comparison, and put into the requests that follow."""

from datetime import date

import pytest

from eas.wbxml.element import Element, element, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, Email2
from tests.replay.rebinding import KEPT_CHARS_MAX, bind, mark, plain, rebind
from tests.support.captures import About, Capture, differences

ABOUT = About(date(2026, 1, 31), "Mail", "14.1", ("login",))


def answer(key: str, collection: str = "inbox", conversation: bytes = b"1") -> Element:
    return element(
        AirSync.Sync,
        leaf(AirSync.SyncKey, key),
        leaf(AirSync.CollectionId, collection),
        leaf(Email2.ConversationId, conversation),
    )


def capture(target: str, request: bytes = b"", headers: dict[str, str] | None = None) -> Capture:
    return Capture("mail", 1, "Sync", f"POST {target} HTTP/1.1", headers or {}, request, "", ABOUT)


def test_only_what_differs_is_marked() -> None:
    marked = mark(answer("a1"), answer("b2", conversation=b"2"))
    assert [child.value for child in marked.children] == ["*a1", "inbox", "*"]
    assert mark(marked, answer("c3", conversation=b"3")) == marked


def test_a_long_value_is_marked_without_being_kept() -> None:
    long = "a" * (KEPT_CHARS_MAX + 1)
    assert mark(answer(long), answer("b")).children[0].value == "*"
    assert mark(answer(long[:-1]), answer("b")).children[0].value == f"*{long[:-1]}"


def test_an_answer_of_another_shape_is_not_marked() -> None:
    with pytest.raises(ValueError, match="Sync"):
        mark(answer("a"), element(AirSync.Sync))


def test_marked_values_are_bound_and_match_any() -> None:
    marked = mark(answer("a1"), answer("b2"))
    assert bind(marked, answer("c3")) == {"a1": "c3"}
    assert bind(marked, element(AirSync.Sync)) == bind(marked, None) == bind(None, None) == {}
    assert differences(plain(marked), answer("c3")) == []
    assert differences(plain(marked), answer("c3", "drafts")) != []


def test_a_bound_value_is_replaced_where_the_request_says_it_and_nowhere_else() -> None:
    text = leaf(AirSync.Class, "a1 is not a key")
    request = encode(element(AirSync.Sync, leaf(AirSync.SyncKey, "a1"), text))
    rebound = rebind(
        capture("/x?Cmd=Sync&ItemId=inbox%3Aa1&User=a1@b", request, {"X-MS-PolicyKey": "7", "User-Agent": "a1"}),
        {"a1": "longer", "inbox:a1": "inbox:c3", "7": "9"},
    )
    assert rebound.body == encode(element(AirSync.Sync, leaf(AirSync.SyncKey, "longer"), text))
    assert rebound.target == "/x?Cmd=Sync&ItemId=inbox:c3&User=a1@b"
    assert rebound.headers == {"X-MS-PolicyKey": "9", "User-Agent": "a1"}


def test_a_base64_query_stays_as_it_is() -> None:
    target = "/Microsoft-Server-ActiveSync?oQ4JBBJhbmRyb2lk+/8=="
    assert rebind(capture(target), {"8": "9"}).target == target
