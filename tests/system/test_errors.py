"""What a whole server says to requests that are wrong: HTTP, query, document; and what every answer carries."""

import gzip
from collections.abc import AsyncIterator

import pytest

from eas.protocol.versions import ANNOUNCED, Version
from eas.wbxml.element import element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, Contacts, FolderHierarchy, Move, Provision
from storage.engine import Unavailable
from tests.eas.world import World, world
from tests.support.client import EasClient
from tests.support.transport import PATH
from tests.system.raw import Answer, login, request, wire

MINE = login("u1@example.test", "pw-u1")
QUERY = "Cmd={}&User=u&DeviceId=raw1&DeviceType=SP"
FOLDERS = encode(element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0")))
FOREIGN = encode(element(FolderHierarchy.FolderSync, leaf(Contacts.FirstName, "x")))
OLD, NEW = "12.1", "14.0"


@pytest.fixture
async def server() -> AsyncIterator[World]:
    async with world(1) as running:
        yield running


async def ask(server: World, data: bytes) -> Answer:
    """Return the answer to raw bytes; the very next request on another connection must be served."""
    async with wire(server.url) as line:
        await line.send(data)
        answer = await line.answer()
    async with wire(server.url) as line:
        await line.send(request(method="OPTIONS", query="", headers=MINE))
        assert (await line.answer()).status == 200
    return answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 401),
        (login("u1@example.test", "wrong"), 401),
        (login("nobody@example.test", "pw-u1"), 401),
        (b"Authorization: Basic !!!\r\n", 401),
        (b"Authorization: Basic dTE=\r\n", 401),
        (b"Authorization: Bearer abc\r\n", 401),
        (b"Authorization: \r\n", 401),
    ],
)
async def test_without_a_login_there_is_a_challenge_and_nothing_else(
    server: World, headers: bytes, status: int
) -> None:
    for asked in (
        request(FOLDERS, query=QUERY.format("FolderSync"), headers=headers),
        request(query="", headers=headers),
        request(query=QUERY.format("Nonsense"), headers=headers, version="99"),
        request(method="OPTIONS", query="", headers=headers),
    ):
        if headers and b"OPTIONS" not in asked and b"FolderSync" not in asked:
            continue  # a login that is given is looked at once the query is understood
        answer = await ask(server, asked)
        assert (answer.status, answer.body) == (status, b"")
        assert answer.headers["www-authenticate"].startswith("basic realm=")


@pytest.mark.parametrize(
    ("query", "version", "status"),
    [
        ("", "16.1", 400),
        ("garbage", "16.1", 400),
        ("%%%", "16.1", 400),
        ("jAAJ", "16.1", 400),
        ("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25lAAAA", "16.1", 400),
        ("Cmd", "16.1", 400),
        ("User=u&DeviceId=raw1&DeviceType=SP", "16.1", 400),
        (QUERY.format("FolderSync"), "", 400),
        (QUERY.format("FolderSync"), "99.9", 400),
        (QUERY.format("FolderSync"), "2.5", 400),
        (QUERY.format("FolderSync"), "12.0", 400),
        (QUERY.format("Nonsense"), "16.1", 501),
        (QUERY.format("GetHierarchy"), "16.1", 501),
        ("Cmd=" + "x" * 7000, "16.1", 400),
    ],
)
async def test_a_query_that_cannot_be_used(server: World, query: str, version: str, status: int) -> None:
    answer = await ask(server, request(FOLDERS, query=query, version=version, headers=MINE))
    assert (answer.status, answer.body) == (status, b"")


async def test_other_paths_and_methods(server: World) -> None:
    for path in ("/", "/Microsoft-Server-ActiveSync2", "/../etc/passwd", PATH + "/x"):
        assert (await ask(server, request(path=path, headers=MINE))).status == 404
    for method in ("GET", "PUT", "DELETE", "PROPFIND"):
        assert (await ask(server, request(method=method, headers=MINE))).status == 501


DEVICES = {
    "DeviceId missing": ("Cmd=FolderSync&User=u&DeviceType=SP", 108),
    "DeviceId empty": ("Cmd=FolderSync&User=u&DeviceId=&DeviceType=SP", 108),
    "DeviceId too long": (f"Cmd=FolderSync&User=u&DeviceId={'a' * 65}&DeviceType=SP", 108),
    "DeviceType missing": ("Cmd=FolderSync&User=u&DeviceId=raw1", 109),
}


@pytest.mark.parametrize(("query", "status"), DEVICES.values(), ids=DEVICES.keys())
async def test_a_device_that_does_not_say_who_it_is(server: World, query: str, status: int) -> None:
    answer = await ask(server, request(FOLDERS, query=query, version=NEW, headers=MINE))
    assert answer.status == 200
    assert answer.root.number(FolderHierarchy.Status) == status
    assert (await ask(server, request(FOLDERS, query=query, version=OLD, headers=MINE))).status == 400
    assert (await ask(server, request(FOLDERS, query=query, version=OLD))).status == 401


def nested(depth: int) -> bytes:
    return b"\x03\x01\x6a\x00" + b"\x45" * depth + b"\x01" * depth


