"""Drafts after edits: what is left out stays, and the same edit again changes no byte."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.items.draft import HTML, MIME, PLAIN, DraftChanges, NewFile
from eas.mail.draft_edit import Author, edited, new_draft, new_parts, undated
from storage.message.addresses import Address
from storage.message.index import index_message
from storage.message.transfer import decode_part

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2024, 2, 2, tzinfo=UTC)
AUTHOR = Author(Address("Anna", "anna@example.org"), "<draft@example.org>")
HTML_BODY = '<html><body>tea <img src="cid:pic@phone"></body></html>'

texts = st.dictionaries(
    st.sampled_from(["to", "cc", "bcc", "reply_to"]), st.sampled_from(["", "b@x.org", "Ünal <u@x.org>; c@x.org", "Bo"])
)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
files = st.builds(
    NewFile,
    client_id=st.just("1"),
    name=st.text(min_size=1, max_size=20),
    content=st.binary(max_size=300),
    content_type=st.sampled_from(["", "image/png", "multipart/mixed", "message/partial", "nonsense"]),
)
changes = st.builds(
    lambda given, subject, importance, body_type, body, added: DraftChanges(
        {**given, "subject": subject}, importance, body_type, body.encode(), tuple(added)
    ),
    texts,
    words,
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([PLAIN, HTML]),
    words,
    st.lists(files, max_size=2),
)


def again(change: DraftChanges, message: bytes) -> bytes:
    bare = DraftChanges(change.texts, change.importance, change.body_type, change.body)
    return edited(bare, AUTHOR, LATER, message, index_message(message), ())


@given(changes)
def test_the_same_edit_again_changes_no_byte(change: DraftChanges) -> None:
    message = new_draft(change, AUTHOR, NOW)
    once = again(change, message)
    assert again(change, once) == once
    assert once == message


@given(changes)
def test_an_edit_of_one_field_leaves_the_others(change: DraftChanges) -> None:
    before = index_message(message := new_draft(change, AUTHOR, NOW))
    after = index_message(edited(DraftChanges({"cc": "new@x.org"}), AUTHOR, LATER, message, before, ()))
    assert after.cc == "new@x.org"
    for name in ("subject", "to", "bcc", "reply_to", "importance", "date", "message_id", "native_body_type"):
        assert getattr(after, name) == getattr(before, name)
    assert [part.name for part in after.attachments] == [part.name for part in before.attachments]


@given(st.lists(files, max_size=4), st.sampled_from([PLAIN, HTML]))
def test_new_files_are_found_again(added: list[NewFile], body_type: int) -> None:
    old = NewFile("0", "old", b"old")
    first = new_draft(DraftChanges({}, None, body_type, b"x", (old,)), AUTHOR, NOW)
    message = edited(DraftChanges({}, files=tuple(added)), AUTHOR, NOW, first, index_message(first), ())
    summary = index_message(message)
    found = new_parts(summary, added)
    assert [decode_part(part, message[part.start : part.end]) for _, part in found] == [each.content for each in added]
    assert len(summary.attachments) == len(added) + 1


def test_pictures_are_known_by_their_content_id() -> None:
    picture = NewFile("p", "a.png", b"png", "image/png", "<pic@phone>", is_inline=True)
    file = NewFile("f", "b.txt", b"txt")
    message = new_draft(DraftChanges({}, None, HTML, HTML_BODY.encode(), (file, picture)), AUTHOR, NOW)
    found = {each.client_id: part.name for each, part in new_parts(index_message(message), (file, picture))}
    assert found == {"f": "b.txt", "p": "a.png"}


@pytest.mark.parametrize(
    ("file", "content_type"),
    [
        (NewFile("1", "a.jpg", b""), "image/jpeg"),
        (NewFile("1", "a", b""), "application/octet-stream"),
        (NewFile("1", "a.eml", b""), "application/octet-stream"),
        (NewFile("1", "a.eml", b"Subject: x\r\n\r\n", "message/rfc822"), "message/rfc822"),
        (NewFile("1", "a.jpg", b"", "Text/CSV"), "text/csv"),
        (NewFile("1", "a", b"", "multipart/mixed"), "application/octet-stream"),
        (NewFile("1", "a", b"", "no type"), "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_never_taken_for_structure(file: NewFile, content_type: str) -> None:
    message = new_draft(DraftChanges({}, files=(file,)), AUTHOR, NOW)
    [part] = index_message(message).attachments
    assert part.content_type == content_type


def test_a_whole_message_brings_its_own_files() -> None:
    first = new_draft(DraftChanges({}, files=(NewFile("1", "old", b"old"),)), AUTHOR, NOW)
    whole = DraftChanges({}, None, MIME, b"Subject: new\r\n\r\nnew\r\n", (NewFile("2", "new", b"new"),))
    summary = index_message(edited(whole, AUTHOR, LATER, first, index_message(first), ()))
    assert (summary.subject, [part.name for part in summary.attachments]) == ("new", ["new"])
    assert summary.message_id == "<draft@example.org>"


def test_a_draft_is_sent_undated() -> None:
    message = new_draft(DraftChanges({"subject": "x"}, None, PLAIN, b"y"), AUTHOR, NOW)
    assert index_message(message).date == NOW
    assert index_message(undated(message)).date is None
