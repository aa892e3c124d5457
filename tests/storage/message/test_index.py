"""The index of a message: right for good mail, and something sensible for any bytes."""

import mmap
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.headers import HEADER_BYTES_MAX
from storage.message.index import index_message
from storage.message.splitter import DEPTH_MAX, PARTS_MAX
from storage.message.summary import Summary
from storage.message.transfer import decode_part, part_text
from tests.support.messages import mixed_message, multipart
from tests.support.soundness import assert_sound


def message(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def text_of(data: bytes, summary: Summary) -> str:
    part = summary.text or summary.html
    assert part is not None
    return part_text(part, data[part.start : part.end])


def test_a_plain_message_is_one_text_part() -> None:
    data = message(
        "From: Ann <ann@a.example>",
        'To: "Doe, John" <john@b.example>, c@c.example',
        "Subject: Re: Lunch",
        "Date: Mon, 20 Nov 2023 10:00:00 +0100",
        "Message-ID: <1@a.example>",
        body=b"At noon?\r\n",
    )
    summary = index_message(data)
    assert summary.from_ == '"Ann" <ann@a.example>'
    assert summary.to == '"Doe, John" <john@b.example>, c@c.example'
    assert summary.display_to == "Doe, John;c@c.example"
    assert (summary.subject, summary.thread_topic) == ("Re: Lunch", "Lunch")
    assert summary.date == datetime(2023, 11, 20, 9, 0, tzinfo=UTC)
    assert (summary.message_id, summary.importance) == ("<1@a.example>", 1)
    assert (summary.preview, summary.message_class) == ("At noon?", "IPM.Note")
    assert [part.path for part in summary.parts] == ["1"]
    assert summary.text is not None
    assert summary.text.text_size == 10
    assert not summary.attachments
    assert_sound(data, summary)


@pytest.mark.parametrize("n", range(60))
def test_the_mixture_is_read_whole(n: int) -> None:
    data = mixed_message(n)
    summary = index_message(data)
    assert_sound(data, summary)
    assert summary.text is not None
    assert summary.text.decoded_size == len(decode_part(summary.text, data[summary.text.start : summary.text.end]))
    assert summary.preview
    for part in summary.attachments:
        assert part.name == "Bericht für März.pdf"
        assert part.decoded_size == len(decode_part(part, data[part.start : part.end]))


def test_a_mapped_file_reads_like_bytes(tmp_path: Path) -> None:
    data = mixed_message(2)
    path = tmp_path / "message"
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert index_message(mapped) == index_message(data)


def test_bodies_come_from_one_alternative_and_footers_become_attachments() -> None:
    both = [b"Content-Type: text/plain\r\n\r\nplain", b"Content-Type: text/html\r\n\r\n<p>rich"]
    inner = b'Content-Type: multipart/alternative; boundary="i"\r\n\r\n' + multipart("i", both)
    footer = b"Content-Type: text/plain\r\n\r\n-- the list"
    data = message("Content-Type: multipart/mixed; boundary=o", body=multipart("o", [inner, footer]))
    summary = index_message(data)
    assert (summary.text_part, summary.html_part, summary.native_body_type) == (0, 1, 2)
    assert [(part.path, part.name) for part in summary.attachments] == [("2", "ATT00001.txt")]


def test_a_footer_never_passes_for_the_text_of_an_html_body() -> None:
    parts = [b"Content-Type: text/html\r\n\r\n<p>rich", b"Content-Type: text/plain\r\n\r\n-- the list"]
    summary = index_message(message("Content-Type: multipart/mixed; boundary=o", body=multipart("o", parts)))
    assert (summary.text_part, summary.html_part) == (None, 0)


def test_a_related_image_with_a_content_id_is_inline() -> None:
    parts = [
        b'Content-Type: text/html\r\n\r\n<img src="cid:a@b">',
        b"Content-Type: image/png\r\nContent-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
        b"Content-Type: image/png\r\nContent-Disposition: attachment; filename=b.png\r\n\r\nx",
    ]
    summary = index_message(message("Content-Type: multipart/related; boundary=o", body=multipart("o", parts)))
    assert [(part.name, part.content_id, part.is_inline) for part in summary.attachments] == [
        ("ATT00001.png", "a@b", True),
        ("b.png", "", False),
    ]


def test_an_attached_message_is_one_attachment_ending_in_eml() -> None:
    inner = (
        b"Subject: =?utf-8?q?Caf=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nx\r\n--o--\r\n"
    )
    parts = [b"\r\nsee below", b"Content-Type: message/rfc822\r\n\r\n" + inner]
    (part,) = index_message(
        message("Content-Type: multipart/mixed; boundary=p", body=multipart("p", parts))
    ).attachments
    assert (part.name, part.method, part.content_type) == ("Café.eml", 5, "message/rfc822")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'Content-Disposition: attachment; filename="a b.pdf"', "a b.pdf"),
        (b"Content-Disposition: attachment; filename=a b.pdf", "a b.pdf"),
        (b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf", "€.pdf"),
        (b"Content-Disposition: attachment; filename*0*=iso-8859-1''M%E4; filename*1=rz.pdf", "März.pdf"),
        (b'Content-Disposition: attachment; filename*1="b.pdf"; filename*0="a"', "ab.pdf"),
        (b'Content-Type: application/pdf; name="=?utf-8?b?4oKsLnBkZg==?="\r\nContent-Disposition: attachment', "€.pdf"),
        (b'Content-Disposition: attachment; filename="M\xc3\xa4rz.pdf"', "März.pdf"),
        (b'Content-Disposition: attachment; filename="..\\..\\etc/passwd"', "_.._etc_passwd"),
        (b'Content-Disposition: attachment; filename="unclosed.pdf', "unclosed.pdf"),
        (b"Content-Disposition: attachment; filename=" + b"x" * 300 + b".pdf", "x" * 251 + ".pdf"),
        (b'Content-Disposition: attachment; filename=""', "ATT00001.bin"),
        (b"Content-Type: application/pkcs7-signature", "smime.p7s"),
    ],
)
def test_names_of_attachments(header: bytes, name: str) -> None:
    parts = [b"\r\nbody", b"Content-Type: application/octet-stream\r\n" + header + b"\r\n\r\nx"]
    if b"Content-Type" in header:
        parts[1] = header + b"\r\n\r\nx"
    (part,) = index_message(
        message("Content-Type: multipart/mixed; boundary=p", body=multipart("p", parts))
    ).attachments
    assert part.name == name


