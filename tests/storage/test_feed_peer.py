"""The feed's datagrams: what is said is heard, and garbage is nothing."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.feeds.feed import News
from storage.feeds.peer import DATAGRAM_BYTES_MAX, DATAGRAM_NEWS_MAX, Batch, decode, encode

batches = st.dictionaries(st.tuples(st.text(), st.text()), st.integers(0, (1 << 64) - 1), max_size=DATAGRAM_NEWS_MAX)


@given(batches)
def test_decode_undoes_encode(batch: Batch) -> None:
    assert decode(encode(batch)) == [News(*key, n) for key, n in batch.items()]


@given(st.binary(max_size=200))
def test_decode_takes_any_bytes(datagram: bytes) -> None:
    assert all(isinstance(news, News) for news in decode(datagram))


@pytest.mark.parametrize("batch", [{("a" * DATAGRAM_BYTES_MAX, ""): 1}, {("\ud800", ""): 1}, {("", ""): 1 << 64}])
def test_what_no_datagram_can_say_is_a_rescan(batch: Batch) -> None:
    assert decode(encode(batch)) == [News.rescan]


def test_a_datagram_over_the_bound_is_not_read() -> None:
    padding = DATAGRAM_BYTES_MAX - len(encode({("", ""): 1})) - 2  # the length takes two bytes more
    assert len(decode(encode({("x" * padding, ""): 1}))) == 1
    assert decode(msgpack.packb([("x" * (padding + 1), "", 1)])) == []
