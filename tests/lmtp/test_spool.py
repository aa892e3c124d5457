import mmap
import os
from pathlib import Path

import pytest

from lmtp.spool import PIECE_BYTES_MIN, Spool, SpoolError


def test_a_small_message_stays_in_memory(tmp_path: Path) -> None:
    spool = Spool(100, str(tmp_path / "missing"), memory_bytes_max=10)
    spool.write(b"12345")
    spool.write(b"67890")
    assert spool.content() == b"1234567890"
    assert spool.size_bytes == 10
    spool.close()


def test_pieces_of_all_sizes_keep_their_order() -> None:
    pieces = [b"a", b"b", b"c" * PIECE_BYTES_MIN, b"d", b"e" * PIECE_BYTES_MIN, b"f" * (PIECE_BYTES_MIN - 1), b"g"]
    spool = Spool(1 << 20)
    for piece in pieces:
        spool.write(piece)
    assert spool.content() == b"".join(pieces) == spool.content()
    spool.close()


def test_one_byte_more_goes_to_a_file_that_has_no_name(tmp_path: Path) -> None:
    spool = Spool(100, str(tmp_path), memory_bytes_max=10)
    spool.write(b"1234567890")
    spool.write(b"1")
    spool.write(b"2")
    content = spool.content()
    assert isinstance(content, mmap.mmap)
    assert content[:] == b"123456789012"
    assert spool.content() is content
    assert os.listdir(tmp_path) == []
    spool.close()
    spool.close()
    assert content.closed


def test_one_byte_over_the_bound_drops_all() -> None:
    spool = Spool(10, memory_bytes_max=5)
    spool.write(b"1234567890")
    assert not spool.is_over
    spool.write(b"1")
    spool.write(b"2")
    assert spool.is_over
    assert spool.content() == b""


def test_a_fault_of_the_disk_is_told_when_the_message_is_wanted(tmp_path: Path) -> None:
    spool = Spool(100, str(tmp_path / "missing"), memory_bytes_max=10)
    spool.write(b"x" * 11)
    spool.write(b"x")
    with pytest.raises(SpoolError):
        spool.content()
    spool.write(b"x" * 100)
    assert spool.is_over  # said rather than the fault: it will not pass
    spool.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_told_when_the_message_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w+b")  # noqa: SIM115  # the spool closes it
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
    spool = Spool(1 << 20, memory_bytes_max=10)
    spool.write(b"x" * 100_000)
    spool.write(b"x" * 100_000)
    with pytest.raises(SpoolError):
        spool.content()
    spool.close()


def test_a_message_that_somebody_still_looks_at_may_be_closed(tmp_path: Path) -> None:
    spool = Spool(100, str(tmp_path), memory_bytes_max=1)
    spool.write(b"abc")
    view = memoryview(spool.content())
    spool.close()
    assert bytes(view) == b"abc"
    view.release()
