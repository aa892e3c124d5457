import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.wbxml.decoder import decode
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import CHUNK_PARTS, LONG_BYTES, encode, encode_chunks
from eas.wbxml.pages import AirSync, AirSyncBase, ComposeMail, Email, FolderHierarchy
from tests.wbxml.documents import CONTROLS, documents, sync_answer

HEAD = "03 01 6A 00 "


def encoded(value: str | bytes) -> str:
    return encode(Element(AirSync.SyncKey, value=value))[4:].hex(" ")


def test_a_folder_sync_as_every_client_writes_it() -> None:
    root = element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0"))
    assert encode(root) == bytes.fromhex(HEAD + "00 07 56 52 03 30 00 01 01")


def test_switches_the_page_only_where_it_changes() -> None:
    body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, 1))
    root = element(AirSync.ApplicationData, leaf(Email.Read, True), body, leaf(Email.Importance, 1), empty(Email.Flag))
    assert encode(root) == bytes.fromhex(
        HEAD + "5D 00 02 55 03 31 00 01 00 11 4A 46 03 31 00 01 01 00 02 52 03 31 00 01 3A 01"
    )


@pytest.mark.parametrize("value", [None, "", b""])
def test_an_element_with_nothing_in_it_is_an_empty_tag(value: str | bytes | None) -> None:
    assert encode(element(AirSync.Sync, Element(AirSync.SyncKey, value=value))) == bytes.fromhex(HEAD + "45 0b 01")


def test_bytes_go_out_as_opaque() -> None:
    assert encoded(b"\x00\x01") == "4b c3 02 00 01 01"
    assert encoded(b"a" * 160).startswith("4b c3 81 20 61")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\x00b", "ab"),
        (f"{CONTROLS}a{CONTROLS}", "a"),
        ("a\tb\r\nc", "a\tb\r\nc"),
        ("\x7f\x85", "\x7f\x85"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\ud83d\ude00\x00", "\ufffd😀"),
        ("grün & <weiß> \u2028 😀", "grün & <weiß> \u2028 😀"),
    ],
    ids=ascii,
)
def test_a_text_goes_out_as_one_str_i_of_clean_utf_8(text: str, sent: str) -> None:
    assert encode(Element(AirSync.SyncKey, value=text))[4:] == b"\x4b\x03" + sent.encode() + b"\x00\x01"


def test_a_text_of_nothing_but_controls_is_an_empty_tag() -> None:
    assert encoded("\x00\x01") == "0b"


def test_refuses_children_beside_a_value() -> None:
    with pytest.raises(ValueError, match="both"):
        encode(Element(AirSync.Sync, [empty(AirSync.Add)], "text"))


def test_depth_is_no_matter_of_the_stack() -> None:
    root = empty(AirSync.Add)
    for _ in range(10_000):
        root = element(AirSync.Add, root)
    assert encode(root) == bytes.fromhex(HEAD) + b"\x47" * 10_000 + b"\x07" + b"\x01" * 10_000


def test_chunks_stay_small_and_a_long_value_ends_one() -> None:
    chunks = list(encode_chunks(sync_answer()))
    assert len(chunks) > 5
    assert max(map(len, chunks)) < CHUNK_PARTS * 40
    mime = b"m" * LONG_BYTES
    mails = [element(ComposeMail.SendMail, leaf(ComposeMail.Mime, mime)) for _ in range(3)]
    assert [len(chunk) >= LONG_BYTES for chunk in encode_chunks(element(ComposeMail.Source, *mails))] == [
        *(True,) * 3,
        False,
    ]


@given(documents)
def test_chunks_make_the_document(document: Element) -> None:
    assert b"".join(encode_chunks(document)) == encode(document)


@given(st.text(st.characters()))
def test_any_text_makes_a_readable_document(text: str) -> None:
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    clean = clean.translate(dict.fromkeys(map(ord, CONTROLS)))
    assert decode(encode(Element(AirSync.Sync, [Element(AirSync.SyncKey, value=text)]))).text(AirSync.SyncKey) == clean
