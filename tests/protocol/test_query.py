from base64 import b64decode, b64encode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.protocol.query import (
    DEVICE_ID_MAX,
    DEVICE_TYPE_MAX,
    QUERY_MAX,
    BadDevice,
    BadDeviceId,
    BadDeviceType,
    Query,
    UnreadableQuery,
    build_base64,
    build_plain,
    parse_query,
)
from eas.protocol.versions import COMMANDS, UnknownCommand, UnknownVersion, Version

PLAIN = "Cmd=Sync&User=ann%40example.org&DeviceId=Appl123&DeviceType=iPhone"
BASE64 = "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l"  # the example of the protocol notes: no policy key, no parameters


def in_base64(
    *,
    version: int = 141,
    code: int = 0,
    device_id: bytes = b"Appl123",
    key: bytes = b"",
    device_type: bytes = b"iPhone",
    rest: bytes = b"",
) -> bytes:
    fields = b"".join(bytes((len(field),)) + field for field in (device_id, key, device_type))
    return b64encode(bytes((version, code, 0x09, 0x04)) + fields + rest)


def test_a_plain_query() -> None:
    assert parse_query(PLAIN) == Query("Sync", "Appl123", "iPhone", "ann@example.org")


def test_a_base64_query() -> None:
    assert parse_query(BASE64) == Query("Sync", "v140Device", "SmartPhone", version=Version.V14_0, locale=0x0409)


UNREADABLE = [
    "",
    "=",
    "%",
    "foo=bar",
    "User=ann&DeviceId=x&DeviceType=y",  # no Cmd
    "jAA",
    "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25",
    BASE64 + "AA",
    BASE64 + "!",
    "<script>",
    "é",
    in_base64(key=b"123").decode(),
    in_base64(key=b"12345").decode(),
    in_base64(rest=b"\x00").decode(),
    in_base64(rest=b"\x00\x02a").decode(),
    "A" * (QUERY_MAX + 1),
    PLAIN + "&x=" + "a" * QUERY_MAX,
]


@pytest.mark.parametrize("raw", UNREADABLE, ids=lambda raw: ascii(raw[:40]))
def test_what_is_neither_form_is_unreadable(raw: str) -> None:
    with pytest.raises(UnreadableQuery):
        parse_query(raw)


def test_every_base64_query_cut_short_is_refused() -> None:
    data = b64decode(in_base64(key=b"1234", rest=b"\x07\x01\x03"))
    for cut in range(len(data)):
        if data[:cut] != data[: -len(b"\x07\x01\x03")]:
            with pytest.raises(UnreadableQuery):
                parse_query(b64encode(data[:cut]).decode())


def test_an_unknown_version_is_told_apart() -> None:
    with pytest.raises(UnknownVersion):
        parse_query(in_base64(version=170).decode())


@pytest.mark.parametrize("raw", [in_base64(code=24).decode(), PLAIN.replace("Sync", "Sink"), PLAIN.replace("Sync", "")])
def test_an_unknown_command_is_told_apart(raw: str) -> None:
    with pytest.raises(UnknownCommand):
        parse_query(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "Cmd=Sync&User=a&DeviceType=x",
        "Cmd=Sync&User=a&DeviceId=&DeviceType=x",
        f"Cmd=Sync&User=a&DeviceId={'a' * (DEVICE_ID_MAX + 1)}&DeviceType=x",
        "Cmd=Sync&User=a&DeviceId=a%00b&DeviceType=x",
        "Cmd=Sync&User=a&DeviceId=a%0Ab&DeviceType=x",
        "Cmd=Sync&User=a&DeviceId=%C3%A4&DeviceType=x",
        in_base64(device_id=b"").decode(),
        in_base64(device_id=b"a" * (DEVICE_ID_MAX + 1)).decode(),
    ],
)
def test_a_bad_device_id_is_told_apart(raw: str) -> None:
    with pytest.raises(BadDeviceId) as caught:
        parse_query(raw)
    assert caught.value.command == "Sync"


@pytest.mark.parametrize(
    "raw",
    [
        "Cmd=Ping&User=a&DeviceId=x",
        f"Cmd=Ping&User=a&DeviceId=x&DeviceType={'a' * (DEVICE_TYPE_MAX + 1)}",
        "Cmd=Ping&User=a&DeviceId=x&DeviceType=%7F",
        in_base64(code=18, device_type=b"").decode(),
        in_base64(code=18, device_type=b"a" * (DEVICE_TYPE_MAX + 1)).decode(),
        in_base64(code=18, device_type=b"\xff").decode(),
    ],
)
def test_a_bad_device_type_is_told_apart(raw: str) -> None:
    with pytest.raises(BadDeviceType) as caught:
        parse_query(raw)
    assert caught.value.command == "Ping"
    assert caught.value.version is (None if raw.startswith("Cmd") else Version.V14_1)


def test_device_ids_of_the_longest_kind_are_accepted() -> None:
    longest = "a" * DEVICE_ID_MAX
    assert parse_query(f"Cmd=Sync&DeviceId={longest}&DeviceType={longest}").device_id == longest
    assert (
        parse_query(in_base64(device_id=longest.encode(), device_type=longest.encode()).decode()).device_id == longest
    )


