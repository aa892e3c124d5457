"""A reader written from `FORMAT.md` alone: it uses nothing of the package but to make what it reads."""

import hashlib
import struct
from collections import Counter
from typing import Any
from unittest.mock import patch

import msgpack
import pytest
import zstandard
from argon2.low_level import Type, hash_secret_raw
from nacl.public import PrivateKey, SealedBox
from nacl.secret import Aead

from storage.collecting import packing
from storage.keyring.rotation import rotate
from storage.paths import Kind
from storage.records import MarkMade, Set, ViewMade
from storage.views import TOP, View
from tests.storage.sites import ANNA, MESSAGE, TRACE, Site, deposit
from tests.storage.vaults import DEPLOYMENT_KEY, PASSWORD, SECRET

Store = dict[str, bytes]


def derive(key: bytes, purpose: str) -> bytes:
    return hashlib.blake2b(b"", digest_size=32, key=key, person=purpose.encode()).digest()


def keyed(key: bytes, *parts: bytes, size: int) -> bytes:
    data = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def unsealed(key: bytes, name: str, data: bytes, private: bytes = b"") -> bytes:
    head, start = {1: (2, 2), 2: (2, 82), 3: (4, 4)}[data[0]]
    if data[0] == 2:
        key = SealedBox(PrivateKey(private)).decrypt(data[2:82])
    plain = Aead(key).decrypt(data[start:], data[:head] + name.encode())
    return zstandard.ZstdDecompressor().decompress(plain) if data[1] else plain


