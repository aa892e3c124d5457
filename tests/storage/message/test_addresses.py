"""Address lists as people and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.message.addresses import SHOWN_CHARACTERS_MAX, Address, parse_addresses, show


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a@b.c", "a@b.c"),
        (b"Ann <a@b.c>", '"Ann" <a@b.c>'),
        (b'"Doe, John" <j@b.c>, a@b.c', '"Doe, John" <j@b.c>, a@b.c'),
        (b"Doe, John <j@b.c>", '"Doe, John" <j@b.c>'),
        (b"a@b.c (Ann)", '"Ann" <a@b.c>'),
        (b"a@b.c; d@e.f", "a@b.c, d@e.f"),
        (b"undisclosed-recipients:;", ""),
        (b"Friends: a@b.c, D <d@e.f>;, g@h.i", 'a@b.c, "D" <d@e.f>, g@h.i'),
        (b"=?utf-8?q?M=C3=BCller=2C_J=C3=B6rg?= <j@b.c>", '"Müller, Jörg" <j@b.c>'),
        (b'"say \\"hi\\"" <a@b.c>', '"say \\"hi\\"" <a@b.c>'),
        (b"<@relay.example,@two.example:a@b.c>", "a@b.c"),
        (b"Ann < a@b.c >", '"Ann" <a@b.c>'),
        (b"Ann a@b.c", '"Ann" <a@b.c>'),
        (b"<>", ""),
        (b"", ""),
        (b",,;", ""),
        (b"Ann", '"Ann"'),
        (b'"unclosed <a@b.c>', '"unclosed" <a@b.c>'),
        (b"J\xc3\xb6rg <j@b.c>", '"Jörg" <j@b.c>'),
        (b"a@b.c,\r\n\td@e.f", "a@b.c, d@e.f"),
        (b"mailto:a@b.c", "a@b.c"),
    ],
)
def test_lists(raw: bytes, shown: str) -> None:
    assert show(parse_addresses(raw)) == shown


def test_a_long_list_shows_whole_mailboxes_up_to_the_bound() -> None:
    raw = b",".join(b"somebody%d@example.org" % n for n in range(3000))
    shown = show(parse_addresses(raw, limit=len(raw)))
    assert SHOWN_CHARACTERS_MAX - 40 < len(shown) <= SHOWN_CHARACTERS_MAX
    assert shown.endswith("@example.org")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list(raw: bytes) -> None:
    for mailbox in parse_addresses(raw):
        assert mailbox.name or mailbox.address
        assert not set("\r\n\0") & set(str(mailbox))


_NAMES = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=10)


@given(_NAMES.filter(lambda name: "=?" not in name), st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True))
def test_what_is_shown_is_read_back(name: str, address: str) -> None:
    assert parse_addresses(str(Address(name, address)).encode()) == [Address(name, address)]
