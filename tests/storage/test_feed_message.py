"""What a lane's objects say is heard, and nobody else can say it."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import paths, seal
from storage.feeds.feed import News
from storage.feeds.message import BYTES_MAX, NEWS_MAX, Message, feed_key, pack, pack_last, unpack
from storage.feeds.peer import Batch

KEY = feed_key(b"k" * 32)
NAME = paths.feed("a" * 16, 1)
batches = st.dictionaries(st.tuples(st.text(), st.text()), st.integers(0, (1 << 64) - 1), max_size=50)


@given(batches)
def test_unpack_undoes_pack(batch: Batch) -> None:
    assert unpack(KEY, NAME, pack(KEY, NAME, batch)) == Message(tuple(News(*where, n) for where, n in batch.items()))


def test_a_process_may_say_that_it_lives_that_it_left_and_that_anything_may_have_changed() -> None:
    assert unpack(KEY, NAME, pack(KEY, NAME, {})) == Message()
    assert unpack(KEY, NAME, pack_last(KEY, NAME)) == Message(is_last=True)
    assert unpack(KEY, NAME, pack(KEY, NAME, None)) == Message((News.rescan,))


@pytest.mark.parametrize("batch", [{("\ud800", ""): 1}, {("", ""): 1 << 64}, {("a" * BYTES_MAX, ""): 1}])
def test_what_no_object_can_say_is_a_rescan(batch: Batch) -> None:
    assert unpack(KEY, NAME, pack(KEY, NAME, batch)) == Message((News.rescan,))


def test_one_entry_over_the_bound_is_a_rescan() -> None:
    batch = {(str(n), ""): n for n in range(NEWS_MAX)}
    assert len(unpack(KEY, NAME, pack(KEY, NAME, batch)).news) == NEWS_MAX
    assert unpack(KEY, NAME, pack(KEY, NAME, {**batch, ("one", "more"): 1})).news == (News.rescan,)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(seal.SealError):
        unpack(KEY, NAME, data)


def test_an_object_of_another_name_or_deployment_is_refused() -> None:
    data = pack(KEY, NAME, {("account", "writer"): 1})
    for key, name in ((KEY, paths.feed("a" * 16, 2)), (KEY, paths.feed("b" * 16, 1)), (feed_key(b"o" * 32), NAME)):
        with pytest.raises(seal.SealError):
            unpack(key, name, data)


@pytest.mark.parametrize("said", [1, "other", {"a": 1}, b"left"])
def test_what_is_no_message_is_refused_though_sealed(said: object) -> None:
    with pytest.raises(seal.SealError):
        unpack(KEY, NAME, seal.seal(KEY, NAME, msgpack.packb(said), compress=False))
    with pytest.raises(seal.SealError):
        unpack(KEY, NAME, seal.seal(KEY, NAME, b"\xc1", compress=False))


def test_entries_that_are_no_news_are_passed_over() -> None:
    plain = msgpack.packb([["a", "b", 1], [1, 2, 3], ["a"], "x", None])
    assert unpack(KEY, NAME, seal.seal(KEY, NAME, plain, compress=False)) == Message((News("a", "b", 1),))


def test_names_do_not_show_in_the_object() -> None:
    account = "0123456789abcdef" * 2
    assert account.encode() not in pack(KEY, NAME, {(account, "writer"): 1})
