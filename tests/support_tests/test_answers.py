"""`examine` lets no answer through that a phone would trip over."""

import gzip
import struct

import pytest

from eas.protocol.versions import Version
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, AirSyncBase, Email, ItemOperations, Ping
from tests.support.answers import Answer, InvalidAnswer, Request, examine
from tests.support.sync_requests import CollectionRequest, sync_request
from tests.support_tests.examples import PING_OVER, synced

HEADERS = {
    "Content-Type": "application/vnd.ms-sync.wbxml",
    "Cache-Control": "private",
    "MS-Server-ActiveSync": "16.1",
}
OPTIONS = HEADERS | {"MS-ASProtocolVersions": "12.1,14.1,16.1", "MS-ASProtocolCommands": "Sync,Ping"}


def judge(
    body: bytes | Element,
    *,
    command: str = "Ping",
    status: int = 200,
    asked: Element | None = None,
    version: Version = Version.V14_1,
    offers_gzip: bool = True,
    multipart: bool = False,
    without: str = "",
    **headers: str,
) -> Answer:
    raw = encode(body) if isinstance(body, Element) else body
    all_headers = HEADERS | {"Content-Length": str(len(raw))}
    all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers.pop(without, None)
    return examine(Request(command, version, asked, offers_gzip, multipart), status, all_headers, raw)


def asked(key: str = "1", *, changes: bool | None = None, window: int | None = None, commands: bool = False) -> Element:
    command = element(AirSync.Fetch, leaf(AirSync.ServerId, "5:1"))
    return sync_request(
        [CollectionRequest("5", key, get_changes=changes, window_size=window, commands=(command,) if commands else ())]
    )


def deleted(count: int) -> list[Element]:
    return [element(AirSync.Delete, leaf(AirSync.ServerId, f"5:{number}")) for number in range(count)]


def test_a_right_answer_is_returned() -> None:
    assert judge(PING_OVER).root == PING_OVER


def test_a_compressed_answer_is_inflated() -> None:
    assert judge(gzip.compress(encode(PING_OVER)), Content_Encoding="gzip").root == PING_OVER


def test_a_chunked_answer_is_right() -> None:
    assert judge(PING_OVER, without="Content-Length", Transfer_Encoding="chunked").root == PING_OVER


@pytest.mark.parametrize("command", ["SendMail", "SmartReply", "SmartForward", "Sync"])
def test_these_may_be_empty(command: str) -> None:
    assert judge(b"", command=command).is_empty


@pytest.mark.parametrize("command", ["Ping", "FolderSync", "Provision", "Settings", "ItemOperations", "MoveItems"])
def test_others_may_not_be_empty(command: str) -> None:
    with pytest.raises(InvalidAnswer, match="an empty answer"):
        judge(b"", command=command)


def test_sync_is_not_empty_before_12_1() -> None:
    with pytest.raises(InvalidAnswer, match="an empty answer"):
        judge(b"", command="Sync", version=Version.V12_0)


@pytest.mark.parametrize("header", ["Cache-Control", "MS-Server-ActiveSync", "Content-Type", "Content-Length"])
def test_headers_are_demanded(header: str) -> None:
    with pytest.raises(InvalidAnswer):
        judge(PING_OVER, without=header)


@pytest.mark.parametrize(
    ("reason", "headers"),
    [
        ("Content-Encoding", {"Content_Encoding": "br"}),
        ("no gzip", {"Content_Encoding": "gzip"}),
        ("either Content-Length or chunks", {"Transfer_Encoding": "chunked"}),
        ("private", {"Cache_Control": "no-store"}),
        ("Content-Type", {"Content_Type": "text/html"}),
    ],
)
def test_wrong_headers_are_found(reason: str, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(PING_OVER, **headers)  # type: ignore[arg-type]


def test_half_a_gzip_stream_is_found() -> None:
    with pytest.raises(InvalidAnswer, match="not one whole gzip stream"):
        judge(gzip.compress(encode(PING_OVER))[:-4], Content_Encoding="gzip")


def test_gzip_that_was_not_offered_is_found() -> None:
    with pytest.raises(InvalidAnswer, match="offered: False"):
        judge(gzip.compress(encode(PING_OVER)), Content_Encoding="gzip", offers_gzip=False)


def test_an_empty_answer_says_so_and_is_not_compressed() -> None:
    with pytest.raises(InvalidAnswer, match="Content-Length: 0"):
        judge(b"", command="Sync", without="Content-Length", Transfer_Encoding="chunked")
    with pytest.raises(InvalidAnswer, match="Content-Encoding gzip of 0 bytes"):
        judge(b"", command="Sync", Content_Encoding="gzip")


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("cannot be decoded", b"<html>"),
        ("second value", bytes.fromhex("03016a00000d4547033100033200 01 01")),
        ("the root is Sync", encode(synced("1"))),
        ("is not a status", encode(element(Ping.Ping, leaf(Ping.Status, 9)))),
    ],
)
def test_wrong_documents_are_found_and_shown(reason: str, body: bytes) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(body)


def test_an_internal_error_is_for_old_versions_only() -> None:
    assert judge(b"", status=500, version=Version.V12_1).status == 500
    with pytest.raises(InvalidAnswer, match="told by Status"):
        judge(b"", status=500)


@pytest.mark.parametrize(
    ("status", "name", "value"),
    [(401, "WWW_Authenticate", 'Basic realm="x"'), (451, "X_MS_Location", "https://x"), (503, "Retry_After", "5")],
)
def test_refusals_say_what_to_do(status: int, name: str, value: str) -> None:
    assert judge(b"", status=status, **{name: value}).status == status  # type: ignore[arg-type]
    with pytest.raises(InvalidAnswer, match="is missing"):
        judge(b"", status=status)


