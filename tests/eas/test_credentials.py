"""Authorization headers as phones write them, and as nobody should."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.login.credentials import CREDENTIALS_CHARS_MAX, Credentials, parse_basic


def basic(raw: bytes) -> str:
    return "Basic " + b64encode(raw).decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic é",
        "Bearer abc",
        "Negotiate YII=",
        basic(b"nobody"),
        basic(b":password"),
        basic(b"  :password"),
        basic(b"user:"),
        basic(b""),
        basic(b"u:" + b"x" * CREDENTIALS_CHARS_MAX),
    ],
)
def test_what_is_no_login_is_none(header: str) -> None:
    assert parse_basic(header) is None


def test_the_longest_header_is_read() -> None:
    size = CREDENTIALS_CHARS_MAX * 3 // 4
    assert parse_basic(basic(b"u:" + b"x" * (size - 2))) is not None
    assert parse_basic(basic(b"u:" + b"x" * (size - 1))) is None


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1252"])
def test_umlauts_are_read_in_every_charset_of_phones(charset: str) -> None:
    assert parse_basic(basic("jörg:pässwört".encode(charset))) == Credentials("jörg", "pässwört")


def test_a_byte_that_windows_does_not_know_is_latin() -> None:
    assert parse_basic(basic(b"u:\x81")) == Credentials("u", "\x81")


def test_the_scheme_is_read_in_any_case_and_padding_may_lack() -> None:
    header = "bAsIc  " + b64encode(b"u1@example.test:a").decode().rstrip("=")
    assert parse_basic(header) == Credentials("u1@example.test", "a")


def test_a_password_may_hold_colons() -> None:
    assert parse_basic(basic(b"u:a:b:")) == Credentials("u", "a:b:")


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("u", "secret"))


@given(st.text(alphabet=st.characters(exclude_characters=":", codec="utf-8"), min_size=1), st.text(min_size=1))
def test_what_was_written_is_read(user: str, password: str) -> None:
    raw = f"{user}:{password}".encode("utf-8", "surrogatepass")
    found = parse_basic(basic(raw))
    if user.strip() and len(b64encode(raw)) <= CREDENTIALS_CHARS_MAX and _is_text(raw):
        assert found == Credentials(user, password)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.text())
def test_anything_else_is_read_or_none(header: str) -> None:
    parse_basic(header)
    parse_basic("Basic " + header)
