"""Sealed bytes open under their key and their name, and under nothing else."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from storage import seal as seal_module
from storage.seal import (
    SEAL_OVERHEAD_BYTES,
    SealError,
    derive,
    is_sealed_to_public_key,
    keyed_hash,
    new_key,
    new_key_pair,
    open_,
    open_sealed,
    public_key_of,
    seal,
    seal_to,
)

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PRIVATE, PUBLIC = new_key_pair()
NAME = "a/of-somebody/blob/1"
COMPRESSIBLE = b"a line of a mail like any other\r\n" * 20


def flipped(data: bytes) -> list[bytes]:
    """Return *data* with one bit of each byte turned, all in turn."""
    return [data[:i] + bytes((data[i] ^ (1 << i % 8),)) + data[i + 1 :] for i in range(len(data))]


@pytest.mark.parametrize("plain", [b"", b"short", COMPRESSIBLE])
@pytest.mark.parametrize("compress", [True, False])
def test_any_changed_byte_refuses_to_open(plain: bytes, compress: bool) -> None:
    for data in flipped(seal(KEY, NAME, plain, compress=compress)):
        with pytest.raises(SealError) as caught:
            open_(KEY, NAME, data)
        assert caught.value.name == NAME


@pytest.mark.parametrize("plain", [b"", COMPRESSIBLE])
def test_any_changed_byte_refuses_to_open_with_the_private_key(plain: bytes) -> None:
    for data in flipped(seal_to(PUBLIC, NAME, plain, compress=True)):
        with pytest.raises(SealError):
            open_sealed([PRIVATE], NAME, data)


@pytest.mark.parametrize("bit", range(8))
def test_every_bit_of_the_first_bytes_counts(bit: int) -> None:
    for place in (0, 1, 2 + 31):  # 33 ends the ephemeral key, whose top bit X25519 does not look at
        for data, is_public in (
            (seal(KEY, NAME, b"", compress=False), False),
            (seal_to(PUBLIC, NAME, b"", compress=False), True),
        ):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(SealError):
                open_sealed([PRIVATE], NAME, bytes(changed)) if is_public else open_(KEY, NAME, bytes(changed))


def test_an_object_cut_short_anywhere_refuses_to_open() -> None:
    sealed, boxed = seal(KEY, NAME, b"plain", compress=False), seal_to(PUBLIC, NAME, b"plain", compress=False)
    for cut in range(len(sealed)):
        with pytest.raises(SealError):
            open_(KEY, NAME, sealed[:cut])
    for cut in range(len(boxed)):
        with pytest.raises(SealError):
            open_sealed([PRIVATE], NAME, boxed[:cut])


def test_swapped_objects_refuse_to_open() -> None:
    with pytest.raises(SealError):
        open_(KEY, "a/of-somebody/blob/2", seal(KEY, NAME, b"plain", compress=False))
    with pytest.raises(SealError):
        open_sealed([PRIVATE], "a/of-somebody/blob/2", seal_to(PUBLIC, NAME, b"plain", compress=False))


def test_another_key_refuses_to_open() -> None:
    with pytest.raises(SealError):
        open_(OTHER_KEY, NAME, seal(KEY, NAME, b"plain", compress=False))
    with pytest.raises(SealError):
        open_sealed([new_key_pair()[0]], NAME, seal_to(PUBLIC, NAME, b"plain", compress=False))
    with pytest.raises(SealError):
        open_sealed([], NAME, seal_to(PUBLIC, NAME, b"plain", compress=False))


def test_the_two_layouts_are_not_taken_for_each_other() -> None:
    sealed, boxed = seal(KEY, NAME, b"plain", compress=False), seal_to(PUBLIC, NAME, b"plain", compress=False)
    assert (is_sealed_to_public_key(sealed), is_sealed_to_public_key(boxed)) == (False, True)
    with pytest.raises(SealError, match="format 2"):
        open_(KEY, NAME, boxed)
    with pytest.raises(SealError, match="format 1"):
        open_sealed([PRIVATE], NAME, sealed)


def test_a_bomb_is_refused_one_past_the_bound() -> None:
    bomb = seal(KEY, NAME, bytes(1000), compress=True)
    assert open_(KEY, NAME, bomb, size_max=1000) == bytes(1000)
    for compress in (True, False):
        with pytest.raises(SealError, match="at most 999"):
            open_(KEY, NAME, seal(KEY, NAME, bytes(1000), compress=compress), size_max=999)
        with pytest.raises(SealError, match="at most 999"):
            open_sealed([PRIVATE], NAME, seal_to(PUBLIC, NAME, bytes(1000), compress=compress), size_max=999)


FRAMES = {
    "states no size": zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000)),
    "is no frame": b"neither zstd nor anything",
    "is cut short": zstandard.ZstdCompressor().compress(COMPRESSIBLE)[:-3],
    "has bytes after it": zstandard.ZstdCompressor().compress(COMPRESSIBLE) + b"more",
    "is empty": b"",
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_a_genuine_object_with_a_bad_frame_is_refused(frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "_pack", lambda *_: (1, frame))  # anybody may seal to a public key, and badly
    with pytest.raises(SealError):
        open_sealed([PRIVATE], NAME, seal_to(PUBLIC, NAME, b"", compress=True))


def test_an_unknown_compression_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "_pack", lambda *_: (2, b"body"))
    with pytest.raises(SealError, match="compression 2"):
        open_(KEY, NAME, seal(KEY, NAME, b"", compress=True))


def test_a_box_that_holds_no_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = seal_to(PUBLIC, NAME, b"plain", compress=False)
    monkeypatch.setattr("nacl.public.SealedBox.decrypt", lambda *_: b"too short")
    with pytest.raises(SealError):
        open_sealed([PRIVATE], NAME, data)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_length_is_the_callers_mistake(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal(key, NAME, b"", compress=False)
    with pytest.raises(ValueError, match="32 bytes"):
        open_(key, NAME, seal(KEY, NAME, b"", compress=False))
    with pytest.raises(ValueError, match="32 bytes"):
        derive(key, "log")
    with pytest.raises(ValueError, match="32 bytes"):
        keyed_hash(key, b"")


@given(st.binary(max_size=5000), st.text(max_size=50), st.booleans())
def test_opening_undoes_sealing(plain: bytes, name: str, compress: bool) -> None:
    assert open_(KEY, name, seal(KEY, name, plain, compress=compress)) == plain
    boxed = seal_to(PUBLIC, name, plain, compress=compress)
    assert open_sealed([new_key_pair()[0], PRIVATE], name, boxed) == plain


@given(st.binary(max_size=300))
def test_any_bytes_open_or_raise_seal_error(data: bytes) -> None:
    for head in (b"", b"\x01\x00", b"\x02\x01"):
        with pytest.raises(SealError):
            open_(KEY, NAME, head + data)
        with pytest.raises(SealError):
            open_sealed([PRIVATE], NAME, head + data)


def test_compression_is_kept_only_where_it_gains() -> None:
    assert len(seal(KEY, NAME, COMPRESSIBLE, compress=True)) < len(COMPRESSIBLE) // 2
    noise = new_key() + new_key() + new_key()
    assert len(seal(KEY, NAME, noise, compress=True)) == len(noise) + SEAL_OVERHEAD_BYTES


def test_sealing_twice_never_gives_the_same_bytes() -> None:
    assert seal(KEY, NAME, b"plain", compress=False) != seal(KEY, NAME, b"plain", compress=False)


def test_a_private_key_knows_its_public_half() -> None:
    assert public_key_of(PRIVATE) == PUBLIC


@pytest.mark.parametrize("purpose", ["", "a purpose too long", "tab\t", "schlüssel"])
def test_a_purpose_is_short_and_plain(purpose: str) -> None:
    with pytest.raises((ValueError, UnicodeError)):
        derive(KEY, purpose)


def test_derived_keys_differ_by_master_purpose_and_context() -> None:
    keys = {
        derive(KEY, "log"),
        derive(OTHER_KEY, "log"),
        derive(KEY, "log2"),
        derive(KEY, "log", b"\0"),
        derive(KEY, "checkpoint"),
        keyed_hash(KEY, size=32),
        KEY,
    }
    assert len(keys) == 7
    assert {len(key) for key in keys} == {32}


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_hashes_agree_only_if_every_part_does(one: list[bytes], other: list[bytes]) -> None:
    assert (keyed_hash(KEY, *one) == keyed_hash(KEY, *other)) is (one == other)


@pytest.mark.parametrize("size", [1, 16, 64])
def test_a_hash_is_as_long_as_asked(size: int) -> None:
    assert len(keyed_hash(KEY, b"part", size=size)) == size