@pytest.mark.parametrize(
    ("sent", "device_id"),
    [
        (b"Nine342BA3F3E6C6", "Nine342BA3F3E6C6"),
        (bytes(range(16)), "000102030405060708090a0b0c0d0e0f"),
        (b"\xab" * DEVICE_ID_MAX, "ab" * DEVICE_ID_MAX),
        (b"a-b", "612d62"),
        (b"ab\n", "61620a"),
        ("ä".encode(), "c3a4"),
    ],
)
def test_a_device_id_of_bytes_is_text_when_all_are_letters_or_digits_and_else_hex(sent: bytes, device_id: str) -> None:
    assert parse_query(in_base64(device_id=sent).decode()).device_id == device_id


def test_base64_is_read_in_both_alphabets_padded_or_not_escaped_or_not() -> None:
    raw_id = bytes.fromhex("bdfa0ff0169dc9")
    data = b64decode(in_base64(device_id=raw_id))
    standard = b64encode(data).decode()
    assert "+" in standard
    assert "/" in standard
    assert standard.endswith("=")
    url_safe = urlsafe_b64encode(data).decode()
    spellings = {
        standard,
        standard.rstrip("="),
        quote(standard, safe=""),
        quote(standard),
        url_safe,
        url_safe.rstrip("="),
    }
    assert len(spellings) >= 5
    assert {parse_query(spelling).device_id for spelling in spellings} == {raw_id.hex()}


def test_plain_names_are_read_in_any_case_and_order_and_unknown_ones_passed_over() -> None:
    query = parse_query("&devicetype=SP&foo&x=1&DEVICEID=abc&cmd=foldersync&cmd=Sync&user=D%5Cann&saveinsent=t")
    assert query == Query("FolderSync", "abc", "SP", "D\\ann", save_in_sent=True)


def test_a_plus_in_a_plain_query_is_a_plus() -> None:
    assert parse_query("Cmd=Sync&User=ann+x@example.org&DeviceId=a&DeviceType=b").user == "ann+x@example.org"


def test_a_target_that_is_not_utf_8_gives_text_all_the_same() -> None:
    assert parse_query("Cmd=Sync&DeviceId=a&DeviceType=b&User=\udce4%E4ä").user == "?\ufffdä"


def test_all_parameters_of_a_plain_query() -> None:
    raw = (
        "&AttachmentName=5%3A1%3A0&CollectionId=5&ItemId=5%3A1&LongId=RgAAA%2B&Occurrence=20240102T030405Z&SaveInSent=T"
    )
    query = parse_query(PLAIN.replace("Sync", "SmartReply") + raw)
    assert query.attachment_name == "5:1:0"
    assert (query.collection_id, query.item_id, query.long_id) == ("5", "5:1", "RgAAA+")
    assert query.occurrence == "20240102T030405Z"
    assert query.save_in_sent


def test_all_parameters_of_a_base64_query() -> None:
    rest = b"\x00\x01A\x01\x015\x03\x035:1\x04\x02L1\x06\x01O\x08\x03ann\x07\x01\x02\x05\x01P\x63\x00\x01\x016"
    query = parse_query(in_base64(code=19, key=b"\x01\x02\x00\x80", rest=rest).decode())
    assert query.policy_key == 0x80000201
    assert (query.attachment_name, query.collection_id, query.item_id) == ("A", "5", "5:1")
    assert (query.long_id, query.occurrence, query.user) == ("L1", "O", "ann")
    assert (query.save_in_sent, query.accept_multipart) == (False, True)


@pytest.mark.parametrize("options", [b"", b"\x07\x00", b"\x07\x01\x00"])
def test_options_may_be_missing_empty_or_zero(options: bytes) -> None:
    query = parse_query(in_base64(rest=options).decode())
    assert (query.save_in_sent, query.accept_multipart) == (False, False)


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=32)
alphanumeric = st.text("abcXYZ019", min_size=1, max_size=32)
some = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
queries = st.builds(
    Query,
    command=st.sampled_from([command.name for command in COMMANDS]),
    device_id=alphanumeric,
    device_type=printable,
    user=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    attachment_name=some,
    collection_id=some,
    item_id=some,
    long_id=some,
    occurrence=some,
    save_in_sent=st.booleans(),
)


@given(queries)
def test_parsing_undoes_building_a_plain_query(query: Query) -> None:
    assert parse_query(build_plain(query)) == query


@given(
    queries, st.sampled_from(Version), st.none() | st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.booleans()
)
def test_parsing_undoes_building_a_base64_query(
    query: Query, version: Version, key: int | None, locale: int, multipart: bool
) -> None:
    query = replace(query, version=version, policy_key=key, locale=locale, accept_multipart=multipart)
    assert parse_query(build_base64(query)) == query


def test_a_device_id_of_bytes_can_be_built() -> None:
    query = Query("Ping", "00ff", "X", version=Version.V14_1, locale=0)
    assert parse_query(build_base64(query, b"\x00\xff")) == query


@given(st.text() | st.builds(lambda data: b64encode(data).decode(), st.binary()))
def test_any_query_is_read_or_refused(raw: str) -> None:
    with suppress(UnreadableQuery, UnknownVersion, UnknownCommand, BadDevice):
        parse_query(raw)
