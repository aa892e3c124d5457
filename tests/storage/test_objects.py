"""Log objects: opened only as what their writer made for this place, and a delivery only as arriving mail."""

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import objects, paths, seal
from storage.epochs import EpochKeys, UnknownEpoch
from storage.objects import (
    COMMIT_BYTES_MAX,
    DELIVERED_DATE_MS_MAX,
    FIRST,
    HEADER_BYTES,
    BrokenObject,
    CommitTooLarge,
    Header,
    LogKeys,
    make_delivered,
    make_own,
    open_commit,
    read_header,
)
from storage.records import Added, DeviceSet, FolderSet, Record, Set, Stamp, UnknownRecord, pack
from storage.state import Commit
from tests.properties.histories import records
from tests.storage.nodes import ACCOUNT, KEYS, NOW_MS, PRIVATE, PUBLIC, content, mail

W, X = "a" * 16, "b" * 16
NAME = paths.log(ACCOUNT, W, 1)
TIME = NOW_MS << 16


def own(*told: Record, name: str = NAME, before: bytes = FIRST) -> bytes:
    return make_own(name, KEYS.log.log, Header(False, 1, before, 0), TIME, told)


def delivered(*told: Added, name: str = NAME, before: bytes = FIRST) -> bytes:
    return make_delivered(name, PUBLIC, Header(True, 1, before, 0), TIME, told)


def forged(plain: Any) -> bytes:
    """Return what somebody who knows the public key can make: any bytes, sealed for this place."""
    head = Header(True, 1, FIRST, 0).pack()
    data = plain if isinstance(plain, bytes) else msgpack.packb(plain)
    return head + seal.seal_to(PUBLIC, f"{NAME}#{head.hex()}", data, compress=True)


def opened(data: bytes, *, name: str = NAME, before: bytes = FIRST, keys: LogKeys = KEYS.log) -> Commit:
    return open_commit(name, W, 1, keys, before, data)


@given(st.lists(records, max_size=5))
def test_what_is_made_is_opened(told: list[Record]) -> None:
    assert opened(own(*told)) == Commit(W, 1, TIME, told)


def test_what_is_delivered_is_opened_with_the_private_key_of_its_epoch() -> None:
    other = seal.new_key_pair()[0]
    keys = LogKeys(KEYS.log.log, EpochKeys({1: PRIVATE, 2: other}))
    assert opened(delivered(mail("1item")), keys=keys) == Commit(W, 1, TIME, [mail("1item")])
    with pytest.raises(BrokenObject):
        opened(delivered(mail("1item")), keys=LogKeys(KEYS.log.log, EpochKeys({1: other, 2: PRIVATE})))
    with pytest.raises(BrokenObject, match="no key"):
        opened(delivered(mail("1item")), keys=LogKeys(KEYS.log.log, EpochKeys({2: PRIVATE})))


@pytest.mark.parametrize("delivered_", [True, False])
def test_a_newer_epoch_is_no_damage(delivered_: bool) -> None:
    keys = {2: seal.new_key(), 1: b"x" * 32}
    header = Header(delivered_, 2, FIRST, 0)
    data = (
        make_delivered(NAME, PUBLIC, header, TIME, [mail("1item")])
        if delivered_
        else make_own(NAME, EpochKeys(keys), header, TIME, [mail("1item")])
    )
    with pytest.raises(UnknownEpoch):
        opened(data)


def test_the_header_is_readable_without_keys() -> None:
    header = Header(True, 7, bytes(range(16)), -5)
    assert read_header(header.pack() + b"whatever") == header
    assert len(header.pack()) == HEADER_BYTES


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda data: b"",
        lambda data: data[: HEADER_BYTES - 1],
        lambda data: data[:HEADER_BYTES],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"PX" + data[2:],
        lambda data: data[:2] + b"\2" + data[3:],
        lambda data: data[:3] + b"\2" + data[4:],
        lambda data: data[:3] + bytes([1 - data[3]]) + data[4:],
        lambda data: data[: HEADER_BYTES - 1] + bytes([data[HEADER_BYTES - 1] ^ 1]) + data[HEADER_BYTES:],
    ],
)
@pytest.mark.parametrize("make", [own, delivered])
def test_what_was_altered_does_not_open(make: Callable[..., bytes], spoilt: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BrokenObject):
        opened(spoilt(make(mail("1item"))))