def test_an_encoded_word_cut_inside_a_character_is_joined() -> None:
    summary = index_message(message("Subject: =?utf-8?q?Gr=C3?=\r\n =?utf-8?q?=BC=C3=9Fe?= an =?iso-8859-1?Q?J=F6rg?="))
    assert summary.subject == "Grüße an Jörg"


@pytest.mark.parametrize("raw", ["Grüße".encode(), "Grüße".encode("latin-1")])
def test_raw_8_bit_headers_are_read(raw: bytes) -> None:
    assert index_message(b"Subject: " + raw + b"\r\n\r\n").subject == "Grüße"


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("x-nothing", "Grüße".encode(), "Grüße"),
        ("x-nothing", "Grüße".encode("latin-1"), "Grüße"),
        ("utf-8", "Grüße".encode("latin-1"), "Grüße"),
        ("iso-8859-1", b"\x80 5", "€ 5"),
        ("gb2312", "中文〇龍".encode("gb18030"), "中文〇龍"),
        ("utf-8", b"a\x00b", "a\x00b"),
        ("punycode", b"caf-dma", "caf-dma"),
    ],
)
def test_charsets_of_bodies(charset: str, body: bytes, text: str) -> None:
    data = message(f"Content-Type: text/plain; charset={charset}", body=body)
    summary = index_message(data)
    assert text_of(data, summary) == text
    assert "\0" not in summary.preview


def test_a_missing_closing_boundary_loses_nothing() -> None:
    data = message("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n\r\none\r\n--b\r\n\r\ntwo")
    summary = index_message(data)
    assert [data[part.start : part.end] for part in summary.parts] == [b"one", b"two"]


def test_a_missing_boundary_parameter_is_found_in_the_content() -> None:
    data = message("Content-Type: multipart/mixed", body=b"--b\r\nContent-Type: text/html\r\n\r\n<p>one\r\n--b--\r\n")
    assert index_message(data).preview == "one"


def test_a_multipart_without_any_boundary_is_text() -> None:
    data = message("Content-Type: multipart/mixed; boundary=b", body=b"just text\r\n")
    assert text_of(data, index_message(data)) == "just text\r\n"


def test_a_closing_boundary_alone_makes_the_content_text() -> None:
    data = message("Content-Type: multipart/mixed; boundary=b", body=b"hello\r\n--b--\r\n")
    assert index_message(data).preview == "hello --b--"


