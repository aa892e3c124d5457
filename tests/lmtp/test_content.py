import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp.content import ChunkReader, ChunkText, DotReader, canonical

_TEXT = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\0"]), max_size=30).map(b"".join)
_SIZES = st.lists(st.integers(0, 6), max_size=40)


def _cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def _read_dotted(pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Return the message and what follows it."""
    written: list[bytes] = []
    reader = DotReader(written.append)
    for at, piece in enumerate(pieces):
        end = reader.read(b"xx" + piece, 2)
        if end >= 0:
            return b"".join(written), piece[end - 2 :] + b"".join(pieces[at + 1 :])
    raise AssertionError("no end")


def _stuff(text: bytes) -> bytes:
    """What a client sends for *text*, which ends in CRLF or is empty (RFC 5321 4.5.2)."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", text) + b".\r\n"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"..a\r\n...\r\n.\r\n", b".a\r\n..\r\n"),
        (b"\n.\r\n.\r\n", b"\r\n.\r\n"),
        (b"\n..a\n.\r\n.\r\n", b"\r\n..a\r\n.\r\n"),
        (b"a\rb\r\r\n.\r\n", b"a\rb\r\r\n"),
        (b".\r\r\n.\r\n", b"\r\r\n"),
        (b"a\0b\r\n.\r\n", b"a\0b\r\n"),
    ],
)
def test_reads_to_the_end(sent: bytes, message: bytes) -> None:
    assert _read_dotted([sent + b"QUIT\r\n"]) == (message, b"QUIT\r\n")
    pieces = [bytes([byte]) for byte in sent + b"QUIT\r\n"]
    assert _read_dotted(pieces) == (message, b"QUIT\r\n")


@given(_TEXT, _SIZES)
def test_undoes_transparency_in_any_cut(text: bytes, sizes: list[int]) -> None:
    if text and not text.endswith(b"\r\n"):
        text += b"\r\n"
    assert _read_dotted(_cut(_stuff(text) + b".\r\n", sizes)) == (canonical(text), b".\r\n")


@given(_TEXT)
def test_canonical_leaves_no_bare_lf_and_all_else(text: bytes) -> None:
    result = canonical(text)
    assert result.count(b"\n") == result.count(b"\r\n")
    assert result.split() == text.split()
    assert canonical(result) == result


@given(_TEXT, _SIZES)
def test_chunk_text_is_the_same_in_any_cut(text: bytes, sizes: list[int]) -> None:
    written: list[bytes] = []
    chunks = ChunkText(written.append)
    for piece in _cut(text, sizes):
        chunks.write(piece)
    chunks.flush()
    assert b"".join(written) == canonical(text)


def test_a_chunk_takes_what_is_its_own() -> None:
    written: list[bytes] = []
    reader = ChunkReader(5, written.append)
    assert reader.read(b"xxab", 2) == -1
    assert reader.read(b"cdeQUIT", 0) == 3
    assert b"".join(written) == b"abcde"
    assert ChunkReader(0, written.append).read(b"QUIT", 0) == 0


def test_little_is_kept_back() -> None:
    written: list[bytes] = []
    reader = DotReader(written.append)
    reader.read(b"x" * 1000 + b"\r\n.\r", 0)
    assert sum(map(len, written)) == 1000
