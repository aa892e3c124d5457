"""What people type to find mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.finding.words import QUERY_CHARS_MAX, TERMS_MAX, Clause, QueryTooComplex, Term, folded, parse_words


def _one(text: str, fields: tuple[str, ...] = (), *, negated: bool = False) -> Clause:
    return (Term(text, fields, negated),)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("  \t ", ()),
        ("Lunch today", (_one("lunch"), _one("today"))),
        ('"two words" x', (_one("two words"), _one("x"))),
        ('"not closed', (_one("not closed"),)),
        ("lun*", (_one("lun"),)),
        ("*", ()),
        ("from:Anna", (_one("anna", ("from_", "sender")),)),
        ("FROM: Anna", (_one("anna", ("from_", "sender")),)),
        ('subject:"the Plan"', (_one("the plan", ("subject",)),)),
        ("subject=plan", (_one("plan", ("subject",)),)),
        ("body:x", (_one("x", ("preview",)),)),
        ("attachment:pdf", (_one("pdf", ("attachments",)),)),
        ("participants:bob", (_one("bob", ("from_", "sender", "to", "cc", "bcc")),)),
        ("hasattachment:yes", (_one("", ("attachments",)),)),
        ("hasattachment:FALSE", (_one("", ("attachments",), negated=True),)),
        ("-draft", (_one("draft", negated=True),)),
        ("NOT draft x", (_one("draft", negated=True), _one("x"))),
        ("-from:bob", (_one("bob", ("from_", "sender"), negated=True),)),
        ("cat OR dog fish", ((Term("cat"), Term("dog")), _one("fish"))),
        ("cat AND dog", (_one("cat"), _one("dog"))),
        ("(cat OR dog)", ((Term("cat"), Term("dog")),)),
        ("OR cat", (_one("cat"),)),
        ("cat or dog", (_one("cat"), _one("or"), _one("dog"))),
        ("received>=2024-01-01 kind:email x", (_one("x"),)),
        ("Re: lunch", (_one("re:"), _one("lunch"))),
        ("https://example.org/a?b=c", (_one("https://example.org/a?b=c"),)),
        ("bob@example.net", (_one("bob@example.net"),)),
        ("subject:", (_one("subject:"),)),
        ("a - b", (_one("a"), _one("-"), _one("b"))),
        ("2024-05", (_one("2024-05"),)),
    ],
)
def test_queries_are_understood(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse_words(text) == clauses


@pytest.mark.parametrize("text", ["a" * (QUERY_CHARS_MAX + 1), "x " * (TERMS_MAX + 1), "a:b " * (TERMS_MAX + 1)])
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(QueryTooComplex):
        parse_words(text)


def test_as_much_as_is_allowed_is_taken() -> None:
    assert len(parse_words("x " * TERMS_MAX)) == TERMS_MAX
    assert parse_words("a" * QUERY_CHARS_MAX)


@pytest.mark.parametrize(
    ("one", "other"), [("MÄRZ", "marz"), ("Straße", "STRASSE"), ("ｗｉｄｅ", "wide"), ("Ёлка", "елка"), ("ÉTÉ", "ete")]
)
def test_case_accents_and_width_do_not_matter(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_what_makes_another_letter_in_japanese_matters() -> None:
    assert folded("が") != folded("か")


@given(st.text(max_size=200) | st.text('ab:=<>"-()* ORNT', max_size=60))
def test_any_text_is_parsed_or_too_complex(text: str) -> None:
    try:
        clauses = parse_words(text)
    except QueryTooComplex:
        return
    assert all(clause for clause in clauses)
    assert sum(map(len, clauses)) <= TERMS_MAX
