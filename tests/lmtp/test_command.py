from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp import reply
from lmtp.command import (
    ADDRESS_BYTES_MAX,
    PARAMETERS_MAX,
    Chunk,
    Mail,
    parse_chunk,
    parse_line,
    parse_mail,
    parse_recipient,
)
from lmtp.reply import Refused, Reply


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("", reply.BAD_ARGUMENT),
        ("TO:<s@x>", reply.BAD_ARGUMENT),
        ("FROM:s@x", reply.BAD_SENDER),
        ("FROM:<s@x", reply.BAD_SENDER),
        ("FROM:<s x@x>", reply.BAD_SENDER),
        ("FROM:<s@x@x>", reply.BAD_SENDER),
        ("FROM:<@x>", reply.BAD_SENDER),
        ("FROM:<s@>", reply.BAD_SENDER),
        ('FROM:<"s@x>', reply.BAD_SENDER),
        ("FROM:<s@x>SIZE=1", reply.BAD_SENDER),
        ("FROM:<" + "s" * (ADDRESS_BYTES_MAX - 1) + "@x>", reply.BAD_SENDER),
        ("FROM:<s@x> SIZE", reply.BAD_ARGUMENT),
        ("FROM:<s@x> SIZE=-1", reply.BAD_ARGUMENT),
        ("FROM:<s@x> SIZE=\u0661", reply.BAD_ARGUMENT),
        ("FROM:<s@x> SIZE=" + "0" * 21, reply.BAD_ARGUMENT),
        ("FROM:<s@x> SIZE=1 size=1", reply.BAD_ARGUMENT),
        ("FROM:<s@x> =", reply.BAD_ARGUMENT),
        ("FROM:<s@x> " + " ".join(f"X{n}" for n in range(PARAMETERS_MAX + 1)), reply.BAD_ARGUMENT),
        ("FROM:<s@x> SIZE=1001", reply.TOO_BIG),
        ("FROM:<s@x> BODY=BINARYMIME", reply.BAD_PARAMETER),
        ("FROM:<s@x> SMTPUTF8=1", reply.BAD_PARAMETER),
        ("FROM:<s@x> RET=FULL", reply.BAD_PARAMETER),
        ("FROM:<\xe9@x>", reply.NEEDS_SMTPUTF8),
    ],
)
def test_refuses_mail(argument: str, why: Reply) -> None:
    with pytest.raises(Refused) as refused:
        parse_mail(argument, 1000)
    assert refused.value.reply == why


@pytest.mark.parametrize(
    ("argument", "mail"),
    [
        ("FROM:<>", Mail("", 0, False)),
        ("from: <s@x>  ", Mail("s@x", 0, False)),
        ("FROM:<s@x> SIZE=1000 BODY=7bit", Mail("s@x", 1000, False)),
        ("FROM:<\xe9@\xfc.test> SMTPUTF8", Mail("\xe9@\xfc.test", 0, True)),
        ('FROM:<"a \\" > b"@x>', Mail('"a \\" > b"@x', 0, False)),
        ("FROM:<@a,@b:s@x>", Mail("s@x", 0, False)),
        ("FROM:<s@[IPv6:::1]>", Mail("s@[IPv6:::1]", 0, False)),
        ("FROM:<" + "s" * (ADDRESS_BYTES_MAX - 2) + "@x>", Mail("s" * (ADDRESS_BYTES_MAX - 2) + "@x", 0, False)),
    ],
)
def test_parses_mail(argument: str, mail: Mail) -> None:
    assert parse_mail(argument, 1000) == mail


def test_a_recipient_may_lack_its_domain_and_may_have_a_detail() -> None:
    assert parse_recipient("TO:<postmaster>", utf8=False) == "postmaster"
    assert parse_recipient("TO:<a+b@y>", utf8=False) == "a+b@y"
    assert parse_recipient("TO:<\xe9@y>", utf8=True) == "\xe9@y"


@pytest.mark.parametrize("argument", ["", "x", "-1", "+1", "1 ", "1 LAS", "1LAST", "0x1", "\u0661", "9" * 21])
def test_a_chunk_needs_a_size(argument: str) -> None:
    assert parse_chunk(argument) is None


def test_parses_chunks() -> None:
    assert parse_chunk("0 last") == Chunk(0, True)
    assert parse_chunk("9" * 20) == Chunk(10**20 - 1, False)


@given(st.binary(max_size=300))
def test_any_line_is_parsed_or_refused(line: bytes) -> None:
    try:
        _, argument = parse_line(line)
        parse_chunk(argument)
        parse_mail("FROM:" + argument, 1000)
    except Refused:
        pass


@given(st.text(alphabet='<>@:," \\ab=+;', max_size=2000))
def test_no_path_takes_long(argument: str) -> None:
    for prefix in ("<@", "<", '<"', "<a@"):
        with suppress(Refused):
            parse_recipient("TO:" + prefix + argument, utf8=True)
