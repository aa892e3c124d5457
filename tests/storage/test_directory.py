"""Addresses have one form, and login names are read in all the ways that phones and people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.directories.directory import LOGIN_CHARS_MAX, Domains, LoginName, canonical, canonical_domain, search_words
from storage.errors import UnknownAddress
from storage.paths import ADDRESS_CHARS_MAX

DOMAINS = Domains.of(["Example.ORG", "bücher.example"], {"EXAMPLE": "example.org", "Books": "bücher.example"})


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "anna",
        "anna@",
        "@example.org",
        "anna@bert@example.org",
        "an na@example.org",
        "anna@exam ple.org",
        "anna\r\n@example.org",
        "<anna@example.org>",
        '"anna"@example.org',
        "anna@[127.0.0.1]",
        "anna\0@example.org",
        "anna@a/b",
        "anna@ü..example",
        "anna@" + "ü" * 64,
        "a" * (ADDRESS_CHARS_MAX - 11) + "@example.org",
    ],
)
def test_what_is_no_address_is_unknown(address: str) -> None:
    with pytest.raises(UnknownAddress):
        canonical(address)


def test_an_address_may_be_as_long_as_the_bound() -> None:
    assert len(canonical("a" * (ADDRESS_CHARS_MAX - 12) + "@example.org")) == ADDRESS_CHARS_MAX


@pytest.mark.parametrize(
    ("address", "form"),
    [
        (" Anna@Example.ORG ", "anna@example.org"),
        ("anna+phone@example.org", "anna+phone@example.org"),
        ("anna@Bücher.example", "anna@xn--bcher-kva.example"),
        ("J\u00dcRGEN@example.org", "j\u00fcrgen@example.org"),
        ("ju\u0308rgen@example.org", "j\u00fcrgen@example.org"),
    ],
)
def test_an_address_has_one_form(address: str, form: str) -> None:
    assert canonical(address) == form


@given(st.text(max_size=30).map(lambda text: text + "@example.org") | st.text(max_size=40))
def test_the_form_of_a_form_is_itself(address: str) -> None:
    try:
        form = canonical(address)
    except UnknownAddress:
        return
    assert canonical(form) == form


def test_a_domain_that_cannot_be_is_refused() -> None:
    with pytest.raises(UnknownAddress):
        canonical_domain("ü..example")


@pytest.mark.parametrize("name", ["", " ", "@", "\\", "\\@", "EXAMPLE\\", "a b@example.org", "\0", "@example.org"])
def test_nonsense_is_a_name_of_nobody(name: str) -> None:
    assert DOMAINS.login_name(name).exact == ()


def test_a_name_one_past_the_bound_is_nobodys() -> None:
    assert DOMAINS.login_name("a" * LOGIN_CHARS_MAX).user
    assert DOMAINS.login_name("a" * (LOGIN_CHARS_MAX + 1)) == LoginName((), "", False)


@pytest.mark.parametrize(
    ("name", "exact", "is_domain_open"),
    [
        ("Anna@Example.org", ("anna@example.org",), False),
        ("EXAMPLE\\Anna", ("anna@example", "anna@example.org"), False),
        ("example.org\\anna", ("anna@example.org",), False),
        ("anna@EXAMPLE", ("anna@example", "anna@example.org"), False),
        ("books\\anna", ("anna@books", "anna@xn--bcher-kva.example"), False),
        ("anna@bücher.example", ("anna@xn--bcher-kva.example",), False),
        ("EXAMPLE\\anna@example.org", ("anna@example.org", "anna@example"), False),
        ("\\anna", (), True),
        ("anna", (), True),
        ("WORKGROUP\\anna", ("anna@workgroup",), True),
        ("anna@elsewhere.example", ("anna@elsewhere.example",), True),
    ],
)
def test_a_login_name_is_read(name: str, exact: tuple[str, ...], is_domain_open: bool) -> None:
    assert DOMAINS.login_name(name) == LoginName(exact, "anna", is_domain_open)


@given(st.text(max_size=60))
def test_any_login_name_is_read_without_error(name: str) -> None:
    DOMAINS.login_name(name)


def test_words_are_compared_without_case_and_accents() -> None:
    assert search_words("Müller-Lüdenscheidt, ANNA") == search_words("muller ludenscheidt anna")
    assert search_words("...") == ()
