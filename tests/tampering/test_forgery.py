"""What somebody makes who knows the public key and the store, and no other key: mail at most; nothing goes for it."""

from dataclasses import replace
from typing import Any

import msgpack
import pytest
import structlog

from storage import checkpoint, objects, paths, seal
from storage.collecting.collector import collect
from storage.engine_memory import MemoryEngine
from storage.paths import Kind
from storage.records import Added, DeviceSet, FolderSet, Sending, Sent, Set, ViewMade, pack
from storage.views import TOP, View
from tests.storage.nodes import ACCOUNT, NOW_MS, PUBLIC, Node, content, mail

DAY_MS = 86_400_000
HUGE = 1 << 41
ENDLESS = replace(content(1), size_bytes=HUGE, shape=[HUGE, b""])
KINDS: dict[str, Any] = {
    "a read mark": pack(Set("1item", "read", True)),
    "a removal": pack(Set("1item", "folder", None)),
    "another content": pack(Set("1item", "content", content(9))),
    "a folder": pack(FolderSet("own", "name", "Forged")),
    "a removed folder": pack(FolderSet("own", "gone", True)),
    "a device": pack(DeviceSet("phone", "", None)),
    "a view": pack(ViewMade(View("phone", "inbox", "0" * 32, 1, None, {}, TOP))),
    "an intent": pack(Sending("send", "<1@x>", bytes(16), "process")),
    "an outcome": pack(Sent("send", "0" * 16, 1, True)),
    "a read mail": pack(Added("2item", "inbox", "Email", NOW_MS, None, {"read": True})),
    "a device's mail": pack(Added("2item", "inbox", "Email", NOW_MS, None, {}, "phone")),
    "an appointment": pack(Added("2item", "calendar", "Calendar", NOW_MS, None)),
    "a mail of the year 10000": pack(Added("2item", "inbox", "Email", 1 << 60, None)),
    "a mail of a name that is none": pack(Added("../2item", "inbox", "Email", NOW_MS, None)),
    "a mail without end": pack(
        Added("2item", "inbox", "Email", NOW_MS, replace(content(1), size_bytes=HUGE, shape=[HUGE, b""]))
    ),
    "a record of a kind that nobody knows": ["Z", 1],
}


async def _forged(node: Node, writer: str, n: int, before: bytes, record: Any) -> None:
    name, head = paths.log(ACCOUNT, writer, n), objects.Header(True, 1, before, 0).pack()
    plain = msgpack.packb([NOW_MS << 16, [pack(mail("3item")), record]])
    await node.engine.put(name, head + seal.seal_to(PUBLIC, f"{name}#{head.hex()}", plain, compress=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_own_writer", [True, False])
async def test_a_delivery_that_holds_anything_but_mail_is_refused_and_named(kind: str, is_own_writer: bool) -> None:
    """All of it: not even the mail beside is shown.  Behind another writer's commits or under a name of its own."""
    node = Node()
    await node.postman.append([mail("1item")])
    before = await node.rows()
    last = await node.engine.get(paths.log(ACCOUNT, node.postman.id, 1))
    place = ("f" * 16, 1, objects.FIRST) if is_own_writer else (node.postman.id, 2, objects.digest(last))
    await _forged(node, *place, KINDS[kind])
    with structlog.testing.capture_logs() as events:
        assert await Node(node.engine).rows() == before
    assert [(event["event"], event["writer"], event["n"]) for event in events] == [("log.broken", *place[:2])]


@pytest.mark.parametrize("spoil", ["cut behind its header", "forged in its body", "forged, and said to cover all"])
async def test_nothing_is_collected_for_a_checkpoint_that_is_none(spoil: str) -> None:
    """A header alone claims whatever it likes; were it believed, the log would go, and the sound checkpoint with it."""
    node = Node(MemoryEngine())
    for number in range(4):
        await node.commit(mail(f"{number}item"))
    await node.account.checkpoint()
    await node.commit(mail("5item"))
    (sound,) = [entry.key for entry in await node.engine.list(paths.prefix(Kind.CHECKPOINT, ACCOUNT))]
    data = await node.engine.get(sound)
    clear, end = checkpoint.read_clear(data)
    header = data[:end] if "all" not in spoil else checkpoint.Clear(0, 9, {node.writer.id: 5}).pack()
    body = b"" if "cut" in spoil else bytes(len(data) - end)
    await node.engine.put(paths.checkpoint(ACCOUNT, "f" * 48), header + body)
    rows, kept = await node.rows(), [entry.key for entry in await node.engine.list("")]
    assert clear.commits == {node.writer.id: 4}
    for days in range(4):
        fresh = Node(node.engine)
        done = await collect(fresh.engine, fresh.account, NOW_MS + days * DAY_MS)
        assert done.refused == [ACCOUNT]
    assert [entry.key for entry in await node.engine.list("")] == kept
    assert await Node(node.engine).rows() == rows