class Reader:
    """Opens one account, given its password."""

    def __init__(self, store: Store) -> None:
        account = keyed(derive(DEPLOYMENT_KEY, "account"), ANNA.address.encode(), size=16).hex()
        self.store, self.prefix = store, f"a/{account}/"
        self.master = self._master()
        self.ids, self.tokens, epochs = msgpack.unpackb(self._ring())
        self.masters = {epoch: master for epoch, master, _, _ in epochs}
        self.privates = {epoch: private for epoch, _, private, _ in epochs}
        name = self._last("public/")
        public, epoch = store[name][1:33], int(name.split("/")[-1][:10], 16)
        assert epoch == max(self.masters)
        assert bytes(PrivateKey(self.privates[epoch]).public_key) == public
        assert store[name][33:] == keyed(derive(DEPLOYMENT_KEY, "public"), name.encode(), public, size=32)

    def names(self, under: str) -> list[str]:
        return sorted(name for name in self.store if name.startswith(self.prefix + under))

    def _last(self, under: str) -> str:
        return self.names(under)[-1]

    def _ring(self) -> bytes:
        """Open the ring, whose master comes from a slot, or was sealed to one."""
        name = self._last("ring/")
        data = self.store[name]
        assert data[-32:] == keyed(derive(DEPLOYMENT_KEY, "ring"), name.encode(), data[:-32], size=32)
        magic, version, epoch, public_key, size = struct.unpack(">2sBB32sI", data[:40])
        assert (magic, version) == (b"PR", 1)
        assert public_key == self.store[self._last("public/")][1:33]
        heirs, header = msgpack.unpackb(data[40 : 40 + size]), data[: 40 + size]
        master = self.master
        if epoch != self.slot_epoch:
            public = bytes(PrivateKey(self.slot_private).public_key)
            master = unsealed(b"", f"{self.prefix}ring/{epoch}", heirs[public], self.slot_private)
        digest = hashlib.blake2b(header, digest_size=16).hexdigest()
        plain = unsealed(derive(master, "ring"), f"{name}#{digest}", data[40 + size : -32])
        assert self.master in [one[1] for one in msgpack.unpackb(plain)[2]]
        return plain

    def _master(self) -> bytes:
        for name in self.names("slot/"):
            data = self.store[name]
            assert data[-32:] == keyed(derive(DEPLOYMENT_KEY, "slot"), name.encode(), data[:-32], size=32)
            kind, revoked, _, _, (memory, passes, lanes), salt, _, box, _, epoch, _ = msgpack.unpackb(data[33:-32])
            if kind == 1 and not revoked:
                secret = b"".join(len(part).to_bytes(4, "big") + part for part in (PASSWORD.encode(), SECRET))
                key = hash_secret_raw(secret, salt, passes, memory, lanes, 32, Type.ID)
                master, self.slot_private = unsealed(key, name, box)[:32], unsealed(key, name, box)[32:]
                self.slot_epoch = epoch
                assert data[1:33] == keyed(derive(master, "slot"), name.encode(), data[33:-32], size=32)
                return master
        raise AssertionError("no main slot")

    def records(self) -> list[Any]:
        """Return all records of the log, with who wrote them."""
        found: list[tuple[str, Any]] = []
        before: dict[str, bytes] = {}
        numbers: Counter[str] = Counter()
        for name in self.names("log/"):
            if "/log/folded/" in name:
                continue
            data, (writer, n) = self.store[name], name.split("/")[-2:]
            magic, version, delivered, epoch, chain, _ = struct.unpack(">2sBBH16sq", data[:30])
            assert (magic, version) == (b"PB", 1)
            assert chain == before.get(writer, bytes(16))
            numbers[writer] += 1
            assert int(n, 16) == numbers[writer]
            before[writer] = hashlib.blake2b(data, digest_size=16).digest()
            key, private = derive(self.masters[epoch], "log"), self.privates[epoch]
            plain = unsealed(key, f"{name}#{data[:30].hex()}", data[30:], private)
            _, records = msgpack.unpackb(plain)
            assert not delivered or all(record[0] == "A" for record in records)
            found += [(writer, record) for record in records]
        return found

    def root(self, held: int = 2) -> list[Any]:
        name = self._last("log/folded/")
        data = self.store[name]
        magic, version, epoch, _, items, size = struct.unpack(">2sBBqqI", data[:24])
        assert (magic, version, items) == (b"PK", 1, held)
        header = data[: 24 + size]
        digest = hashlib.blake2b(header, digest_size=16).hexdigest()
        root: list[Any] = msgpack.unpackb(
            unsealed(derive(self.masters[epoch], "checkpoint"), f"{name}#{digest}", data[24 + size :])
        )
        assert root[0] == msgpack.unpackb(header[24:])
        return root

    def page(self, id_: str) -> Any:
        name = f"{self.prefix}page/{id_}"
        data = self.store[name]
        epoch = int.from_bytes(data[2:4], "big") if data[0] == 3 else 1
        return msgpack.unpackb(unsealed(derive(self.masters[epoch], "page"), name, data))

    def content(self, packed: list[Any]) -> bytes:
        blob, key, size, (whole, table), _, *location = packed
        name, plain, chunks = f"{self.prefix}blob/{blob}", b"", len(table) // 3
        place, start = (f"{self.prefix}pack/{location[0][0]}", location[0][1]) if location else (name, 0)
        data = self.store[place]
        for index in range(chunks):
            end = start + int.from_bytes(table[3 * index : 3 * index + 3], "big")
            plain += unsealed(key, f"{name}#{index}{'.' * (index == chunks - 1)}", data[start:end])
            start = end
        assert len(plain) == size == whole
        return plain


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("is_slot_used", [True, False])
async def test_a_stranger_reads_a_store_by_what_the_page_says(epoch: int, is_slot_used: bool) -> None:
    site = await Site.made()
    long = MESSAGE + b"long " * 40_000
    for message in (MESSAGE, long):
        await deposit(site.store.delivery, message)
    account, unlocked = await site.store.unlock(ANNA.address, PASSWORD)
    objects = site.world.objects
    slots = {name: data for name, data in objects.contents.items() if "/slot/" in name}
    while unlocked.epoch < epoch:
        unlocked = (await rotate(site.store.vault, unlocked)).unlocked
    await deposit(site.node().delivery, MESSAGE + b"third")
    account, _ = await site.store.unlock(ANNA.address, PASSWORD)
    async with account.turn() as state:
        items = {item.size_bytes: item.id async for item in state._all()}
        await account.commit([Set(items[max(items)], "read", True), Set(items[min(items)], "folder", None)])
    await account.checkpoint()

    if not is_slot_used:  # the slots as they were before anybody used one in the new epoch
        await site.world.engine().delete(site.world.names(Kind.SLOT))
        for name, data in slots.items():
            objects.put(name, data)
    reader = Reader(site.world.objects.contents)
    records = [record for _, record in reader.records()]
    assert sorted(record[0] for record in records) == ["A", "A", "A", "S", "S"]
    assert {reader.content(record[5]) for record in records if record[0] == "A"} == {
        TRACE + MESSAGE, TRACE + long, TRACE + MESSAGE + b"third",
    }  # fmt: skip
    ((first, rows_page, contents_page, count, _, _, size, folders, *_),) = reader.root()[3]
    ids, _, names, places, rows = reader.page(rows_page)
    where = {item: names[int.from_bytes(places[2 * at : 2 * at + 2], "big")] for at, item in enumerate(ids)}
    assert first == min(ids)
    assert count == 3
    assert where == {items[max(items)]: "inbox", items[min(items)]: "", sorted(items.items())[1][1]: "inbox"}
    assert folders == {"inbox": 2, "": 1}
    read = {row[0]: row[2].get("read", [None] * 9)[8] for row in map(msgpack.unpackb, rows)}
    assert read[items[max(items)]] is True
    contents = {item: msgpack.unpackb(packed) for item, packed in reader.page(contents_page).items()}
    assert len(reader.content(contents[items[max(items)]])) + sorted(items)[1] == size


