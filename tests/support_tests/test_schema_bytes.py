"""`check_bytes` refuses what AOSP's reader refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.wbxml.element import element, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, Email2
from tests.support.schema import check_bytes
from tests.support.schema_bytes import DEPTH_MAX, HEADER
from tests.support_tests.examples import CONVERSATION, added, mail, synced

SYNC_KEY = HEADER + bytes.fromhex("45 4b 03 31 00 01 01")  # Sync(SyncKey 1)


def test_what_the_encoder_writes_is_right() -> None:
    assert check_bytes(encode(synced("2", added("5:1", mail("Grüße", *CONVERSATION))))) == []
    assert check_bytes(SYNC_KEY) == []


def test_an_element_without_content_may_be_the_root() -> None:
    assert check_bytes(HEADER + b"\x05") == []


def test_a_switch_of_page_may_be_repeated_before_a_token() -> None:
    assert check_bytes(HEADER + bytes.fromhex("00 07 00 07 56 4c 03 31 00 01 01")) == []


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("begins with", b""),
        ("begins with", b"\x03\x01\x6a\x01\x00\x45\x01"),
        ("begins with", b"\x03\x01\x04\x00\x45\x01"),
        ("ends within", HEADER),
        ("ends within", SYNC_KEY[:-1]),
        ("after the root", SYNC_KEY + b"\x00"),
        ("after the root", SYNC_KEY + b"\x05"),
        ("second value", HEADER + bytes.fromhex("45 4b 03 31 00 03 32 00 01 01")),
        ("OPAQUE in an element of text", HEADER + bytes.fromhex("45 4b c3 01 31 01 01")),
        ("SWITCH_PAGE between", HEADER + bytes.fromhex("45 4b 03 31 00 00 00 01 01")),
        ("beside an element", HEADER + bytes.fromhex("45 5c 4f 01 03 31 00 01 01")),
        ("beside a value", HEADER + bytes.fromhex("45 5c 03 31 00 0f 01 01")),
        ("not for ActiveSync", HEADER + bytes.fromhex("45 4b 83 00 01 01")),
        ("not for ActiveSync", HEADER + bytes.fromhex("45 4b 02 41 01 01")),
        ("not for ActiveSync", HEADER + bytes.fromhex("c5 01")),
        ("code page 26", HEADER + bytes.fromhex("00 1a 45 01")),
        ("code page 3 ", HEADER + bytes.fromhex("00 03 45 01")),
        ("without a page", HEADER + bytes.fromhex("45 00")),
        ("END without", HEADER + bytes.fromhex("01")),
        ("outside of the root", HEADER + bytes.fromhex("03 31 00")),
        ("without its NUL", HEADER + bytes.fromhex("45 4b 03 31")),
        ("not UTF-8", HEADER + bytes.fromhex("45 4b 03 ff 00 01 01")),
        ("control characters", HEADER + bytes.fromhex("45 4b 03 07 00 01 01")),
        ("longer than the document", HEADER + bytes.fromhex("00 16 49 c3 20 31")),
        ("without an end to its length", HEADER + bytes.fromhex("00 16 49 c3 81 81 81 81 81 81")),
        ("deeper than", HEADER + b"\x45" * (DEPTH_MAX + 1)),
    ],
)
def test_these_bytes_are_wrong(reason: str, data: bytes) -> None:
    assert any(reason in fault for fault in check_bytes(data)), check_bytes(data)


def test_the_greatest_depth_is_right() -> None:
    assert check_bytes(HEADER + b"\x45" * DEPTH_MAX + b"\x01" * DEPTH_MAX) == []


def test_opaque_in_text_is_found_in_what_the_encoder_writes() -> None:
    wrong = element(AirSync.Sync, leaf(AirSync.SyncKey, b"1"))
    assert len(check_bytes(encode(wrong))) == 1
    assert check_bytes(encode(element(AirSync.Sync, leaf(Email2.ConversationId, b"1")))) == []


@given(st.binary().map(HEADER.__add__) | st.binary())
def test_any_bytes_are_judged(data: bytes) -> None:
    assert isinstance(check_bytes(data), list)
