"""The search finds a word wherever it hides."""

import base64
import gzip
import zlib
from email.message import EmailMessage

import pytest
import zstandard

from tests.secrecy.traces import found_in

WORD = "Quittenbrot"
AROUND = b"und heute gibt es Quittenbrot mit Butter und noch mehr davon"


@pytest.mark.parametrize(
    "hidden",
    [
        AROUND,
        AROUND.upper(),
        AROUND.decode().encode("utf-16-le"),
        AROUND.decode().encode("utf-16"),
        AROUND.hex().encode(),
        *(base64.b64encode(b"x" * lead + AROUND) for lead in range(3)),
        *(base64.encodebytes(b"x" * lead + AROUND) for lead in range(3)),
        b"\0" * 9 + zstandard.ZstdCompressor().compress(AROUND) + b"rest",
        b"\0" * 9 + zlib.compress(AROUND) + b"rest",
        b"\0" * 9 + gzip.compress(AROUND, mtime=0) + b"rest",
    ],
)
def test_a_word_is_found(hidden: bytes) -> None:
    assert found_in(hidden, [WORD, "Apfelmus"]) == {WORD}


def test_a_word_of_many_letters_is_found_in_a_message() -> None:
    for encoding in ("8bit", "quoted-printable", "base64"):
        message = EmailMessage()
        message.set_content("Die Gänseblümchenwiese blüht", cte=encoding)
        assert found_in(message.as_bytes(), ["Gänseblümchenwiese"]) == {"Gänseblümchenwiese"}


def test_a_secret_is_found() -> None:
    secret = bytes(range(100, 132))
    for hidden in (secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(b"abc" + secret)):
        assert found_in(b"x" + hidden + b"y", [], [secret]) == {secret.hex()}
    assert found_in(AROUND, [], [secret]) == set()
