"""Text of HTML: layout kept, hidden content left out, no input that is slow."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.html import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one<p>two", "one\n\ntwo"),
        ("one<br>two<BR/><br />three", "one\ntwo\n\nthree"),
        ("<div>one</div>\n<div> two </div>", "one\ntwo"),
        ("a <b>bold</b>\n word", "a bold word"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1  2\n3"),
        ("<ul><li>one</li><li>two</li></ul>", "• one\n• two"),
        ("<style>p{}</style><script>if (a<b) x()</script><title>t</title>shown", "shown"),
        ("<style>never closed", ""),
        ("<!-- hidden <p> -->shown<!--[if mso]>no<![endif]-->", "shown"),
        ("<![if !mso]>shown<![endif]>", "shown"),
        ("<!-- never closed <p>text", ""),
        ("&lt;tag&gt; &amp; &nbsp; &euro;&#8364;&unknown;", "<tag> & €€&unknown;"),
        ("a < b and c > d", "a < b and c > d"),
        ('<a title="x > y">link</a>', "link"),
        ('<img alt="unclosed>text', "text"),
        ("<pre>a\r\n  b\n</pre>c", "a\n  b\n\nc"),
        ("<p></p><p> </p><p>x</p>", "x"),
        ("", ""),
        ("plain", "plain"),
    ],
)
def test_layout(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_targets_of_links_are_given_when_asked_for() -> None:
    html = (
        '<a href="https://x.example/?a=1&amp;b=2">here</a> '
        '<a href="https://y.example">https://y.example</a> <a href="#q">q</a>'
    )
    assert html_to_text(html, links=True) == "here <https://x.example/?a=1&b=2> https://y.example q"
    assert html_to_text(html) == "here https://y.example q"


def test_it_stops_at_the_limit() -> None:
    assert html_to_text("<p>one</p><p>two</p><p>three</p>", 4) == "one\n\ntwo"


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<a '", '<a "', "<!--", "<", "<style>", "<a href=", "&", "<![", "</p", "<pre>", '<a href="x">', "<b x='"],
)
def test_no_repetition_costs_more_than_linear_time(piece: str) -> None:
    began = time.process_time()
    html_to_text(piece * (500_000 // len(piece)), links=True)
    assert time.process_time() - began < 3


@given(
    st.lists(st.sampled_from(["<", ">", "a", '"', "'", "/", "!", "--", "&", ";", "p", " ", "pre", "style", "\n", "="]))
)
def test_any_html_has_a_text(pieces: list[str]) -> None:
    html_to_text("".join(pieces), links=True).encode()