def test_401_has_no_body_and_asks_for_basic() -> None:
    with pytest.raises(InvalidAnswer, match="401 with a body"):
        judge(b"<html>", status=401, WWW_Authenticate="Basic")
    with pytest.raises(InvalidAnswer, match="not Basic"):
        judge(b"", status=401, WWW_Authenticate="Negotiate")


def test_options_lists_are_as_aosp_needs_them() -> None:
    judge(b"", command="OPTIONS", **{name.replace("-", "_"): value for name, value in OPTIONS.items()})  # type: ignore[arg-type]
    for versions in ("", "12.1, 14.1", "14.1,12.1"):
        with pytest.raises(InvalidAnswer):
            judge(b"", command="OPTIONS", MS_ASProtocolVersions=versions, MS_ASProtocolCommands="Sync")
    with pytest.raises(InvalidAnswer, match="OPTIONS with a body"):
        judge(b"x", command="OPTIONS", MS_ASProtocolVersions="14.1", MS_ASProtocolCommands="Sync")


def test_a_file_is_not_read_as_wbxml() -> None:
    answer = judge(b"\x89PNG", command="GetAttachment", Content_Type="image/png", version=Version.V12_1)
    assert (answer.body, answer.root) == (b"\x89PNG", None)


@pytest.mark.parametrize(
    ("reason", "request_root", "answer"),
    [
        ("was not asked for", asked(), synced("2", collection_id="6")),
        ("under the same key", asked("2"), synced("2", *deleted(1))),
        ("under the same key", asked("2"), synced("2", more=True)),
        ("fresh key and nothing else", asked("0"), synced("2", *deleted(1))),
        ("fresh key and nothing else", asked("0"), synced("0")),
        ("101 changes, the window is 100", asked(), synced("2", *deleted(101))),
        ("3 changes, the window is 2", asked(window=2), synced("2", *deleted(3))),
        ("GetChanges is 0", asked(changes=False), synced("2", *deleted(1))),
        ("no response to Fetch 5:1", asked(commands=True), synced("2")),
        (
            "a response to Change 5:9",
            asked(),
            synced("2", responses=(element(AirSync.Change, leaf(AirSync.ServerId, "5:9"), leaf(AirSync.Status, 8)),)),
        ),
    ],
)
def test_a_sync_answers_what_was_asked(reason: str, request_root: Element, answer: Element) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(answer, command="Sync", asked=request_root)


def test_a_full_window_is_right() -> None:
    judge(synced("2", *deleted(100)), command="Sync", asked=asked())
    judge(synced("2", *deleted(512)), command="Sync", asked=asked(window=512))


@pytest.mark.parametrize("request_root", [asked("0"), asked(commands=True)])
def test_nothing_is_no_answer_to_a_start_or_to_commands(request_root: Element) -> None:
    with pytest.raises(InvalidAnswer, match="answered by nothing"):
        judge(b"", command="Sync", asked=request_root)


def test_ping_names_folders_that_were_asked_for() -> None:
    folder = element(Ping.Folder, leaf(Ping.Id, "5"), leaf(Ping.Class, "Email"))
    request_root = element(Ping.Ping, element(Ping.Folders, folder))
    answer = element(Ping.Ping, leaf(Ping.Status, 2), element(Ping.Folders, leaf(Ping.Folder, "6")))
    with pytest.raises(InvalidAnswer, match="folder '6' was not asked for"):
        judge(answer, asked=request_root)


def fetched(part: int) -> bytes:
    return encode(
        element(
            ItemOperations.ItemOperations,
            leaf(ItemOperations.Status, 1),
            element(
                ItemOperations.Response,
                element(
                    ItemOperations.Fetch,
                    leaf(ItemOperations.Status, 1),
                    leaf(AirSyncBase.FileReference, "5:1:0"),
                    element(ItemOperations.Properties, leaf(ItemOperations.Part, part)),
                ),
            ),
        )
    )


def multipart(document: bytes, *parts: bytes, shift: int = 0) -> bytes:
    offset, table = 4 + 8 * (1 + len(parts)) + shift, b""
    for part in (document, *parts):
        table += struct.pack("<II", offset, len(part))
        offset += len(part)
    return struct.pack("<I", 1 + len(parts)) + table + document + b"".join(parts)


def judge_multipart(body: bytes) -> Answer:
    return judge(body, command="ItemOperations", multipart=True, Content_Type="application/vnd.ms-sync.multipart")


def test_a_multipart_is_split() -> None:
    answer = judge_multipart(multipart(fetched(1), b"abc"))
    assert answer.parts == (b"abc",)


@pytest.mark.parametrize(
    "body",
    [
        b"\0\0\0\0",
        b"\0" * 12,
        b"\xff" * 12,
        multipart(fetched(1), b"abc", shift=1),
        multipart(fetched(1), b"abc") + b"x",
        multipart(fetched(2), b"abc"),
        multipart(fetched(1)),
        multipart(fetched(1), b"abc", b"unnamed"),
        fetched(1),
    ],
)
def test_a_broken_multipart_is_found(body: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        judge_multipart(body)


def test_the_dump_of_a_wrong_answer_is_in_the_message() -> None:
    wrong = synced("2", element(AirSync.Change, leaf(AirSync.ServerId, "5:1"), element(AirSync.ApplicationData)))
    wrong.children[0].children[0].children[-1].children[0].children[1].children.append(empty(Email.Read))
    with pytest.raises(InvalidAnswer, match="Read"):
        judge(wrong, command="Sync")
