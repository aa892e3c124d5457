"""What is printed is read back, however it is typed; what is not, is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.keyring.recovery import (
    TYPED_CHARS_MAX,
    new_app_password,
    new_recovery_key,
    parse_recovery_key,
    plain_app_password,
)

KEY = "44QW-ILTE-UYNA-IX3H-EWYO-6IAK-5PWL-5WE6"
"""One that was printed once: the tests' names must be the same in every process."""


@pytest.mark.parametrize("text", ["", "correct horse", KEY[:-1], KEY + "A", "A" * 32, KEY[5:] + KEY[:5]])
def test_what_is_no_recovery_key_is_none(text: str) -> None:
    assert parse_recovery_key(text) is None


def test_every_wrong_letter_is_noticed() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    for place, letter in enumerate(KEY):
        if letter != "-":
            wrong = letters[(letters.index(letter) + 1) % 32]
            assert parse_recovery_key(KEY[:place] + wrong + KEY[place + 1 :]) is None


def test_a_text_one_past_the_bound_is_none() -> None:
    spaces = " " * (TYPED_CHARS_MAX - len(KEY))
    assert parse_recovery_key(KEY + spaces) == KEY
    assert parse_recovery_key(KEY + spaces + " ") is None


@pytest.mark.parametrize(
    "typed",
    [
        KEY.lower(),
        KEY.replace("-", ""),
        KEY.replace("-", " \u2013 "),
        f"  {KEY}\r\n",
        KEY.replace("O", "0").replace("I", "1").replace("B", "8"),
    ],
)
def test_case_dashes_and_look_alikes_do_not_matter(typed: str) -> None:
    assert parse_recovery_key(typed) == KEY


def test_a_recovery_key_is_eight_groups_of_four() -> None:
    assert [len(group) for group in KEY.split("-")] == [4] * 8
    assert len({new_recovery_key() for _ in range(100)}) == 100


def test_an_app_password_is_four_groups_of_four() -> None:
    password = new_app_password()
    assert [len(group) for group in password.split("-")] == [4] * 4
    assert plain_app_password(password.upper().replace("-", "\u2014")) == password.replace("-", "")
    assert len({new_app_password() for _ in range(100)}) == 100


@given(st.text(max_size=200))
def test_any_text_is_read_without_error(text: str) -> None:
    assert parse_recovery_key(text) is None
    assert plain_app_password(plain_app_password(text)) == plain_app_password(text)
