"""Names of folders and keywords as other programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.transfer.keywords import categories_of, keyword_of
from eas.transfer.maildir_names import folder_name, folder_path
from eas.transfer.names import decode_utf7, encode_utf7, fit_name, quoted, read_name, unquoted

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),  # RFC 3501 5.1.3
        (b"A&-B", "A&B"),
        (b"A&B", "A&B"),
        (b"R&D-", "R&D-"),
        ("Entwürfe".encode(), "Entwürfe"),
        ("Entwürfe".encode("latin-1"), "Entwürfe"),
        (b"&2D0-", "&2D0-"),  # half of a letter
        (b"", ""),
    ],
)
def test_names_are_read_in_whatever_way_they_were_written(raw: bytes, name: str) -> None:
    assert read_name(raw) == name


@given(TEXTS)
def test_modified_utf7_is_undone(text: str) -> None:
    assert decode_utf7(encode_utf7(text)) == text
    assert decode_utf7(encode_utf7(text, escaped="./~")) == text
    assert not set(encode_utf7(text, escaped="./~")) & set("./~")


@given(TEXTS.filter(bool))
def test_names_of_files_are_undone_and_safe(text: str) -> None:
    assert unquoted(quoted(text)) == text
    assert "/" not in quoted(text)
    assert not quoted(text).startswith(".")


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=4))
def test_names_of_a_maildir_are_undone(path: list[str]) -> None:
    assert folder_path([folder_name(path)]) == tuple(path)


@given(st.lists(TEXTS.filter(bool), unique=True, max_size=4))
def test_categories_become_keywords_and_come_back(names: list[str]) -> None:
    words = [keyword_of(name) for name in names]
    assert all(word.isascii() and word.isprintable() and not set(word) & set('(){ %*"\\]') for word in words)
    wanted = tuple(name for name in names if name.casefold() not in ("junk", "forwarded", "recent", "unseen"))
    assert categories_of(words) == wanted


def test_what_programs_set_for_themselves_is_no_category() -> None:
    assert categories_of(["$Junk", "NonJunk", "\\Seen", "Work", "Work"]) == ("Work",)


@pytest.mark.parametrize(("name", "fit"), [(" a\nb ", "a_b"), ("", "_"), ("x" * 300, "x" * 256), ("\ud800", "_")])
def test_a_name_is_made_fit_for_phones(name: str, fit: str) -> None:
    assert fit_name(name) == fit