def test_a_boundary_that_begins_like_another_is_told_apart() -> None:
    inner = b"Content-Type: multipart/alternative; boundary=bb\r\n\r\n" + multipart("bb", [b"\r\none"])
    data = message("Content-Type: multipart/mixed; boundary=b", body=multipart("b", [inner, b"\r\ntwo"]))
    assert [part.path for part in index_message(data).parts] == ["1.1", "2"]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_line_ends_of_both_kinds_are_read(ending: bytes) -> None:
    data = mixed_message(2).replace(b"\r\n", ending)
    summary = index_message(data)
    assert_sound(data, summary)
    assert [part.name for part in summary.attachments] == ["Bericht für März.pdf"]


def test_a_header_that_ends_in_two_bare_line_feeds_is_ended() -> None:
    data = b"Subject: a\r\nTo: b@c\n\nbody\r\n\r\nmore"
    assert text_of(data, index_message(data)) == "body\r\n\r\nmore"


def test_lines_without_a_colon_are_passed_over() -> None:
    summary = index_message(b"Subject: a\r\nnonsense here\r\nTo: b@c.example\r\n\r\nbody")
    assert (summary.subject, summary.to, summary.preview) == ("a", "b@c.example", "body")


def test_a_text_without_header_is_all_body() -> None:
    assert index_message(b"Dear all,\r\nhello\r\n\r\nbye").preview == "Dear all, hello bye"


def test_nothing_at_all_is_an_empty_text() -> None:
    summary = index_message(b"")
    assert_sound(b"", summary)
    assert summary.text_part == 0


def test_nesting_beyond_the_bound_is_one_leaf() -> None:
    data = b"".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n".encode() for n in range(1000))
    summary = index_message(data)
    assert_sound(data, summary)
    assert len(summary.parts) == 1
    assert summary.parts[0].path.count(".") == DEPTH_MAX - 1
    assert summary.parts[0].end == len(data)


@pytest.mark.parametrize("count", [PARTS_MAX, PARTS_MAX + 1, 100_000])
def test_parts_beyond_the_bound_are_one_leaf(count: int) -> None:
    data = message("Content-Type: multipart/mixed; boundary=b", body=b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n")
    summary = index_message(data)
    assert_sound(data, summary)
    assert len(summary.parts) == PARTS_MAX
    last = summary.parts[-1]
    assert (b"--b\r\n" in data[last.start : last.end]) == (count > PARTS_MAX)


def test_a_header_of_ten_megabytes_is_read_up_to_its_bound() -> None:
    data = b"Subject: a\r\n" + b"X-Filler: " + b"x" * 10_000_000 + b"\r\nTo: b@c.example\r\n\r\nbody"
    summary = index_message(data)
    assert (summary.subject, summary.to, summary.preview) == ("a", "", "body")
    assert summary.header_size > HEADER_BYTES_MAX


def test_importance_is_read_by_name_then_by_number() -> None:
    assert index_message(message("Importance: High")).importance == 2
    assert index_message(message("X-Priority: 5 (Lowest)")).importance == 0
    assert index_message(message("X-Priority: 1", "Importance: normal")).importance == 1


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 9999 99:99:99 +9999", "32 Jan 2024 00:00:00 +0000"])
def test_a_bad_date_is_none(date: str) -> None:
    assert index_message(message(f"Date: {date}")).date is None


def test_sender_is_given_only_when_it_differs() -> None:
    assert index_message(message("From: a@b.c", "Sender: A <a@b.c>")).sender == ""
    assert index_message(message("From: a@b.c", "Sender: d@e.f")).sender == "d@e.f"


def test_reply_to_is_separated_by_semicolons() -> None:
    assert index_message(message("Reply-To: a@b.c, D <d@e.f>")).reply_to == 'a@b.c;"D" <d@e.f>'


@given(st.binary(max_size=2000))
def test_any_bytes_have_an_index(data: bytes) -> None:
    assert_sound(data, index_message(data))


@given(
    st.integers(0, 40).map(mixed_message).filter(lambda data: len(data) < 50_000),
    st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 30), st.binary(max_size=20)), max_size=8),
)
def test_damaged_mail_has_an_index(data: bytes, damages: list[tuple[int, int, bytes]]) -> None:
    for at, removed, added in damages:
        at %= len(data)
        data = data[:at] + added + data[at + removed :]
    assert_sound(data, index_message(data))


@given(
    st.lists(
        st.sampled_from(
            (
                *(b"--b", b"--", b"\r\n", b"\n", b"\r\n\r\n", b"a:", b"=?utf-8?", b"x", b"\xff", b"\0", b'"', b";"),
                *(b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n"),
                b"Content-Transfer-Encoding: base64\r\n",
            )
        ),
        max_size=60,
    )
)
def test_any_heap_of_mime_pieces_has_an_index(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert_sound(data, index_message(data))