async def test_a_stranger_reads_contents_in_a_pack() -> None:
    site = await Site.made()
    messages = [MESSAGE, MESSAGE + b"long " * 20_000, MESSAGE + b"third"]
    for message in messages:
        await deposit(site.store.delivery, message)
    account, _ = await site.store.unlock(ANNA.address, PASSWORD)
    async with account.turn():
        await account.write_checkpoint()
    with patch.object(packing, "BLOBS_MIN", 1):
        assert await packing.pack(account._engine, account, 1 << 50) == 3

    store = site.world.objects.contents
    reader = Reader({name: data for name, data in store.items() if "/blob/" not in name})
    (page,) = (ref[2] for ref in reader.root(held=3)[3])
    contents = [msgpack.unpackb(packed) for packed in reader.page(page).values()]
    assert sorted(map(reader.content, contents)) == sorted(TRACE + message for message in messages)
    (pack,) = reader.names("pack/")
    assert len(store[pack]) == sum(len(store[name]) for name in store if "/blob/" in name)


async def test_a_stranger_reads_cursors_near_a_mark() -> None:
    site = await Site.made()
    account, _ = await site.store.unlock(ANNA.address, PASSWORD)
    marked = {f"{number:016x}": (number + 1, 1 << 20) for number in range(40)}
    cursor = {**marked, "9" * 16: (3, 2)}
    del cursor[f"{7:016x}"]
    for message in (MESSAGE, MESSAGE + b"second"):
        await deposit(site.store.delivery, message)
    async with account.turn():
        await account.commit([MarkMade({**marked, "8" * 16: (1, 1)})])
        await account.commit([MarkMade(marked)])
        await account.commit([ViewMade(View("phone", "inbox", "lineage", 1, None, cursor, TOP))])
    await account.checkpoint()

    reader = Reader(site.world.objects.contents)
    records = [record for _, record in reader.records()]
    marks = {record[1]: record[2] for record in records if record[0] == "M"}
    for id_, told in marks.items():
        assert id_ == hashlib.blake2b(msgpack.packb(dict(sorted(told.items()))), digest_size=16).digest()
    (view,) = (record[1] for record in records if record[0] == "V")
    root = reader.root()
    kept: dict[bytes, Any] = {}
    for _, told in root[10]:
        told = {**kept[told[0]], **told[1]} if isinstance(told, list) else told
        told = {writer: seen for writer, seen in sorted(told.items()) if seen != [0, 0]}
        kept[hashlib.blake2b(msgpack.packb(told), digest_size=16).digest()] = told
    assert kept == marks
    for mark, differences in (view[5], root[5][0][4][5]):
        assert len(differences) == 2
        whole = {writer: seen for writer, seen in {**marks[mark], **differences}.items() if seen != [0, 0]}
        assert whole == {writer: [*seen] for writer, seen in cursor.items()}