@given(st.data())
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    made = bytearray(own(mail("1item")))
    made[data.draw(st.integers(0, len(made) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((BrokenObject, UnknownEpoch)):  # of the latter the account finds out that there is none such
        opened(bytes(made))


@pytest.mark.parametrize("make", [own, delivered])
def test_an_object_opens_in_its_own_place_alone(make: Callable[..., bytes]) -> None:
    data = make(mail("1item"))
    for name in (paths.log(ACCOUNT, W, 2), paths.log(ACCOUNT, X, 1), paths.log("1" * 32, W, 1)):
        with pytest.raises(BrokenObject):
            opened(data, name=name)
    with pytest.raises(BrokenObject, match="successor"):
        opened(data, before=objects.digest(data))


@pytest.mark.parametrize(
    "record",
    [
        Set("1item", "folder", None),
        Set("1item", "read", True),
        FolderSet("f1", "gone", True),
        DeviceSet("phone", "wipe", 1),
        Added("1item", "inbox", "Email", 1, None, {"read": True}),
        Added("1item", "inbox", "Email", 1, None, {}, "phone"),
        Added("1item", "inbox", "Email", 1, None, {}, "", Stamp(0, "", (0, 0))),
        Added("1item", "inbox", "Calendar", 1, None),
        Added("", "inbox", "Email", 1, None),
        Added("~" * 20, "inbox", "Email", 1, None),
        Added("1:2", "inbox", "Email", 1, None),
        Added("i" * 65, "inbox", "Email", 1, None),
        Added("1item", "in/box", "Email", 1, None),
        Added("1item", "f" * 65, "Email", 1, None),
        Added("1item", "inbox", "Email", -1, None),
        Added("1item", "inbox", "Email", DELIVERED_DATE_MS_MAX + 1, None),
    ],
    ids=repr,
)
def test_knowing_the_public_key_forges_nothing_but_mail(record: Record) -> None:
    with pytest.raises(BrokenObject, match="says more than that mail came"):
        opened(forged([TIME, [pack(mail("2item")), pack(record)]]))
    assert opened(own(record)).records == [record], "whoever has the account's keys may say it"


@pytest.mark.parametrize("time", [-1, 1.5, True, "1", None, b"", []])
def test_a_forged_time_does_not_reach_the_fold(time: Any) -> None:
    with pytest.raises(BrokenObject):
        opened(forged([time, [pack(mail("1item"))]]))


@pytest.mark.parametrize(
    "plain",
    [b"", b"\xc1", None, [], [TIME], [TIME, None], [TIME, 5], [TIME, {}, 1], [TIME, ["A"]], [TIME, [["A", "x"]]],
     [TIME, [["A", "1item", "inbox", "Email", "5", None, {}, "", None]]],
     [TIME, [["A", "1item", "inbox", "Email", 5, ["../x", bytes(32), 3, [3, b"\0\0-"], None], {}, "", None]]],
     b"\x91" * 2000],
    ids=lambda plain: repr(plain)[:60],
)  # fmt: skip
def test_forged_nonsense_is_refused(plain: Any) -> None:
    with pytest.raises(BrokenObject):
        opened(forged(plain))


def test_a_map_with_other_keys_than_texts_is_read() -> None:
    record = Set("1item", "flag", {1: "a", "b": {2: None}})
    assert opened(own(record)).records == [record]


@pytest.mark.parametrize("record", [Set("1item", "content", None), Set("1item", "folder", 5)])
def test_nothing_is_written_that_could_not_be_read(record: Record) -> None:
    with pytest.raises(UnknownRecord):
        own(record)


@pytest.mark.parametrize("make", [own, delivered])
def test_a_commit_is_bounded(make: Callable[..., bytes]) -> None:
    fitting = COMMIT_BYTES_MAX - 200
    full = Added("1item", "inbox", "Email", 1, content(1, summary="x" * fitting))
    assert opened(make(full)).records == [full]
    with pytest.raises(CommitTooLarge):
        make(Added("1item", "inbox", "Email", 1, content(1, summary="x" * COMMIT_BYTES_MAX)))
