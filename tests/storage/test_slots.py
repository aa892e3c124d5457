"""Slot objects: bounded costs, and nothing is read that the deployment key did not make."""

from dataclasses import replace

import msgpack
import pytest

from storage import paths
from storage.keyring.slots import (
    LANES_MAX,
    MEMORY_KIB_MAX,
    PASSES_MAX,
    Cost,
    Slot,
    SlotKind,
    has_proof,
    pack_slot,
    unpack_slot,
)
from storage.paths import Version
from storage.seal import SealError, derive, keyed_hash
from tests.storage.vaults import ACCOUNT, DEPLOYMENT_KEY

ID = "0123456789abcdef0123456789abcdef"
VERSION = Version(1, "89abcdef")
NAME = paths.slot(ACCOUNT, ID, VERSION)
MASTER = bytes(32)
SLOT = Slot(ID, VERSION, SlotKind.APP, False, 1, b"tag", Cost(), b"salt", b"public", b"box", b"note")


def genuine(body: bytes) -> bytes:
    return body + keyed_hash(derive(DEPLOYMENT_KEY, "slot"), NAME.encode(), body, size=32)


@pytest.mark.parametrize(
    ("memory_kib", "passes", "lanes"),
    [
        (7, 1, 1),
        (MEMORY_KIB_MAX + 1, 1, 1),
        (8, 0, 1),
        (8, PASSES_MAX + 1, 1),
        (8, 1, 0),
        (15, 1, 2),
        (8 * (LANES_MAX + 1), 1, LANES_MAX + 1),
    ],
)
def test_a_cost_out_of_bounds_is_refused(memory_kib: int, passes: int, lanes: int) -> None:
    with pytest.raises(ValueError, match="bounds"):
        Cost(memory_kib, passes, lanes)
    fields = [2, False, 1, b"", [memory_kib, passes, lanes], b"", b"", b"", b""]
    with pytest.raises(SealError):
        unpack_slot(DEPLOYMENT_KEY, NAME, ID, VERSION, genuine(b"\x01" + bytes(32) + msgpack.packb(fields)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x02" + bytes(32) + msgpack.packb([]),
        b"\x01" + bytes(32),
        b"\x01" + bytes(32) + msgpack.packb([]),
        b"\x01" + bytes(32) + msgpack.packb(5),
        b"\x01" + bytes(32) + msgpack.packb([9, False, 1, b"", [8, 1, 1], b"", b"", b"", b""]),
        b"\x01" + bytes(32) + msgpack.packb([1, False, 1, b"", 8, b"", b"", b"", b""]),
        b"\x01" + bytes(32) + b"\xc1",
    ],
)
def test_a_genuine_object_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(SealError):
        unpack_slot(DEPLOYMENT_KEY, NAME, ID, VERSION, genuine(body))


def test_a_slot_of_another_name_or_deployment_is_refused() -> None:
    data = pack_slot(DEPLOYMENT_KEY, NAME, SLOT, MASTER)
    with pytest.raises(SealError):
        unpack_slot(bytes(32), NAME, ID, VERSION, data)
    with pytest.raises(SealError):
        unpack_slot(DEPLOYMENT_KEY, NAME + "0", ID, VERSION, data)


def test_unpacking_undoes_packing() -> None:
    for slot, master in ((SLOT, MASTER), (replace(SLOT, revoked=True, box=b"", note=b""), None)):
        data = pack_slot(DEPLOYMENT_KEY, NAME, slot, master)
        assert unpack_slot(DEPLOYMENT_KEY, NAME, ID, VERSION, data) == slot
        assert has_proof(NAME, data, MASTER) is (master is not None)
    assert not has_proof(NAME, pack_slot(DEPLOYMENT_KEY, NAME, SLOT, MASTER), bytes(31) + b"\1")


def test_dearer_is_more_memory_times_passes() -> None:
    assert Cost(8, 1).is_less_than(Cost(8, 2))
    assert not Cost(8, 2).is_less_than(Cost(16, 1))