BODIES: dict[str, tuple[str, bytes, int]] = {
    "no WBXML": ("FolderSync", b"<FolderSync/>", 102),
    "cut short": ("FolderSync", FOLDERS[:-2], 102),
    "bytes behind": ("FolderSync", FOLDERS + b"\x01", 102),
    "a page that is none": ("FolderSync", b"\x03\x01\x6a\x00\x00\x63\x45\x01", 102),
    "a string table": ("FolderSync", b"\x03\x01\x6a\x05hello\x45\x01", 102),
    "an OPAQUE of 4 GB": ("FolderSync", b"\x03\x01\x6a\x00\x00\x07\x56\x52\xc3\x8f\xff\xff\xff\x7f\x01\x01", 102),
    "an endless number": ("FolderSync", b"\x03\x01\x6a\x00\x00\x07\x56\x52\xc3" + b"\xff" * 100, 102),
    "an entity": ("FolderSync", b"\x03\x01\x6a\x00\x00\x07\x56\x52\x02\x20\x01\x01", 102),
    "no UTF-8": ("FolderSync", b"\x03\x01\x6a\x00\x00\x07\x56\x52\x03\xff\xfe\x00\x01\x01", 102),
    "33 deep": ("Sync", nested(33), 102),
    "a million deep": ("Sync", nested(1_000_000), 102),
    "a million siblings": ("Sync", b"\x03\x01\x6a\x00\x45" + b"\x07" * 1_000_000 + b"\x01", 102),
    "another command's root": ("Sync", FOLDERS, 102),
    "a foreign element": (
        "FolderSync",
        encode(element(FolderHierarchy.FolderSync, leaf(Contacts.FirstName, "x"))),
        102,
    ),
    "a required element missing": ("FolderSync", encode(empty(FolderHierarchy.FolderSync)), 103),
    "no body": ("FolderSync", b"", 101),
    "no body for Provision": ("Provision", b"", 101),
    "MoveItems of nothing": ("MoveItems", encode(element(Move.MoveItems, empty(Move.Move))), 103),
}
STATUS_OF = {
    "FolderSync": FolderHierarchy.Status,
    "Sync": AirSync.Status,
    "Provision": Provision.Status,
    "MoveItems": Move.Status,
}


@pytest.mark.parametrize(("command", "body", "status"), BODIES.values(), ids=BODIES.keys())
async def test_a_document_that_cannot_be_used(server: World, command: str, body: bytes, status: int) -> None:
    for version in ANNOUNCED:
        answer = await ask(server, request(body, query=QUERY.format(command), version=version.text, headers=MINE))
        if version < Version.V14_0:
            assert (answer.status, answer.body) == (400, b"")
        else:
            assert answer.status == 200
            assert answer.root.number(STATUS_OF[command]) == status


async def test_every_answer_has_its_headers(server: World) -> None:
    for asked in (
        request(FOLDERS, query=QUERY.format("FolderSync"), headers=MINE),
        request(query=QUERY.format("Sync"), headers=MINE),
        request(FOLDERS, query=QUERY.format("FolderSync"), headers=MINE, version="1.0"),
        request(FOLDERS, query=QUERY.format("FolderSync")),
        request(path="/elsewhere"),
    ):
        answer = await ask(server, asked)
        assert "content-length" in answer.headers
        assert answer.headers["cache-control"] == "private"
        assert answer.headers["ms-server-activesync"] == "16.1"
        assert answer.headers["content-type"] == "application/vnd.ms-sync.wbxml"


async def test_versions_are_told_again_with_key_0_only(server: World) -> None:
    phone = EasClient(server.url, "u1@example.test", "pw-u1")
    async with phone:
        await phone.folder_sync()
        first = phone.answered().headers
        assert first["X-MS-RP"] == first["MS-ASProtocolVersions"] == ",".join(one.text for one in sorted(ANNOUNCED))
        assert "Sync" in first["MS-ASProtocolCommands"].split(",")
        await phone.folder_sync()
        later = phone.answered().headers
        assert not {"X-MS-RP", "MS-ASProtocolVersions", "MS-ASProtocolCommands"} & set(later)


async def test_gzip_comes_when_asked_for_and_never_around_nothing(server: World) -> None:
    headers = MINE + b"Accept-Encoding: gzip\r\n"
    answer = await ask(server, request(FOLDERS, query=QUERY.format("FolderSync"), headers=headers))
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body).startswith(b"\x03\x01\x6a\x00")
    async with server.client(1) as phone:
        await phone.sync_all("inbox")
        await phone.sync("inbox")
        assert phone.answered().headers["Content-Length"] == "0"
        assert "Content-Encoding" not in phone.answered().headers


@pytest.mark.parametrize("version", [OLD, NEW])
async def test_a_store_that_is_away_means_later(server: World, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request(FOLDERS, query=QUERY.format("FolderSync"), version=version, headers=MINE)
    assert (await ask(server, asked)).status == 200

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    for name in ("get", "get_many", "list", "put"):
        monkeypatch.setattr(server.store.engine, name, away)
    async with wire(server.url) as line:
        await line.send(asked)
        answer = await line.answer()
    monkeypatch.undo()
    if version == OLD:
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    else:
        assert answer.root.number(FolderHierarchy.Status) == 111
    assert (await ask(server, asked)).status == 200


async def test_a_mistake_of_ours_means_later_too(server: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone that gets several 500s in a row throws away all that it has."""
    from eas.commands import folder_sync

    for broken in ("parse", "handle", "render"):
        for version in (OLD, NEW):

            def fail(*_: object, **__: object) -> None:
                raise ZeroDivisionError

            monkeypatch.setattr(folder_sync, broken, fail)
            async with wire(server.url) as line:
                await line.send(request(FOLDERS, query=QUERY.format("FolderSync"), version=version, headers=MINE))
                answer = await line.answer()
            assert answer.status == (503 if version == OLD else 200)
            monkeypatch.undo()
