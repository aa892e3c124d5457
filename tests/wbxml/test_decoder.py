from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.wbxml import decoder
from eas.wbxml.decoder import DEPTH_MAX, PIECES_MAX, TOKENS_MAX, WbxmlError, decode
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, AirSyncBase, ComposeMail, Contacts, FolderHierarchy, tag_of
from eas.wbxml.tag import Unknown
from tests.wbxml.documents import documents, sync_answer

HEAD = "03 01 6A 00 "
FOLDER_SYNC = bytes.fromhex(HEAD + "00 07 56 52 03 30 00 01 01")


def test_a_folder_sync_as_every_client_writes_it() -> None:
    assert decode(FOLDER_SYNC) == element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, "0"))


REFUSED = {
    "nothing at all": ("", "header"),
    "a header cut short": ("03 01 6A", "header"),
    "a header and no more": (HEAD, "ends before"),
    "version 0": ("00 01 6A 00 05", "version"),
    "version 1.4": ("04 01 6A 00 05", "version"),
    "another public identifier": ("03 02 6A 00 05", "public identifier"),
    "another charset": ("03 01 04 00 05", "charset"),
    "a string table": ("03 01 6A 01 41 05", "string table"),
    "a number of six bytes in the header": ("03 81 80 80 80 80 01 6A 00 05", "header"),
    "a page beyond the last": (HEAD + "00 1A 05", "unknown code page"),
    "page 255": (HEAD + "45 00 FF 05 01", "unknown code page"),
    "AirNotify": (HEAD + "00 03 05", "unknown code page"),
    "SWITCH_PAGE as last byte": (HEAD + "00", "ends before"),
    "SWITCH_PAGE as last byte, inside": (HEAD + "45 00", "ends before"),
    "tag identity 02 with content": (HEAD + "42 01", "0x42"),
    "attributes": (HEAD + "85 01", "0x85"),
    "attributes and content": (HEAD + "45 C6 01 01", "0xc6"),
    "ENTITY": (HEAD + "45 02 20 01", "0x02"),
    "LITERAL": (HEAD + "45 04 00 01", "0x04"),
    "EXT_I_0": (HEAD + "45 40 41 00 01", "0x40"),
    "PI": (HEAD + "45 43 01", "0x43"),
    "STR_T": (HEAD + "45 83 00 01", "0x83"),
    "LITERAL_C": (HEAD + "45 44 00 01", "0x44"),
    "EXT_0": (HEAD + "45 C0 01", "0xc0"),
    "END without an element": (HEAD + "01", "0x01"),
    "END of nothing after the root": (HEAD + "45 01 01", "bytes after"),
    "an element that is open at the end": (HEAD + "45 5C", "ends before"),
    "a second root": (HEAD + "05 05", "bytes after"),
    "padding": (HEAD + "05 00", "bytes after"),
    "text at document level": (HEAD + "03 41 00", "text outside"),
    "OPAQUE at document level": (HEAD + "C3 01 41", "text outside"),
    "text behind a child": (HEAD + "45 06 03 41 00 01", "text outside"),
    "text before a child": (HEAD + "45 03 41 00 06 01", "text beside"),
    "text before a child of another page": (HEAD + "45 03 41 00 00 11 06 01", "text beside"),
    "an unknown page behind a text": (HEAD + "45 03 41 00 00 1A 01", "unknown code page"),
    "text beside OPAQUE": (HEAD + "45 03 41 00 C3 01 41 01", "text beside OPAQUE"),
    "text without its NUL": (HEAD + "45 03 41 42", "without its NUL"),
    "text of a leaf without its NUL": (HEAD + "45 4B 03 41 42 01", "without its NUL"),
    "text that is not UTF-8": (HEAD + "45 4B 03 FF 00 01 01", "UTF-8"),
    "a surrogate in UTF-8": (HEAD + "45 4B 03 ED A0 80 00 01 01", "UTF-8"),
    "OPAQUE longer than the rest": (HEAD + "45 4B C3 04 41 42 43", "ends before"),
    "OPAQUE of four gigabytes": (HEAD + "45 4B C3 8F FF FF FF 7F 41 01 01", "OPAQUE"),
    "OPAQUE of a size over 32 bits": (HEAD + "45 4B C3 9F FF FF FF 7F 41 01 01", "32 bits"),
    "OPAQUE of a size in six bytes": (HEAD + "45 4B C3 81 80 80 80 80 00 01 01", "5 bytes"),
    "OPAQUE whose size is cut off": (HEAD + "45 4B C3 81", "ends before"),
    "XML": (b"<?xml version='1.0'?>".hex(), "version"),
}


