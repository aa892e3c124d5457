import pytest
from hypothesis import given

from eas.wbxml.dump import DumpError, dump, parse_dump
from eas.wbxml.element import Element, element, empty, leaf
from eas.wbxml.pages import AirSync, Email, Email2, tag_of
from tests.wbxml.documents import documents

ROOT = element(
    AirSync.Sync,
    leaf(AirSync.SyncKey, "1"),
    element(
        AirSync.ApplicationData,
        leaf(Email.Subject, 'two\nlines and a "quote" \\ ä'),
        leaf(Email2.ConversationId, b"\x00\xff"),
        leaf(Email2.Sender, b"m" * 33),
        empty(tag_of(0, 0x3F)),
    ),
    empty(AirSync.MoreAvailable),
)
SHOWN = r"""AirSync:Sync
  SyncKey "1"
  ApplicationData
    Email:Subject "two\nlines and a \"quote\" \\ ä"
    Email2:ConversationId hex 00ff
    Email2:Sender base64 bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1t
    Unknown_3F
  MoreAvailable
"""


def test_shows_a_document() -> None:
    assert dump(ROOT) == SHOWN


def test_reads_what_it_shows_and_passes_over_comments() -> None:
    assert parse_dump(SHOWN) == ROOT
    assert parse_dump("# a capture\n\n" + SHOWN.replace("  SyncKey", "  # the key\n  SyncKey")) == ROOT


def test_a_surrogate_can_be_written_to_a_file() -> None:
    shown = dump(Element(AirSync.SyncKey, value="a\ud800"))
    assert shown.encode() == b'AirSync:SyncKey "a\\ud800"\n'
    assert parse_dump(shown) == Element(AirSync.SyncKey, value="a\ud800")


@given(documents)
def test_parse_dump_undoes_dump(document: Element) -> None:
    assert parse_dump(dump(document)) == document


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("# nothing\n", 1),
        ("Sync\n", 1),
        ("NoPage:Sync\n", 1),
        ("AirSync:NoTag\n", 1),
        ("  AirSync:Sync\n", 1),
        ("AirSync:Sync\nAirSync:Sync\n", 2),
        ("AirSync:Sync\n    Add\n", 2),
        ("AirSync:Sync\n   Add\n", 2),
        ('AirSync:SyncKey "1"\n  Add\n', 2),
        ('AirSync:SyncKey "1\n', 1),
        ('AirSync:SyncKey "\\x"\n', 1),
        ("AirSync:SyncKey hex 0\n", 1),
        ("AirSync:SyncKey base64 A\n", 1),
        ("AirSync:SyncKey 1\n", 1),
    ],
    ids=repr,
)
def test_says_which_line_is_wrong(text: str, line: int) -> None:
    with pytest.raises(DumpError) as caught:
        parse_dump(text)
    assert caught.value.line == line