Key = tuple[Any, ...]


class Mailbox(Reader):
    """Joins every checkpoint, folds the log behind them, and says what the account holds."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.adds: dict[str, dict[Key, Any]] = {}
        self.registers: dict[str, dict[str, tuple[Key, Any]]] = {}
        self.contents: dict[Key, Any] = {}
        self.commits: dict[str, int] = {}
        self.chain: dict[str, bytes] = {}
        roots = [self.opened(name) for name in self.names("log/folded/")]
        rows = [self._rows(root) for root in roots]
        for item in {item for found in rows for item in found}:
            self._join(item, rows, [root[0] for root in roots])
        for root in roots:
            for writer, n in root[0].items():
                if n > self.commits.get(writer, 0):
                    self.commits[writer], self.chain[writer] = n, root[1][writer]
        self._fold_log()

    def opened(self, name: str) -> list[Any]:
        data = self.store[name]
        epoch, size = data[3], int.from_bytes(data[20:24], "big")
        digest = hashlib.blake2b(data[: 24 + size], digest_size=16).hexdigest()
        root: list[Any] = msgpack.unpackb(
            unsealed(derive(self.masters[epoch], "checkpoint"), f"{name}#{digest}", data[24 + size :])
        )
        return root

    def _rows(self, root: list[Any]) -> dict[str, Any]:
        found = {}
        for _, rows_page, contents_page, *_ in root[3]:
            contents = self.page(contents_page)
            for row in map(msgpack.unpackb, self.page(rows_page)[4]):
                found[row[0]] = row
                if row[0] in contents:
                    register = row[2].get("content")
                    rid = register[4:8] if register else next(add[4:8] for add in row[1] if add[11] is not None)
                    self.contents[tuple(rid)] = msgpack.unpackb(contents[row[0]])
        return found

    def _join(self, item: str, rows: list[dict[str, Any]], commits: list[dict[str, int]]) -> None:
        """Take what counts of an item: a side that lacks it, and has folded its first add, has purged it."""
        first = min((found[item][1][0] for found in rows if item in found and found[item][1]), key=_key)
        purged = [seen for found, seen in zip(rows, commits, strict=True) if item not in found and _inside(first, seen)]
        for row in (found[item] for found in rows if item in found):
            for add in row[1]:
                if not any(_inside(add, seen) for seen in purged):
                    self.adds.setdefault(item, {})[_key(add)] = (add[8], add[10], add[11] is not None, add[13])
            for name, register in row[2].items():
                if not any(_inside(register, seen) for seen in purged):
                    self._offer(item, name, _key(register), register[8])

    def _offer(self, item: str, name: str, key: Key, value: Any) -> None:
        known = self.registers.setdefault(item, {})
        if name not in known or known[name][0] < key:
            known[name] = key, value

    def _fold_log(self) -> None:
        for name in self.names("log/"):
            writer, n = name.split("/")[-2], int(name.split("/")[-1][:10], 16) if "/folded/" not in name else 0
            if n != self.commits.get(writer, 0) + 1:
                continue
            data = self.store[name]
            assert data[6:22] == self.chain.get(writer, bytes(16))
            self.commits[writer], self.chain[writer] = n, hashlib.blake2b(data, digest_size=16).digest()
            epoch = int.from_bytes(data[4:6], "big")
            key = derive(self.masters[epoch], "log")
            plain = unsealed(key, f"{name}#{data[:30].hex()}", data[30:], self.privates[epoch])
            time, records = msgpack.unpackb(plain)
            for place, record in enumerate(records, 1):
                self._fold((time, writer, n, place), record)

    def _fold(self, rid: Key, record: list[Any]) -> None:
        if record[0] == "A":
            _, item, folder, _, date, content, values, _, stamp = record
            key = (*(stamp or rid), *rid)
            self.adds.setdefault(item, {})[key] = (folder, date, content is not None, values)
        elif record[0] == "S":
            _, item, name, content, _, stamp = record
            self._offer(item, name, (*(stamp or rid), *rid), content)
            content = content if name == "content" else None
        else:
            return
        if content is not None:
            self.contents[rid] = content

    def items(self) -> dict[str, tuple[Any, Any, bytes]]:
        """Return folder, read, and the bytes of each item."""
        found = {}
        for item, adds in self.adds.items():
            registers = self.registers.get(item, {})
            folder, _, _, values = adds[min(adds)]
            named = registers["content"][0] if "content" in registers else min(key for key in adds if adds[key][2])
            read = registers["read"][1] if "read" in registers else values.get("read")
            where = registers["folder"][1] if "folder" in registers else folder
            found[item] = where, read, self.content(self.contents[named[4:]])
        return found


def _key(packed: list[Any]) -> Key:
    """Return the stamp and the rid with which an add or a register begins: they compare one after the other."""
    return tuple(packed[:8])


def _inside(packed: list[Any], commits: dict[str, int]) -> bool:
    return bool(packed[6] <= commits.get(packed[5], 0))


async def test_a_stranger_joins_the_checkpoints_of_two_nodes_and_folds_the_log_behind_them() -> None:
    site = await Site.made()
    for number in range(6):
        await deposit(site.store.delivery, MESSAGE + str(number).encode())
    nodes = [(await site.node().unlock(ANNA.address, PASSWORD))[0] for _ in range(2)]
    for account in nodes:
        async with account.turn() as state:
            items = sorted([item.id async for item in state._all()])
    for place, account in enumerate(nodes):  # neither knows of what the other does
        async with account.turn(fresh=False):
            await account.commit([Set(items[place], "read", True), Set(items[2 + place], "folder", "junk")])
            await account.commit([Set(items[4], "folder", f"f{place}"), Set(items[5], "folder", None)])
            await account.write_checkpoint()
    assert len(site.world.names(Kind.CHECKPOINT)) == 2
    writers = {account.next_place[0] for account in nodes}
    delivered = [name for name in site.world.names(Kind.LOG) if name.split("/")[-2] not in writers]
    await site.world.engine().delete(delivered)  # as a collector does: both checkpoints cover them
    await deposit(site.node().delivery, MESSAGE + b"late")
    async with nodes[0].turn():
        await nodes[0].commit([Set(items[0], "read", False)])

    found = Mailbox(site.world.objects.contents).items()
    mails = await site.mails()
    account = await site.anna()
    async with account.turn() as state:
        shown = {item.id: (item.membership.folder, item.value("read"), mails[item.id]) async for item in state._all()}
    assert found == shown
    assert len(found) == 7


def test_the_examples_are_true() -> None:
    account = keyed(derive(bytes(range(32)), "account"), b"anna@example.org", size=16).hex()
    assert account == "bcb4ebba0e838642b9009ca155715f07"
    cursor = msgpack.packb({"a": [1, 2], "b": [3, 4]})
    assert hashlib.blake2b(cursor, digest_size=16).hexdigest() == "69dde76e3f086e356a3345685c11f582"