@pytest.mark.parametrize(("document", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses(document: str, reason: str) -> None:
    with pytest.raises(WbxmlError, match=reason):
        decode(bytes.fromhex(document))


TOLERATED = {
    "WBXML 1.1": ("01 01 6A 00 45 4B 03 41 00 01 01", "A"),
    "WBXML 1.2": ("02 01 6A 00 45 4B 03 41 00 01 01", "A"),
    "a header with numbers longer than needed": ("03 80 01 80 6A 80 00 45 4B 03 41 00 01 01", "A"),
    "OPAQUE for a text": (HEAD + "45 4B C3 01 41 01 01", b"A"),
    "several texts": (HEAD + "45 4B 03 41 00 03 42 00 03 00 03 43 00 01 01", "ABC"),
    "several OPAQUE": (HEAD + "45 4B C3 01 41 C3 00 C3 01 42 01 01", b"AB"),
    "an empty text": (HEAD + "45 4B 03 00 01 01", None),
    "an empty OPAQUE": (HEAD + "45 4B C3 00 01 01", None),
    "content that is none": (HEAD + "45 4B 01 01", None),
    "switches that change nothing": (HEAD + "00 11 00 00 45 00 00 00 00 4B 00 00 03 41 00 00 00 01 00 07 01", "A"),
    "XML characters unescaped": (HEAD + "45 4B 03 26 3C 00 01 01", "&<"),
}


@pytest.mark.parametrize(("document", "value"), TOLERATED.values(), ids=TOLERATED)
def test_tolerates(document: str, value: str | bytes | None) -> None:
    assert decode(bytes.fromhex(document)) == element(AirSync.Sync, Element(AirSync.SyncKey, value=value))


def test_a_root_may_be_empty_or_hold_a_text() -> None:
    assert decode(bytes.fromhex(HEAD + "05")) == empty(AirSync.Sync)
    assert decode(bytes.fromhex(HEAD + "4B 03 41 00 01")) == leaf(AirSync.SyncKey, "A")


def test_keeps_an_unknown_tag_of_a_known_page_with_its_subtree() -> None:
    root = decode(bytes.fromhex(HEAD + "45 7F 4B 03 41 00 01 3E 01 0E 01"))
    unknown = tag_of(0, 0x3F)
    assert isinstance(unknown, Unknown)
    subtree = element(unknown, leaf(AirSync.SyncKey, "A"), empty(tag_of(0, 0x3E)))
    assert root == element(AirSync.Sync, subtree, empty(AirSync.Status))


def test_reads_the_empty_category_that_a_galaxy_s2_sends_without_its_nul() -> None:
    # Contacts:Categories/Category holds STR_I and no NUL; the four ENDs close Category, Categories, ApplicationData
    # and Change, then a switch to AirSync and the next Change follow.
    change = "48 4D 03 31 00 01 5D 00 01 55 56 03 01 01 01 01 00 00"
    root = decode(bytes.fromhex(HEAD + "45 56" + change + "48 4D 03 32 00 01 01 01 01"))
    categories = element(Contacts.Categories, empty(Contacts.Category))
    broken = element(AirSync.Change, leaf(AirSync.ServerId, "1"), element(AirSync.ApplicationData, categories))
    intact = element(AirSync.Change, leaf(AirSync.ServerId, "2"))
    assert root == element(AirSync.Sync, element(AirSync.Commands, broken, intact))


def test_an_error_says_where_and_brings_the_tree_so_far() -> None:
    document = bytes.fromhex(HEAD + "45 4B 03 41 00 01 00 11 4A 46 03 31 00 01 C6")
    with pytest.raises(WbxmlError) as caught:
        decode(document)
    assert (caught.value.page, caught.value.offset) == (17, len(document) - 1)
    body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, 1))
    assert caught.value.tree == element(AirSync.Sync, leaf(AirSync.SyncKey, "A"), body)


