"""Bodies: the right form, cut where it was asked and where it does no harm, and no more read than needed."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.mail.body import LINKS_FROM_BYTES, Body, BodyType, MimeSupport, Preference, plan, render, wire_text
from eas.mail.body_plan import CONVERTED_BYTES_MAX
from eas.protocol.versions import Version
from storage.message.html import html_to_text
from storage.message.index import index_message
from tests.support.messages import mixed_message, multipart

SIGNED = b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=s\r\n\r\n' + multipart(
    "s", [b"\r\nsigned text", b"Content-Type: application/pkcs7-signature\r\n\r\nAAAA"]
)


def body_of(
    data: bytes,
    *preferences: Preference,
    mime_support: int = MimeSupport.NEVER,
    version: Version = Version.V14_1,
    mime_truncation: int | None = None,
    cut_mime: bool = True,
) -> Body:
    planned = plan(
        index_message(data), preferences, mime_support, version, mime_truncation=mime_truncation, cut_mime=cut_mime
    )
    for start, size in planned.ranges:
        assert 0 <= start <= start + size <= len(data)
    return render(planned, [data[start : start + size] for start, size in planned.ranges])


def read_for(data: bytes, *preferences: Preference, mime_support: int = MimeSupport.NEVER) -> int:
    ranges = plan(index_message(data), preferences, mime_support, Version.V14_1).ranges
    return sum(size for _, size in ranges)


def plain(text: str, charset: str = "utf-8") -> bytes:
    return f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + text.encode(charset)


def html(text: str, charset: str = "utf-8") -> bytes:
    return f"Content-Type: text/html; charset={charset}\r\n\r\n".encode() + text.encode(charset)


def both(text: str, rich: str) -> bytes:
    parts = [plain(text), html(rich)]
    return b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + multipart("b", parts)


def test_without_preference_type_and_size_alone_are_given() -> None:
    body = body_of(plain("hello"))
    assert body == Body(1, 5, truncated=True, data=None, preview=None, native_body_type=1)


def test_the_native_type_is_taken_when_offered() -> None:
    message = both("plain", "<html><body>rich</body></html>")
    assert body_of(message, Preference(1), Preference(2)).type == BodyType.HTML
    assert body_of(plain("x"), Preference(2), Preference(1)).type == BodyType.PLAIN


def test_each_form_is_made_of_the_other() -> None:
    body = body_of(html("<p>one</p><p>two &amp; three"), Preference(1))
    assert (body.data, body.native_body_type) == ("one\r\n\r\ntwo & three", 2)
    body = body_of(plain("a < b\n  & c"), Preference(2))
    assert body.data is not None
    assert "a &lt; b<br>\r\n&nbsp; &amp; c" in body.data
    assert body.data.startswith("<html>")
    assert (body.type, body.native_body_type) == (2, 1)


def test_an_empty_text_beside_html_is_made_of_the_html() -> None:
    assert body_of(both("\r\n", "<p>rich"), Preference(1)).data == "rich"


def test_the_text_of_an_alternative_is_taken_as_it_is() -> None:
    assert body_of(both("plain", "<p>rich"), Preference(1)).data == "plain"


def test_plain_text_has_crlf_line_ends_and_no_controls() -> None:
    assert body_of(plain("a\nb\r\nc\rd\0\x07e"), Preference(1)).data == "a\r\nb\r\nc\r\nde"


@given(st.text("ab \r\n\t\0\x0b\x0c\x1c\x7f\x85\u2028\u2029\ufffe\uffffé\ud800"))
def test_every_line_end_becomes_crlf_and_every_control_goes(text: str) -> None:
    bare = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]", "", text)
    assert wire_text(text) == re.sub("\r\n|[\r\n\x85\u2028\u2029]", "\r\n", bare)


def test_rtf_alone_is_answered_without_data() -> None:
    assert body_of(plain("x"), Preference(3)).data is None


@pytest.mark.parametrize(
    "declared", ['<meta charset="iso-8859-1">', '<META content="text/html; charset=gb2312" http-equiv=x>']
)
def test_a_document_is_complete_and_its_charset_is_utf_8(declared: str) -> None:
    body = body_of(html(f"<html><head>{declared}</head><body>Grüße</body></html>", "iso-8859-1"), Preference(2))
    assert body.data is not None
    assert re.findall("charset=[^\"'>]*", body.data) == ["charset=utf-8"]
    assert "Grüße" in body.data
    assert body_of(html("fragment"), Preference(2)).data.count("<html>") == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("size", range(12))
def test_plain_text_is_cut_at_whole_characters(size: int) -> None:
    text = "aü€😀b"
    body = body_of(plain(text), Preference(1, size))
    data = body.data or ""
    assert text.startswith(data)
    assert size - 4 < len(data.encode()) <= size
    assert body.truncated == (size < len(text.encode()))
    assert body.estimated_data_size == len(text.encode())


def test_truncation_to_nothing_leaves_data_out() -> None:
    body = body_of(plain("hello"), Preference(1, 0, preview=3))
    assert (body.data, body.truncated, body.estimated_data_size, body.preview) == (None, True, 5, "hel")


def test_html_is_not_cut_inside_a_tag_or_an_entity() -> None:
    document = "<html><body><p class='x'>one &amp; two</p></body></html>"
    for size in range(len(document) + 80):
        data = body_of(html(document), Preference(2, size)).data or ""
        assert data.count("<") == data.count(">")
        assert not re.search("&[a-z]*$", data)


def test_a_cut_does_not_move_before_a_picture_inside_a_tag() -> None:
    document = f'<html><body>{"text " * 2000}<img src="data:image/png;base64,{"A" * 50_000}">end</body></html>'
    data = body_of(html(document), Preference(2, 40_000)).data
    assert data is not None
    assert len(data) > 39_000


def test_all_or_none_tries_the_next_preference() -> None:
    message = both("short", "<html><body>" + "long " * 5000 + "</body></html>")
    body = body_of(message, Preference(1), Preference(2, 1000, all_or_none=True))
    assert (body.type, body.data) == (1, "short")


def test_all_or_none_everywhere_leaves_type_and_size() -> None:
    message = both("short text", "<html>" + "long " * 5000)
    body = body_of(message, Preference(1, 3, all_or_none=True), Preference(2, 1000, all_or_none=True, preview=100))
    assert (body.type, body.data, body.truncated, body.preview) == (2, None, True, "short text")
    assert body.estimated_data_size >= 25_000


def test_all_or_none_sends_what_fits_exactly() -> None:
    assert body_of(plain("12345"), Preference(1, 5, all_or_none=True)).data == "12345"
    assert body_of(plain("123456"), Preference(1, 5, all_or_none=True)).data is None


def test_all_or_none_without_a_size_is_ignored() -> None:
    assert body_of(plain("12345"), Preference(1, all_or_none=True)).data == "12345"


@pytest.mark.parametrize(
    ("support", "message", "expected"),
    [(0, SIGNED, 1), (1, SIGNED, 4), (2, SIGNED, 4), (0, plain("x"), 1), (1, plain("x"), 1), (2, plain("x"), 4)],
)
def test_mime_goes_out_when_it_is_wanted_and_allowed(support: int, message: bytes, expected: int) -> None:
    body = body_of(message, Preference(1), Preference(2), Preference(4), mime_support=support)
    assert body.type == expected
    if expected == 4:
        assert body.data == message.decode()
        assert body.estimated_data_size == len(message)


def test_mime_is_not_sent_when_it_is_not_offered() -> None:
    assert body_of(SIGNED, Preference(1), mime_support=2).type == 1


def test_mime_is_cut_at_the_smaller_limit() -> None:
    message = plain("x" * 1000)
    body = body_of(message, Preference(4, 500), mime_support=2, mime_truncation=200)
    assert body.data == message[:200].decode()
    assert (body.truncated, body.estimated_data_size) == (True, len(message))


def test_mime_is_not_cut_for_phones_that_break_on_it() -> None:
    message = plain("x" * 1000)
    body = body_of(message, Preference(4, 500), Preference(1, 500), mime_support=2, cut_mime=False)
    assert (body.type, body.data) == (1, "x" * 500)
    body = body_of(message, Preference(4, 500), mime_support=2, cut_mime=False)
    assert (body.type, body.data, body.truncated, body.estimated_data_size) == (4, None, True, len(message))


def test_mime_that_is_not_utf_8_is_encoded_anew() -> None:
    binary = b"Content-Type: x/y\r\nContent-Transfer-Encoding: binary\r\n\r\na\0\xff"
    parts = [plain("Grüße", "iso-8859-1"), binary, b"\r\nas it is"]
    message = b"Subject: Gr\xfc\xdfe\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + multipart("b", parts)
    body = body_of(message, Preference(4), mime_support=2)
    assert body.data is not None
    mended = body.data.encode()
    assert b"\0" not in mended
    assert body.estimated_data_size == len(mended)
    assert b"\r\nas it is\r\n" in mended
    summary = index_message(mended)
    assert summary.subject == "Grüße"
    assert body_of(mended, Preference(1)).data == "Grüße"
    assert [part.encoding for part in summary.parts] == ["base64", "base64", "7bit"]
    assert summary.parts[1].decoded_size == 3


def test_a_single_part_that_is_not_utf_8_is_encoded_anew() -> None:
    message = b"Content-Transfer-Encoding: 8bit\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n"
    mended = (body_of(message, Preference(4), mime_support=2).data or "").encode()
    assert mended.count(b"Content-Transfer-Encoding") == 1
    assert body_of(mended, Preference(1)).data == "Grüße\r\n"


def test_an_attached_message_that_is_not_utf_8_is_mended_inside() -> None:
    inner = plain("Grüße", "iso-8859-1")
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + multipart(
        "b", [b"\r\nx", b"Content-Type: message/rfc822\r\n\r\n" + inner]
    )
    mended = (body_of(message, Preference(4), mime_support=2).data or "").encode()
    part = index_message(mended).parts[1]
    assert part.encoding == "7bit"
    assert body_of(mended[part.start : part.end], Preference(1)).data == "Grüße"


def test_a_signed_message_goes_out_byte_by_byte() -> None:
    assert body_of(SIGNED, Preference(4), mime_support=1).data == SIGNED.decode()


def test_previews_have_at_most_the_characters_asked_for() -> None:
    message = html("<html><body>" + "Grüße " * 100)
    assert body_of(message, Preference(2, 100, preview=10)).preview == "Grüße Grüß"
    assert body_of(message, Preference(2, 100, preview=10), version=Version.V12_1).preview is None
    assert body_of(message, Preference(2, 100)).preview is None
    assert body_of(message, Preference(1, 100, preview=10)).preview is None


def test_targets_of_links_stay_out_of_short_texts() -> None:
    message = html('<a href="https://x.example">here</a>')
    assert body_of(message, Preference(1, LINKS_FROM_BYTES - 1)).data == "here"
    assert body_of(message, Preference(1, LINKS_FROM_BYTES)).data == "here <https://x.example>"


def test_little_is_read_of_a_huge_text() -> None:
    huge = plain("0123456789" * 1_000_000)
    assert read_for(huge, Preference(1, 4096)) < 20_000
    assert read_for(huge, Preference(2, 4096)) < 20_000
    assert read_for(huge, Preference(4, 4096), mime_support=2) < 20_000
    assert read_for(huge, Preference(1, 4096, all_or_none=True)) == 0
    assert read_for(huge) == 0
    body = body_of(huge, Preference(1, 4096))
    assert len(body.data or "") == 4096
    assert body.estimated_data_size == 10_000_000


def test_a_conversion_reads_no_more_than_its_bound() -> None:
    huge = html("<p>text</p>" * (CONVERTED_BYTES_MAX // 10))
    assert read_for(huge, Preference(1)) <= CONVERTED_BYTES_MAX + 4096
    body = body_of(huge, Preference(1, 4096))
    assert len(body.data or "") in (4095, 4096)
    assert body_of(huge, Preference(1)).truncated


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-32-le", "gb18030", "utf-7", "iso-8859-1"])
def test_enough_is_read_whatever_the_charset(charset: str) -> None:
    body = body_of(plain("abcdefghij" * 20_000, charset), Preference(1, 50_000))
    assert len(body.data or "") == 50_000


PREFERENCES = st.lists(
    st.builds(
        Preference,
        st.sampled_from([1, 2, 3, 4]),
        st.none() | st.integers(0, 40_000),
        st.booleans(),
        st.sampled_from([0, 20, 255]),
    ),
    max_size=4,
)


def assert_lawful(message: bytes, preferences: list[Preference], support: int) -> None:
    body = body_of(message, *preferences, mime_support=support)
    size = len((body.data or "").encode())
    assert body.estimated_data_size >= size
    assert "\0" not in (body.data or "")
    asked = next((each for each in preferences if each.type == body.type), None)
    if asked is not None and asked.truncation_size is not None:
        assert size <= asked.truncation_size
        assert not (body.truncated and asked.all_or_none and body.data)
    if asked is not None and asked.truncation_size is None:
        assert not body.truncated
    if not body.truncated and body.data is not None:
        assert body.estimated_data_size == size


@given(st.integers(0, 60), PREFERENCES, st.integers(0, 2))
def test_every_body_keeps_the_law(n: int, preferences: list[Preference], support: int) -> None:
    assert_lawful(mixed_message(n), preferences, support)


@given(st.binary(max_size=600), PREFERENCES, st.integers(0, 2))
def test_any_bytes_have_a_lawful_body(message: bytes, preferences: list[Preference], support: int) -> None:
    assert_lawful(message, preferences, support)


@pytest.mark.parametrize(("n", "number"), [*product(range(20), (1, 2))])
def test_what_is_sent_of_the_mixture_is_all_of_it(n: int, number: int) -> None:
    message = mixed_message(n)
    body = body_of(message, Preference(number))
    assert body.data is not None
    assert not body.truncated
    text = body.data if number == 1 else html_to_text(body.data)
    assert index_message(message).preview[:30].strip() in " ".join(text.split())
