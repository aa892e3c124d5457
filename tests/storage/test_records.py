"""Records: what is packed is read back, and nothing else is taken for one."""

from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Added, Record, Set, UnknownRecord, pack, unpack, unpack_content
from tests.properties.histories import records
from tests.storage.nodes import content

ADDED = pack(Added("1item", "inbox", "Email", 5, content(1), {"read": True}, "phone"))
CONTENT: list[Any] = [f"{1:032x}", bytes(32), 3, [3, b"\0\0-"], None]


@given(records)
def test_what_is_packed_is_read_back(record: Record) -> None:
    assert unpack(msgpack.unpackb(msgpack.packb(pack(record)))) == record


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=9), st.lists))
def test_anything_else_is_refused(packed: Any) -> None:
    with pytest.raises(UnknownRecord):
        unpack(packed)


@given(records, st.data())
def test_a_record_with_any_place_exchanged_is_refused_or_a_record(record: Record, data: st.DataObject) -> None:
    packed = pack(record)
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] = data.draw(st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.lists(st.none()))
    with suppress(UnknownRecord):
        pack(unpack(packed))


@pytest.mark.parametrize(
    "packed",
    [
        ["Z", "of a newer version"],
        ADDED[:-1],
        [*ADDED, "more"],
        [*ADDED[:4], "5", *ADDED[5:]],
        [*ADDED[:6], None, *ADDED[7:]],
        [*ADDED[:8], [1, "", 1]],
        ["S", "1item", "folder", 5, "", None],
        ["S", "1item", "content", None, "", None],
        ["S", "1item", "content", "text", "", None],
        ["S", 1, "read", True, "", None],
        ["F", None, "name", "A", ""],
        ["D", "phone", None, 1],
        ["V", []],
        ["V", [None] * 13],
        ["V", ["phone", "inbox", "l", 1, ["writer"], {}, [1, "i"], 0, [1, "i"], {}, [1, "i"], {}, {}]],
        ["V", ["phone", "inbox", "l", 1, None, {}, ["1", "i"], 0, [1, "i"], {}, [1, "i"], {}, {}]],
        ["V", ["phone", "inbox", "l", 1, None, {"w": 1}, [1, "i"], 0, [1, "i"], {}, [1, "i"], {}, {}]],
        ["V", ["phone", "inbox", "l", 1, None, {}, [1, "i"], 0, [1, "i"], {}, [1, "i"], {}, None]],
        ["I", "send", "<1@a>", "no bytes", "process"],
        ["O", "send", "writer", 1, 1],
    ],
    ids=repr,
)
def test_what_a_record_is_not(packed: Any) -> None:
    with pytest.raises(UnknownRecord):
        unpack(packed)


@pytest.mark.parametrize(
    "packed",
    [
        ["../secret", *CONTENT[1:]],
        [CONTENT[0].upper() + "X", *CONTENT[1:]],
        ["short", *CONTENT[1:]],
        [CONTENT[0], b"short", *CONTENT[2:]],
        [*CONTENT[:2], 4, *CONTENT[3:]],
        [*CONTENT[:2], -1, [-1, b""], None],
        [*CONTENT[:2], (1 << 40) + 1, [(1 << 40) + 1, b""], None],
        [*CONTENT[:3], None, None],
        CONTENT[:4],
    ],
    ids=repr,
)
def test_no_blob_could_be_read_by_it(packed: Any) -> None:
    with pytest.raises(UnknownRecord):
        unpack_content(packed)


def test_a_content_of_a_newer_version_is_read_without_what_it_says_more() -> None:
    assert unpack_content([*CONTENT, "more"]) == unpack_content(CONTENT)


def test_a_property_may_have_any_value() -> None:
    for value in (None, True, 7, "text", b"bytes", [1, [2]], {"a": {"b": None}}):
        record = Set("1item", "flag", value)
        assert unpack(msgpack.unpackb(msgpack.packb(pack(record)))) == record