def nested(depth: int) -> bytes:
    return bytes.fromhex(HEAD) + b"\x45" * depth + b"\x01" * depth


def test_refuses_depth_over_32() -> None:
    assert decode(nested(DEPTH_MAX)).tag is AirSync.Sync
    with pytest.raises(WbxmlError, match="nesting"):
        decode(nested(DEPTH_MAX + 1))


def test_refuses_too_many_tokens() -> None:
    head = bytes.fromhex(HEAD)
    assert len(decode(head + b"\x45" + b"\x06" * (TOKENS_MAX - 1) + b"\x01").children) == TOKENS_MAX - 1
    with pytest.raises(WbxmlError, match="tokens"):
        decode(head + b"\x45" + b"\x06" * TOKENS_MAX + b"\x01")


@pytest.mark.parametrize("piece", [b"\x03\x00", b"\x03A\x00", b"\xc3\x00", b"\xc3\x01A"])
def test_refuses_a_value_in_too_many_pieces(piece: bytes) -> None:
    head = bytes.fromhex(HEAD) + b"\x4b"
    assert decode(head + piece * (PIECES_MAX - 1) + b"\x01").tag is AirSync.SyncKey
    with pytest.raises(WbxmlError, match="pieces"):
        decode(head + piece * PIECES_MAX + b"\x01")


def test_the_tree_of_an_error_can_be_written() -> None:
    with pytest.raises(WbxmlError) as caught:
        decode(bytes.fromhex(HEAD + "45 4B C3 01 41 06"))
    assert caught.value.tree is not None
    assert encode(caught.value.tree) == bytes.fromhex(HEAD + "45 0B 01")


def test_refuses_too_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "BYTES_MAX", len(FOLDER_SYNC))
    assert decode(FOLDER_SYNC)
    with pytest.raises(WbxmlError, match="over"):
        decode(FOLDER_SYNC + b"\x00")


def test_reads_megabytes_of_mime_in_one_piece() -> None:
    mime = bytes(range(256)) * 8192
    assert decode(encode(element(ComposeMail.SendMail, leaf(ComposeMail.Mime, mime)))).opaque(ComposeMail.Mime) == mime


SMALL = encode(sync_answer(messages=1, body_bytes=40))


@pytest.mark.parametrize("cut", range(len(SMALL)))
def test_every_document_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(WbxmlError):
        decode(SMALL[:cut])


@given(documents)
def test_decode_undoes_encode(document: Element) -> None:
    assert decode(encode(document)) == document


@given(st.binary())
def test_accepts_or_raises_wbxml_error(data: bytes) -> None:
    with suppress(WbxmlError):
        decode(data)


@given(st.binary())
def test_accepts_or_raises_wbxml_error_behind_a_good_header(data: bytes) -> None:
    with suppress(WbxmlError):
        decode(bytes.fromhex(HEAD) + data)


@given(documents, st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3)), min_size=1))
def test_a_mutated_document_is_accepted_or_raises_wbxml_error(
    document: Element, edits: list[tuple[int, bytes, int]]
) -> None:
    data = encode(document)
    for position, inserted, removed in edits:
        position %= len(data) + 1
        data = data[:position] + inserted + data[position + removed :]
    with suppress(WbxmlError):
        decode(data)


@given(st.binary())
def test_what_is_accepted_is_stable(data: bytes) -> None:
    with suppress(WbxmlError):
        root = decode(bytes.fromhex(HEAD) + data)
        again = encode(root)
        assert encode(decode(again)) == again
