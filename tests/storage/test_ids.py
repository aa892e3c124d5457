"""Ids: the same whenever the same is asked for, and a time read from any bytes in as many steps as they are long."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage import ids
from storage.ids import delivered_item, fresh_item, hour_of_arrival, own_folder, own_item

KEY = b"k" * 32
ACCOUNT = "0" * 32
HOUR = 475_000  # in March 2024
LINE = b"Received: from a (b [1.2.3.4]) by c with ESMTP id 7; Fri, 08 Mar 2024 16:30:00 +0000 (UTC)\r\n"


def at(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")


def received(hour: int) -> bytes:
    return f"Received: from a by b; {at(hour)}\r\n".encode()


def test_the_same_bytes_for_the_same_account_are_one_item() -> None:
    message = received(HOUR) + b"Subject: a\r\n\r\ntext"
    item = delivered_item(KEY, ACCOUNT, message)
    assert item == delivered_item(KEY, ACCOUNT, message)
    assert re.fullmatch("[0-9a-v]{20}", item)
    others = [
        delivered_item(KEY, "1" * 32, message),
        delivered_item(b"x" * 32, ACCOUNT, message),
        delivered_item(KEY, ACCOUNT, message + b"."),
    ]
    assert len({item, *others}) == 4


def test_ids_are_in_the_order_of_their_hours() -> None:
    delivered = [delivered_item(KEY, ACCOUNT, received(hour) + b"\r\n") for hour in range(HOUR, HOUR + 90, 7)]
    assert delivered == sorted(delivered)
    own = [own_item(KEY, hour * 3_600_000, "a") for hour in range(HOUR, HOUR + 90, 7)]
    assert own == sorted(own)
    assert own[0][:4] == delivered[0][:4] == fresh_item(KEY, datetime.fromtimestamp(HOUR * 3600, UTC), "n")[:4]


@pytest.mark.parametrize(
    ("message", "hour"),
    [
        (LINE + b"\r\n", 474_976),
        (LINE.replace(b"; ", b";\r\n\t") + b"\r\n", 474_976),
        (LINE.replace(b" by", b"\r\n by") + b"Received: x; Mon, 01 Jan 2001 00:00:00 +0000\r\n\r\n", 474_976),
        (LINE.replace(b"\r\n", b"\n") + b"\n", 474_976),
        (LINE.replace(b"Received", b"RECEIVED") + b"\r\n", 474_976),
        (LINE.replace(b"+0000 (UTC)", b"-0330") + b"\r\n", 474_980),
        (LINE.replace(b"id 7", b"id 7; x") + b"\r\n", 474_976),
        (b"Subject: x\r\nDate: Fri, 08 Mar 2024 16:30:00 +0000\r\n\r\n", 474_976),
        (b"Received: by hand\r\nDate: Fri, 08 Mar 2024 16:30:00\r\n\r\n", 474_976),
        (b"Received: x; nonsense\r\nDate: Fri, 08 Mar 2024 16:30:00 -0000\r\n\r\n", 474_976),
        (b"Subject: x\r\n\r\ntext", 0),
        (b"Date: Fri, 99 Mar 2024 16:30:00 +0000\r\n\r\n", 0),
        (b"Date: Fri, 08 Mar 99999999999999999999 16:30:00 +0000\r\n\r\n", 0),
        (b"", 0),
    ],
)
def test_the_hour_is_that_of_the_topmost_received_line_or_of_the_date(message: bytes, hour: int) -> None:
    assert hour_of_arrival(message) == hour


def test_a_time_before_or_after_all_time_still_makes_an_id() -> None:
    for date in (
        "Thu, 01 Jan 1801 00:00:00 +0000",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
    ):
        item = delivered_item(KEY, ACCOUNT, f"Date: {date}\r\n\r\n".encode())
        assert re.fullmatch("[0-9a-v]{20}", item)


_pieces = st.sampled_from(
    [b"Received:", b"Date:", b";", b"\r\n ", b"\n\t", b"\r\n", b"\r", b"\n", b" ", b"Fri, ", b"08", b"Mar", b"2024",
     b"16:30:00", b"+0000", b"-99999999", b"9" * 400, b"(", b")", b"\xff", b"\0", b":", b".", b"-", b"A"]
)  # fmt: skip


@given(st.lists(_pieces, max_size=60).map(b"".join) | st.binary(max_size=200))
@example(b"Date:" + b"1" * 5000 + b"\r\n")
@example(b"Date: 1 Jan 2024 00:00:00 +" + b"9" * 5000 + b"\r\n")
def test_whatever_the_header_says_it_has_some_hour(message: bytes) -> None:
    assert isinstance(hour_of_arrival(message), int)
    assert re.fullmatch("[0-9a-v]{20}", delivered_item(KEY, ACCOUNT, message))


@pytest.mark.parametrize("size", [ids._HEAD_BYTES - 50, ids._HEAD_BYTES])
def test_no_more_than_the_beginning_of_a_message_is_looked_at(size: int) -> None:
    """So no message makes it slow; and what is looked at is searched for fixed texts alone."""
    message = b"Subject: " + b"x" * (size - 11) + b"\r\nDate: Fri, 08 Mar 2024 16:30:00 +0000\r\n\r\n"
    assert hour_of_arrival(message) == (474_976 if size < ids._HEAD_BYTES else 0)


def test_what_a_request_makes_is_the_same_when_it_is_repeated_and_no_other() -> None:
    assert own_item(KEY, 5, "a", "b") == own_item(KEY, 5, "a", "b")
    assert len({own_item(KEY, 5, *parts) for parts in (("a", "b"), ("ab",), ("a", "b", ""), ("", "a", "b"))}) == 4
    assert own_folder(KEY, "a") == own_folder(KEY, "a") != own_folder(KEY, "b")
    assert re.fullmatch("f[0-9a-v]{8}", own_folder(KEY, "a"))
    assert own_folder(KEY, "item") != own_item(KEY, 0, "item")
